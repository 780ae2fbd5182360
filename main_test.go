// What the tests of the package share: a service, servers and channels in memory, and the check that no test leaves a goroutine behind.
// The load-balancing policy of the tests is in fakepolicy_test.go.

package grpc

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// wantEqual fails the test unless got is want.
func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantStatus fails the test unless err carries the status that want, "code: message", says.
func wantStatus(t *testing.T, what string, err error, want string) {
	t.Helper()
	st, ok := status.FromError(err)
	if got := st.Code().String() + ": " + st.Message(); !ok || got != want {
		t.Errorf("%s: got status %q (%v), want %q", what, got, err, want)
	}
}

// must fails the test at once if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isClosed reports whether c is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// pass lets time pass in a bubble of synctest, and then everything happen that is due.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// text makes a message.
func text(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

// A testService is the service test.S, with the methods Unary and, with any number of messages both ways, Stream. Without functions of the
// test, they answer each message with itself.
type testService struct {
	unary  func(ctx context.Context, req string) (string, error)
	stream func(ServerStream) error
}

const (
	unaryMethod  = "/test.S/Unary"
	streamMethod = "/test.S/Stream"
)

// bidi describes the method Stream to clients.
var bidi = &StreamDesc{StreamName: "Stream", ServerStreams: true, ClientStreams: true}

func (s testService) register(r ServiceRegistrar) { r.RegisterService(s.desc(), s) }

func (s testService) desc() *ServiceDesc {
	return &ServiceDesc{
		ServiceName: "test.S", HandlerType: new(any), Metadata: "test.proto",
		Methods: []MethodDesc{{MethodName: "Unary", Handler: s.handleUnary}},
		Streams: []StreamDesc{{StreamName: "Stream", Handler: s.handleStream, ServerStreams: true, ClientStreams: true}},
	}
}

// handleUnary is what generated code has for a unary method.
func (s testService) handleUnary(srv any, ctx context.Context, dec func(any) error, interceptor UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.StringValue)
	if err := dec(in); err != nil {
		return nil, err
	}
	handler := func(ctx context.Context, req any) (any, error) {
		if s.unary == nil {
			return req, nil
		}
		out, err := s.unary(ctx, req.(*wrapperspb.StringValue).Value)
		return text(out), err
	}
	if interceptor == nil {
		return handler(ctx, in)
	}
	return interceptor(ctx, in, &UnaryServerInfo{Server: srv, FullMethod: unaryMethod}, handler)
}

func (s testService) handleStream(_ any, ss ServerStream) error {
	if s.stream != nil {
		return s.stream(ss)
	}
	for {
		m := new(wrapperspb.StringValue)
		switch err := ss.RecvMsg(m); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
		if err := ss.SendMsg(m); err != nil {
			return err
		}
	}
}

// startServer serves the service until the end of the test.
func startServer(t *testing.T, s testService, opts ...ServerOption) *bufconn.Listener {
	t.Helper()
	srv := NewServer(opts...)
	s.register(srv)
	return serve(t, srv)
}

// serve makes srv serve until the end of the test.
func serve(t *testing.T, srv *Server) *bufconn.Listener {
	t.Helper()
	lis := bufconn.Listen(64 << 10)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return lis
}

// newChannel makes a channel that is closed at the end of the test.
func newChannel(t *testing.T, target string, opts ...DialOption) *ClientConn {
	t.Helper()
	cc, err := NewClient(target, append([]DialOption{WithTransportCredentials(insecure.NewCredentials())}, opts...)...)
	must(t, err)
	t.Cleanup(func() { cc.Close() })
	return cc
}

// newManual returns a resolver for targets "manual:", which reports what the test says.
func newManual() *manual.Resolver { return manual.NewBuilderWithScheme("manual") }

// dialTo is the option that makes all connections to lis.
func dialTo(lis *bufconn.Listener) DialOption {
	return WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) })
}

// connect makes a channel to a server.
func connect(t *testing.T, lis *bufconn.Listener, opts ...DialOption) *ClientConn {
	t.Helper()
	return newChannel(t, "passthrough:///test", append([]DialOption{dialTo(lis)}, opts...)...)
}

// echo makes a unary call.
func echo(ctx context.Context, cc ClientConnInterface, req string, opts ...CallOption) (string, error) {
	var reply wrapperspb.StringValue
	err := cc.Invoke(ctx, unaryMethod, text(req), &reply, opts...)
	return reply.Value, err
}
