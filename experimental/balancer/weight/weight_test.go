// The attribute that carries weights.

package weight

import (
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

func TestWeightOfEndpoint(t *testing.T) {
	plain := resolver.Endpoint{Attributes: attributes.New("key", "value")}
	heavy := Set(Set(plain, EndpointInfo{Weight: 7}), EndpointInfo{Weight: 9})
	if got := FromEndpoint(plain); got != (EndpointInfo{}) {
		t.Errorf("got %v before Set, want nothing", got)
	}
	if got := FromEndpoint(heavy); got.Weight != 9 {
		t.Errorf("got %v, want weight 9", got)
	}
	if got := heavy.Attributes.Value("key"); got != "value" {
		t.Errorf("got attribute %v, want the one of before", got)
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		o    any
		want bool
	}{{EndpointInfo{Weight: 7}, true}, {EndpointInfo{Weight: 8}, false}, {uint32(7), false}, {nil, false}} {
		if got := (EndpointInfo{Weight: 7}).Equal(c.o); got != c.want {
			t.Errorf("weight 7 and %v: got %v, want %v", c.o, got, c.want)
		}
	}
}
