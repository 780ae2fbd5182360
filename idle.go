// Idle mode: a channel that has had no calls for a while releases all its connections, and takes them up again at the next call.

package grpc

import (
	"math"
	"sync/atomic"
	"time"
)

// An idleness counts the calls of a channel. Its methods may be called concurrently.
type idleness struct {
	timeout time.Duration // 0 for never
	calls   atomic.Int64  // under way; far below 0 while the channel is going idle
	used    atomic.Bool   // a call has begun since the timer was set
}

// goingIdle is what calls is lowered by while the channel is going idle.
const goingIdle = math.MinInt64 / 2

// begin counts a call. It returns false if the channel may not be used before it was made to leave idle mode.
func (i *idleness) begin() bool {
	if i.timeout == 0 {
		return true
	}
	if !i.used.Load() {
		i.used.Store(true)
	}
	return i.calls.Add(1) > 0
}

// end counts the end of a call.
func (i *idleness) end() {
	if i.timeout == 0 {
		return
	}
	if !i.used.Load() { // the timeout counts from here
		i.used.Store(true)
	}
	i.calls.Add(-1)
}

// tryIdle reports whether there was no call for a while. If so, idle must be called, and until then begin returns false.
func (i *idleness) tryIdle() bool {
	return !i.used.Swap(false) && i.calls.CompareAndSwap(0, goingIdle)
}

// idle says that the channel has gone idle.
func (i *idleness) idle() { i.calls.Add(-goingIdle) }
