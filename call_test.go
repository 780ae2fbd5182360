// Tests of unary calls: what goes through interceptors, requests that cannot be sent, and what stats handlers are told.

package grpc

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
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
