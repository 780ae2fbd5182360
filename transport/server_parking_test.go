// Tests of which streams are handled at once, without a connection.

package transport

import (
	"errors"
	"testing"

	"golang.org/x/net/http2"
)

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
		srv.running--
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

// A refuser is done with each stream at once.
type refuser struct {
	seen, inside, most int // streams, and how many calls of HandleStream there are at once
}

func (r *refuser) HandleStream(s *ServerStream) {
	r.seen++
	r.inside++
	r.most = max(r.most, r.inside)
	s.Done()
	r.inside--
}

func (r *refuser) Closed(error) {}

func TestStreamsThatAreRefusedAtOnceAreTakenInALoop(t *testing.T) {
	const limit = 1000
	r := new(refuser)
	srv := &Server{o: ServerOptions{MaxConcurrentStreams: limit}, handler: r}
	srv.init(new(feedConn), srv, ConnOptions{})
	var first *ServerStream
	for range 2 * limit {
		s, _ := begin(srv)
		s.c, s.server = &srv.conn, srv
		if first == nil {
			first = s
		}
	}
	first.Done()
	if r.seen != limit || r.most != 1 || srv.running != limit-1 {
		t.Errorf("got %d streams, %d at once, %d handlers, want %d, 1, %d", r.seen, r.most, srv.running, limit, limit-1)
	}
}

// What has come of a stream that nobody will ever handle is nobody's: it goes back to the pool.
func TestStreamsThatEndBeforeTheirTurnGiveBackWhatHasCome(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *stillServer)
	}{
		{"reset by the client", func(s *stillServer) { _ = s.WriteRSTStream(3, http2.ErrCodeCancel) }},
		{"reset by the server", func(s *stillServer) { _ = s.WriteWindowUpdate(3, 0) }},
		{"end of the connection", func(s *stillServer) { s.Close(errors.New("stopped")) }},
	} {
		pool := newLoanPool()
		s := newStillServer(t, ServerOptions{MaxConcurrentStreams: 1, MaxMessageSize: 1 << 20, ConnOptions: ConnOptions{Pool: pool}})
		s.request(1, false)
		_ = s.WriteRSTStream(1, http2.ErrCodeCancel) // which its handler does not notice
		s.request(3, false)
		_ = s.WriteData(3, false, append([]byte{0, 0, 0, 40, 0}, make([]byte, 5000)...))
		if err := s.feed(); err != nil || len(s.opened) != 1 || len(s.streams) != 1 {
			t.Fatalf("got %v, %d streams that are handled, %d open, want 1 and 1", err, len(s.opened), len(s.streams))
		}
		if tt.end(s); s.feed() != nil || len(s.streams) != 0 {
			t.Fatalf("%s: got %d open streams, want none", tt.name, len(s.streams))
		}
		s.read.frames.Close()
		pool.checkOut(t, tt.name, 0)
	}
}
