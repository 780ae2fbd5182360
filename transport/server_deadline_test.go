// Tests of the deadlines of calls on the server's end.

package transport

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestDeadlineOfACallIsThatOfItsTimeout(t *testing.T) {
	for _, tt := range []struct {
		timeout string
		want    time.Duration // 0 for no deadline
	}{
		{"1n", 1},
		{"500m", 500 * time.Millisecond},
		{"99999999u", 99999999 * time.Microsecond},
		{"87600H", 87600 * time.Hour},
		{"99999999H", math.MaxInt64}, // beyond what a Duration holds
		{"", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var more []string
			if tt.timeout != "" {
				more = []string{"grpc-timeout", tt.timeout}
			}
			s, p, _ := accepted(t, more...)
			start := time.Now()
			p.take()
			at, ok := s.Context().Deadline()
			if ok != (tt.want > 0) || ok && !at.Equal(start.Add(tt.want)) {
				t.Fatalf("%q: got the deadline %v, %v, want it after %v", tt.timeout, at, ok, tt.want)
			}
			if tt.want > 10*time.Second {
				letPass(10 * time.Second)
			} else if ok {
				letPass(tt.want - 1)
			}
			if err := s.Context().Err(); err != nil && tt.want != 1 {
				t.Errorf("%q: before it: got %v, want the call to live", tt.timeout, err)
			}
			p.want()
			if !ok || tt.want > 10*time.Second {
				return
			}
			letPass(1)
			if err := s.Context().Err(); err != context.DeadlineExceeded {
				t.Errorf("%q: behind it: got %v, want %v", tt.timeout, err, context.DeadlineExceeded)
			}
			p.want((tt.want).String() + " RST_STREAM 1 CANCEL")
		})
	}
}

func TestDeadlineDoesNotReachBehindTheEndOfTheCall(t *testing.T) {
	for name, end := range map[string]func(s *ServerStream, p *scriptedPeer, srv *Server){
		"answer": func(s *ServerStream, _ *scriptedPeer, _ *Server) { _ = s.Finish(status.New(codes.OK, ""), nil) },
		"reset": func(_ *ServerStream, p *scriptedPeer, _ *Server) {
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		},
		"end of the connection": func(_ *ServerStream, _ *scriptedPeer, srv *Server) { srv.Close(ErrConnClosing) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s, p, srv := accepted(t, "grpc-timeout", "1S")
			end(s, p, srv)
			p.take()
			if s.timer.Stop() {
				t.Errorf("%s: the timer runs, want that it was stopped", name)
			}
			s.expire() // as if it had fired just before
			p.want()
			if err := s.Context().Err(); err != context.Canceled {
				t.Errorf("%s: got %v, want %v", name, err, context.Canceled)
			}
		})
	}
}

func TestDeadlineOfAnAnswerThatWaitsForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t, "grpc-timeout", "1S")
		if err := s.Write(messageOf(100_000)); err != nil {
			t.Fatal(err)
		}
		p.take()
		letPass(time.Second)
		p.want("1s RST_STREAM 1 CANCEL")
		if err := s.Finish(status.New(codes.OK, ""), messageOf(1)); err != ErrStreamDone {
			t.Errorf("Finish behind the deadline: got %v, want %v", err, ErrStreamDone)
		}
		if len(s.out.messages) > 0 {
			t.Errorf("got %d messages that wait, want none", len(s.out.messages))
		}
	})
}

func TestNoTimerForACallThatIsOver(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	s.request(1, false, "grpc-timeout", "1H")
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	st := s.opened[0]
	st.stopTimer()
	st.timer = nil
	s.Close(ErrConnClosing)
	st.startTimer() // as if the connection had been closed just before
	if st.timer != nil {
		st.timer.Stop()
		t.Error("got a timer for a call whose connection is closed, want none")
	}
}

func TestDeadlineOfACallThatNobodyHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, k := acceptPeer(t, ServerOptions{MaxConcurrentStreams: 1}, false)
		p.request(1)
		k.stream(0)
		p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		p.headers(3, false, ":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc", "grpc-timeout", "1S")
		p.take()
		letPass(time.Second)
		p.want("1s RST_STREAM 3 CANCEL")
		k.stream(0).Done()
		synctest.Wait()
		if len(k.streams) != 1 {
			t.Errorf("got %d calls that were handled, want that the one whose deadline had passed before its turn is not", len(k.streams))
		}
	})
}
