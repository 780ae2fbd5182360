// The 2016 way to watch RPCs: functions that are registered once for all channels and servers of the program, and switched on and off.
// gRPC asks On once for an RPC or connection and, if it says yes, uses the package functions as one more Handler. Kept for programs of then.

package stats

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/grpclog"
)

// registered is one state of the package: which functions are registered, and whether gRPC uses them. It is never changed; change makes
// the next one. Functions may be nil.
type registered struct {
	on         bool
	rpcTagger  func(context.Context, *RPCTagInfo) context.Context
	rpcHandler func(context.Context, RPCStats)

	connTagger  func(context.Context, *ConnTagInfo) context.Context
	connHandler func(context.Context, ConnStats)
}

var (
	changing sync.Mutex                 // held from the load to the store of a change
	current  atomic.Pointer[registered] // nil until the first change
)

// load returns the current state.
func load() *registered {
	if r := current.Load(); r != nil {
		return r
	}
	return &registered{}
}

// change replaces the current state with what f makes of it, which it returns.
func change(f func(*registered)) *registered {
	changing.Lock()
	defer changing.Unlock()
	next := *load()
	f(&next)
	current.Store(&next)
	return &next
}

// RegisterRPCHandler makes handler receive the events of all RPCs. It replaces a handler that was registered before.
//
// Deprecated: use a Handler.
func RegisterRPCHandler(handler func(context.Context, RPCStats)) {
	change(func(r *registered) { r.rpcHandler = handler })
}

// RegisterRPCTagger makes tagger derive the contexts of all RPCs. It replaces a tagger that was registered before.
//
// Deprecated: use a Handler.
func RegisterRPCTagger(tagger func(context.Context, *RPCTagInfo) context.Context) {
	change(func(r *registered) { r.rpcTagger = tagger })
}

// RegisterConnHandler makes handler receive the events of all connections. It replaces a handler that was registered before.
//
// Deprecated: use a Handler.
func RegisterConnHandler(handler func(context.Context, ConnStats)) {
	change(func(r *registered) { r.connHandler = handler })
}

// RegisterConnTagger makes tagger derive the contexts of all connections. It replaces a tagger that was registered before.
//
// Deprecated: use a Handler.
func RegisterConnTagger(tagger func(context.Context, *ConnTagInfo) context.Context) {
	change(func(r *registered) { r.connTagger = tagger })
}

// Start makes gRPC use the registered functions. It only logs an error if there is no handler of either kind.
//
// Deprecated: use a Handler.
func Start() {
	started := change(func(r *registered) { r.on = r.rpcHandler != nil || r.connHandler != nil })
	if !started.on {
		grpclog.Error("rpcHandler and connHandler are both nil when starting stats. Stats is not started")
	}
}

// Stop makes gRPC use the registered functions no more. They stay registered.
//
// Deprecated: use a Handler.
func Stop() {
	change(func(r *registered) { r.on = false })
}

// On reports whether gRPC uses the registered functions. It costs one atomic load.
//
// Deprecated: use a Handler.
func On() bool {
	r := current.Load()
	return r != nil && r.on
}

// TagRPC calls the registered tagger of RPCs, whether stats are on or not. Without one it returns ctx.
//
// Deprecated: use a Handler.
func TagRPC(ctx context.Context, info *RPCTagInfo) context.Context {
	if tag := load().rpcTagger; tag != nil {
		return tag(ctx, info)
	}
	return ctx
}

// HandleRPC calls the registered handler of RPCs, if there is one, whether stats are on or not.
//
// Deprecated: use a Handler.
func HandleRPC(ctx context.Context, s RPCStats) {
	if handle := load().rpcHandler; handle != nil {
		handle(ctx, s)
	}
}

// TagConn calls the registered tagger of connections, whether stats are on or not. Without one it returns ctx.
//
// Deprecated: use a Handler.
func TagConn(ctx context.Context, info *ConnTagInfo) context.Context {
	if tag := load().connTagger; tag != nil {
		return tag(ctx, info)
	}
	return ctx
}

// HandleConn calls the registered handler of connections, if there is one, whether stats are on or not.
//
// Deprecated: use a Handler.
func HandleConn(ctx context.Context, s ConnStats) {
	if handle := load().connHandler; handle != nil {
		handle(ctx, s)
	}
}
