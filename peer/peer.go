// Who is at the other end of a call, and how to find that in a context.

// Package peer tells a handler or a caller about the other end of an RPC.
package peer

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/internal/callkey"
)

// Peer describes the connection that an RPC uses. Its fields may be nil.
type Peer struct {
	// Addr is the address of the other end.
	Addr net.Addr
	// LocalAddr is the address of this end.
	LocalAddr net.Addr
	// AuthInfo is what the handshake found out about the other end; nil if the transport is not secured.
	AuthInfo credentials.AuthInfo
}

// String returns the addresses and the kind of the credentials, without what the credentials say.
func (p *Peer) String() string {
	if p == nil {
		return "Peer<nil>"
	}
	auth := "<nil>"
	if p.AuthInfo != nil {
		auth = "'" + p.AuthInfo.AuthType() + "'"
	}
	return fmt.Sprintf("Peer{Addr: %s, LocalAddr: %s, AuthInfo: %s}", quoted(p.Addr), quoted(p.LocalAddr), auth)
}

func quoted(addr net.Addr) string {
	if addr == nil {
		return "<nil>"
	}
	return "'" + addr.String() + "'"
}

// NewContext returns a context in which FromContext finds p. gRPC does this for handlers; others need it for tests.
func NewContext(ctx context.Context, p *Peer) context.Context {
	return context.WithValue(ctx, callkey.Peer{}, p)
}

// FromContext returns the peer of the RPC whose context ctx is or comes from, and whether there is one. The Peer is shared: it must
// not be modified.
func FromContext(ctx context.Context) (*Peer, bool) {
	p, ok := ctx.Value(callkey.Peer{}).(*Peer)
	return p, ok
}
