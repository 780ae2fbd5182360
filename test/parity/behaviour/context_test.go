// What a handler's and a caller's context hold: peer, method, transport stream.

package behaviour

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// authority is what the client called the server.
func authority(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return fmt.Sprintf("%q", md[":authority"])
}

func TestContextOfAHandler(t *testing.T) {
	seen := make(chan string, 2)
	look := func(ctx context.Context) string {
		pr, ok := peer.FromContext(ctx)
		method, okMethod := grpc.Method(ctx)
		stream := grpc.ServerTransportStreamFromContext(ctx)
		_, outgoing := metadata.FromOutgoingContext(ctx)
		return fmt.Sprintf("peer %v %v; method %v %s; stream %v %s; outgoing %v", ok, pr, okMethod, method, stream != nil, stream.Method(), outgoing)
	}
	p := start(t, setup{service: &echo.Service{
		OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
			seen <- look(ctx)
			return in, nil
		},
		OnBidi: func(s grpc.ServerStream) error {
			method, ok := grpc.MethodFromServerStream(s)
			seen <- look(s.Context())
			seen <- fmt.Sprint(method, " ", ok)
			return nil
		},
	}})
	unary(within(t), p.cc, "x")
	equal(t, wait(t, seen, "call"),
		"peer true Peer{Addr: 'bufconn', LocalAddr: 'bufconn', AuthInfo: <nil>}; method true /parity.Echo/Unary; stream true /parity.Echo/Unary; outgoing false")
	converse(t, p.cc, echo.BidiDesc, echo.Bidi)
	equal(t, wait(t, seen, "call"),
		"peer true Peer{Addr: 'bufconn', LocalAddr: 'bufconn', AuthInfo: <nil>}; method true /parity.Echo/Bidi; stream true /parity.Echo/Bidi; outgoing false")
	equal(t, wait(t, seen, "call"), "/parity.Echo/Bidi true")
}

func TestContextOfNoHandler(t *testing.T) {
	ctx := context.Background()
	_, ok := peer.FromContext(ctx)
	method, okMethod := grpc.Method(ctx)
	equal(t, fmt.Sprint(ok, okMethod, method, grpc.ServerTransportStreamFromContext(ctx)), "false false<nil>")
}

// fakeStream is a server transport stream that a test may put into a context.
type fakeStream struct{ journal }

func (*fakeStream) Method() string                    { return "/fake/Method" }
func (f *fakeStream) SetHeader(md metadata.MD) error  { f.note("SetHeader %s", show(md)); return nil }
func (f *fakeStream) SendHeader(md metadata.MD) error { f.note("SendHeader %s", show(md)); return nil }
func (f *fakeStream) SetTrailer(md metadata.MD) error { f.note("SetTrailer %s", show(md)); return nil }

func TestContextWithAFakeTransportStream(t *testing.T) {
	f := new(fakeStream)
	ctx := grpc.NewContextWithServerTransportStream(context.Background(), f)
	grpc.SetHeader(ctx, metadata.Pairs("h", "1"))
	grpc.SendHeader(ctx, metadata.Pairs("s", "2"))
	grpc.SetTrailer(ctx, metadata.Pairs("t", "3"))
	method, ok := grpc.Method(ctx)
	f.note("%s %v", method, ok)
	f.note("%v", grpc.SetSendCompressor(ctx, "gzip"))
	_, err := grpc.ClientSupportedCompressors(ctx)
	before, _, _ := strings.Cut(fmt.Sprint(err), "context.Background") // which is followed by the context's keys
	f.note("%s", before)
	equal(t, f.String(), `SetHeader h=["1"]
SendHeader s=["2"]
SetTrailer t=["3"]
/fake/Method true
failed to fetch the stream from the given context
failed to fetch the stream from the given context `)
}

func TestTapSeesTheCallFirst(t *testing.T) {
	type key struct{}
	seen := make(chan string, 2)
	refuse := error(nil)
	p := start(t, setup{
		server: []grpc.ServerOption{grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			pr, ok := peer.FromContext(ctx)
			seen <- fmt.Sprintf("%s %s peer=%v %v", info.FullMethodName, show(extras(info.Header)), ok, pr)
			return context.WithValue(ctx, key{}, "from tap"), refuse
		})},
		service: answering(func(ctx context.Context) error {
			seen <- fmt.Sprint(ctx.Value(key{}))
			return nil
		}),
	})
	unary(metadata.AppendToOutgoingContext(within(t), "k", "v"), p.cc, "x")
	equal(t, wait(t, seen, "tap"), `/parity.Echo/Unary k=["v"] peer=true Peer{Addr: 'bufconn', LocalAddr: 'bufconn', AuthInfo: <nil>}`)
	equal(t, wait(t, seen, "call"), "from tap")
	refuse = fmt.Errorf("plain refusal")
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = PermissionDenied desc = plain refusal")
	refuse = status.Error(codes.ResourceExhausted, "busy")
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = ResourceExhausted desc = busy")
}
