// Unary RPCs on the client's side.

package grpc

import "context"

// ClientConnInterface is what generated code needs of a channel. Applications may wrap a *ClientConn, or put something else in its
// place.
type ClientConnInterface interface {
	// Invoke makes a unary RPC: it sends args, waits, and decodes the response into reply. Errors carry a status.
	Invoke(ctx context.Context, method string, args any, reply any, opts ...CallOption) error
	// NewStream starts a streaming RPC.
	NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error)
}

var _ ClientConnInterface = (*ClientConn)(nil)

// Invoke makes a unary RPC: it sends args, waits for the response, and decodes it into reply. The method is "/service/method". The
// error carries a status: see status.FromError. Generated code calls it; it may be called concurrently.
func (cc *ClientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...CallOption) error {
	opts = cc.withDefaults(opts)
	if i := cc.opts.unaryInterceptor; i != nil {
		return i(ctx, method, args, reply, cc, invoke, opts...)
	}
	return invoke(ctx, method, args, reply, cc, opts...)
}

// Invoke is ClientConn.Invoke as a function, which generated code of the first years calls.
//
// Deprecated: use ClientConn.Invoke.
func Invoke(ctx context.Context, method string, args, reply any, cc *ClientConn, opts ...CallOption) error {
	return cc.Invoke(ctx, method, args, reply, opts...)
}

// withDefaults puts the channel's call options before those of a call.
func (cc *ClientConn) withDefaults(opts []CallOption) []CallOption {
	defaults := cc.opts.callOptions
	switch {
	case len(defaults) == 0:
		return opts
	case len(opts) == 0:
		return defaults[:len(defaults):len(defaults)]
	}
	return append(defaults[:len(defaults):len(defaults)], opts...)
}

// unaryDesc says that a call is unary.
var unaryDesc = &StreamDesc{}

// invoke is a unary RPC without its interceptors.
func invoke(ctx context.Context, method string, args, reply any, cc *ClientConn, opts ...CallOption) error {
	cs, err := newClientStream(ctx, unaryDesc, cc, nil, method, opts)
	if err != nil {
		return err
	}
	return cs.invoke(args, reply)
}

// invoke makes the RPC, from its first attempt to its end.
func (cs *clientStream) invoke(args, reply any) error {
	cs.attempt = &cs.first
	err := cs.unary(args, reply)
	cs.finish(err)
	if cs.hedge != nil {
		cs.current().drop() // others finish their attempts themselves
	}
	cs.memory.recycle()
	return err
}

// unary makes attempts until one decides the call.
func (cs *clientStream) unary(args, reply any) error {
	m, n, err := cs.encode(args)
	if err != nil {
		return err
	}
	defer m.Free()
	if m.Len() > cs.info.retryBuffer {
		cs.retry.policy, cs.hedge = nil, nil
	}
	if cs.hedge != nil {
		return cs.hedge.unary(m, payload{args, n}, reply)
	}
	for {
		cs.attempt.begin(cs)
		v, err := cs.attempt.unary(m, args, n, reply)
		if err == nil || !v.again {
			return cs.retry.explain(v, err)
		}
		a, ended := cs.next(v)
		if ended != nil {
			return ended
		}
		cs.attempt = a
	}
}
