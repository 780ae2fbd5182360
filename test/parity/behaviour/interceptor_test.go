// Interceptors: their order, what they are told, and what they may change.

package behaviour

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// journal is a list of notes from several goroutines.
type journal struct {
	mu    sync.Mutex
	notes []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, fmt.Sprintf(format, args...))
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.notes, "\n")
}

func (j *journal) unaryClient(name string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		j.note("%s> %s %q %d options", name, method, req.(*echo.Text).Value, len(opts))
		err := next(ctx, method, req, reply, cc, opts...)
		j.note("<%s %q %v", name, reply.(*echo.Text).Value, err)
		return err
	}
}

func (j *journal) streamClient(name string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		j.note("%s> %s %s %v %v %d options", name, method, desc.StreamName, desc.ClientStreams, desc.ServerStreams, len(opts))
		stream, err := next(ctx, desc, cc, method, opts...)
		j.note("<%s %v", name, err)
		return stream, err
	}
}

func (j *journal) unaryServer(name string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		j.note("%s> %s %T %q", name, info.FullMethod, info.Server, req.(*echo.Text).Value)
		resp, err := next(ctx, req)
		j.note("<%s %v", name, err)
		return resp, err
	}
}

func (j *journal) streamServer(name string) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		j.note("%s> %s %T %v %v", name, info.FullMethod, srv, info.IsClientStream, info.IsServerStream)
		err := next(srv, stream)
		j.note("<%s %v", name, err)
		return err
	}
}

func TestClientInterceptorsRunInOrder(t *testing.T) {
	var j journal
	p := start(t, setup{client: []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(j.unaryClient("b"), j.unaryClient("c")),
		grpc.WithUnaryInterceptor(j.unaryClient("lost")),
		grpc.WithChainUnaryInterceptor(j.unaryClient("d")),
		grpc.WithUnaryInterceptor(j.unaryClient("a")),
		grpc.WithChainStreamInterceptor(j.streamClient("b"), j.streamClient("c")),
		grpc.WithStreamInterceptor(j.streamClient("a")),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(100)),
	}})
	if _, err := unary(within(t), p.cc, "x", grpc.FailFast(true)); err != nil {
		t.Fatal(err)
	}
	equal(t, j.String(),
		"a> /parity.Echo/Unary \"x\" 3 options\nb> /parity.Echo/Unary \"x\" 3 options\nc> /parity.Echo/Unary \"x\" 3 options\nd> /parity.Echo/Unary \"x\" 3 options\n<d \"x\" <nil>\n<c \"x\" <nil>\n<b \"x\" <nil>\n<a \"x\" <nil>")
	j.reset()
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi, "x"), "x, EOF")
	equal(t, j.String(),
		"a> /parity.Echo/Bidi Bidi true true 2 options\nb> /parity.Echo/Bidi Bidi true true 2 options\nc> /parity.Echo/Bidi Bidi true true 2 options\n<c <nil>\n<b <nil>\n<a <nil>")
}

func TestServerInterceptorsRunInOrder(t *testing.T) {
	var j journal
	p := start(t, setup{server: []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(j.unaryServer("b"), j.unaryServer("c")),
		grpc.UnaryInterceptor(j.unaryServer("a")),
		grpc.ChainUnaryInterceptor(j.unaryServer("d")),
		grpc.ChainStreamInterceptor(j.streamServer("b"), j.streamServer("c")),
		grpc.StreamInterceptor(j.streamServer("a")),
	}})
	if _, err := unary(within(t), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, j.String(),
		"a> /parity.Echo/Unary *echo.Service \"x\"\nb> /parity.Echo/Unary *echo.Service \"x\"\nc> /parity.Echo/Unary *echo.Service \"x\"\nd> /parity.Echo/Unary *echo.Service \"x\"\n<d <nil>\n<c <nil>\n<b <nil>\n<a <nil>")
	for _, kind := range kinds[1:] {
		j.reset()
		equal(t, converse(t, p.cc, kind.desc, kind.method, "x"), "x, EOF")
		t.Run(kind.name, func(t *testing.T) { equal(t, j.notes[0], streamInfos[kind.name]) })
		equal(t, fmt.Sprint(len(j.notes)), "6")
	}
}

var streamInfos = map[string]string{
	"client stream": "a> /parity.Echo/ClientStream *echo.Service true false",
	"server stream": "a> /parity.Echo/ServerStream *echo.Service false true",
	"bidi":          "a> /parity.Echo/Bidi *echo.Service true true",
}

func TestSettingAServerInterceptorTwicePanics(t *testing.T) {
	var j journal
	for _, tc := range []struct {
		name string
		opt  grpc.ServerOption
		want string
	}{
		{"unary", grpc.UnaryInterceptor(j.unaryServer("a")), "The unary server interceptor was already set and may not be reset."},
		{"stream", grpc.StreamInterceptor(j.streamServer("a")), "The stream server interceptor was already set and may not be reset."},
		{"tap", grpc.InTapHandle(nil), "<nil>"},
		{"tap twice", grpc.InTapHandle(passTap), "The tap handle was already set and may not be reset."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() { equal(t, fmt.Sprint(recover()), tc.want) }()
			grpc.NewServer(tc.opt, tc.opt)
		})
	}
}

