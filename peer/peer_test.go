// Peers in contexts and as text.

package peer

import (
	"context"
	"fmt"
	"net"
	"testing"
)

type authInfo struct{ secret string }

func (authInfo) AuthType() string { return "tls" }

func TestString(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}
	local := &net.UnixAddr{Name: "/tmp/sock", Net: "unix"}
	tests := []struct {
		peer *Peer
		want string
	}{
		{nil, "Peer<nil>"},
		{&Peer{}, "Peer{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>}"},
		{&Peer{Addr: addr}, "Peer{Addr: '192.0.2.1:5', LocalAddr: <nil>, AuthInfo: <nil>}"},
		{&Peer{LocalAddr: local}, "Peer{Addr: <nil>, LocalAddr: '/tmp/sock', AuthInfo: <nil>}"},
		{&Peer{addr, local, authInfo{"key"}}, "Peer{Addr: '192.0.2.1:5', LocalAddr: '/tmp/sock', AuthInfo: 'tls'}"},
	}
	for _, test := range tests {
		if got := fmt.Sprint(test.peer); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestContext(t *testing.T) {
	if p, ok := FromContext(t.Context()); p != nil || ok {
		t.Errorf("without a peer: got %v, %v, want nil, false", p, ok)
	}
	want := &Peer{}
	if p, ok := FromContext(NewContext(t.Context(), want)); p != want || !ok {
		t.Errorf("with a peer: got %p, %v, want %p, true", p, ok, want)
	}
	if p, ok := FromContext(NewContext(t.Context(), nil)); p != nil || !ok {
		t.Errorf("with a nil peer: got %v, %v, want nil, true", p, ok)
	}
}

func ExampleFromContext() {
	handler := func(ctx context.Context) {
		if p, ok := FromContext(ctx); ok {
			fmt.Println("called from", p.Addr)
		}
	}
	handler(NewContext(context.Background(), &Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40000}}))
	// Output: called from 192.0.2.1:40000
}
