// What the other end of a connection hears when calls or channels end before their time.

package behaviour

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestServerHearsThatACallIsOver(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		end     func(cancel func())
		want    string
	}{
		{"cancel", patience, func(cancel func()) { cancel() }, "rpc error: code = Canceled desc = context canceled"},
		{"deadline", short, func(func()) {}, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, said := make(chan struct{}), make(chan string, 1)
				cc := scripted(t, func(_ int, c *raw.Conn) {
					id, _ := c.Request()
					close(begun)
					said <- c.Transcript(id)
					c.Drain()
				})
				ctx, cancel := context.WithTimeout(within(t), tc.timeout)
				defer cancel()
				stream := open(t, ctx, cc)
				wait(t, begun, "call")
				tc.end(cancel)
				equal(t, result(receive(stream)), tc.want)
				equal(t, wait(t, said, "end of the stream"), "RST_STREAM CANCEL")
			})
		})
	}
}

func TestClientHearsThatTheDeadlineHasPassed(t *testing.T) {
	for _, more := range []bool{false, true} {
		entered, release := make(chan struct{}, 1), make(chan struct{})
		conn := rawClient(t, start(t, setup{service: stubborn(entered, release)}))
		conn.Headers(1, false, request(echo.Bidi, "grpc-timeout", "50m")...)
		if !more {
			conn.Data(1, true, nil)
		}
		equal(t, conn.Transcript(1), "RST_STREAM CANCEL")
		close(release)
	}
}

func TestServerHearsThatAChannelIsClosed(t *testing.T) {
	said := make(chan string, 1)
	begun := make(chan struct{})
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		c.Request()
		close(begun)
		for {
			f, err := c.Next()
			if err != nil {
				said <- "nothing but " + err.Error()
				return
			}
			if g, ok := f.(*http2.GoAwayFrame); ok {
				said <- g.ErrCode.String() + " " + string(g.DebugData())
				return
			}
		}
	})
	cc := plain(t, addr)
	stream := open(t, within(t), cc)
	wait(t, begun, "call")
	cc.Close()
	equal(t, wait(t, said, "GOAWAY"), "NO_ERROR client transport shutdown")
	equal(t, result(receive(stream)), "rpc error: code = Canceled desc = grpc: the client connection is closing")
}

func TestSendOnACallOfOneRequestThatIsOver(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.Aborted, "over") })})
	stream, err := p.cc.NewStream(within(t), &grpc.StreamDesc{StreamName: "none", ServerStreams: true}, "/none/none")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil { // waits for the end
		t.Fatal(err)
	}
	equal(t, text(stream.SendMsg(echo.Of("x"))), "<nil>")
	equal(t, result(receive(stream)), "rpc error: code = Unimplemented desc = unknown service none")
}
