// Maps whose keys are addresses or endpoints, which are no Go map keys because of their attributes and slices.
// Load-balancing policies keep their subchannels in them.

package resolver

import (
	"encoding/binary"
	"iter"
	"slices"
)

// AddressMap is an AddressMapV2 of any values.
//
// Deprecated: use AddressMapV2.
type AddressMap = AddressMapV2[any]

// AddressMapV2 is a map from addresses to values of type T. Addresses are the same key if their Addr, ServerName and Attributes are equal,
// whatever else they hold. The map must be made by NewAddressMapV2, and must not be used concurrently while it is changed.
type AddressMapV2[T any] struct {
	entries map[addressKey][]addressEntry[T] // no empty slices
	len     int
}

// addressKey is the comparable part of a key. Attributes tell addresses with equal ones apart; there are seldom two.
type addressKey struct{ addr, serverName string }

type addressEntry[T any] struct {
	key   Address
	value T
}

// NewAddressMap returns an empty map.
//
// Deprecated: use NewAddressMapV2.
func NewAddressMap() *AddressMap {
	return NewAddressMapV2[any]()
}

// NewAddressMapV2 returns an empty map.
func NewAddressMapV2[T any]() *AddressMapV2[T] {
	return &AddressMapV2[T]{entries: map[addressKey][]addressEntry[T]{}}
}

// find returns the entries that share the comparable part of addr, and the index of its own among them, -1 if it has none.
func (a *AddressMapV2[T]) find(addr Address) ([]addressEntry[T], int) {
	entries := a.entries[addressKey{addr.Addr, addr.ServerName}]
	for i := range entries {
		if entries[i].key.Attributes.Equal(addr.Attributes) {
			return entries, i
		}
	}
	return entries, -1
}

// Get returns the value of addr, and whether there is one.
func (a *AddressMapV2[T]) Get(addr Address) (value T, ok bool) {
	if entries, i := a.find(addr); i >= 0 {
		return entries[i].value, true
	}
	return value, false
}

// Set sets the value of addr. If addr is in the map already, it keeps the key it has.
func (a *AddressMapV2[T]) Set(addr Address, value T) {
	entries, i := a.find(addr)
	if i >= 0 {
		entries[i].value = value
		return
	}
	a.entries[addressKey{addr.Addr, addr.ServerName}] = append(entries, addressEntry[T]{addr, value})
	a.len++
}

// Delete removes addr, if it is in the map.
func (a *AddressMapV2[T]) Delete(addr Address) {
	entries, i := a.find(addr)
	if i < 0 {
		return
	}
	a.len--
	if key := (addressKey{addr.Addr, addr.ServerName}); len(entries) == 1 {
		delete(a.entries, key)
	} else {
		a.entries[key] = append(entries[:i:i], entries[i+1:]...) // a copy: All may be ranging over entries
	}
}

// Len returns the number of addresses.
func (a *AddressMapV2[T]) Len() int {
	return a.len
}

// Keys returns all addresses, in no order.
func (a *AddressMapV2[T]) Keys() []Address {
	return collect(a.len, a.All(), func(key Address, _ T) Address { return key })
}

// Values returns all values, in no order.
func (a *AddressMapV2[T]) Values() []T {
	return collect(a.len, a.All(), func(_ Address, value T) T { return value })
}

// All ranges over the addresses and their values, in no order.
func (a *AddressMapV2[T]) All() iter.Seq2[Address, T] {
	return func(yield func(Address, T) bool) {
		for _, entries := range a.entries {
			for _, e := range entries {
				if !yield(e.key, e.value) {
					return
				}
			}
		}
	}
}

// EndpointMap is a map from endpoints to values of type T. Endpoints are the same key if they have the same Addr of addresses, in whatever
// order and whatever else they hold. The map must be made by NewEndpointMap, and must not be used concurrently while it is changed.
type EndpointMap[T any] struct {
	entries map[string]endpointEntry[T]
}

type endpointEntry[T any] struct {
	key   Endpoint
	value T
}

// NewEndpointMap returns an empty map.
func NewEndpointMap[T any]() *EndpointMap[T] {
	return &EndpointMap[T]{entries: map[string]endpointEntry[T]{}}
}

// endpointKey returns the Addr of all addresses, sorted, each preceded by its length.
func endpointKey(e Endpoint) string {
	addrs := make([]string, 0, 4) // on the stack for nearly all endpoints
	size := 0
	for _, a := range e.Addresses {
		addrs = append(addrs, a.Addr)
		size += len(a.Addr) + 1
	}
	slices.Sort(addrs)
	key := make([]byte, 0, size)
	for _, addr := range addrs {
		key = binary.AppendUvarint(key, uint64(len(addr)))
		key = append(key, addr...)
	}
	return string(key)
}

// Get returns the value of e, and whether there is one.
func (em *EndpointMap[T]) Get(e Endpoint) (value T, ok bool) {
	entry, ok := em.entries[endpointKey(e)]
	return entry.value, ok
}

// Set sets the value of e. If e is in the map already, e replaces the key it has.
func (em *EndpointMap[T]) Set(e Endpoint, value T) {
	em.entries[endpointKey(e)] = endpointEntry[T]{e, value}
}

// Delete removes e, if it is in the map.
func (em *EndpointMap[T]) Delete(e Endpoint) {
	delete(em.entries, endpointKey(e))
}

// Len returns the number of endpoints.
func (em *EndpointMap[T]) Len() int {
	return len(em.entries)
}

// Keys returns all endpoints, in no order.
func (em *EndpointMap[T]) Keys() []Endpoint {
	return collect(em.Len(), em.All(), func(key Endpoint, _ T) Endpoint { return key })
}

// Values returns all values, in no order.
func (em *EndpointMap[T]) Values() []T {
	return collect(em.Len(), em.All(), func(_ Endpoint, value T) T { return value })
}

// All ranges over the endpoints and their values, in no order.
func (em *EndpointMap[T]) All() iter.Seq2[Endpoint, T] {
	return func(yield func(Endpoint, T) bool) {
		for _, e := range em.entries {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// collect returns what pick makes of each of the n pairs.
func collect[K, V, E any](n int, pairs iter.Seq2[K, V], pick func(K, V) E) []E {
	all := make([]E, 0, n)
	for k, v := range pairs {
		all = append(all, pick(k, v))
	}
	return all
}
