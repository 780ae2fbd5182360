// Tests of writes by callers themselves: when they write, in which order, and what becomes of the connection meanwhile.

//go:build unix

package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport/internal/frame"
)

// A slowSocket is a raw connection whose writes fail after something has happened.
type slowSocket struct {
	syscall.RawConn
	meanwhile func()
}

func (s slowSocket) Write(func(fd uintptr) bool) error {
	s.meanwhile()
	return net.ErrClosed
}

func TestConnectionMayEndWhileACallerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Write(frame.AppendSettings(nil, nil))
			_, _ = io.Copy(io.Discard, far)
		}()
		c, err := NewClient(context.Background(), near, ClientOptions{Scheme: "http"}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * idleWriter) // the write goroutine has ended
		c.direct = &socketWriter{raw: slowSocket{meanwhile: func() {
			far.Close()
			synctest.Wait() // the read goroutine has ended
		}}}
		s := new(ClientStream)
		if err := c.Open(context.Background(), s, &CallHeader{Method: "/s/m", Authority: "a"}, nil, true); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if s.Status() == nil {
			t.Error("status: got none, want that of the connection")
		}
	})
}

// A roomySocket is a raw connection that takes what it has room for.
type roomySocket struct {
	syscall.RawConn
	w    *socketWriter
	room int
	got  []byte
}

func (s *roomySocket) Write(func(fd uintptr) bool) error {
	s.w.n = min(len(s.w.p), s.room)
	s.got = append(s.got, s.w.p[:s.w.n]...)
	s.room -= s.w.n
	return nil
}

// newIdleWriterClient returns a client without goroutines whose write goroutine is about to look what there is to write, and its socket.
func newIdleWriterClient(room int) (*Client, *roomySocket) {
	c := new(Client)
	c.init(nil, c, ConnOptions{KeepWriteBuffers: true})
	socket := &roomySocket{room: room}
	socket.w = &socketWriter{raw: socket}
	c.direct, c.send.writer, c.send.window = socket.w, writerRunning, 1<<20
	c.parts.Store(1)
	return c, socket
}

