// How long a server keeps a connection: until it was idle for too long, or has become too old (gRFC A9). Both end it by a drain.

package transport

import (
	"time"

	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/transport/internal/frame"
)

// ageJitter is the largest part of its age that is added to or taken from the age of a connection, so that those which were made at the
// same time are not renewed at the same time (gRFC A9).
const ageJitter = 0.1

// A lifetime is guarded by conn.mu. Its times count from the beginning of the connection, and are never if there is no limit.
type lifetime struct {
	idle      time.Duration // how long there may be no stream; immutable
	grace     time.Duration // how long streams may go on after the age; immutable
	idleSince time.Duration // when the last stream ended, while there is none
	age       time.Duration // when the connection is too old
	end       time.Duration // when it is closed by force
}

// init takes over the parameters. random is in [0, 1).
func (l *lifetime) init(p keepalive.ServerParameters, random float64) {
	l.idle, l.grace = orDefault(p.MaxConnectionIdle, never), orDefault(p.MaxConnectionAgeGrace, never)
	l.age, l.end = never, never
	if p.MaxConnectionAge > 0 {
		l.age = later(p.MaxConnectionAge, time.Duration((2*random-1)*ageJitter*float64(p.MaxConnectionAge)))
	}
}

// tickLocked implements role: it drains the connection when it is time for that, and goes on with a drain that the client does not
// answer.
func (t *Server) tickLocked(now time.Duration) (due time.Duration, end *ending) {
	l := &t.lifetime
	if now >= l.end {
		return never, &ending{connectionErrorf(true, nil, "transport: streams went on for %v after the connection had reached its maximum age", l.grace), frame.NoError, t.reason}
	}
	if now >= l.age {
		l.age, l.end = never, later(now, l.grace)
		t.startDrainLocked("max_age")
	}
	idleAt := t.idleAtLocked(now)
	if now >= idleAt {
		t.startDrainLocked("max_idle")
		idleAt = never
	}
	if t.drain == drainSaid && now >= t.drainBy {
		t.finishDrainLocked()
	}
	due = min(l.age, l.end, idleAt)
	if t.drain == drainSaid {
		due = min(due, t.drainBy)
	}
	return due, nil
}

// idleAtLocked returns when the connection will have been idle for too long, at the earliest.
func (t *Server) idleAtLocked(now time.Duration) time.Duration {
	l := &t.lifetime
	switch {
	case t.drain != drainNone:
		return never
	case len(t.streams) > 0:
		return later(now, l.idle)
	}
	return later(l.idleSince, l.idle)
}
