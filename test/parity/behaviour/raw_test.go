// Scripted peers of the libraries under test: a client for a server, a server for a channel, and the fields of well-formed heads.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// rawClient connects a scripted client to the pair's server.
func rawClient(t testing.TB, p *pair) *raw.Conn {
	t.Helper()
	nc, err := p.lis.DialContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return raw.Client(t, nc)
}

// network is the dialer of one over memory, on which every connection, numbered from 0, is served as serve says, and closed then.
func network(t *testing.T, serve func(n int, nc net.Conn)) func(context.Context, string) (net.Conn, error) {
	t.Helper()
	lis := bufconn.Listen(1 << 16)
	t.Cleanup(func() { lis.Close() })
	go func() { // ends with the listener
		for n := 0; ; n++ {
			nc, err := lis.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer nc.Close()
				serve(n, nc)
			}()
		}
	}()
	return func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }
}

// scripted is a channel over memory, for bubbles, whose server does what script says with each connection, numbered from 0, and closes it.
func scripted(t *testing.T, script func(n int, c *raw.Conn), opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	dial := network(t, func(n int, nc net.Conn) { script(n, unbounded(t, nc)) })
	return plain(t, "server", append(opts, grpc.WithContextDialer(dial))...)
}

// unbounded makes the server's end of nc, whose reads and writes have no bounds of time.
func unbounded(t *testing.T, nc net.Conn) *raw.Conn {
	c := raw.Server(t, nc)
	nc.SetDeadline(time.Time{})
	return c
}

// request is the header of a well-formed request, and more.
func request(method string, more ...string) []string {
	return append([]string{
		":method", "POST", ":scheme", "http", ":path", method, ":authority", "a.example",
		"content-type", "application/grpc", "te", "trailers",
	}, more...)
}

// response is the header of a well-formed response, and more.
func response(more ...string) []string {
	return append([]string{":status", "200", "content-type", "application/grpc"}, more...)
}

// acceptAndDrop listens, and closes every connection as soon as it is accepted.
func acceptAndDrop(t testing.TB) string {
	lis := listen(t)
	go func() {
		for {
			nc, err := lis.Accept()
			if err != nil {
				return
			}
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
	}()
	return lis.Addr().String()
}

// firstByte is the flag of the message that a DATA frame begins with.
func firstByte(f http2.Frame) string {
	d, ok := f.(*http2.DataFrame)
	if !ok || len(d.Data()) == 0 {
		return fmt.Sprintf("no DATA but %v", f)
	}
	return fmt.Sprint("flag ", d.Data()[0])
}