func TestCallersWriteBatches(t *testing.T) {
	small := []int{1000}
	for _, tt := range []struct {
		name     string
		set      func(c *Client)
		messages [2][]int // sizes of those of two streams
		written  bool
	}{
		{"behind headers", func(c *Client) { c.send.buf = make([]byte, 100) }, [2][]int{{4000}}, false},
		{"behind the end of another stream", func(c *Client) {
			m := messageOf(10)
			c.send.data(5, m, true)
			m.Free()
		}, [2][]int{{3000}}, true},
		{"two streams, little", nil, [2][]int{small, small}, false},
		{"two streams, enough", nil, [2][]int{{1000, 1000}, small}, true},
		{"one stream, one frame", nil, [2][]int{{4000, 4000, 4000}}, false},
		{"one stream, more than a frame", nil, [2][]int{{4000, 4000, 4000, 4000, 4000}}, true},
		{"a message that is not copied", nil, [2][]int{{1000, 5000}, {1000, 1000}}, false},
		{"somebody writes", func(c *Client) { c.send.writing = true }, [2][]int{{1000, 1000}, small}, false},
		{"no room last time", func(c *Client) { c.send.full = true }, [2][]int{{1000, 1000}, small}, false},
		{"cannot be written to", func(c *Client) { c.send.broken = true }, [2][]int{{1000, 1000}, small}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, socket := newIdleWriterClient(1 << 20)
			if tt.set != nil {
				tt.set(c)
			}
			for i, sizes := range tt.messages {
				s := new(ClientStream)
				s.init(c, s.deadline, 0)
				s.id, s.state = uint32(2*i+1), streamOpen
				for _, size := range sizes {
					if err := s.Write(messageOf(size), false); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := len(socket.got) > 0; got != tt.written || got && len(c.send.buf) > 0 {
				t.Errorf("got %d bytes written and %d left, want written: %v", len(socket.got), len(c.send.buf), tt.written)
			}
		})
	}
}

func TestWhatACallerCannotWriteKeepsItsOrder(t *testing.T) {
	c, socket := newIdleWriterClient(1500)
	var want []byte
	for i := range 4 {
		s := new(ClientStream)
		s.init(c, s.deadline, 0)
		s.id, s.state = uint32(2*i+1), streamOpen
		m := NewOutMessage()
		m.SetPayload(false, append(m.Reserve(mem.DefaultBufferPool(), 1000), bytes.Repeat([]byte{byte(i)}, 1000)...))
		want = m.appendTo(frame.AppendHeader(want, frame.Data, 0, s.id, m.Len()), 0, m.Len())
		if err := s.Write(m, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(socket.got) != 1500 {
		t.Errorf("got %d bytes written, want 1500", len(socket.got))
	}
	if got := append(socket.got, c.send.buf...); !bytes.Equal(got, want) {
		t.Errorf("written and left: got %x, want %x", got, want)
	}
	if !c.send.full {
		t.Error("full: got false, want true, so that no other caller tries before the write goroutine does")
	}
}

func TestWhatThePeerHasCausedCountsUntilItIsWritten(t *testing.T) {
	for _, tt := range []struct{ room, want int }{{1 << 20, 0}, {1000, 300}, {0, 300}} {
		c, _ := newIdleWriterClient(tt.room)
		c.send.buf, c.send.peerBytes, c.send.unread.begun = make([]byte, 2000), 300, 7
		c.mu.Lock()
		c.writeLocked()
		if c.send.peerBytes != tt.want || (c.send.unread.begun == 0) != (tt.want == 0) {
			t.Errorf("room for %d of 2000 bytes: got %d bytes that the peer has caused and %d requests, want %d", tt.room, c.send.peerBytes, c.send.unread.begun, tt.want)
		}
	}
}

// A tightSocket has room for so many bytes that nobody has read, and does not bear two who write at the same time.
type tightSocket struct {
	net.Conn // to read from
	t        *testing.T
	writers  atomic.Int32

	mu      sync.Mutex
	changed sync.Cond
	room    int
	sent    bytes.Buffer
	closed  bool
}

func newTightSocket(t *testing.T, nc net.Conn, room int) *tightSocket {
	s := &tightSocket{t: t, Conn: nc, room: room}
	s.changed.L = &s.mu
	return s
}

// enter begins a write; what it returns ends it.
func (s *tightSocket) enter() (leave func()) {
	if s.writers.Add(1) > 1 {
		s.t.Error("got two writers at the same time, want one")
	}
	return func() { s.writers.Add(-1) }
}

func (s *tightSocket) takeLocked(p []byte) int {
	n := min(len(p), s.room)
	s.room -= n
	s.sent.Write(p[:n])
	s.changed.Broadcast()
	return n
}

func (s *tightSocket) Write(p []byte) (int, error) {
	defer s.enter()()
	s.mu.Lock()
	defer s.mu.Unlock()
	for done := 0; ; s.changed.Wait() {
		if done += s.takeLocked(p[done:]); done == len(p) {
			return done, nil
		}
		if s.closed {
			return done, net.ErrClosed
		}
	}
}

func (s *tightSocket) SetWriteDeadline(time.Time) error { return nil }

func (s *tightSocket) Close() error {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	return s.Conn.Close()
}

// A tightReader reads what was sent.
type tightReader struct{ *tightSocket }

func (r tightReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.sent.Len() == 0 {
		if r.closed {
			return 0, io.EOF
		}
		r.changed.Wait()
	}
	n, err := r.sent.Read(p[:min(len(p), 1+rand.IntN(5000))])
	r.room += n
	r.changed.Broadcast()
	return n, err
}

// A tightRaw is the raw connection of a tightSocket. It counts writes.
type tightRaw struct {
	syscall.RawConn
	*tightSocket
	w            *socketWriter
	all, partial int
}

func (r *tightRaw) Read(func(uintptr) bool) error { return net.ErrClosed }

func (r *tightRaw) Write(func(uintptr) bool) error {
	defer r.enter()()
	r.mu.Lock()
	r.w.n = r.takeLocked(r.w.p)
	r.mu.Unlock()
	r.all++
	if r.w.n < len(r.w.p) {
		r.partial++
	}
	<-time.After(time.Duration(1 + rand.IntN(1000))) // others go on
	return nil
}

// TestCallersAndWriteGoroutineTakeTurns has callers and the write goroutine write to a socket that is full again and again.
func TestCallersAndWriteGoroutineTakeTurns(t *testing.T) {
	all, partial := 0, 0
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			raw := manySenders(t, 8, 40)
			all += raw.all
			partial += raw.partial
		})
	}
	if all == 0 || partial == 0 {
		t.Errorf("got %d writes by callers, of which %d were partial, want some of both", all, partial)
	}
}

