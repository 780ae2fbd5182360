// Tests of RPCs whose only message has not come yet.

package grpc

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// down describes a method whose client sends one message, for clients and with a handler for servers.
var down = &StreamDesc{StreamName: "Down", ServerStreams: true, Handler: func(srv any, ss ServerStream) error {
	m := text("")
	if err := ss.RecvMsg(m); err != nil {
		return err
	}
	return ss.SendMsg(m)
}}

const downMethod = "/test.Down/Down"

// startCounting starts a server, and connects to it. It counts the handlers and interceptors that run.
func startCounting(t *testing.T, dial DialOption, opts ...ServerOption) (*Server, *ClientConn, *atomic.Int32) {
	t.Helper()
	runs := new(atomic.Int32)
	srv := NewServer(append(opts, ChainStreamInterceptor(func(srv any, ss ServerStream, _ *StreamServerInfo, next StreamHandler) error {
		runs.Add(1)
		return next(srv, ss)
	}))...)
	testService{unary: func(_ context.Context, req string) (string, error) {
		runs.Add(1)
		return req, nil
	}}.register(srv)
	srv.RegisterService(&ServiceDesc{ServiceName: "test.Down", HandlerType: new(any), Streams: []StreamDesc{*down}}, nil)
	return srv, connect(t, serve(t, srv), dial), runs
}

// oneMessage are methods whose clients send one message.
var oneMessage = []struct {
	desc   *StreamDesc
	method string
}{{&StreamDesc{}, unaryMethod}, {down, downMethod}}

// held opens an RPC without its message.
func held(t *testing.T, ctx context.Context, cc *ClientConn, desc *StreamDesc, method string) ClientStream {
	t.Helper()
	s, err := cc.NewStream(ctx, desc, method)
	must(t, err)
	synctest.Wait()
	return s
}

func TestRPCsWithoutTheirMessageHaveNoGoroutine(t *testing.T) {
	for _, tt := range oneMessage {
		synctest.Test(t, func(t *testing.T) {
			srv, cc, runs := startCounting(t, EmptyDialOption{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			last := held(t, ctx, cc, tt.desc, tt.method)
			before := runtime.NumGoroutine()
			for range 100 {
				last = held(t, ctx, cc, tt.desc, tt.method)
			}
			if more := runtime.NumGoroutine() - before; more > 10 { // of other tests, and the runtime
				t.Errorf("%s: got %d goroutines for 100 of them, want none", tt.method, more)
			}
			must(t, last.SendMsg(text("x")))
			must(t, last.CloseSend())
			reply := text("")
			must(t, last.RecvMsg(reply))
			wantEqual(t, tt.method+": reply to a late message", reply.Value, "x")
			stopped := begin(srv.GracefulStop)
			synctest.Wait()
			wantEqual(t, tt.method+": stopped while there are RPCs", isClosed(stopped), false)
			cancel()
			<-stopped
			wantEqual(t, tt.method+": handlers that have run", runs.Load(), 1)
		})
	}
}

func TestRPCsThatEndBeforeTheirMessage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		end   func(srv *Server, cc *ClientConn, cancel func())
		codes []codes.Code // that may be
	}{
		{"cancelled", func(_ *Server, _ *ClientConn, cancel func()) { cancel() }, []codes.Code{codes.Canceled}},
		{"deadline", func(*Server, *ClientConn, func()) { pass(time.Minute) }, []codes.Code{codes.DeadlineExceeded, codes.Canceled}}, // by either end
		{"client gone", func(_ *Server, cc *ClientConn, _ func()) { cc.Close() }, []codes.Code{codes.Canceled}},
		{"stopped", func(srv *Server, _ *ClientConn, _ func()) { srv.Stop() }, []codes.Code{codes.Canceled}},
		{"shut down", func(srv *Server, _ *ClientConn, _ func()) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = srv.Shutdown(ctx)
		}, []codes.Code{codes.Canceled}},
	} {
		for _, m := range oneMessage {
			for _, watched := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					events := new(recorder)
					opts := []ServerOption{MaxConcurrentStreams(1)}
					if watched {
						opts = append(opts, StatsHandler(events))
					}
					srv, cc, runs := startCounting(t, EmptyDialOption{}, opts...)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					held(t, ctx, cc, m.desc, m.method)
					tt.end(srv, cc, cancel)
					synctest.Wait()
					srv.GracefulStop() // returns if nothing is left
					wantEqual(t, tt.name+": handlers that have run", runs.Load(), 0)
					if !watched {
						return
					}
					wantEqual(t, tt.name+": events", events.kinds(), "InHeader Begin End")
					end := events.calls[len(events.calls)-1].(*stats.End)
					if got := status.Code(end.Error); !slices.Contains(tt.codes, got) {
						t.Errorf("%s: got code %v, want one of %v", tt.name, got, tt.codes)
					}
				})
			}
		}
	}
}

// An RPC that was reset before its message came leaves nothing behind that another one would need.
func TestSlotsOfRPCsThatEndBeforeTheirMessage(t *testing.T) {
	for _, m := range oneMessage {
		synctest.Test(t, func(t *testing.T) {
			_, cc, runs := startCounting(t, EmptyDialOption{}, MaxConcurrentStreams(1))
			for range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				held(t, ctx, cc, m.desc, m.method)
				cancel()
				synctest.Wait()
			}
			wantEqual(t, "handlers that have run", runs.Load(), 0)
			got, err := echo(t.Context(), cc, "x")
			must(t, err)
			wantEqual(t, "reply", got, "x")
		})
	}
}

func TestHandlersThatMaySpeakFirst(t *testing.T) {
	for _, method := range []string{streamMethod, "/test.None/Such"} {
		synctest.Test(t, func(t *testing.T) {
			speak := func(_ any, ss ServerStream) error { return ss.SendMsg(text("first")) }
			srv := NewServer(UnknownServiceHandler(speak))
			testService{stream: func(ss ServerStream) error { return speak(nil, ss) }}.register(srv)
			s := held(t, t.Context(), connect(t, serve(t, srv)), bidi, method)
			m := text("")
			must(t, s.RecvMsg(m))
			wantEqual(t, method+": message", m.Value, "first")
			wantEqual(t, method+": end", s.RecvMsg(m), io.EOF)
		})
	}
}

func TestUnknownCompressionIsToldBeforeTheMessage(t *testing.T) {
	for _, m := range oneMessage {
		synctest.Test(t, func(t *testing.T) {
			_, cc, _ := startCounting(t, WithCompressor(marking2016{}.compressor()))
			s := held(t, t.Context(), cc, m.desc, m.method)
			wantStatus(t, m.method, s.RecvMsg(text("")), `Unimplemented: grpc: Decompressor is not installed for grpc-encoding "marking2016"`)
		})
	}
}
