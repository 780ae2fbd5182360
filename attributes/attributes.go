// Immutable key/value pairs that travel with addresses, endpoints and resolver states.
// A linked list, newest pair first: sets are small, adding one pair is one allocation, and nothing is ever changed.

// Package attributes defines an immutable set of key/value pairs.
//
// Experimental: the package may change.
package attributes

import (
	"fmt"
	"strings"
)

// Attributes is an immutable set of pairs of any types. A nil *Attributes is the empty set; all methods accept it, and all may be
// called concurrently.
//
// Keys must be comparable, and should be of a type that the package which sets them does not export, so that no two packages use the
// same key. Values must be comparable too, or have a method Equal(any) bool.
type Attributes struct {
	older      *Attributes // nil after the last pair; pairs with a key that a newer pair has as well are hidden
	key, value any
}

// New returns the set of one pair.
func New(key, value any) *Attributes {
	return &Attributes{key: key, value: value}
}

// WithValue returns a set with the pairs of a and the given one, which takes the place of a pair with the same key.
// A nil value is a value like others: it does not remove the key.
func (a *Attributes) WithValue(key, value any) *Attributes {
	return &Attributes{older: a, key: key, value: value}
}

// Value returns the value of key, nil if there is none.
func (a *Attributes) Value(key any) any {
	if pair := a.find(key); pair != nil {
		return pair.value
	}
	return nil
}

// Equal reports whether both sets have the same keys with equal values, in whatever order they were added. Values are compared by the
// method Equal(any) bool of the value in a if there is one, else with ==, which panics for values that are not comparable.
func (a *Attributes) Equal(o *Attributes) bool {
	return a == o || a.coveredBy(o) && o.keysIn(a)
}

// String returns the pairs, newest first, for reading only: the form may change. Keys and values that are neither strings nor
// fmt.Stringers are shown as addresses.
func (a *Attributes) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for pair := a; pair != nil; pair = pair.older {
		if a.hides(pair) {
			continue
		}
		if pair != a {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q: %q ", text(pair.key), text(pair.value))
	}
	b.WriteByte('}')
	return b.String()
}

// MarshalJSON returns the same text as String, so that logs which are written as JSON show the pairs.
// The text cannot be turned back into attributes.
func (a *Attributes) MarshalJSON() ([]byte, error) {
	return []byte(a.String()), nil
}

// find returns the newest pair with the key, nil if there is none.
func (a *Attributes) find(key any) *Attributes {
	for pair := a; pair != nil; pair = pair.older {
		if pair.key == key {
			return pair
		}
	}
	return nil
}

// hides reports whether a newer pair of a has the key of pair.
func (a *Attributes) hides(pair *Attributes) bool {
	return a.find(pair.key) != pair
}

// coveredBy reports whether o has every pair of a.
func (a *Attributes) coveredBy(o *Attributes) bool {
	for pair := a; pair != nil; pair = pair.older {
		if a.hides(pair) {
			continue
		}
		other := o.find(pair.key)
		if other == nil || !equal(pair.value, other.value) {
			return false
		}
	}
	return true
}

// keysIn reports whether o has every key of a.
func (a *Attributes) keysIn(o *Attributes) bool {
	for pair := a; pair != nil; pair = pair.older {
		if o.find(pair.key) == nil {
			return false
		}
	}
	return true
}

func equal(v, w any) bool {
	if v, ok := v.(interface{ Equal(o any) bool }); ok {
		return v.Equal(w)
	}
	return v == w
}

// text shows a key or a value without looking into it: contents may be secret, or changed concurrently.
func text(v any) string {
	switch v := v.(type) {
	case fmt.Stringer:
		return fmt.Sprint(v)
	case string:
		return v
	}
	return fmt.Sprintf("<%p>", v)
}
