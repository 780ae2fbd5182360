// The one timer of a connection: what has to happen when nothing does. Everything that waits for time to pass is looked at in tick, which
// says when it wants to look again; nothing is timed per call or per frame.

package transport

import (
	"math"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// never is a time, since the beginning of the connection, that does not come.
const never = time.Duration(math.MaxInt64)

// later returns the time d after t.
func later(t, d time.Duration) time.Duration {
	if d > never-t {
		return never
	}
	return t + d
}

// A clock is guarded by conn.mu. Its times count from the beginning of the connection, as those of link.now do.
type clock struct {
	timer *time.Timer   // runs conn.tick; nil until there was something to wait for
	due   time.Duration // when it fires; never if it does not
	pinger
	progress
}

// An ending is why a connection is to be closed, and what the peer is told.
type ending struct {
	err   error
	code  frame.ErrCode
	debug string
}

// dueLocked sees to it that tick runs at the given time, or before.
func (c *conn) dueLocked(at time.Duration) {
	k := &c.clock
	if at >= k.due || c.state == connClosed {
		return
	}
	k.due = at
	wait := at - c.link.now()
	if k.timer == nil {
		k.timer = time.AfterFunc(wait, c.tick)
	} else {
		k.timer.Reset(wait)
	}
}

// tick looks at everything that waits for time to pass. It may be called too early and too often.
func (c *conn) tick() {
	c.mu.Lock()
	if c.state == connClosed {
		c.mu.Unlock()
		return
	}
	c.clock.due = never
	now := c.link.now()
	for _, look := range [...]func(time.Duration) (time.Duration, *ending){c.progressLocked, c.keepaliveLocked, c.role.tickLocked} {
		due, end := look(now)
		if end != nil {
			c.mu.Unlock()
			c.close(end.err, end.code, end.debug, false)
			return
		}
		c.dueLocked(due)
	}
	c.unlock()
}

// stopLocked ends the clock with the connection.
func (k *clock) stopLocked() {
	if k.timer != nil {
		k.timer.Stop()
	}
}
