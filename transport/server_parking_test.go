// Tests of which streams are handled at once, without a connection.

package transport

import "testing"

// begin enters a new stream, and reports whether it is to be handled now.
func begin(t *Server) (*ServerStream, bool) {
	s := new(ServerStream)
	return s, t.beginLocked(s)
}

func TestWithoutALimitAllStreamsBegin(t *testing.T) {
	srv := new(Server)
	for range 1000 {
		if _, now := begin(srv); !now || srv.fullLocked() {
			t.Fatal("got a stream that waits, want none")
		}
	}
}

func TestStreamsWaitInOrderAndClosedOnesAreLeftOut(t *testing.T) {
	srv := &Server{o: ServerOptions{MaxConcurrentStreams: 1}}
	if _, now := begin(srv); !now {
		t.Fatal("got a first stream that waits, want one that begins")
	}
	closed, _ := begin(srv)
	closed.state = streamClosed
	second, now := begin(srv)
	third, _ := begin(srv)
	if now {
		t.Error("got two handlers, want one")
	}
	for i, want := range []*ServerStream{second, third, nil} {
		if got := srv.nextLocked(); got != want {
			t.Errorf("return of handler %d: got stream %p, want %p", i, got, want)
		}
	}
	if srv.running != 0 {
		t.Errorf("got %d handlers after all have returned, want 0", srv.running)
	}
}

func TestClosedStreamsDoNotPileUp(t *testing.T) {
	const limit = 10
	srv := &Server{o: ServerOptions{MaxConcurrentStreams: limit}}
	for range 10_000 {
		if s, now := begin(srv); !now {
			s.state = streamClosed
		}
	}
	if got, want := len(srv.queue), 2*limit; got > want || srv.running != limit {
		t.Errorf("got %d streams that wait and %d handlers, want at most %d and %d", got, srv.running, want, limit)
	}
	if got := cap(srv.queue); got > 8*limit {
		t.Errorf("got memory for %d streams, want at most %d", got, 8*limit)
	}
}
