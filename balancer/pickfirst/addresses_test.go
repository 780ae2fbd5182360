// The order of attempts.

package pickfirst

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

func addresses(list string) []resolver.Address {
	var addrs []resolver.Address
	for addr := range strings.FieldsSeq(list) {
		addrs = append(addrs, resolver.Address{Addr: addr})
	}
	return addrs
}

func names(addrs []resolver.Address) string {
	var all []string
	for _, a := range addrs {
		all = append(all, a.Addr)
	}
	return strings.Join(all, " ")
}

func TestFamiliesTakeTurns(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"one family", "1.1.1.1:1 2.2.2.2:2 3.3.3.3:3", "1.1.1.1:1 2.2.2.2:2 3.3.3.3:3"},
		{"IPv4 first", "1.1.1.1:1 2.2.2.2:1 3.3.3.3:1 [::1]:1 [::2]:1", "1.1.1.1:1 [::1]:1 2.2.2.2:1 [::2]:1 3.3.3.3:1"},
		{"IPv6 first", "[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1", "[::1]:1 1.1.1.1:1 [::2]:1 [::3]:1"},
		{"others are a family", "unix:/a unix:/b 1.1.1.1:2 1.1.1.1:3 [::1]:1", "unix:/a 1.1.1.1:2 [::1]:1 unix:/b 1.1.1.1:3"},
		{"names are others", "1.1.1.1:1 2.2.2.2:2 host:1 host:2", "1.1.1.1:1 host:1 2.2.2.2:2 host:2"},
		{"no port is other", "1.1.1.1 [::1]:1 ::1", "1.1.1.1 [::1]:1 ::1"},
		{"zones", "[fe80::1%eth0]:1 [fe80::2%eth0]:1 1.1.1.1:80", "[fe80::1%eth0]:1 1.1.1.1:80 [fe80::2%eth0]:1"},
		{"names of ports", "1.1.1.1:1 2.2.2.2:http [::1]:1", "1.1.1.1:1 [::1]:1 2.2.2.2:http"},
		{"IPv4 in IPv6", "[::ffff:1.1.1.1]:1 1.1.1.1:80 [::1]:1", "[::ffff:1.1.1.1]:1 [::1]:1 1.1.1.1:80"},
	} {
		if got := names(interleave(addresses(c.in))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAddressesOfAllEndpoints(t *testing.T) {
	s := resolver.State{
		Addresses: addresses("not used"),
		Endpoints: []resolver.Endpoint{{Addresses: addresses("a b")}, {}, {Addresses: addresses("c a d")}},
	}
	if got, want := names(attemptOrder(s, false)), "a b c d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAddressesWithoutEndpoints(t *testing.T) {
	if got, want := names(attemptOrder(resolver.State{Addresses: addresses("a b a")}, false)), "a b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEqualAddressesAreTriedOnce(t *testing.T) {
	attrs := attributes.New("key", "value")
	flat := flatten([]resolver.Endpoint{{Addresses: []resolver.Address{
		{Addr: "a"}, {Addr: "a", ServerName: "name"}, {Addr: "a", Attributes: attrs},
		{Addr: "a", BalancerAttributes: attrs}, {Addr: "a", Metadata: 1}, {Addr: "a"},
	}}})
	if len(flat) != 3 || flat[1].ServerName == "" || flat[2].Attributes == nil {
		t.Errorf("got %v, want the first three", flat)
	}
}

// shares returns how often each of the endpoints a, b and c was first in n shuffles.
func shares(n int, weights map[string]uint32) map[string]float64 {
	var s resolver.State
	for _, addr := range []string{"a", "b", "c"} {
		e := resolver.Endpoint{Addresses: addresses(addr + " " + addr + "2")}
		if w, ok := weights[addr]; ok {
			e = weight.Set(e, weight.EndpointInfo{Weight: w})
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	first := map[string]float64{}
	for range n {
		first[attemptOrder(s, true)[0].Addr] += 1 / float64(n)
	}
	return first
}

func TestShuffleByWeight(t *testing.T) {
	const n = 20000
	for _, c := range []struct {
		name    string
		weights map[string]uint32
		off     bool // weights are ignored
		want    map[string]float64
	}{
		{"no weights", nil, false, map[string]float64{"a": 1. / 3, "b": 1. / 3, "c": 1. / 3}},
		{"weights", map[string]uint32{"a": 1, "b": 2, "c": 7}, false, map[string]float64{"a": .1, "b": .2, "c": .7}},
		{"no weight is 1", map[string]uint32{"b": 0, "c": 2}, false, map[string]float64{"a": .25, "b": .25, "c": .5}},
		{"largest weight", map[string]uint32{"c": math.MaxUint32}, false, map[string]float64{"c": 1}},
		{"ignored weights", map[string]uint32{"a": 1, "b": 2, "c": 7}, true, map[string]float64{"a": 1. / 3, "b": 1. / 3, "c": 1. / 3}},
	} {
		weightedShuffle = !c.off
		got := shares(n, c.weights)
		weightedShuffle = true
		for _, addr := range []string{"a", "b", "c"} {
			// Six standard deviations of a share of one half.
			if math.Abs(got[addr]-c.want[addr]) > 6*math.Sqrt(.25/n) {
				t.Errorf("%s: got shares %v, want about %v", c.name, got, c.want)
				break
			}
		}
	}
}

func TestShuffleKeepsEndpointsWholeAndInputAsItIs(t *testing.T) {
	in := []resolver.Endpoint{{Addresses: addresses("a1 a2")}, {Addresses: addresses("b1 b2")}, {Addresses: addresses("c1 c2")}}
	before := slices.Clone(in)
	for range 100 {
		got := names(flatten(shuffle(in)))
		for _, pair := range []string{"a1 a2", "b1 b2", "c1 c2"} {
			if !strings.Contains(got, pair) {
				t.Fatalf("got %q, want %q in one piece", got, pair)
			}
		}
	}
	if names(flatten(in)) != names(flatten(before)) {
		t.Errorf("got input changed to %v, want %v", in, before)
	}
}
