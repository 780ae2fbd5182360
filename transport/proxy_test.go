// Tests of tunnels through proxies that are silent, talk too much, or refuse. What good ones are asked, test/parity/proxy has.

package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tunnelThrough asks a proxy for a tunnel; proxy gets its end of the connection when the request was read.
func tunnelThrough(ctx context.Context, t *testing.T, proxy func(net.Conn)) (net.Conn, error) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		in := bufio.NewReader(far)
		for line, err := in.ReadString('\n'); line != "\r\n"; line, err = in.ReadString('\n') {
			if err != nil {
				return
			}
		}
		proxy(far)
	}()
	t.Cleanup(func() {
		near.Close()
		<-done
	})
	r, err := connectRequest("server.test:443", "agent", url.UserPassword("user", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	return openTunnel(ctx, near, r)
}

func TestTunnelThroughASilentProxyEndsWithItsContext(t *testing.T) {
	for _, said := range []string{"", "HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\nab"} {
		t.Run(fmt.Sprintf("that said %q", said), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				_, err := tunnelThrough(ctx, t, func(nc net.Conn) {
					io.WriteString(nc, said)
					io.Copy(io.Discard, nc)
				})
				if err != context.DeadlineExceeded {
					t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
				}
				if took := time.Since(begun); took != time.Second {
					t.Errorf("took %v, want 1s", took)
				}
			})
		})
	}
}

func TestTunnelIsNotWaitedForAProxyThatNeverEndsItsHead(t *testing.T) {
	sent := make(chan int, 1)
	_, err := tunnelThrough(t.Context(), t, func(nc net.Conn) {
		line := []byte("X-Field: " + strings.Repeat("a", 1000) + "\r\n")
		total := 0
		for _, err := io.WriteString(nc, "HTTP/1.1 200 OK\r\n"); err == nil; {
			var n int
			n, err = nc.Write(line)
			total += n
		}
		sent <- total
	})
	if want := "reading server HTTP response: head of more than 65536 bytes"; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if n := <-sent; n > maxProxyHead {
		t.Errorf("%d bytes were read, want at most %d", n, maxProxyHead)
	}
}

func TestTunnelRefusalKeepsTheStartOfItsBody(t *testing.T) {
	for _, tt := range []struct{ name, head string }{
		{"known length", "HTTP/1.1 403 No\r\nContent-Length: 1000000\r\n\r\n"},
		{"end of the connection", "HTTP/1.1 403 No\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tunnelThrough(t.Context(), t, func(nc net.Conn) {
				io.WriteString(nc, tt.head+strings.Repeat("b", 1000000))
			})
			if err == nil || strings.Count(err.Error(), "b") != maxProxyBody || !strings.Contains(err.Error(), "HTTP/1.1 403 No") {
				t.Errorf("got error %v, want the status and %d bytes of the body", err, maxProxyBody)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Proxy-Authorization") {
				t.Errorf("got error %v, which tells the password", err)
			}
		})
	}
}

func TestTunnelErrorsQuoteLittle(t *testing.T) {
	long := strings.Repeat("a", 50_000)
	for _, answer := range []string{"HTTP/1.1 500 No\r\nX: " + long + "\r\n\r\n", "HTTP/1.1 500 " + long + "\r\n\r\n", "HTTP/1.1 500 " + long + "\r\nContent-Length: 9\r\n\r\n", long + "\r\n\r\n"} {
		_, err := tunnelThrough(t.Context(), t, func(nc net.Conn) { io.WriteString(nc, answer) })
		if err == nil || len(err.Error()) > 2*maxProxyQuote {
			t.Errorf("answer %.20q…: got an error of %d bytes, want at most %d", answer, len(fmt.Sprint(err)), 2*maxProxyQuote)
		}
	}
}

func TestTunnelKeepsWhatTheServerSaysFirst(t *testing.T) {
	nc, err := tunnelThrough(t.Context(), t, func(nc net.Conn) {
		io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\nfirst words")
		io.WriteString(nc, " and more")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); string(got) != "first words and more" || err != nil {
		t.Errorf("got %q, error %v, want %q", got, err, "first words and more")
	}
}

func TestTunnelIsNotAskedForWhatIsNoAddress(t *testing.T) {
	for _, address := range []string{"a b:1", "a\r\nX: y:1", "a/b:1", "a\x7f:1", "\x00"} {
		if _, err := connectRequest(address, "agent", nil); err == nil {
			t.Errorf("address %q: got no error", address)
		}
	}
}

func TestTunnelRequestKeepsLineEndsOfTheUserAgentOut(t *testing.T) {
	r, err := connectRequest("a:1", "x\r\nEvil: y", nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if want := "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nUser-Agent: x  Evil: y\r\n\r\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