func TestClientInterceptorMayAnswerByItself(t *testing.T) {
	p := start(t, setup{client: []grpc.DialOption{grpc.WithUnaryInterceptor(
		func(_ context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
			reply.(*echo.Text).Value = "short"
			return nil
		})}})
	equal(t, result(unary(within(t), p.cc, "x")), `"short"`)
}

func TestClientInterceptorErrorsAreNotChanged(t *testing.T) {
	boom := fmt.Errorf("boom")
	p := start(t, setup{client: []grpc.DialOption{
		grpc.WithUnaryInterceptor(
			func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
				return boom
			}),
		grpc.WithStreamInterceptor(
			func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
				return nil, boom
			}),
	}})
	equal(t, result(unary(within(t), p.cc, "x")), "boom")
	_, err := p.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi)
	equal(t, text(err), "boom")
}

func TestServerInterceptorErrorsBecomeStatuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", fmt.Errorf("boom"), "rpc error: code = Unknown desc = boom"},
		{"status", status.Error(codes.PermissionDenied, "no"), "rpc error: code = PermissionDenied desc = no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{server: []grpc.ServerOption{
				grpc.UnaryInterceptor(func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { return nil, tc.err }),
				grpc.StreamInterceptor(func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { return tc.err }),
			}})
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
			equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), tc.want)
		})
	}
}

func TestClientInterceptorMayCallTwice(t *testing.T) {
	p := start(t, setup{client: []grpc.DialOption{grpc.WithUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if err := next(ctx, method, req, reply, cc, opts...); err != nil {
				return err
			}
			ctx = metadata.AppendToOutgoingContext(ctx, "again", "yes")
			return next(ctx, method, echo.Of("second"), reply, cc, opts...)
		})}})
	equal(t, result(unary(within(t), p.cc, "x")), `"second"`)
}

func TestInterceptorSeesTheOptionsOfTheCall(t *testing.T) {
	var j journal
	p := start(t, setup{client: []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			for _, o := range opts {
				switch o := o.(type) {
				case grpc.FailFastCallOption:
					j.note("FailFast %v", o.FailFast)
				case grpc.MaxRecvMsgSizeCallOption:
					j.note("MaxRecvMsgSize %v", o.MaxRecvMsgSize)
				case grpc.MaxSendMsgSizeCallOption:
					j.note("MaxSendMsgSize %v", o.MaxSendMsgSize)
				case grpc.CompressorCallOption:
					j.note("CompressorType %v", o.CompressorType)
				case grpc.ContentSubtypeCallOption:
					j.note("ContentSubtype %v", o.ContentSubtype)
				case grpc.MaxRetryRPCBufferSizeCallOption:
					j.note("MaxRetryRPCBufferSize %v", o.MaxRetryRPCBufferSize)
				case grpc.AuthorityOverrideCallOption:
					j.note("Authority %v", o.Authority)
				default:
					j.note("%T", o)
				}
			}
			return next(ctx, method, req, reply, cc, opts...)
		}),
	}})
	_, err := unary(within(t), p.cc, "x", grpc.WaitForReady(false), grpc.MaxCallRecvMsgSize(1000), grpc.MaxCallSendMsgSize(2000),
		grpc.UseCompressor("identity"), grpc.CallContentSubtype("PROTO"), grpc.MaxRetryRPCBufferSize(3000), grpc.Header(&metadata.MD{}),
		grpc.Trailer(&metadata.MD{}), grpc.Peer(nilPeer()), grpc.OnFinish(func(error) {}), grpc.StaticMethod(), grpc.EmptyCallOption{},
		grpc.CallAuthority("a.example"), grpc.PerRPCCredentials(secret{}), grpc.ForceCodec(jsonCodec{name: "none"}),
		grpc.CallCustomCodec(oldCodec{jsonCodec{name: "none"}}), grpc.ForceCodecV2(encoding.GetCodecV2("proto")))
	equal(t, text(err), "<nil>")
	equal(t, j.String(),
		"FailFast false\nFailFast true\nMaxRecvMsgSize 1000\nMaxSendMsgSize 2000\nCompressorType identity\nContentSubtype proto\nMaxRetryRPCBufferSize 3000\ngrpc.HeaderCallOption\ngrpc.TrailerCallOption\ngrpc.PeerCallOption\ngrpc.OnFinishCallOption\ngrpc.StaticMethodCallOption\ngrpc.EmptyCallOption\n"+
			"Authority a.example\ngrpc.PerRPCCredsCallOption\ngrpc.ForceCodecCallOption\ngrpc.CustomCodecCallOption\ngrpc.ForceCodecV2CallOption")
}
