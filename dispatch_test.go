// Tests of the way from a stream to its handler and back: routes, refusals, taps, interceptors, and what errors of handlers become.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

func TestCutMethod(t *testing.T) {
	for _, tt := range []struct {
		path, service, method string
		ok                    bool
	}{
		{"/s/m", "s", "m", true}, {"/a.b/c/m", "a.b/c", "m", true}, {"//m", "", "m", true}, {"/s/", "s", "", true}, {"s/m", "", "", false},
		{"/m", "", "", false}, {"/", "", "", false}, {"", "", "", false},
	} {
		service, method, ok := cutMethod(tt.path)
		if service != tt.service || method != tt.method || ok != tt.ok {
			t.Errorf("cutMethod(%q): got %q, %q, %v, want %q, %q, %v", tt.path, service, method, ok, tt.service, tt.method, tt.ok)
		}
	}
}

// invokeMethod calls a method of any name.
func invokeMethod(ctx context.Context, cc *ClientConn, method string) (string, error) {
	var reply wrapperspb.StringValue
	err := cc.Invoke(ctx, method, text("x"), &reply)
	return reply.Value, err
}

func TestRoutes(t *testing.T) {
	unknown := UnknownServiceHandler(func(_ any, ss ServerStream) error {
		m, _ := MethodFromServerStream(ss)
		return ss.SendMsg(text("unknown " + m))
	})
	for _, tt := range []struct {
		method  string
		unknown bool // there is a handler for unknown methods
		want    string
	}{
		{unaryMethod, false, "x"},
		{unaryMethod, true, "x"},
		{"/test.S/None", false, "Unimplemented: unknown method None for service test.S"},
		{"/test.S/None", true, "unknown /test.S/None"},
		{"/other.S/Unary", false, "Unimplemented: unknown service other.S"},
		{"/other.S/Unary", true, "unknown /other.S/Unary"},
		{"/Unary", false, `Unimplemented: malformed method name: "/Unary"`},
		{"/Unary", true, `Unimplemented: malformed method name: "/Unary"`},
	} {
		t.Run(fmt.Sprint(tt.method[1:], tt.unknown), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opts []ServerOption
				if tt.unknown {
					opts = append(opts, unknown)
				}
				got, err := invokeMethod(t.Context(), connect(t, startServer(t, testService{}, opts...)), tt.method)
				if err != nil {
					wantStatus(t, "call", err, tt.want)
				} else {
					wantEqual(t, "reply", got, tt.want)
				}
			})
		})
	}
}

func TestErrorsOfHandlers(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("any"), "Unknown: any"},
		{status.Error(codes.NotFound, "lost"), "NotFound: lost"},
		{fmt.Errorf("because: %w", status.Error(codes.NotFound, "lost")), "NotFound: because: rpc error: code = NotFound desc = lost"},
		{context.DeadlineExceeded, "DeadlineExceeded: context deadline exceeded"},
		{context.Canceled, "Canceled: context canceled"},
		{io.EOF, "Unknown: EOF"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{
				unary:  func(context.Context, string) (string, error) { return "", tt.err },
				stream: func(ServerStream) error { return tt.err },
			}))
			_, err := echo(t.Context(), cc, "x")
			wantStatus(t, "unary call", err, tt.want)
			s, err := cc.NewStream(t.Context(), bidi, streamMethod)
			must(t, err)
			wantStatus(t, "stream", s.RecvMsg(text("")), tt.want)
		})
	}
}

func TestRequestThatCannotBeDecodedEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		bad := "\xff"
		err := cc.Invoke(t.Context(), unaryMethod, &bad, new(string), ForceCodec(&stringCodec{name: "proto"}))
		if st := status.Convert(err); st.Code() != codes.Internal || !strings.HasPrefix(st.Message(), "grpc: failed to unmarshal the received message: ") {
			t.Errorf("got %v, want that the request cannot be unmarshalled", err)
		}
	})
}

func TestReplyThatCannotBeEncodedEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{}, UnaryInterceptor(func(context.Context, any, *UnaryServerInfo, UnaryHandler) (any, error) { return 7, nil }))
		_, err := echo(t.Context(), connect(t, lis), "x")
		if st := status.Convert(err); st.Code() != codes.Internal || !strings.HasPrefix(st.Message(), "grpc: error while marshaling: ") {
			t.Errorf("got %v, want that the reply cannot be marshalled", err)
		}
	})
}

func TestReplyIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := echo(t.Context(), connect(t, startServer(t, testService{}, MaxSendMsgSize(10))), "123456789")
		wantStatus(t, "call", err, "ResourceExhausted: trying to send message larger than max (11 vs. 10)")
	})
}

func TestRequestIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := echo(t.Context(), connect(t, startServer(t, testService{}, MaxRecvMsgSize(10))), "123456789")
		wantStatus(t, "call", err, "ResourceExhausted: grpc: received message larger than max (11 vs. 10)")
	})
}

func TestInterceptorsAreToldOfTheMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		lis := startServer(t, testService{},
			UnaryInterceptor(func(ctx context.Context, req any, info *UnaryServerInfo, next UnaryHandler) (any, error) {
				got = append(got, info.FullMethod, fmt.Sprintf("%T", info.Server))
				return next(ctx, req)
			}),
			StreamInterceptor(func(srv any, ss ServerStream, info *StreamServerInfo, next StreamHandler) error {
				got = append(got, fmt.Sprintf("%s %v %v %T", info.FullMethod, info.IsClientStream, info.IsServerStream, srv))
				return next(srv, ss)
			}))
		cc := connect(t, lis)
		_, err := echo(t.Context(), cc, "x")
		must(t, err)
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		must(t, s.CloseSend())
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
		wantEqual(t, "what they were told", fmt.Sprint(got), "[/test.S/Unary grpc.testService /test.S/Stream true true grpc.testService]")
	})
}

func TestTapMayRefuseCallsAndChangeTheirContext(t *testing.T) {
	type key struct{}
	var refuse error
	for _, tt := range []struct {
		refuse error
		want   string
	}{
		{nil, "from the tap"},
		{status.Error(codes.ResourceExhausted, "full"), "ResourceExhausted: full"},
		{errors.New("not now"), "PermissionDenied: not now"},
	} {
		synctest.Test(t, func(t *testing.T) {
			refuse = tt.refuse
			handled := 0
			lis := startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
				handled++
				return fmt.Sprint(ctx.Value(key{})), nil
			}}, InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
				wantEqual(t, "method", info.FullMethodName, unaryMethod)
				wantEqual(t, "header", fmt.Sprint(info.Header["k"]), "[v]")
				info.Header.Set("k", "changed") // is of no effect
				return context.WithValue(ctx, key{}, "from the tap"), refuse
			}))
			got, err := echo(metadata.AppendToOutgoingContext(t.Context(), "k", "v"), connect(t, lis), "x")
			if tt.refuse != nil {
				wantStatus(t, "call", err, tt.want)
				wantEqual(t, "calls of the handler", handled, 0)
				return
			}
			must(t, err)
			wantEqual(t, "reply", got, tt.want)
		})
	}
}

func TestSecondTapOptionPanics(t *testing.T) {
	h := func(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, nil }
	defer func() {
		wantEqual(t, "panic", recover(), any("The tap handle was already set and may not be reset."))
	}()
	NewServer(InTapHandle(h), InTapHandle(h))
}

// kinds returns what kinds of events of RPCs a recorder was told of.
func (r *recorder) kinds() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, len(r.calls))
	for i, e := range r.calls {
		names[i] = strings.TrimPrefix(fmt.Sprintf("%T", e), "*stats.")
	}
	return strings.Join(names, " ")
}

func TestServerTellsOfEachCall(t *testing.T) {
	for _, tt := range []struct{ method, want string }{
		{unaryMethod, "InHeader Begin InPayload OutHeader OutPayload OutTrailer End"},
		{streamMethod, "InHeader Begin InPayload OutHeader OutPayload OutTrailer End"},
	} {
		synctest.Test(t, func(t *testing.T) {
			events := new(recorder)
			cc := connect(t, startServer(t, testService{}, StatsHandler(events)))
			_, err := invokeMethod(t.Context(), cc, tt.method)
			must(t, err)
			synctest.Wait()
			wantEqual(t, tt.method, events.kinds(), tt.want)
		})
	}
}
