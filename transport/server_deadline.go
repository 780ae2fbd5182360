// The deadline of a call on the server's end: one timer for each call that has one.

package transport

import (
	"context"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// setLimit sets the deadline of the call. A time.Time holds any that there can be: a Duration reaches but 292 years.
func (s *ServerStream) setLimit(timeout time.Duration) { s.ctx.Limit = time.Now().Add(timeout) }

// startTimer sees to it that the call ends at its deadline.
func (s *ServerStream) startTimer() {
	if s.ctx.Limit.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil { // else the connection was closed meanwhile
		s.timer = time.AfterFunc(time.Until(s.ctx.Limit), s.expire)
	}
}

// expire ends the call because its deadline has passed.
func (s *ServerStream) expire() {
	if s.http == nil {
		s.reset()
	}
	s.end(context.DeadlineExceeded)
}

// reset ends the stream of a call whose deadline has passed.
func (s *ServerStream) reset() {
	s.c.mu.Lock()
	there := s.c.resetLocked(&s.stream, frame.Cancel)
	s.c.unlock()
	if there {
		s.endedEarly()
	}
}

func (s *ServerStream) stopTimer() {
	if s.ctx.Limit.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
}
