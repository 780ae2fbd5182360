// Tests of chains of interceptors: their order, what they pass on, and that each may go on any number of times.

package grpc

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// A trail is what interceptors and what they surround have done, in order.
type trail []string

func (l *trail) add(s string) { *l = append(*l, s) }

func (l *trail) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(*l, want) {
		t.Errorf("got order %q, want %q", *l, want)
	}
}

func (l *trail) unaryClient(name string, times int) UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *ClientConn, next UnaryInvoker, opts ...CallOption) (err error) {
		l.add(name)
		for range times {
			err = next(ctx, method+name, req, reply, cc, opts...)
		}
		l.add("/" + name)
		return err
	}
}

func (l *trail) streamClient(name string, times int) StreamClientInterceptor {
	return func(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, next Streamer, opts ...CallOption) (s ClientStream, err error) {
		l.add(name)
		for range times {
			s, err = next(ctx, desc, cc, method+name, opts...)
		}
		l.add("/" + name)
		return s, err
	}
}

func (l *trail) unaryServer(name string, times int) UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *UnaryServerInfo, next UnaryHandler) (reply any, err error) {
		l.add(name + info.FullMethod)
		for range times {
			reply, err = next(ctx, req.(string)+name)
		}
		l.add("/" + name)
		return reply, err
	}
}

func (l *trail) streamServer(name string, times int) StreamServerInterceptor {
	return func(srv any, ss ServerStream, info *StreamServerInfo, next StreamHandler) (err error) {
		l.add(name + info.FullMethod)
		for range times {
			err = next(srv.(string)+name, ss)
		}
		l.add("/" + name)
		return err
	}
}

var errEnd = errors.New("the end of the chain")

func TestNoInterceptorsMakeNoChain(t *testing.T) {
	if chainUnaryClient(nil) != nil || chainStreamClient(nil) != nil || chainUnaryServer(nil) != nil || chainStreamServer(nil) != nil {
		t.Error("got an interceptor of none, want nil")
	}
}

// chains are, for each kind of interceptor, a chain of those with the given names, each of which goes on the given number of times, and
// its call. The innermost writes down what it was given.
var chains = []struct {
	kind string
	call func(l *trail, times int, names ...string) error
}{
	{"unary client", func(l *trail, times int, names ...string) error {
		var chain []UnaryClientInterceptor
		for _, n := range names {
			chain = append(chain, l.unaryClient(n, times))
		}
		return chainUnaryClient(chain)(context.Background(), "", nil, nil, nil, func(_ context.Context, m string, _, _ any, _ *ClientConn, _ ...CallOption) error {
			l.add("end " + m)
			return errEnd
		})
	}},
	{"stream client", func(l *trail, times int, names ...string) error {
		var chain []StreamClientInterceptor
		for _, n := range names {
			chain = append(chain, l.streamClient(n, times))
		}
		_, err := chainStreamClient(chain)(context.Background(), nil, nil, "", func(_ context.Context, _ *StreamDesc, _ *ClientConn, m string, _ ...CallOption) (ClientStream, error) {
			l.add("end " + m)
			return nil, errEnd
		})
		return err
	}},
	{"unary server", func(l *trail, times int, names ...string) error {
		var chain []UnaryServerInterceptor
		for _, n := range names {
			chain = append(chain, l.unaryServer(n, times))
		}
		_, err := chainUnaryServer(chain)(context.Background(), "", &UnaryServerInfo{}, func(_ context.Context, req any) (any, error) {
			l.add("end " + req.(string))
			return nil, errEnd
		})
		return err
	}},
	{"stream server", func(l *trail, times int, names ...string) error {
		var chain []StreamServerInterceptor
		for _, n := range names {
			chain = append(chain, l.streamServer(n, times))
		}
		return chainStreamServer(chain)("", nil, &StreamServerInfo{}, func(srv any, _ ServerStream) error {
			l.add("end " + srv.(string))
			return errEnd
		})
	}},
}

func TestFirstInterceptorIsTheOutermost(t *testing.T) {
	for _, tt := range chains {
		t.Run(tt.kind, func(t *testing.T) {
			var l trail
			wantEqual(t, "error", tt.call(&l, 1, "a", "b", "c"), errEnd)
			l.want(t, "a", "b", "c", "end abc", "/c", "/b", "/a")
		})
	}
}

func TestOneInterceptorIsItsOwnChain(t *testing.T) {
	for _, tt := range chains {
		t.Run(tt.kind, func(t *testing.T) {
			var l trail
			wantEqual(t, "error", tt.call(&l, 1, "a"), errEnd)
			l.want(t, "a", "end a", "/a")
		})
	}
}

func TestInterceptorMayGoOnSeveralTimes(t *testing.T) {
	for _, tt := range chains {
		t.Run(tt.kind, func(t *testing.T) {
			var l trail
			wantEqual(t, "error", tt.call(&l, 2, "a", "b"), errEnd)
			l.want(t, "a", "b", "end ab", "end ab", "/b", "b", "end ab", "end ab", "/b", "/a")
		})
	}
}

func TestInterceptorNeedNotGoOn(t *testing.T) {
	for _, tt := range chains {
		t.Run(tt.kind, func(t *testing.T) {
			var l trail
			wantEqual(t, "error", tt.call(&l, 0, "a", "b"), nil)
			l.want(t, "a", "/a")
		})
	}
}

func TestInterceptorOfTheOptionGoesBeforeThoseOfTheChain(t *testing.T) {
	var l trail
	srv := NewServer(
		ChainUnaryInterceptor(l.unaryServer("b", 1)), UnaryInterceptor(l.unaryServer("a", 1)),
		ChainStreamInterceptor(l.streamServer("b", 1)), StreamInterceptor(l.streamServer("a", 1)),
	)
	_, _ = srv.opts.unaryInterceptor(context.Background(), "", &UnaryServerInfo{}, func(context.Context, any) (any, error) { return nil, nil })
	_ = srv.opts.streamInterceptor("", nil, &StreamServerInfo{}, func(any, ServerStream) error { return nil })
	l.want(t, "a", "b", "/b", "/a", "a", "b", "/b", "/a")

	l = nil
	cc := newChannel(t, "passthrough:///test",
		WithChainUnaryInterceptor(l.unaryClient("b", 1)), WithUnaryInterceptor(l.unaryClient("a", 1)),
		WithChainStreamInterceptor(l.streamClient("b", 0)), WithStreamInterceptor(l.streamClient("a", 1)),
	)
	end := func(context.Context, string, any, any, *ClientConn, ...CallOption) error { return nil }
	_ = cc.opts.unaryInterceptor(context.Background(), "", nil, nil, cc, end)
	_, _ = cc.NewStream(context.Background(), bidi, "")
	l.want(t, "a", "b", "/b", "/a", "a", "b", "/b", "/a")
}

func TestSecondInterceptorOptionOfAServerPanics(t *testing.T) {
	var l trail
	for _, tt := range []struct {
		name string
		opts []ServerOption
		want string
	}{
		{"unary", []ServerOption{UnaryInterceptor(l.unaryServer("a", 1)), UnaryInterceptor(l.unaryServer("b", 1))},
			"The unary server interceptor was already set and may not be reset."},
		{"stream", []ServerOption{StreamInterceptor(l.streamServer("a", 1)), StreamInterceptor(l.streamServer("b", 1))},
			"The stream server interceptor was already set and may not be reset."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() { wantEqual(t, "panic", recover(), any(tt.want)) }()
			NewServer(tt.opts...)
		})
	}
}
