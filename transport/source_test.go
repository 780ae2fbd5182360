// Tests of the sources of the read goroutine: what each kind of connection gets, and that a silent one holds no memory.

package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/transport/internal/frame"
)

// A countingLender lends one buffer, and says when it came back unused.
type countingLender struct {
	buf   []byte
	out   bool
	loans int
	back  chan struct{} // gets a value at each TakeBack, if not nil
}

func (l *countingLender) Lend() []byte {
	if !l.out {
		l.out = true
		l.loans++
	}
	return l.buf
}

func (l *countingLender) TakeBack() {
	l.out = false
	if l.back != nil {
		l.back <- struct{}{}
	}
}

// connPair returns both ends of a connection.
func connPair(t *testing.T, network string) (near, far net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return near, far
}

// tlsPair returns both ends of a TLS connection over TCP, after the handshake.
func tlsPair(t *testing.T) (near, far *tls.Conn) {
	t.Helper()
	ca := testkit.NewCA(t)
	a, b := connPair(t, "tcp")
	near = tls.Server(a, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, "localhost")}})
	far = tls.Client(b, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"})
	done := make(chan error, 1)
	go func() { done <- far.Handshake() }() // ends with the handshake; waited for below
	if err := errors.Join(near.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestSilentSocketHoldsNoMemory(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		near, far := connPair(t, network)
		src := newSource(near)
		l := &countingLender{buf: make([]byte, 100), back: make(chan struct{})}
		type result struct {
			n   int
			err error
		}
		read := make(chan result)
		for i := range 3 {
			go func() { // ends when something has arrived
				n, err := src.ReadLazily(l)
				read <- result{n, err}
			}()
			<-l.back // it has looked, found nothing, and waits: l.out is false until more arrives
			if _, err := far.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			got := <-read
			if got.err != nil || string(l.buf[:got.n]) != "hello" || !l.out || l.loans != 2*(i+1) {
				t.Errorf("%s: got %q, %v, lent %v, %d loans, want hello, lent, %d loans", network, l.buf[:got.n], got.err, l.out, l.loans, 2*(i+1))
			}
			l.TakeBackQuietly()
		}
	}
}

// TakeBackQuietly ends the loan of bytes that were read.
func (l *countingLender) TakeBackQuietly() { l.out = false }

func TestSocketThatHasSomethingIsReadAtOnce(t *testing.T) {
	near, far := connPair(t, "tcp")
	if _, err := far.Write([]byte("abcdefgh")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(near, make([]byte, 1)); err != nil { // the rest is there
		t.Fatal(err)
	}
	src, l := newSource(near), &countingLender{buf: make([]byte, 4)}
	if n, err := src.ReadLazily(l); n != 4 || err != nil || string(l.buf) != "bcde" || l.loans != 1 {
		t.Errorf("got %d bytes %q, %v, %d loans, want bcde and 1 loan", n, l.buf, err, l.loans)
	}
	p := make([]byte, 3)
	if _, err := io.ReadFull(src, p); err != nil || string(p) != "fgh" {
		t.Errorf("Read: got %q, %v, want fgh", p, err)
	}
}

// TestSocketErrorsAreThoseOfRead pins that nobody can tell from an error how the socket was read.
func TestSocketErrorsAreThoseOfRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(near, far net.Conn)
		is   error
	}{
		{"end", func(_, far net.Conn) { far.Close() }, io.EOF},
		{"half closed", func(_, far net.Conn) { far.(*net.TCPConn).CloseWrite() }, io.EOF},
		{"reset", func(_, far net.Conn) { far.(*net.TCPConn).SetLinger(0); far.Close() }, errors.ErrUnsupported},
		{"closed here", func(near, _ net.Conn) { near.Close() }, net.ErrClosed},
		{"deadline", func(near, _ net.Conn) { near.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		text := func(read func(net.Conn) error) string {
			near, far := connPair(t, "tcp")
			tt.do(near, far)
			err := read(near)
			if err == nil || tt.name != "reset" && !errors.Is(err, tt.is) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.is)
				return ""
			}
			return strings.NewReplacer(near.LocalAddr().String(), "near", far.LocalAddr().String(), "far").Replace(err.Error())
		}
		got := text(func(nc net.Conn) error {
			_, err := newSource(nc).ReadLazily(&countingLender{buf: make([]byte, 10)})
			return err
		})
		want := text(func(nc net.Conn) error {
			_, err := nc.Read(make([]byte, 10))
			return err
		})
		if got != want {
			t.Errorf("%s: got %q, want what Read says: %q", tt.name, got, want)
		}
	}
}

