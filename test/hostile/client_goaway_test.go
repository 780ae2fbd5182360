// Connections that go away under many calls, one after the other: none of the calls may be lost.

package hostile

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/metadata"
)

// A goingServer is a server whose connections go away after some calls, and refuse those that come later on them. gRFC A6 lets a client make a
// call again by itself as often as it likes only if the call has not left it, but once if it has, as every call with a stream of its own has.
// One that two connections refuse is lost therefore, by right. So that any call that is lost is a fault, connections go away one by one here,
// and only while no refused call is owed its answer.
type goingServer struct {
	t     *testing.T
	conns atomic.Int32

	mu       sync.Mutex // guards the fields below
	leaving  bool       // a connection goes away: refused calls may be on their way to it
	owed     map[string]bool
	answered map[string]bool
	refusals int
}

const callsPerConn = 100

// serve takes one connection.
func (s *goingServer) serve(nc net.Conn) {
	s.conns.Add(1)
	p := accept(s.t, nc)
	names := make(map[uint32]string) // of the calls that are served
	for last, n := uint32(0), 0; ; {
		h, err := p.next()
		if err != nil {
			s.ended(last > 0)
			return
		}
		if h.Type == http2.FrameHeaders {
			if n++; n > callsPerConn && last == 0 && s.mayLeave() {
				last = h.StreamID - 2
				p.do(p.WriteGoAway(last, http2.ErrCodeNo, nil))
			}
			if name := h.field("name"); last > 0 && h.StreamID > last {
				s.refuse(name)
			} else {
				names[h.StreamID] = name
			}
		}
		if name, served := names[h.StreamID]; served && h.end() {
			s.answer(name)
			p.ok(h.StreamID, "fine")
		}
	}
}

// mayLeave reports whether a connection may go away, and notes that it does.
func (s *goingServer) mayLeave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving || len(s.owed) > 0 {
		return false
	}
	s.leaving = true
	return true
}

// ended notes that a connection has ended: all that the client has ever sent on it was read.
func (s *goingServer) ended(left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left {
		s.leaving = false
	}
}

func (s *goingServer) refuse(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals++
	if !s.answered[name] { // by another connection, to which it went before this one has read of it
		s.owed[name] = true
	}
}

func (s *goingServer) answer(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered[name] = true
	delete(s.owed, name)
}

// #2767, #2919: calls that met a GOAWAY failed, each of four ways found after the other.
func TestClientLosesNoCallToGoAway(t *testing.T) {
	const callers, calls = 8, 500
	s := &goingServer{t: t, owed: make(map[string]bool), answered: make(map[string]bool)}
	cc := channelTo(t, listen(t, s.serve))
	var failed atomic.Int32
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			for j := range calls {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "name", fmt.Sprint(i, " ", j))
				if err := exchange(ctx, cc); err != nil && failed.Add(1) == 1 {
					t.Logf("call %d of caller %d: got %v, want OK", j, i, err)
				}
			}
		})
	}
	calling.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d calls failed, want none", n, callers*calls)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, least := s.conns.Load(), int32(callers*calls/callsPerConn/2); n < least || s.refusals < int(n)-1 {
		t.Errorf("got %d connections that refused %d calls, want at least %d, and a call of each but the last", n, s.refusals, least)
	}
	t.Logf("%d connections, %d calls refused", s.conns.Load(), s.refusals)
}
