// Tests of writes by callers themselves: what becomes of the connection meanwhile.

//go:build unix

package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
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

func newPlainMessage(payload []byte) *OutMessage {
	m := NewOutMessage()
	m.SetPayload(false, append(m.Reserve(mem.DefaultBufferPool(), len(payload)), payload...))
	return m
}

func TestCallersWriteBatches(t *testing.T) {
	small := []int{1000}
	for _, tt := range []struct {
		name     string
		room     int
		set      func(c *Client)
		messages [2][]int // sizes of those of two streams
		written  bool
	}{
		{"two streams, little", 1 << 20, nil, [2][]int{small, small}, false},
		{"two streams, enough", 1 << 20, nil, [2][]int{{1000, 1000}, small}, true},
		{"one stream, one frame", 1 << 20, nil, [2][]int{{4000, 4000, 4000}}, false},
		{"one stream, more than a frame", 1 << 20, nil, [2][]int{{4000, 4000, 4000, 4000, 4000}}, true},
		{"a message that is not copied", 1 << 20, nil, [2][]int{{1000, 5000}, {1000, 1000}}, false},
		{"somebody writes", 1 << 20, func(c *Client) { c.send.writing = true }, [2][]int{{1000, 1000}, small}, false},
		{"no room last time", 1 << 20, func(c *Client) { c.send.full = true }, [2][]int{{1000, 1000}, small}, false},
		{"no room", 0, nil, [2][]int{{1000, 1000}, small}, false},
		{"cannot be written to", 1 << 20, func(c *Client) { c.send.broken = true }, [2][]int{{1000, 1000}, small}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, socket := newIdleWriterClient(tt.room)
			if tt.set != nil {
				tt.set(c)
			}
			for i, sizes := range tt.messages {
				s := new(ClientStream)
				s.init(c, s.deadline, 0)
				s.id, s.state = uint32(2*i+1), streamOpen
				for _, size := range sizes {
					if err := s.Write(newPlainMessage(make([]byte, size)), false); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := len(socket.got) > 0; got != tt.written || got && len(c.send.buf) > 0 {
				t.Errorf("got %d bytes written and %d left, want written: %v", len(socket.got), len(c.send.buf), tt.written)
			}
			if tt.room == 0 && !c.send.full {
				t.Error("the next caller would try again before the write goroutine does")
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
		payload := bytes.Repeat([]byte{byte(i)}, 1000)
		want = frame.AppendHeader(want, frame.Data, 0, s.id, PrefixLen+len(payload))
		want = append(append(want, 0, 0, 0, 1000>>8, 1000&0xff), payload...)
		if err := s.Write(newPlainMessage(payload), false); err != nil {
			t.Fatal(err)
		}
	}
	if len(socket.got) != 1500 {
		t.Errorf("got %d bytes written, want 1500", len(socket.got))
	}
	if got := append(socket.got, c.send.buf...); !bytes.Equal(got, want) {
		t.Error("what was written and what is left are not what was sent")
	}
}

// TestManySendersOverANarrowSocket has senders and the write goroutine take turns at a socket that is full again and again.
func TestManySendersOverANarrowSocket(t *testing.T) {
	const streams, messages = 16, 200
	near, far := connPair(t, "tcp")
	_ = near.(*net.TCPConn).SetWriteBuffer(4 << 10)
	f := http2.NewFramer(far, far)
	if err := f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteWindowUpdate(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(context.Background(), near, ClientOptions{Scheme: "http"}, noEvents{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { <-c.Done() }()
	defer far.Close()
	if _, err := io.ReadFull(far, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	var senders sync.WaitGroup
	defer senders.Wait()
	for range streams {
		s := openCall(t, c)
		senders.Go(func() { // ends when all is sent, or with the connection
			for i := range messages {
				payload := binary.BigEndian.AppendUint32(make([]byte, 0, 300), uint32(i))
				if s.Write(newPlainMessage(payload[:4+i%296]), i == messages-1) != nil {
					return
				}
			}
		})
	}
	got := make(map[uint32][]byte)
	for ended := 0; ended < streams; {
		fr, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := fr.(*http2.DataFrame); ok {
			got[d.StreamID] = append(got[d.StreamID], d.Data()...)
			if d.StreamEnded() {
				ended++
			}
		}
	}
	for id, b := range got {
		for i := range messages {
			if n := 4 + i%296; len(b) < PrefixLen+n || int(binary.BigEndian.Uint32(b[1:])) != n || int(binary.BigEndian.Uint32(b[PrefixLen:])) != i {
				t.Fatalf("stream %d: message %d is missing, damaged or out of order", id, i)
			} else {
				b = b[PrefixLen+n:]
			}
		}
		if len(b) > 0 {
			t.Errorf("stream %d: %d bytes behind the last message", id, len(b))
		}
	}
}
