// From endpoints to the list of addresses in the order of attempts: shuffle, flatten, drop duplicates, interleave (gRFC A61, A62, A113).
// Pure but for the random numbers.

package pickfirst

import (
	"cmp"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"
)

// weightedShuffle says that the weights of endpoints count when they are shuffled (gRFC A113).
var weightedShuffle = !strings.EqualFold(os.Getenv("GRPC_EXPERIMENTAL_PF_WEIGHTED_SHUFFLING"), "false")

// attemptOrder returns the addresses of s in the order in which to try them.
func attemptOrder(s resolver.State, shuffled bool) []resolver.Address {
	endpoints := s.Endpoints
	if len(endpoints) == 0 {
		for _, a := range s.Addresses {
			endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{a}})
		}
	}
	if shuffled {
		endpoints = shuffle(endpoints)
	}
	return interleave(flatten(endpoints))
}

// shuffle returns the endpoints in random order. Each has the chance to be first that its weight has in the sum of all; no weight is
// the weight 1. A113 sorts by u^(1/weight), u being uniform in (0, 1), largest first; the negative logarithm of that, smallest first,
// is an exponential random number divided by the weight.
func shuffle(endpoints []resolver.Endpoint) []resolver.Endpoint {
	type entry struct {
		endpoint resolver.Endpoint
		key      float64
	}
	entries := make([]entry, len(endpoints))
	for i, e := range endpoints {
		w := uint32(1)
		if weightedShuffle {
			w = max(1, weight.FromEndpoint(e).Weight)
		}
		entries[i] = entry{e, rand.ExpFloat64() / float64(w)}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	shuffled := make([]resolver.Endpoint, len(entries))
	for i, e := range entries {
		shuffled[i] = e.endpoint
	}
	return shuffled
}

// flatten returns all addresses, without those that are equal to one before them as keys of an AddressMapV2.
func flatten(endpoints []resolver.Endpoint) []resolver.Address {
	var flat []resolver.Address
	seen := resolver.NewAddressMapV2[bool]()
	for _, e := range endpoints {
		for _, a := range e.Addresses {
			if _, ok := seen.Get(a); !ok {
				seen.Set(a, true)
				flat = append(flat, a)
			}
		}
	}
	return flat
}

// family is what addresses are told apart by for interleaving.
type family uint8

const (
	otherFamily family = iota // names, paths of sockets, and whatever else a dialer understands
	ipv4
	ipv6
)

// interleave returns the addresses with a change of family after each one as long as there are several (RFC 8305 §4). Within a family
// the order stays; the families take turns in the order in which they first appear.
func interleave(addrs []resolver.Address) []resolver.Address {
	var byFamily [ipv6 + 1][]resolver.Address
	var turns []family
	for _, a := range addrs {
		f := familyOf(a)
		if byFamily[f] == nil {
			turns = append(turns, f)
		}
		byFamily[f] = append(byFamily[f], a)
	}
	mixed := make([]resolver.Address, 0, len(addrs))
	for round := 0; len(mixed) < len(addrs); round++ {
		for _, f := range turns {
			if round < len(byFamily[f]) {
				mixed = append(mixed, byFamily[f][round])
			}
		}
	}
	return mixed
}

// familyOf returns the family of an address of the form "ip:port". IPv4 addresses in IPv6 form count as IPv4.
func familyOf(a resolver.Address) family {
	host, _, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return otherFamily
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return otherFamily
	case ip.Unmap().Is4():
		return ipv4
	default:
		return ipv6
	}
}
