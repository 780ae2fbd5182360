// Tests of the timer of a connection: it fires in time, whoever asks for it in whichever order, and never behind the end.

package transport

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLaterDoesNotOverflow(t *testing.T) {
	for _, tt := range []struct{ t, d, want time.Duration }{
		{0, 0, 0},
		{time.Second, time.Minute, 61 * time.Second},
		{0, never, never},
		{1, never, never},
		{never, 1, never},
		{never, never, never},
		{never - 1, 1, never},
		{never - 2, 1, never - 1},
	} {
		if got := later(tt.t, tt.d); got != tt.want {
			t.Errorf("later(%v, %v): got %v, want %v", tt.t, tt.d, got, tt.want)
		}
	}
}

// dueAt asks for the timer, and returns when it will fire.
func (c *conn) dueAt(at time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dueLocked(at)
	return c.clock.due
}

func TestTheEarliestTimeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := acceptPeer(t, ServerOptions{}, false)
		letPass(time.Minute) // what was written at first is no concern any more
		const at = time.Minute
		regular := s.dueAt(never)
		if regular < at+time.Minute || regular > at+time.Hour {
			t.Fatalf("got the next look after %v, want that of keepalive, every %v", regular, defaultServerPing/looksPerPing)
		}
		for _, tt := range []struct{ wish, want time.Duration }{
			{regular + 1, regular},
			{at + 40*time.Second, at + 40*time.Second},
			{never, at + 40*time.Second},
			{at + 30*time.Second, at + 30*time.Second},
			{at + 30*time.Second + 1, at + 30*time.Second},
		} {
			if got := s.dueAt(tt.wish); got != tt.want {
				t.Errorf("after a wish for %v: got %v, want %v", tt.wish, got, tt.want)
			}
		}
		letPass(30*time.Second - 1)
		if got := s.dueAt(never); got != at+30*time.Second {
			t.Errorf("a moment before: got %v, want 1m30s", got)
		}
		letPass(1)
		if got, want := s.dueAt(never), at+30*time.Second+defaultServerPing/looksPerPing; got != want {
			t.Errorf("when it has fired: got %v, want %v", got, want)
		}
		s.dueAt(time.Second) // which has passed
		synctest.Wait()
		if got := s.dueAt(never); got <= at+30*time.Second {
			t.Errorf("after a wish for what has passed: got %v, want that it has fired", got)
		}
	})
}

func TestTickMayComeTooEarlyAndTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, k := acceptPeer(t, ServerOptions{}, false)
		p.request(1)
		k.stream(0)
		s.Drain("why")
		p.take()
		for range 100 {
			s.tick()
		}
		letPass(drainWait - 1)
		s.tick()
		p.want()
		letPass(1)
		p.want(`5s GOAWAY 1 NO_ERROR "why"`)
	})
}

func TestClockEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := acceptPeer(t, ServerOptions{}, false)
		s.Close(ErrConnClosing)
		p.take()
		before := s.dueAt(never)
		if got := s.dueAt(1); got != before {
			t.Errorf("a wish behind the end: got %v, want %v as before", got, before)
		}
		s.tick()
		p.nc.Close()
		<-s.Done()
		start := time.Now()
		letPass(100 * time.Hour)
		if got := time.Since(start); got != 100*time.Hour {
			t.Errorf("got %v, want that nothing happens in 100h", got)
		}
		if s.clock.timer.Stop() {
			t.Error("the timer runs, want that it was stopped")
		}
	})
}
