// The fuzz target of what a proxy may answer.

package transport

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

// An answeredConn is a connection on which everything was said already.
type answeredConn struct {
	net.Conn
	in *bytes.Reader
}

func (c answeredConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c answeredConn) Write(b []byte) (int, error) { return len(b), nil }

// Whatever a proxy says, there is a tunnel, which begins where the head of the answer ends, or an error of bounded length.
func FuzzProxyAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nbehind", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbehind",
		"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 403 " + strings.Repeat("x", 5000) + "\r\n\r\n", "\x00\x00\x12\x04\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	r, err := connectRequest("server.test:443", "agent", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		testkit.LimitTime(t)
		nc, err := askForTunnel(answeredConn{in: bytes.NewReader(answer)}, r)
		if err != nil {
			if n := len(err.Error()); n > 5*maxProxyQuote {
				t.Errorf("got an error of %d bytes", n)
			}
			return
		}
		rest, err := io.ReadAll(nc)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(answer, rest) || !bytes.HasPrefix(answer, []byte("HTTP/")) || len(rest) == len(answer) {
			t.Errorf("got a tunnel that begins with %q, want the end of the answer", rest)
		}
		if head := answer[:len(answer)-len(rest)]; !bytes.HasSuffix(head, []byte("\n")) {
			t.Errorf("got a tunnel that begins within the head, behind %q", head)
		}
	})
}
