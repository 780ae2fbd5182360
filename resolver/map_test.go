// Maps by address and by endpoint.

package resolver

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/attributes"
)

func TestAddressMapKeys(t *testing.T) {
	m := NewAddressMapV2[int]()
	all := different()
	same := []int{0, 1, 2, 3, 4, 1, 1, 1} // for each address the first one that is the same key
	for i, a := range all {
		m.Set(a, i)
	}
	if m.Len() != 5 || len(m.Keys()) != 5 || len(m.Values()) != 5 {
		t.Errorf("got %d addresses, %d keys, %d values, want 5", m.Len(), len(m.Keys()), len(m.Values()))
	}
	last := map[int]int{0: 0, 1: 7, 2: 2, 3: 3, 4: 4} // the last value that was set for a key
	for i, a := range all {
		if got, ok := m.Get(a); got != last[same[i]] || !ok {
			t.Errorf("%v: got %d, %v, want %d", a, got, ok, last[same[i]])
		}
	}
	for _, key := range m.Keys() {
		if key.Metadata != nil || key.BalancerAttributes != nil {
			t.Errorf("got key %v with metadata %v, want the key that was set first", key, key.Metadata)
		}
	}
	if got := slices.Sorted(slices.Values(m.Values())); !slices.Equal(got, []int{0, 2, 3, 4, 7}) {
		t.Errorf("got values %v", got)
	}
}

func TestAddressMapDelete(t *testing.T) {
	m := NewAddressMap()
	one, two, three := Address{Addr: "a", Attributes: attributes.New("k", 1)}, Address{Addr: "a", Attributes: attributes.New("k", 2)},
		Address{Addr: "a", Attributes: attributes.New("k", 3)}
	for _, a := range []Address{one, two, three} {
		m.Set(a, a.Addr)
	}
	for i, a := range []Address{{Addr: "x"}, {Addr: "a"}, two, two, one, three} {
		m.Delete(a)
		if got, ok := m.Get(a); ok {
			t.Errorf("after deleting %v: got %v", a, got)
		}
		if want := []int{3, 3, 2, 2, 1, 0}[i]; m.Len() != want || len(m.Keys()) != want {
			t.Errorf("after deleting %v: got length %d and %d keys, want %d", a, m.Len(), len(m.Keys()), want)
		}
	}
	if len(m.entries) != 0 {
		t.Errorf("got %d entries left in an empty map", len(m.entries))
	}
}

func TestAddressMapDeleteWhileRanging(t *testing.T) {
	m := NewAddressMapV2[int]()
	for i := range 10 {
		m.Set(Address{Addr: "a", Attributes: attributes.New("k", i)}, i)
	}
	seen := 0
	for a, i := range m.All() {
		if got, ok := m.Get(a); got != i || !ok {
			t.Errorf("got pair %v, %d that is not in the map", a, i)
		}
		m.Delete(a)
		seen++
	}
	if seen != 10 || m.Len() != 0 {
		t.Errorf("got %d pairs and %d left, want 10 and 0", seen, m.Len())
	}
}

// endpoint returns the endpoint of the given addresses.
func endpoint(addrs ...string) Endpoint {
	var e Endpoint
	for _, addr := range addrs {
		e.Addresses = append(e.Addresses, Address{Addr: addr})
	}
	return e
}

func TestEndpointMapKeys(t *testing.T) {
	attr := attributes.New("k", "v")
	tests := []struct {
		a, b Endpoint
		same bool
	}{
		{endpoint(), endpoint(), true},
		{endpoint("a"), endpoint("a"), true},
		{endpoint("a", "b"), endpoint("b", "a"), true},
		{endpoint("a", "b", "a"), endpoint("a", "a", "b"), true},
		{endpoint("a"), Endpoint{Addresses: []Address{{Addr: "a", ServerName: "s", Attributes: attr}}, Attributes: attr}, true},
		{endpoint("a"), endpoint("a", "a"), false},
		{endpoint("a"), endpoint(), false},
		{endpoint("a", "b"), endpoint("ab"), false},
		{endpoint("a", "b"), endpoint("a\x01b"), false},
		{endpoint(""), endpoint(), false},
	}
	for _, test := range tests {
		m := NewEndpointMap[int]()
		m.Set(test.a, 1)
		if _, ok := m.Get(test.b); ok != test.same {
			t.Errorf("%v and %v: got same key %v, want %v", test.a, test.b, ok, test.same)
		}
	}
}

func TestEndpointMap(t *testing.T) {
	m := NewEndpointMap[string]()
	m.Set(endpoint("a", "b"), "one")
	m.Set(endpoint("c"), "two")
	m.Set(endpoint("b", "a"), "three")
	if got, ok := m.Get(endpoint("a", "b")); got != "three" || !ok {
		t.Errorf("got %q, %v, want three", got, ok)
	}
	if got, ok := m.Get(endpoint("x")); got != "" || ok {
		t.Errorf("unknown endpoint: got %q, %v", got, ok)
	}
	keys := []string{}
	for _, key := range m.Keys() {
		keys = append(keys, fmt.Sprint(len(key.Addresses), key.Addresses[0].Addr))
	}
	slices.Sort(keys)
	if want := []string{"1c", "2b"}; !slices.Equal(keys, want) { // the key that was set last
		t.Errorf("got keys %v, want %v", keys, want)
	}
	if got := slices.Sorted(slices.Values(m.Values())); !slices.Equal(got, []string{"three", "two"}) {
		t.Errorf("got values %v", got)
	}
	m.Delete(endpoint("x"))
	m.Delete(endpoint("a", "b"))
	if m.Len() != 1 || len(m.Keys()) != 1 {
		t.Errorf("after Delete: got length %d and %d keys, want 1", m.Len(), len(m.Keys()))
	}
}

func TestRangingStops(t *testing.T) {
	addresses, endpoints := NewAddressMapV2[int](), NewEndpointMap[int]()
	for i := range 5 {
		addr := fmt.Sprint(i)
		addresses.Set(Address{Addr: addr}, i)
		endpoints.Set(endpoint(addr), i)
	}
	n := 0
	for range addresses.All() {
		n++
		break
	}
	for range endpoints.All() {
		n++
		break
	}
	if n != 2 {
		t.Errorf("got %d pairs, want one of each map", n)
	}
}

func ExampleAddressMapV2() {
	subchannels := NewAddressMapV2[string]()
	subchannels.Set(Address{Addr: "10.0.0.1:443"}, "first")
	subchannels.Set(Address{Addr: "10.0.0.2:443"}, "second")
	subchannels.Delete(Address{Addr: "10.0.0.1:443"})
	for address, subchannel := range subchannels.All() {
		fmt.Println(address.Addr, subchannel)
	}
	// Output: 10.0.0.2:443 second
}