// manySenders has streams send messages of random sizes to a tight socket, and checks what arrives.
func manySenders(t *testing.T, streams, messages int) *tightRaw {
	near, far := net.Pipe()
	s := newTightSocket(t, near, 500+rand.IntN(20_000))
	raw := &tightRaw{tightSocket: s}
	raw.w = &socketWriter{raw: raw}
	peer := http2.NewFramer(far, tightReader{s})
	spoken := make(chan error, 1)
	go func() { // ends when the client has read it
		err := peer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		spoken <- errors.Join(err, peer.WriteWindowUpdate(0, 1<<30))
	}()
	c, err := NewClient(t.Context(), s, ClientOptions{Scheme: "http"}, noEvents{})
	if err = errors.Join(err, <-spoken); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	c.mu.Lock()
	c.direct = raw.w
	c.mu.Unlock()
	if _, err := io.ReadFull(tightReader{s}, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	var senders sync.WaitGroup
	for range streams {
		stream := openCall(t, c)
		senders.Go(func() { // ends when all is sent
			for i := range messages {
				n := 1 + rand.IntN(700)
				if rand.IntN(20) == 0 {
					n = 9000 // which is not copied
				}
				m := NewOutMessage()
				m.SetPayload(false, append(m.Reserve(mem.DefaultBufferPool(), n), bytes.Repeat([]byte{byte(i)}, n)...))
				if err := stream.Write(m, i == messages-1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	got := make(map[uint32][]byte)
	for ended := 0; ended < streams; {
		f, err := peer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok {
			got[d.StreamID] = append(got[d.StreamID], d.Data()...)
			if d.StreamEnded() {
				ended++
			}
		}
	}
	senders.Wait()
	c.Close(ErrConnClosing)
	_, _ = io.Copy(io.Discard, tightReader{s})
	<-c.Done()
	for id, b := range got {
		for i := range messages {
			n := PrefixLen + int(binary.BigEndian.Uint32(b[1:]))
			if len(b) < n || bytes.Count(b[PrefixLen:n], []byte{byte(i)}) != n-PrefixLen {
				t.Fatalf("stream %d: message %d is missing, damaged or out of its order", id, i)
			}
			if b = b[n:]; i == messages-1 && len(b) > 0 {
				t.Errorf("stream %d: got %d bytes behind the last message", id, len(b))
			}
		}
	}
	return raw
}

func TestCallersMayWriteAgainAfterTheWriteGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		s := newTightSocket(t, near, 1<<20)
		go func() { _, _ = far.Write(frame.AppendSettings(nil, nil)) }() // ends when the client has read it
		c, err := NewClient(t.Context(), s, ClientOptions{Scheme: "http"}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.mu.Lock()
		c.send.full = true // as after a write that the socket had no room for
		c.send.buf = frame.AppendPing(c.send.buf, 0, [8]byte{})
		c.unlock()
		synctest.Wait()
		c.mu.Lock()
		if c.send.full || c.send.writing || len(c.send.buf) > 0 {
			t.Errorf("got full %v, writing %v, %d bytes left, want neither and none", c.send.full, c.send.writing, len(c.send.buf))
		}
		c.mu.Unlock()
		c.Close(ErrConnClosing)
		<-c.Done()
	})
}
