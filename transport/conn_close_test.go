// Tests of what a connection still says when it is closed.

package transport

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/transport/internal/frame"
)

// A quietHandler takes streams and does nothing with them.
type quietHandler struct{}

func (quietHandler) HandleStream(*ServerStream) {}
func (quietHandler) Closed(error)               {}

func TestDataBehindCloseIsNotAnsweredByReset(t *testing.T) {
	nc := new(feedConn)
	s := &Server{handler: quietHandler{}}
	s.o.setDefaults()
	s.init(nc, s, s.o.ConnOptions)
	s.send.writer = writerRunning // so that none is started
	s.read.settled = true
	feed := func(wire []byte) error {
		nc.in.Write(wire)
		h, err := s.read.frames.Next()
		if err != nil {
			t.Fatal(err)
		}
		return s.handle(h)
	}
	block, err := new(blockEncoder).request(newRequest("/s/m"))
	if err != nil {
		t.Fatal(err)
	}
	if err := feed(frame.AppendHeaderBlock(nil, 1, 0, block, frame.DefaultMaxSize)); err != nil || len(s.streams) != 1 {
		t.Fatalf("request: got %v, %d streams, want one", err, len(s.streams))
	}
	s.Close(errors.New("stopped"))
	defer s.kill.Stop()
	before := len(s.send.buf)
	if err := feed(append(frame.AppendHeader(nil, frame.Data, 0, 1, 1), 'x')); err != ErrConnClosing {
		t.Errorf("DATA behind Close: got %v, want %v", err, ErrConnClosing)
	}
	if got := s.send.buf[before:]; len(got) > 0 {
		t.Errorf("DATA behind Close: got the answer %x, want none behind the GOAWAY", got)
	}
}

// An endWatch notes how many of its calls were over when it heard of the end of the connection.
type endWatch struct {
	noEvents
	calls []*ClientStream
	over  int
}

func (w *endWatch) Closed(error) {
	for _, s := range w.calls {
		if s.Status() != nil {
			w.over++
		}
	}
}

func TestTheEndOfAConnectionIsKnownBeforeItsCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := dialPeer(t, ClientOptions{}, false)
		w := &endWatch{calls: []*ClientStream{openCall(t, c), openCall(t, c), openCall(t, c)}}
		c.mu.Lock()
		c.events = w
		c.mu.Unlock()
		c.Close(ErrConnClosing)
		if w.over > 0 {
			t.Errorf("got %d calls that were over before, which could be made on it again, want none", w.over)
		}
		for i, s := range w.calls {
			if s.Status() == nil {
				t.Errorf("call %d: got no status, want one", i)
			}
		}
	})
}
