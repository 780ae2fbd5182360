// Text and equality of addresses.

package resolver

import (
	"testing"

	"google.golang.org/grpc/attributes"
)

func TestAddressString(t *testing.T) {
	a := attributes.New("k", "v")
	tests := []struct {
		address Address
		want    string
	}{
		{Address{}, `{Addr: "", ServerName: "", }`},
		{Address{Addr: "a\"", ServerName: "s", Metadata: 1}, `{Addr: "a\"", ServerName: "s", }`},
		{Address{Addr: "a", Attributes: a}, `{Addr: "a", ServerName: "", Attributes: ` + a.String() + `, }`},
		{Address{Addr: "a", BalancerAttributes: a}, `{Addr: "a", ServerName: "", BalancerAttributes: ` + a.String() + `}`},
		{Address{Attributes: a, BalancerAttributes: a},
			`{Addr: "", ServerName: "", Attributes: ` + a.String() + `, BalancerAttributes: ` + a.String() + `}`},
	}
	for _, test := range tests {
		if got := test.address.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// different returns addresses that differ from each other in one field.
func different() []Address {
	return []Address{
		{},
		{Addr: "a"},
		{Addr: "a", ServerName: "s"},
		{Addr: "a", Attributes: attributes.New("k", "v")},
		{Addr: "a", Attributes: attributes.New("k", "w")},
		{Addr: "a", BalancerAttributes: attributes.New("k", "v")},
		{Addr: "a", Metadata: 1},
		{Addr: "a", Metadata: "1"},
	}
}

func TestAddressEqual(t *testing.T) {
	for i, a := range different() {
		for j, b := range different() {
			if got := a.Equal(b); got != (i == j) {
				t.Errorf("%v (metadata %v) and %v (metadata %v): got %v", a, a.Metadata, b, b.Metadata, got)
			}
		}
	}
}
