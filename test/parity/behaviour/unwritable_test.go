// Connections that cannot be written to, but still be read from: what has come is not lost.

package behaviour

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// mute is a connection that cannot be written to any more from some moment on.
type mute struct {
	net.Conn
	silent atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.silent.Load() {
		return 0, syscall.EPIPE
	}
	return m.Conn.Write(p)
}

// silenced makes a channel to a server that does what script says. Its first connection becomes mute when silence is called.
func silenced(t *testing.T, script func(n int, c *raw.Conn, silence func())) *grpc.ClientConn {
	t.Helper()
	var first atomic.Pointer[mute]
	dial := network(t, func(n int, nc net.Conn) {
		script(n, unbounded(t, nc), func() { first.Load().silent.Store(true) })
	})
	return plain(t, "server", grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		nc, err := dial(ctx, addr)
		m := &mute{Conn: nc}
		first.CompareAndSwap(nil, m)
		return m, err
	}))
}

// notice has the client find out that it cannot write, by an answer to a PING: in a bubble, time passes when it has.
func notice(c *raw.Conn) {
	c.Framer.WritePing(false, [8]byte{'h', 'e', 'a', 'r', 'd', '?'})
	<-time.After(100 * time.Millisecond)
}

func serveOne(c *raw.Conn, id uint32) {
	c.Headers(id, false, ":status", "200", "content-type", "application/grpc")
	c.Data(id, false, raw.Message(0, raw.Text("one")))
	c.Headers(id, true, "grpc-status", "0")
}

func TestAnswersComeToAClientThatCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := silenced(t, func(_ int, c *raw.Conn, silence func()) {
			id, _ := c.Request()
			if id == 0 || !c.Until(id) {
				return
			}
			silence()
			notice(c)
			serveOne(c, id)
			c.Drain()
		})
		equal(t, result(unary(within(t), cc, "x")), `"one"`)
	})
}

func TestRefusedCallsAreMadeAgainByAClientThatCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := silenced(t, func(n int, c *raw.Conn, silence func()) {
			id, _ := c.Request()
			if id == 0 || !c.Until(id) {
				return
			}
			if n == 0 {
				silence()
				notice(c)
				c.GoAway(0, http2.ErrCodeNo, "")
			} else {
				serveOne(c, id)
			}
			c.Drain()
		})
		equal(t, result(unary(within(t), cc, "x")), `"one"`)
	})
}
