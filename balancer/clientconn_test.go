// The interfaces that only gRPC implements.

package balancer

import (
	"reflect"
	"testing"
)

// Both interfaces have a method that no other package can write down, so implementations there must embed the interface.
func TestEmbeddingIsEnforced(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[ClientConn](), reflect.TypeFor[SubConn]()} {
		unexported := 0
		for i := range typ.NumMethod() {
			if !typ.Method(i).IsExported() {
				unexported++
			}
		}
		if unexported != 1 {
			t.Errorf("got %d unexported methods of %v, want 1", unexported, typ)
		}
	}
	type wrapper struct{ ClientConn }
	if _, ok := any(wrapper{}).(ClientConn); !ok {
		t.Error("got no ClientConn by embedding, want one")
	}
}
