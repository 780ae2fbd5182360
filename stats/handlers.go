// Who listens to the events, and the two opaque byte strings of census that travel with an RPC.
// The 2016 way to listen, one handler for the whole program, is in legacy.go.

package stats

import (
	"context"
	"net"

	"google.golang.org/grpc/metadata"
)

// Handler receives the events of a channel or server. gRPC calls it on the way of each RPC, concurrently for different RPCs and
// connections, so its methods must be quick and safe for concurrent use.
type Handler interface {
	// TagRPC is called once for each RPC on each side, before its first event. The RPC, and its events, go on with the returned context,
	// which must be derived from the given one.
	TagRPC(context.Context, *RPCTagInfo) context.Context
	// HandleRPC receives an event of an RPC, with the context that TagRPC returned.
	HandleRPC(context.Context, RPCStats)

	// TagConn is called once for each connection, before its first event. The returned context, which must be derived from the given one, is
	// the context of the connection's events, and on the server's side the origin of the contexts of its RPCs.
	TagConn(context.Context, *ConnTagInfo) context.Context
	// HandleConn receives an event of a connection, with the context that TagConn returned.
	HandleConn(context.Context, ConnStats)
}

// RPCTagInfo is what TagRPC learns about an RPC.
type RPCTagInfo struct {
	// FullMethodName is the method, "/package.Service/Method".
	FullMethodName string
	// FailFast is true if the RPC does not wait for the channel to become ready. It is only set on the client's side.
	FailFast bool
	// NameResolutionDelay is true if the RPC had to wait for the first result of name resolution. It is only set on the client's side.
	NameResolutionDelay bool
}

// ConnTagInfo is what TagConn learns about a connection.
type ConnTagInfo struct {
	// RemoteAddr is the peer's end of the connection.
	RemoteAddr net.Addr
	// LocalAddr is this end of the connection.
	LocalAddr net.Addr
}

// Metadata keys of the census byte strings.
const (
	tagsKey  = "grpc-tags-bin"
	traceKey = "grpc-trace-bin"
)

// SetTags returns a context whose RPCs carry b to the server as census tags.
//
// Deprecated: put binary data into the outgoing metadata under a key of your own.
func SetTags(ctx context.Context, b []byte) context.Context {
	return metadata.AppendToOutgoingContext(ctx, tagsKey, string(b))
}

// Tags returns the census tags that the client sent with the RPC of ctx, nil if there are none.
//
// Deprecated: read binary data from the incoming metadata.
func Tags(ctx context.Context) []byte {
	return lastIncoming(ctx, tagsKey)
}

// SetTrace returns a context whose RPCs carry b to the server as census trace context.
//
// Deprecated: put binary data into the outgoing metadata under a key of your own.
func SetTrace(ctx context.Context, b []byte) context.Context {
	return metadata.AppendToOutgoingContext(ctx, traceKey, string(b))
}

// Trace returns the census trace context that the client sent with the RPC of ctx, nil if there is none.
//
// Deprecated: read binary data from the incoming metadata.
func Trace(ctx context.Context) []byte {
	return lastIncoming(ctx, traceKey)
}

// lastIncoming returns the value of key that was set last.
func lastIncoming(ctx context.Context, key string) []byte {
	values := metadata.ValueFromIncomingContext(ctx, key)
	if len(values) == 0 {
		return nil
	}
	return []byte(values[len(values)-1])
}
