// Tests of sockets that are used without waiting: what is there is read or has room, and what is not is told. source_test.go compares them
// with other connections.

//go:build unix

package transport

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
)

func TestSocketWriterIsForSocketsAlone(t *testing.T) {
	near, _ := connPair(t, "tcp")
	local, _ := connPair(t, "unix")
	closed, _ := connPair(t, "tcp")
	closed.Close()
	pipe, _ := net.Pipe()
	for _, tt := range []struct {
		name string
		nc   net.Conn
		want bool
	}{
		{"TCP", near, true}, {"unix", local, true}, {"closed", closed, true}, // which its own Write tells
		{"wrapped", wrappedConn{near}, false}, {"TLS", tls.Client(near, nil), false}, {"pipe", pipe, false}, {"no socket", new(net.TCPConn), false},
	} {
		if got := newSocketWriter(tt.nc) != nil; got != tt.want {
			t.Errorf("%s: got a writer %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSocketWriterWritesWhatThereIsRoomFor(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		near, far := connPair(t, network)
		w := newSocketWriter(near)
		if n := w.write(nil); n != 0 {
			t.Errorf("%s: nothing: got %d bytes, want 0", network, n)
		}
		if n := w.write([]byte("abc")); n != 3 {
			t.Errorf("%s: got %d bytes, want 3", network, n)
		}
		sent := []byte("abc")
		for full := false; !full; {
			piece := bytes.Repeat([]byte{byte(len(sent))}, 100_000)
			n := w.write(piece)
			sent = append(sent, piece[:n]...)
			full = n < len(piece)
		}
		if n := w.write([]byte("x")); n != 0 && network == "unix" { // TCP may take more meanwhile
			t.Errorf("%s: full: got %d bytes, want 0", network, n)
		} else {
			sent = append(sent, "x"[:n]...)
		}
		if w.p != nil {
			t.Errorf("%s: the writer holds %d bytes, want none", network, len(w.p))
		}
		near.Close()
		if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: the peer read %d bytes, %v, want %d", network, len(got), err, len(sent))
		}
		if n := w.write([]byte("x")); n != 0 {
			t.Errorf("%s: closed: got %d bytes, want 0", network, n)
		}
	}
}

func TestSocketWriterSaysNothingOfAPeerThatIsGone(t *testing.T) {
	near, far := connPair(t, "unix")
	far.Close()
	if n := newSocketWriter(near).write([]byte("x")); n != 0 {
		t.Errorf("got %d bytes, want 0", n)
	}
	if _, err := near.Write([]byte("x")); err == nil {
		t.Error("Write: got no error, want it to tell why")
	}
}

func TestSocketSourceGivesMemoryBackBeforeItWaits(t *testing.T) {
	near, far := connPair(t, "unix")
	l := &countingLender{buf: make([]byte, 100), back: make(chan struct{})}
	src := newSource(near)
	type result struct {
		n   int
		err error
	}
	read := make(chan result)
	go func() { // ends when it has read
		n, err := src.ReadLazily(l)
		read <- result{n, err}
	}()
	<-l.back
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got.n != 3 || got.err != nil || l.loans != 2 {
		t.Errorf("got %d bytes, %v, %d loans, want 3 bytes of a second loan", got.n, got.err, l.loans)
	}
	l.TakeBackQuietly()
	go func() {
		n, err := src.ReadLazily(l)
		read <- result{n, err}
	}()
	<-l.back
	near.Close()
	if got := <-read; got.n != 0 || got.err == nil || l.out {
		t.Errorf("closed while it waits: got %d bytes, %v, lent %v, want an error and no loan", got.n, got.err, l.out)
	}
}
