// How large flow-control windows have to be so that they are not what limits a peer: as large as what is consumed within a few round
// trips. The round trip is timed by a PING while data arrives. The window of a stream grows if its reader keeps up, and by what that
// reader has consumed, so that a peer cannot make this side hold much more than was ever read; but for a limited larger window that all
// streams of a connection get once one would have used it.

package transport

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// maxWindow is the largest window, in bytes, that a stream grows to.
	maxWindow = 16 << 20
	// midInitialWindow and maxInitialWindow are the windows, in bytes, that the streams of a connection have at least once a message was read
	// of which two would not fit into what they had, or a stream has earned more. A peer can make this side hold as much by each stream that
	// nobody reads, but not without having sent it.
	midInitialWindow = 256 << 10
	maxInitialWindow = 1 << 20
	// growTrips is how many round trips a reader may take for its whole window if the window is to grow.
	growTrips = 4
	// pingBytes and pingEvery are how much data must arrive, and how much time pass, between two PINGs that time the round trip.
	pingBytes = 64 << 10
	pingEvery = 10 * time.Millisecond
	// rttAge is the time in which the shortest round trip that is known comes to count twice as long, in case that the network has
	// changed. Longer ones tell nothing: a PING also waits behind data that has a window.
	rttAge = 10 * time.Minute
)

// linkPing is the payload of the PING that times the round trip.
var linkPing = [8]byte{'r', 't', 't', 0, 0, 0, 0, 1}

// A link is what a connection knows about its network. The atomic fields may be used by anybody, the others belong to the read
// goroutine.
type link struct {
	fixed  bool         // windows keep their size; immutable
	start  time.Time    // origin of now; immutable
	window atomic.Int64 // bytes; the largest window that a stream has earned
	rtt    atomic.Int64 // nanoseconds; the shortest round trip lately, 0 as long as it is not known

	since    int64         // bytes of DATA since the last PING
	timing   bool          // the PING was not acknowledged
	timed    time.Duration // when the last one was
	pingSent time.Duration
}

func (l *link) init(window int64, fixed bool) {
	l.window.Store(window)
	l.fixed, l.start = fixed, time.Now()
	l.pingSent = -pingEvery
}

// now returns the time since the connection began.
func (l *link) now() time.Duration { return time.Since(l.start) }

// received counts n bytes of DATA. It reports whether a PING should be sent.
func (l *link) received(n int) (ping bool) {
	if l.since += int64(n); l.since < pingBytes || l.timing || l.fixed {
		return false
	}
	l.since = 0
	now := l.now()
	if now-l.pingSent < pingEvery {
		return false
	}
	l.timing, l.pingSent = true, now
	return true
}

// acked takes the acknowledgement of the PING.
func (l *link) acked() {
	if !l.timing {
		return
	}
	l.timing = false
	now := l.now()
	trip := now - l.pingSent
	if old := time.Duration(l.rtt.Load()); old != 0 {
		trip = min(trip, old+time.Duration(float64(old)*float64(now-l.timed)/float64(rttAge)))
	}
	l.timed = now
	l.rtt.Store(int64(max(trip, 1)))
}

// earned notes that a stream has come to need a window of size bytes.
func (l *link) earned(size int64) {
	for old := l.window.Load(); old < size && !l.window.CompareAndSwap(old, size); {
		old = l.window.Load()
	}
}

// A pace is how fast a stream is read.
type pace struct {
	since time.Duration // by link.now
	bytes int64         // consumed since then
}

// grow makes the window w of a stream larger if its reader, of which this is the pace, keeps up. It is called when w is to be renewed
// because the reader has taken a message of n bytes. Two such messages shall fit, so that one arrives while another is read.
func (p *pace) grow(w *inWindow, l *link, n int64) {
	if l.fixed || w.size >= maxWindow {
		return
	}
	if two := min(2*n, maxWindow); w.size < two {
		w.size = two
		l.earned(two)
	}
	if earned := l.window.Load(); w.size < earned { // an earlier stream has shown what the link needs
		w.size = min(4*w.size, earned)
		*p = pace{since: l.now()}
		return
	}
	if p.bytes < w.size/2 {
		return
	}
	now := l.now()
	took, rtt := float64(now-p.since), float64(l.rtt.Load()) // products of these overflow integers
	if took*float64(w.size) < growTrips*rtt*float64(p.bytes) {
		w.size = min(2*w.size, maxWindow)
		l.earned(w.size)
	}
	*p = pace{since: now}
}

// measure counts n bytes of DATA, and sends a PING if it is time for one.
func (c *conn) measure(n int) {
	if c.link.received(n) {
		c.control(func(b []byte) []byte { return frame.AppendPing(b, 0, linkPing) })
	}
}

// measured takes the acknowledgement of a PING that was sent by measure.
func (c *conn) measured() {
	c.link.acked()
	if c.link.fixed {
		return
	}
	earned := c.link.window.Load()
	initial := int64(maxInitialWindow)
	if earned <= midInitialWindow {
		initial = midInitialWindow
	}
	if earned > c.streamWindow && initial > c.streamWindow {
		c.widen(initial)
	}
	c.read.window.size = max(c.read.window.size, min(2*max(earned, c.streamWindow), frame.MaxWindow))
}

// widen gives all streams, old and new, a window of so many bytes (RFC 9113 §6.9.2). It happens twice at most.
func (c *conn) widen(window int64) {
	c.mu.Lock()
	for _, s := range c.streams {
		s.recv.widen(c.streamWindow, window)
	}
	c.streamWindow = window
	before := len(c.send.buf)
	c.send.buf = frame.AppendSettings(c.send.buf, []frame.Setting{{ID: frame.InitialWindowSize, Value: uint32(window)}})
	c.caused(before)
}
