// How much a link can carry, measured: the bytes that arrive within one round trip, which is timed by a PING. As long as they fill
// most of the window, the window is what limits the peer, and it grows. After the estimator that the gRPC blog describes
// ("gRPC-Go performance improvements", 2017).

package transport

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// maxWindow is the largest window, in bytes, that a stream grows to by measurement.
const maxWindow = 16 << 20

// bdpPing is the payload of the PING that times a round trip.
var bdpPing = [8]byte{'b', 'd', 'p', 0, 0, 0, 0, 1}

// A bandwidthDelay estimates the bandwidth-delay product of a connection. It belongs to the read goroutine but for window.
type bandwidthDelay struct {
	window atomic.Int64 // bytes; what streams may use whose readers keep up. It only grows.

	enabled   bool
	sampling  bool
	since     int64     // bytes that arrived since the last sample
	sample    int64     // bytes that arrived since the PING was sent
	sent      time.Time // when the PING was sent
	bandwidth float64   // bytes per second; the most that was seen
}

func (b *bandwidthDelay) init(window int64, enabled bool) {
	b.window.Store(window)
	b.enabled = enabled && window < maxWindow
}

// received counts n bytes of DATA. It reports whether a PING should be sent to begin a sample.
func (b *bandwidthDelay) received(n int, now func() time.Time) (ping bool) {
	switch {
	case !b.enabled:
		return false
	case b.sampling:
		b.sample += int64(n)
		return false
	}
	if b.since += int64(n); b.since < b.window.Load()/4 {
		return false
	}
	b.sampling, b.sample, b.since, b.sent = true, 0, 0, now()
	return true
}

// acked ends the sample. It reports whether the window has grown.
func (b *bandwidthDelay) acked(now time.Time) (grown bool) {
	if !b.sampling {
		return false
	}
	b.sampling = false
	window := b.window.Load()
	bandwidth := float64(b.sample) / max(now.Sub(b.sent), time.Microsecond).Seconds()
	if b.sample < window*2/3 || bandwidth <= b.bandwidth {
		return false
	}
	b.bandwidth = bandwidth
	window = min(2*max(window, b.sample), maxWindow)
	b.window.Store(window)
	b.enabled = window < maxWindow
	return true
}

// measure counts n bytes of DATA, and sends a PING if it is time for one.
func (c *conn) measure(n int) {
	if c.bdp.received(n, time.Now) {
		c.control(func(b []byte) []byte { return frame.AppendPing(b, 0, bdpPing) })
	}
}

// measured takes the acknowledgement of a PING that was sent by measure.
func (c *conn) measured() {
	if c.bdp.acked(time.Now()) {
		c.read.window.size = max(c.read.window.size, 2*c.bdp.window.Load())
	}
}
