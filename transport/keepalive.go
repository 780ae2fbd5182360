// Pings that find out whether a silent peer is still there (gRFC A8, A9), the same for both ends; and how many of the client's pings a
// server bears.

package transport

import (
	"math"
	"time"

	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/transport/internal/frame"
)

const (
	minClientPingTime  = 10 * time.Second // gRFC A8
	minServerPingTime  = time.Second
	defaultServerPing  = 2 * time.Hour    // gRFC A9
	defaultPingTimeout = 20 * time.Second // gRFC A8, A9
	// looksPerPing is how often the connection is looked at between pings: what was received in between counts as if it had been
	// received at the end, so that a ping may come late by that part of its time, but never early.
	looksPerPing = 10
)

// keepalivePing is the payload of the PINGs of this file.
var keepalivePing = [8]byte{'a', 'l', 'i', 'v', 'e', 0, 0, 1}

// A pinger sends a PING when nothing was received for some time, and gives the connection up when nothing follows it either. It is
// guarded by conn.mu.
type pinger struct {
	every   time.Duration // never if there are no pings; immutable
	timeout time.Duration // immutable
	always  bool          // whether pings are sent also while there is no stream; immutable

	reads   uint64        // frame.Reader.Reads when it was looked at last
	heard   time.Duration // when something was received last, or somewhat later
	pinged  time.Duration // when the PING was sent that waits for an answer; never if there is none
	dormant bool          // there was no stream when it was time for a PING: the next stream sends it
}

// setKeepalive takes over the parameters of either end, whose zero values were replaced, and tells the socket (gRFC A18).
func (c *conn) setKeepalive(every, timeout time.Duration, always bool) {
	c.clock.pinger = pinger{every: every, timeout: timeout, always: always, pinged: never}
	if every != never {
		setUserTimeout(c.socket, timeout)
	}
}

// clientKeepalive returns the parameters that a client's come to.
func clientKeepalive(p keepalive.ClientParameters) (every, timeout time.Duration, always bool) {
	every = never
	if p.Time > 0 {
		every = max(p.Time, minClientPingTime)
	}
	return every, orDefault(p.Timeout, defaultPingTimeout), p.PermitWithoutStream
}

// serverKeepalive returns the parameters that a server's come to.
func serverKeepalive(p keepalive.ServerParameters) (every, timeout time.Duration, always bool) {
	return max(orDefault(p.Time, defaultServerPing), minServerPingTime), orDefault(p.Timeout, defaultPingTimeout), true
}

func orDefault(d, byDefault time.Duration) time.Duration {
	if d <= 0 {
		return byDefault
	}
	return d
}

// keepaliveLocked sends a PING if it is time for one, and ends the connection if the last one had no answer in time.
func (c *conn) keepaliveLocked(now time.Duration) (due time.Duration, end *ending) {
	p := &c.clock.pinger
	if p.every == never || p.dormant {
		return never, nil
	}
	if n := c.read.frames.Reads(); n != p.reads {
		p.reads, p.heard, p.pinged = n, now, never
	}
	switch {
	case p.pinged != never:
		if now >= later(p.pinged, p.timeout) {
			return never, &ending{c.role.pingError(p.timeout), frame.NoError, "keepalive ping without an answer"}
		}
	case now < later(p.heard, p.every):
	case len(c.streams) == 0 && !p.always:
		p.dormant = true
		return never, nil
	default:
		c.pingLocked(now)
	}
	return p.nextLook(now), nil
}

// pingLocked sends a PING whose answer is waited for.
func (c *conn) pingLocked(now time.Duration) {
	p := &c.clock.pinger
	c.send.buf = frame.AppendPing(c.send.buf, 0, keepalivePing)
	p.reads, p.pinged = c.read.frames.Reads(), now
}

// nextLook returns when to look again.
func (p *pinger) nextLook(now time.Duration) time.Duration {
	next := later(p.heard, p.every)
	if p.pinged != never {
		next = later(p.pinged, p.timeout)
	}
	return min(next, later(now, p.every/looksPerPing))
}

// awakeLocked is called when a stream was opened while there were none for so long that no pings are sent any more. Nobody knows what
// has become of the peer, so that it is asked at once.
func (c *conn) awakeLocked() {
	p := &c.clock.pinger
	p.dormant = false
	now := c.link.now()
	c.pingLocked(now)
	c.dueLocked(p.nextLook(now))
}

const (
	defaultMinPingTime = 5 * time.Minute // gRFC A8
	idlePingTime       = 2 * time.Hour   // between pings while there is no stream; gRFC A8
	maxPingStrikes     = 2               // pings too early that are borne; gRFC A8
	tooManyPings       = "too_many_pings"
)

// A pingPolicy says whether a client sends too many pings. It belongs to the read goroutine.
type pingPolicy struct {
	minTime, minIdleTime time.Duration // immutable
	last                 time.Duration // when the last PING came
	strikes              int
}

func (p *pingPolicy) init(e keepalive.EnforcementPolicy) {
	p.minTime, p.minIdleTime = orDefault(e.MinTime, defaultMinPingTime), idlePingTime
	if e.PermitWithoutStream {
		p.minIdleTime = p.minTime
	}
	p.last = math.MinInt64 / 2 // long ago
}

// allows counts a PING. spoke says that this side has sent something of its own since the one before, which makes up for what was:
// clients that measure the network send a PING for the data that they get. idle says that there is no stream.
func (p *pingPolicy) allows(now time.Duration, spoke, idle bool) bool {
	gap := now - p.last
	p.last = now
	least := p.minTime
	if idle {
		least = p.minIdleTime
	}
	switch {
	case spoke:
		p.strikes = 0
	case gap < least:
		p.strikes++
	}
	return p.strikes <= maxPingStrikes
}
