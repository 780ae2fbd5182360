// The one place where RPCs tell of themselves. An observer stands for everybody who watches an RPC; the call path says each event
// once, and a nil observer costs a comparison.

package grpc

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/transport"
)

// An observer reports the events of one attempt on the client's side, or of one RPC on the server's, to stats handlers. Its methods
// may be called concurrently. A nil *observer reports nothing.
type observer struct {
	ctx      context.Context // what the handlers' TagRPC made of the RPC's context
	handlers []stats.Handler
	client   bool
	begun    time.Time

	// Of the goroutine that handles a unary RPC: its reply, from when it is encoded until it is sent.
	reply     any
	replySize sizes
}

// newObserver begins to watch an RPC. It returns nil if nobody does.
func newObserver(ctx context.Context, handlers []stats.Handler, client bool, info *stats.RPCTagInfo) *observer {
	if stats.On() {
		handlers = append(handlers[:len(handlers):len(handlers)], packageStats{})
	}
	if len(handlers) == 0 {
		return nil
	}
	for _, h := range handlers {
		ctx = h.TagRPC(ctx, info)
	}
	return &observer{ctx: ctx, handlers: handlers, client: client, begun: time.Now()}
}

// context returns the context that the RPC goes on with, which is ctx if nobody watches.
func (o *observer) context(ctx context.Context) context.Context {
	if o == nil {
		return ctx
	}
	return o.ctx
}

func (o *observer) send(e stats.RPCStats) {
	for _, h := range o.handlers {
		h.HandleRPC(o.ctx, e)
	}
}

func (o *observer) begin(failFast, clientStream, serverStream, transparentRetry bool) {
	if o == nil {
		return
	}
	o.send(&stats.Begin{
		Client: o.client, BeginTime: o.begun, FailFast: failFast, IsClientStream: clientStream, IsServerStream: serverStream,
		IsTransparentRetryAttempt: transparentRetry,
	})
}

func (o *observer) delayedPick() {
	if o != nil {
		o.send(&stats.DelayedPickComplete{})
	}
}

// A headerEvent is what is told of headers.
type headerEvent struct {
	md                metadata.MD
	compression       string
	wireLength        int
	method, authority string
	remote, local     net.Addr
}

func (o *observer) outHeader(e *headerEvent) {
	if o == nil {
		return
	}
	o.send(&stats.OutHeader{
		Client: o.client, Compression: e.compression, Header: e.md, FullMethod: e.method, RemoteAddr: e.remote, LocalAddr: e.local,
		Authority: e.authority,
	})
}

func (o *observer) inHeader(e *headerEvent) {
	if o == nil {
		return
	}
	o.send(&stats.InHeader{
		Client: o.client, WireLength: e.wireLength, Compression: e.compression, Header: e.md, FullMethod: e.method, RemoteAddr: e.remote,
		LocalAddr: e.local,
	})
}

// A payload is a message that was sent, and its sizes.
type payload struct {
	v any
	n sizes
}

// outPayloads tells of messages that are sent again.
func (o *observer) outPayloads(sent []payload) {
	for _, p := range sent {
		o.outPayload(p.v, p.n)
	}
}

func (o *observer) outPayload(v any, n sizes) {
	if o == nil {
		return
	}
	o.send(&stats.OutPayload{
		Client: o.client, Payload: v, Length: n.plain, CompressedLength: n.wire, WireLength: n.wire + transport.PrefixLen, SentTime: time.Now(),
	})
}

func (o *observer) inPayload(v any, n sizes) {
	if o == nil {
		return
	}
	o.send(&stats.InPayload{
		Client: o.client, Payload: v, Length: n.plain, CompressedLength: n.wire, WireLength: n.wire + transport.PrefixLen, RecvTime: time.Now(),
	})
}

func (o *observer) inTrailer(md metadata.MD, wireLength int) {
	if o != nil {
		o.send(&stats.InTrailer{Client: o.client, WireLength: wireLength, Trailer: md})
	}
}

func (o *observer) outTrailer(md metadata.MD) {
	if o != nil {
		o.send(&stats.OutTrailer{Client: o.client, Trailer: md})
	}
}

func (o *observer) end(md metadata.MD, err error) {
	if o == nil {
		return
	}
	o.send(&stats.End{Client: o.client, BeginTime: o.begun, EndTime: time.Now(), Trailer: md, Error: err})
}

// A connWatch tells stats handlers of one connection. The zero value tells nobody.
type connWatch struct {
	ctx      context.Context // what the handlers' TagConn made of the connection's context
	handlers []stats.Handler
	client   bool
	ended    atomic.Bool
}

// begin says that a connection was made. ctx is its context.
func (w *connWatch) begin(ctx context.Context, handlers []stats.Handler, client bool, remote, local net.Addr) {
	if stats.On() {
		handlers = append(handlers[:len(handlers):len(handlers)], packageStats{})
	}
	w.ctx, w.handlers, w.client = ctx, handlers, client
	for _, h := range handlers {
		w.ctx = h.TagConn(w.ctx, &stats.ConnTagInfo{RemoteAddr: remote, LocalAddr: local})
		h.HandleConn(w.ctx, &stats.ConnBegin{Client: client})
	}
}

// end says that the connection is closed. Only the first call counts.
func (w *connWatch) end() {
	if w.ended.Swap(true) {
		return
	}
	for _, h := range w.handlers {
		h.HandleConn(w.ctx, &stats.ConnEnd{Client: w.client})
	}
}

// packageStats is the handler that the package-level functions of stats make up.
type packageStats struct{}

func (packageStats) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return stats.TagRPC(ctx, info)
}
func (packageStats) HandleRPC(ctx context.Context, e stats.RPCStats) { stats.HandleRPC(ctx, e) }
func (packageStats) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return stats.TagConn(ctx, info)
}
func (packageStats) HandleConn(ctx context.Context, e stats.ConnStats) { stats.HandleConn(ctx, e) }
