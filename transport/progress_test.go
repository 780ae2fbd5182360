// Tests of the watch over writes: a peer that does not read loses the connection, a slow one does not.

package transport

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/mem"
)

// messageOf returns a message with a payload of n bytes.
func messageOf(n int) *OutMessage {
	m := NewOutMessage()
	m.SetPayload(false, append(m.Reserve(mem.DefaultBufferPool(), n), make([]byte, n)...))
	return m
}

// stopReading makes the peer read no more frames until the returned function is called.
func (p *scriptedPeer) stopReading() (resume func()) {
	gate := make(chan struct{})
	p.mu.Lock()
	p.gate = gate
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		p.gate = nil
		p.mu.Unlock()
		close(gate)
	}
}

func TestPeerThatDoesNotReadLosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{}, false)
		letPass(time.Hour)
		defer p.stopReading()()
		first, second := openCall(t, c), openCall(t, c) // the peer takes one frame more
		letPass(defaultStallTimeout - time.Millisecond)
		if err := c.Err(); err != nil {
			t.Fatalf("before the timeout: got %v, want the connection to live", err)
		}
		letPass(defaultStallTimeout/looksPerStall + closeGrace)
		const want = "transport: writing has made no progress for 20s"
		e.want(t, fmt.Sprintf("closed connection error: desc = %q", want))
		for i, s := range []*ClientStream{first, second} {
			if got := s.Status(); got.Message() != want {
				t.Errorf("status of call %d: got %v, want %s", i, got, want)
			}
		}
		<-c.Done()
	})
}

func TestPeerThatReadsSlowlyKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		for i := range 20 {
			resume := p.stopReading()
			for range 3 {
				openCall(t, c)
			}
			letPass(defaultStallTimeout - time.Second)
			resume()
			if got := len(p.take()); got != 3 {
				t.Fatalf("round %d: got %d frames, want 3", i, got)
			}
		}
		if err := c.Err(); err != nil {
			t.Errorf("got %v, want the connection to live", err)
		}
	})
}

func TestPeerThatGivesNoWindowKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		if err := s.Write(messageOf(100<<10), false); err != nil {
			t.Fatal(err)
		}
		letPass(time.Hour)
		p.take()
		p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1<<20) })
		p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(1, 1<<20) })
		if got := len(p.take()); got == 0 {
			t.Error("got no DATA after an hour, want the rest of the message")
		}
		if err := c.Err(); err != nil {
			t.Errorf("got %v, want the connection to live", err)
		}
	})
}
