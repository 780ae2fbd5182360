// Tests of what a connection still says when it is closed.

package transport

import (
	"errors"
	"testing"
	"testing/synctest"
)

func TestFramesBehindCloseAreNotAnswered(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *stillServer)
	}{
		{"DATA", func(s *stillServer) { _ = s.WriteData(1, false, []byte("x")) }},
		{"sound request", func(s *stillServer) { s.request(5, false) }},
		{"malformed request", func(s *stillServer) { s.request(5, false, "te", "gzip") }},
		{"request that is no gRPC", func(s *stillServer) { s.request(5, false, "content-type", "text/html") }},
	} {
		s := withStreams(t)
		s.Close(errors.New("stopped"))
		s.said()
		tt.do(s)
		if err := s.feed(); err != ErrConnClosing {
			t.Errorf("%s behind Close: got %v, want %v", tt.name, err, ErrConnClosing)
		}
		if got := s.said(); len(got) > 0 {
			t.Errorf("%s behind Close: got the answer %q, want none behind the GOAWAY", tt.name, got)
		}
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
