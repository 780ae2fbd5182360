// Tests of unary calls: what goes through interceptors, requests that cannot be sent, and what stats handlers are told.

package grpc

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

func TestInterceptorMayChangeACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{unary: func(ctx context.Context, req string) (string, error) { return req + " of " + whoSays(ctx), nil }})
		cc := connect(t, lis, WithDefaultCallOptions(MaxCallSendMsgSize(1000)), WithUnaryInterceptor(
			func(ctx context.Context, method string, req, reply any, cc *ClientConn, next UnaryInvoker, opts ...CallOption) error {
				wantEqual(t, "options", fmt.Sprint(opts), "[{1000} {2000}]")
				ctx = metadata.AppendToOutgoingContext(ctx, "who", "me")
				err := next(ctx, strings.TrimSuffix(method, "X"), text("changed "+req.(*wrapperspb.StringValue).Value), reply, cc, opts...)
				reply.(*wrapperspb.StringValue).Value += ", again"
				return err
			}))
		reply := text("")
		must(t, cc.Invoke(t.Context(), unaryMethod+"X", text("x"), reply, MaxCallRecvMsgSize(2000)))
		wantEqual(t, "reply", reply.Value, "changed x of me, again")
	})
}

func TestRequestThatCannotBeEncodedIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{unary: func(context.Context, string) (string, error) {
			t.Error("the handler was called")
			return "", nil
		}}))
		err := cc.Invoke(t.Context(), unaryMethod, 7, text(""))
		if st := status.Convert(err); st.Code() != codes.Internal || !strings.HasPrefix(st.Message(), "grpc: error while marshaling: ") {
			t.Errorf("got %v, want that the request cannot be marshalled", err)
		}
		wantEqual(t, "calls under way", cc.idle.calls.Load(), 0)
	})
}

func TestReplyThatCannotBeDecodedEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithDefaultServiceConfig(retrying))
		err := cc.Invoke(t.Context(), unaryMethod, text("x"), 7)
		if st := status.Convert(err); st.Code() != codes.Internal || !strings.HasPrefix(st.Message(), "grpc: failed to unmarshal the received message: ") {
			t.Errorf("got %v, want that the reply cannot be unmarshalled", err)
		}
	})
}

func TestClientTellsOfEachAttempt(t *testing.T) {
	const answered = "OutHeader OutPayload InHeader InPayload InTrailer End"
	for _, tt := range []struct{ about, want string }{
		{"one attempt", "Begin " + answered},
		{"a refusal", "Begin OutHeader OutPayload End Begin " + answered},
		{"a failure", "Begin OutHeader OutPayload InTrailer End Begin " + answered},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				about := tt.about
				raw := serveRaw(t, func(c *rawConn, id uint32) {
					switch about {
					case "a refusal":
						c.reset(id, http2.ErrCodeRefusedStream)
					case "a failure":
						c.answer(id, "grpc-status", "14")
					default:
						failTimes(0)(c, id)
					}
					about = ""
				})
				events := new(recorder)
				cc := connect(t, raw.lis, WithStatsHandler(events), WithDefaultServiceConfig(retrying))
				cc.Connect()
				synctest.Wait() // so that no pick waits
				ctx := metadata.AppendToOutgoingContext(t.Context(), "k", "v")
				_, err := echo(ctx, cc, "x")
				must(t, err)
				wantEqual(t, "events", events.kinds(), tt.want)
			})
		})
	}
}

func TestAttemptThatReplacesARefusedOneSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusals := 1
		raw := serveRaw(t, func(c *rawConn, id uint32) {
			if refusals--; refusals >= 0 {
				c.reset(id, http2.ErrCodeRefusedStream)
				return
			}
			failTimes(0)(c, id)
		})
		r := new(recorder)
		_, err := echo(t.Context(), connect(t, raw.lis, WithStatsHandler(r)), "x", WaitForReady(true))
		must(t, err)
		var got []string
		for _, e := range r.calls {
			switch e := e.(type) {
			case *stats.Begin:
				got = append(got, fmt.Sprintf("transparent = %v, fail fast = %v", e.IsTransparentRetryAttempt, e.FailFast))
			case *stats.OutHeader:
				got = append(got, e.FullMethod+" "+e.Authority+" "+e.Header.Get("user-agent")[0])
			}
		}
		header := unaryMethod + " test " + userAgent
		want := []string{"transparent = false, fail fast = false", header, "transparent = true, fail fast = false", header}
		wantEqual(t, "events", fmt.Sprint(got), fmt.Sprint(want))
	})
}

// A lender is a pool that counts the buffers that are out.
type lender struct {
	mem.BufferPool
	out atomic.Int64
}

func (l *lender) Get(n int) *[]byte {
	l.out.Add(1)
	return l.BufferPool.Get(n)
}

func (l *lender) Put(b *[]byte) {
	l.out.Add(-1)
	l.BufferPool.Put(b)
}

// A server may send more than the reply: what nobody receives goes back to the pool.
func TestUnaryCallsGiveBackWhatNobodyReceives(t *testing.T) {
	for _, config := range []string{"{}", hedging(2, "1s", "")} {
		for _, more := range []int{0, 5000, 4000} { // bytes that follow the reply, of a message of 5000
			pool := &lender{BufferPool: mem.DefaultBufferPool()}
			synctest.Test(t, func(t *testing.T) {
				raw := serveRaw(t, func(c *rawConn, id uint32) {
					c.headers(id)
					c.message(id, "\n\x01x")
					c.write(func(f *http2.Framer) error {
						return f.WriteData(id, false, append([]byte{0, 0, 0, 5000 >> 8, 5000 & 255}, make([]byte, more)...))
					})
					c.trailers(id, "grpc-status", "0")
				})
				cc := connect(t, raw.lis, WithDefaultServiceConfig(config), dialOption(func(o *dialOptions) { o.pool = pool }))
				if got, err := echo(t.Context(), cc, "x"); status.Code(err) != codes.Internal {
					t.Errorf("%d bytes behind the reply: got %q, %v, want the code %v", more, got, err, codes.Internal)
				}
			})
			if n := pool.out.Load(); n != 0 {
				t.Errorf("config %s, %d bytes behind the reply: got %d buffers that are out, want 0", config, more, n)
			}
		}
	}
}
