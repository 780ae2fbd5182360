// What every test of this package stands on: a server and a channel between which the test's service runs,
// and one written form for errors and metadata, so that expectations are literal texts.

// Package behaviour holds what programs can observe of the library, through its public API and on the wire.
// Every expectation is the literal result of the released library.
package behaviour

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/parity"
)

// patience bounds every wait: a test that waits longer has failed.
const patience = 10 * time.Second

// TestMain silences the library's log: half of these tests provoke errors that it reports.
func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	os.Exit(m.Run())
}

func equal(t testing.TB, got, want string) {
	t.Helper()
	parity.Equal(t, got, want)
}

// differ is a difference on purpose: its key in DIFFERENCES.md, and what the library of this tree does instead.
type differ struct{ key, ours string }

// or returns what to expect where the released library does upstream: the same, if d is zero.
func (d differ) or(t testing.TB, upstream string) string {
	t.Helper()
	if d.key == "" {
		return upstream
	}
	return parity.Differs(t, d.key, upstream, d.ours)
}

// oneOf fails the test if got is none of the texts: for a race that the library leaves open.
func oneOf(t testing.TB, got string, wants ...string) {
	t.Helper()
	if !slices.Contains(wants, got) {
		t.Errorf("got %q, want one of %q", got, wants)
	}
}

// within returns a context that ends with the test, or earlier if the test hangs.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wait blocks until event is closed or sent to.
func wait[T any](t testing.TB, event <-chan T, name string) T {
	t.Helper()
	select {
	case v := <-event:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s after %v", name, patience)
		panic("unreachable")
	}
}

// pair is a server and a channel to it over memory.
type pair struct {
	server *grpc.Server
	lis    *bufconn.Listener
	cc     *grpc.ClientConn
	served chan error // receives what Serve returned
}

// setup is how a test wants its pair.
type setup struct {
	service *echo.Service // nil: everything echoes
	server  []grpc.ServerOption
	client  []grpc.DialOption
}

// start makes a pair that lives as long as the test.
func start(t testing.TB, s setup) *pair {
	t.Helper()
	if s.service == nil {
		s.service = &echo.Service{}
	}
	p := &pair{server: grpc.NewServer(s.server...), lis: bufconn.Listen(1 << 16), served: make(chan error, 1)}
	p.server.RegisterService(&echo.Desc, s.service)
	go func() { p.served <- p.server.Serve(p.lis) }()
	t.Cleanup(p.server.Stop)
	p.cc = p.dial(t, s.client...)
	return p
}

// dial makes one more channel to the server.
func (p *pair) dial(t testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		memory(p),
	}, opts...)
	return client(t, "passthrough:///server", opts...)
}

// memory is a network on which every address is the pair's server.
func memory(p *pair) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return p.lis.DialContext(ctx) })
}

// client makes a channel that lives as long as the test.
func client(t testing.TB, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(target, opts...)
	if err != nil {
		t.Fatalf("NewClient(%q): %v", target, err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// plain is a channel without transport security to a loopback address.
func plain(t testing.TB, addr string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	return client(t, "passthrough:///"+addr, append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)...)
}

// listen opens a loopback listener that lives as long as the test.
func listen(t testing.TB) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	return lis
}

// unary calls Unary and returns the answer's text.
func unary(ctx context.Context, cc grpc.ClientConnInterface, in string, opts ...grpc.CallOption) (string, error) {
	out := new(echo.Text)
	err := cc.Invoke(ctx, echo.Unary, echo.Of(in), out, opts...)
	return out.Value, err
}

// open starts a bidirectional stream.
func open(t testing.TB, ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	stream, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi, opts...)
	if err != nil {
		t.Fatalf("NewStream: %v", err)
	}
	return stream
}

// receiver is what receive needs of a stream, on either side.
type receiver interface{ RecvMsg(any) error }

// receive returns the next message's text.
func receive(stream receiver) (string, error) {
	in := new(echo.Text)
	err := stream.RecvMsg(in)
	return in.Value, err
}

// result is the written form of an answer and an error: the error if there is one.
func result(answer string, err error) string {
	if err != nil {
		return text(err)
	}
	return fmt.Sprintf("%q", answer)
}

var address = regexp.MustCompile(`(127\.0\.0\.1|\[::1\]):\d+`)

// text is the written form of an error: what it prints, without the ports that change from run to run.
func text(err error) string {
	s := strings.ReplaceAll(fmt.Sprint(err), "\u00a0", " ") // protobuf's errors have either kind of blank
	return address.ReplaceAllString(s, "ADDR")
}

// show is the written form of metadata: keys in order, each with its values.
func show(md metadata.MD) string {
	if md == nil {
		return "nil"
	}
	var keys []string
	for k := range md {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%q", k, md[k])
	}
	return b.String()
}

// reach connects the channel and waits until it is in the state.
func reach(t testing.TB, cc *grpc.ClientConn, want connectivity.State) {
	t.Helper()
	ctx := within(t)
	cc.Connect()
	for {
		state := cc.GetState()
		if state == want {
			return
		}
		if !cc.WaitForStateChange(ctx, state) {
			t.Fatalf("got state %v after %v, want %v", state, patience, want)
		}
	}
}
