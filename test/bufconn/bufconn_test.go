// Tests of the listener and of its connections, those that wait in a bubble of testing/synctest.

package bufconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

// pair returns the two ends of a connection with buffers of size bytes.
func pair(t *testing.T, size int) (client, server net.Conn) {
	t.Helper()
	l := Listen(size)
	type dialled struct {
		c   net.Conn
		err error
	}
	done := make(chan dialled)
	go func() { // ends when Accept has met it; waited for below
		c, err := l.Dial()
		done <- dialled{c, err}
	}()
	server, err := l.Accept()
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	d := <-done
	if d.err != nil {
		t.Fatalf("Dial: %v", d.err)
	}
	return d.c, server
}

func TestConnIsANetConn(t *testing.T) {
	for _, size := range []int{1 << 10, 1 << 20} {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			c1, c2 = pair(t, size)
			return c1, c2, func() { c1.Close(); c2.Close() }, nil
		})
	}
}

func TestWriteWithinTheBufferDoesNotWait(t *testing.T) {
	for _, size := range []int{-1, 0, 1, 10} {
		client, server := pair(t, size)
		text := strings.Repeat("x", max(size, 1))
		if n, err := io.WriteString(client, text); n != len(text) || err != nil {
			t.Errorf("Listen(%d), Write of %d bytes: got %d, %v, want all", size, len(text), n, err)
		}
		b := make([]byte, 20)
		if n, err := server.Read(b); string(b[:n]) != text || err != nil {
			t.Errorf("Listen(%d), Read: got %q, %v, want %q", size, b[:n], err, text)
		}
	}
}

func TestWriteBeyondTheBufferWaitsForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, 3)
		written := false
		go func() { // ends when the reader below has made room
			client.Write([]byte("12345"))
			written = true
		}()
		synctest.Wait()
		if written {
			t.Error("Write of 5 bytes into a buffer of 3: returned, want it to wait")
		}
		if n, _ := server.Read(make([]byte, 2)); n != 2 {
			t.Errorf("Read: got %d bytes, want 2", n)
		}
		synctest.Wait()
		if !written {
			t.Error("Write after 2 bytes were read: still waits, want it done")
		}
	})
}

func TestEmptyReadAndWriteDoNotWait(t *testing.T) {
	client, _ := pair(t, 3)
	if n, err := client.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil): got %d, %v, want 0 and no error", n, err)
	}
	client.Write([]byte("123"))
	if n, err := client.Write(nil); n != 0 || err != nil {
		t.Errorf("Write(nil) into a full buffer: got %d, %v, want 0 and no error", n, err)
	}
}

func TestClose(t *testing.T) {
	client, server := pair(t, 10)
	client.Write([]byte("abc"))
	server.Write([]byte("xyz"))
	for range 2 {
		if err := client.Close(); err != nil {
			t.Errorf("Close: got %v, want nil", err)
		}
	}
	b := make([]byte, 10)
	for _, tt := range []struct {
		name string
		do   func([]byte) (int, error)
		n    int
		want error
	}{
		{"own Read", client.Read, 0, io.ErrClosedPipe},
		{"own Write", client.Write, 0, io.ErrClosedPipe},
		{"peer's Write", server.Write, 0, io.ErrClosedPipe},
		{"peer's Read of what was written before", server.Read, 3, nil},
		{"peer's Read at the end", server.Read, 0, io.EOF},
	} {
		if n, err := tt.do(b); n != tt.n || err != tt.want {
			t.Errorf("%s: got %d, %v, want %d, %v", tt.name, n, err, tt.n, tt.want)
		}
	}
}

