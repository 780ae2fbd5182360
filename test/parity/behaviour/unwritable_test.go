// Connections that cannot be written to, but still be read from: what has come is not lost.

package behaviour

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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

// silenced makes a channel to addr whose first connection becomes mute when the returned function is called.
func silenced(t *testing.T, addr string) (cc *grpc.ClientConn, silence func()) {
	t.Helper()
	var first atomic.Pointer[mute]
	cc = client(t, "passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			m := &mute{Conn: nc}
			first.CompareAndSwap(nil, m)
			return m, err
		}))
	return cc, func() { first.Load().silent.Store(true) }
}

// notice has the client find out that it cannot write, by an answer to a PING.
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
	var silence func()
	ready := make(chan struct{})
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		id, _ := c.Request()
		if id == 0 || !c.Until(id) {
			return
		}
		<-ready
		silence()
		notice(c)
		serveOne(c, id)
		c.Drain()
	})
	var cc *grpc.ClientConn
	cc, silence = silenced(t, addr)
	close(ready)
	equal(t, result(unary(within(t), cc, "x")), `"one"`)
}

func TestRefusedCallsAreMadeAgainByAClientThatCannotWrite(t *testing.T) {
	var silence func()
	ready := make(chan struct{})
	addr := raw.Listen(t, func(n int, c *raw.Conn) {
		id, _ := c.Request()
		if id == 0 || !c.Until(id) {
			return
		}
		if n == 0 {
			<-ready
			silence()
			notice(c)
			c.GoAway(0, http2.ErrCodeNo, "")
			return
		}
		serveOne(c, id)
		c.Drain()
	})
	var cc *grpc.ClientConn
	cc, silence = silenced(t, addr)
	close(ready)
	equal(t, result(unary(within(t), cc, "x")), `"one"`)
}