func TestTLSWaitsWithoutABuffer(t *testing.T) {
	near, far := tlsPair(t)
	src := newSource(near)
	if _, ok := src.(*tinySource); !ok {
		t.Fatalf("source of a TLS connection: got %T, want *tinySource", src)
	}
	l := &countingLender{buf: make([]byte, 1)} // as little as a Lender may lend
	sent := []byte("a record of more bytes than were lent")
	if _, err := far.Write(sent); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < len(sent) {
		n, err := src.ReadLazily(l)
		if err != nil || n != 1 {
			t.Fatalf("after %q: got %d bytes, %v, want 1", got, n, err)
		}
		got = append(got, l.buf...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("got %q, want %q", got, sent)
	}
	far.Close()
	l.out = false
	if n, err := src.ReadLazily(l); n != 0 || err != io.EOF || l.out {
		t.Errorf("at the end: got %d bytes, %v, lent %v, want EOF and no loan", n, err, l.out)
	}
}

func TestFramesOverEveryKindOfConnection(t *testing.T) {
	var wire []byte
	for i := range 50 {
		wire = append(frame.AppendHeader(wire, frame.Data, 0, uint32(i), i*100), payload(i*100)...)
		wire = frame.AppendWindowUpdate(wire, 0, uint32(i))
	}
	for name, pair := range map[string]func() (near, far net.Conn){
		"tcp":  func() (near, far net.Conn) { return connPair(t, "tcp") },
		"unix": func() (near, far net.Conn) { return connPair(t, "unix") },
		"tls":  func() (near, far net.Conn) { return tlsPair(t) },
		"pipe": net.Pipe,
	} {
		for _, readAhead := range []int{0, 5, 32 << 10} {
			near, far := pair()
			go func() { // ends when all is written
				_, _ = far.Write(wire)
				far.Close()
			}()
			pool := newLoanPool()
			r := frame.NewReader(newSource(near), pool, readAhead, maxFrameSize)
			frames, err := 0, error(nil)
			for ; ; frames++ {
				var h frame.Header
				if h, err = r.Next(); err != nil {
					break
				}
				p, err := r.Payload()
				if err != nil || h.Type == frame.WindowUpdate && frame.ParseWindowUpdate(p) != uint32(frames/2) || h.Type == frame.Data && !bytes.Equal(p, payload(h.Length)) {
					t.Fatalf("%s, read ahead %d: frame %d: got %v, %d bytes, %v", name, readAhead, frames, h, len(p), err)
				}
			}
			if frames != 100 || err != io.EOF {
				t.Errorf("%s, read ahead %d: got %d frames, %v, want 100, EOF", name, readAhead, frames, err)
			}
			r.Close()
			pool.checkOut(t, name, 0)
		}
	}
}

// A wrappedConn is a connection that an application has wrapped.
type wrappedConn struct{ net.Conn }

func TestWrappedConnectionIsReadByItsRead(t *testing.T) {
	near, _ := connPair(t, "tcp")
	if src, ok := newSource(wrappedConn{near}).(plainSource); !ok {
		t.Errorf("source: got %T, want plainSource", src)
	}
	for _, tt := range []struct {
		nc   net.Conn
		want bool
	}{{near, true}, {wrappedConn{near}, false}, {&net.UnixConn{}, true}, {&tls.Conn{}, false}} {
		if got := writesVectors(tt.nc); got != tt.want {
			t.Errorf("writesVectors of %T: got %v, want %v", tt.nc, got, tt.want)
		}
	}
	var l countingLender
	l.buf = make([]byte, 10)
	a, b := net.Pipe()
	go b.Write([]byte("hey")) // ends when it is read
	if n, err := newSource(a).ReadLazily(&l); n != 3 || err != nil || string(l.buf[:3]) != "hey" {
		t.Errorf("pipe: got %q, %v, want hey", l.buf[:n], err)
	}
}

func TestSourceOfAClosedSocketSaysSo(t *testing.T) {
	if _, err := newSource(new(net.TCPConn)).ReadLazily(&countingLender{buf: make([]byte, 1)}); err == nil {
		t.Error("socket without a descriptor: got no error")
	}
}
