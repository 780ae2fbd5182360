// How the ways to stop a server meet: handlers whose clients are gone, two stops at a time, stops by handlers, and streams that a
// connection takes while it drains.

package behaviour

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// stubborn is a service whose calls say that they have begun, and do not end before release is closed.
func stubborn(entered chan<- struct{}, release <-chan struct{}) *echo.Service {
	return &echo.Service{OnBidi: func(grpc.ServerStream) error {
		entered <- struct{}{}
		<-release
		return nil
	}}
}

// begin runs f in the background, and returns a channel that is closed at its end.
func begin(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

func TestStopEndsAGracefulStopThatWaitsForAHandler(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	p := start(t, setup{service: stubborn(entered, release)})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi)...)
	wait(t, entered, "call")
	conn.Close() // so that only the handler is left
	graceful := begin(p.server.GracefulStop)
	wait(t, closedListener(p), "closing of the listener")
	running(t, graceful, "GracefulStop")
	wait(t, begin(p.server.Stop), "end of Stop")
	running(t, graceful, "GracefulStop after Stop")
	close(release)
	wait(t, graceful, "end of GracefulStop")
	equal(t, text(wait(t, p.served, "end of Serve")), "<nil>")
}

// closedListener is closed when the pair's server takes no more connections.
func closedListener(p *pair) <-chan struct{} {
	return begin(func() {
		for {
			nc, err := p.lis.DialContext(context.Background())
			if err != nil {
				return
			}
			nc.Close()
		}
	})
}

func TestTwoGracefulStops(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	p := start(t, setup{service: stubborn(entered, release)})
	open(t, within(t), p.cc)
	wait(t, entered, "call")
	first, second := begin(p.server.GracefulStop), begin(p.server.GracefulStop)
	wait(t, closedListener(p), "closing of the listener")
	running(t, first, "the first GracefulStop")
	running(t, second, "the second GracefulStop")
	close(release)
	wait(t, first, "end of the first GracefulStop")
	wait(t, second, "end of the second GracefulStop")
}

func TestHandlerThatStopsItsServer(t *testing.T) {
	for _, tc := range []struct {
		name string
		stop func(*grpc.Server)
		want string
	}{
		{"Stop", (*grpc.Server).Stop, "rpc error: code = Unavailable desc = error reading from server: EOF"},
		{"GracefulStop beside it", func(s *grpc.Server) { go s.GracefulStop() }, `"x"`},
		{"Stop beside it", func(s *grpc.Server) { go s.Stop() }, "rpc error: code = Unavailable desc = error reading from server: EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p *pair
			p = start(t, setup{service: &echo.Service{OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
				tc.stop(p.server)
				if tc.name == "Stop beside it" {
					<-ctx.Done()
				}
				return in, nil
			}}})
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
			equal(t, text(wait(t, p.served, "end of Serve")), "<nil>")
		})
	}
}

// The first GOAWAY names no stream, and calls that were under way to the server are still served. The second one comes when the client
// has answered a PING; it names the last stream, and nothing that comes later names another (RFC 9113 §6.8).
func TestDrainOfAConnection(t *testing.T) {
	p := start(t, setup{})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi)...)
	conn.Data(1, false, raw.Message(0, raw.Text("a")))
	equal(t, frameOf(conn), "HEADERS :status=200 content-type=application/grpc")
	equal(t, frameOf(conn), "DATA")
	stopped := begin(p.server.GracefulStop)
	equal(t, frameOf(conn), `GOAWAY 2147483647 NO_ERROR "graceful_stop"`)
	conn.Headers(3, true, request(echo.Bidi)...)
	both := []string{frameOf(conn), frameOf(conn)} // in either order
	slices.Sort(both)
	equal(t, strings.Join(both, " | "), `GOAWAY 3 NO_ERROR "graceful_stop" | `+
		"HEADERS :status=200 content-type=application/grpc grpc-status=0 grpc-message= END_STREAM")
	running(t, stopped, "GracefulStop")
	conn.Headers(5, true, request(echo.Bidi)...)
	conn.Data(1, true, nil)
	equal(t, frameOf(conn), "HEADERS grpc-status=0 grpc-message= END_STREAM")
	switch last := frameOf(conn); last {
	case "EOF":
	case `GOAWAY 3 NO_ERROR ""`: // may repeat what was said
		equal(t, frameOf(conn), "EOF")
	default:
		t.Errorf("got %s behind the last stream, want the end of the connection", last)
	}
	conn.Close()
	wait(t, stopped, "end of GracefulStop")
}

// frameOf is the written form of the next frame.
func frameOf(conn *raw.Conn) string {
	f, err := conn.Next()
	if err != nil {
		return err.Error()
	}
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %s %q", f.LastStreamID, f.ErrCode, f.DebugData())
	case *http2.MetaHeadersFrame:
		return raw.Fields(f)
	}
	return f.Header().Type.String()
}