func TestCloseWakesThoseWhoWait(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   func(client net.Conn) (int, error)
		own  bool // the waiting end is closed, not the other one
		n    int
		want error
	}{
		{"own Read", func(c net.Conn) (int, error) { return c.Read(make([]byte, 1)) }, true, 0, io.ErrClosedPipe},
		{"peer's Read", func(c net.Conn) (int, error) { return c.Read(make([]byte, 1)) }, false, 0, io.EOF},
		{"own Write", func(c net.Conn) (int, error) { return c.Write(make([]byte, 5)) }, true, 3, io.ErrClosedPipe},
		{"peer's Write", func(c net.Conn) (int, error) { return c.Write(make([]byte, 5)) }, false, 3, io.ErrClosedPipe},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := pair(t, 3)
				go func() { // ends when this test closes an end
					if n, err := tt.op(client); n != tt.n || err != tt.want {
						t.Errorf("got %d, %v, want %d, %v", n, err, tt.n, tt.want)
					}
				}()
				synctest.Wait()
				if tt.own {
					client.Close()
				} else {
					server.Close()
				}
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write(make([]byte, 5)); return err }
	both := func(c net.Conn) error { return errors.Join(read(c), write(c)) }
	for _, tt := range []struct {
		name string
		set  func(net.Conn, time.Time) error
		op   func(net.Conn) error
	}{
		{"SetReadDeadline", net.Conn.SetReadDeadline, read},
		{"SetWriteDeadline", net.Conn.SetWriteDeadline, write},
		{"SetDeadline", net.Conn.SetDeadline, both},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := pair(t, 3)
				start := time.Now()
				for _, d := range []time.Duration{time.Second, 0, -time.Second} { // the second and third are over at once
					tt.set(client, start.Add(time.Second+d))
					if err := tt.op(client); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("deadline %v ahead: got %v, want %v", d, err, os.ErrDeadlineExceeded)
					}
					if d == time.Second && time.Since(start) != 2*time.Second {
						t.Errorf("waited %v, want 2s", time.Since(start))
					}
				}
			})
		})
	}
}

func TestDeadlineErrorIsATimeout(t *testing.T) {
	client, _ := pair(t, 3)
	client.SetReadDeadline(time.Unix(1, 0))
	_, err := client.Read(make([]byte, 1))
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() || err.Error() != "i/o timeout" {
		t.Errorf("got %v, want a net.Error with Timeout and the text %q", err, "i/o timeout")
	}
}

func TestDeadlineCanBeMovedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, 3)
		client.SetReadDeadline(time.Now().Add(time.Second))
		done := false
		go func() { // ends with the deadline that is set last
			_, err := client.Read(make([]byte, 1))
			if err != os.ErrDeadlineExceeded {
				t.Errorf("Read: got %v, want %v", err, os.ErrDeadlineExceeded)
			}
			done = true
		}()
		client.SetReadDeadline(time.Time{})
		<-time.After(time.Minute)
		synctest.Wait()
		if done {
			t.Error("Read after its deadline was taken away: returned, want it to wait")
		}
		client.SetReadDeadline(time.Now())
		synctest.Wait()
		if !done {
			t.Error("Read after a deadline of now: waits, want it done")
		}
		client.SetReadDeadline(time.Time{})
		server.Write([]byte("a"))
		if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read without a deadline: got %d, %v, want 1 byte", n, err)
		}
	})
}

func TestListenerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen(3)
		go func() { // ends when the listener is closed
			if c, err := l.Accept(); c != nil || err == nil || err.Error() != "closed" {
				t.Errorf("Accept while it is closed: got %v, %v, want error %q", c, err, "closed")
			}
		}()
		synctest.Wait()
		for range 2 {
			if err := l.Close(); err != nil {
				t.Errorf("Close: got %v, want nil", err)
			}
		}
		for name, do := range map[string]func() (net.Conn, error){
			"Accept": l.Accept, "Dial": l.Dial, "DialContext": func() (net.Conn, error) { return l.DialContext(t.Context()) },
		} {
			if c, err := do(); c != nil || err != errClosed {
				t.Errorf("%s after Close: got %v, %v, want error %q", name, c, err, errClosed)
			}
		}
	})
}

func TestDialContextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen(3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, when := range []string{"while waiting", "at once"} {
			if c, err := l.DialContext(ctx); c != nil || err != context.DeadlineExceeded {
				t.Errorf("%s: got %v, %v, want DeadlineExceeded", when, c, err)
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	client, server := pair(t, 3)
	for _, a := range []net.Addr{Listen(3).Addr(), client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr()} {
		if a.Network() != "bufconn" || a.String() != "bufconn" {
			t.Errorf("address: got %q, %q, want bufconn", a.Network(), a)
		}
	}
}
