// Whether writing gets on: a peer that does not read while bytes wait for it holds memory, and a dead one holds calls. Flow control is no
// part of this, since bytes without a window are not written.

package transport

import (
	"errors"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// defaultStallTimeout is how long writing may make no progress before the connection is given up.
	defaultStallTimeout = 20 * time.Second
	// looksPerStall is how often a write is looked at in that time.
	looksPerStall = 4
	// writePiece is how many bytes at a time are written to a connection that is no socket and does not tell how far a write has got.
	writePiece = 32 << 10
	// smallWrite is how many bytes are given to a socket without waiting before they are written like any others.
	smallWrite = 64 << 10
)

// A progress is what is known of the writes to a connection. It is guarded by conn.mu. A socket is judged by each byte that it takes, and
// on Linux by each byte that the peer takes; another connection by its Writes, and the socket below it if it is known.
type progress struct {
	watching bool          // tick looks at the writes
	writes   uint64        // sendSide.writes when it was looked at last
	unsent   int           // bytes that waited in the socket then
	moved    time.Duration // when there was progress, or somewhat later
}

// watchWriteLocked is called before a write that may block.
func (c *conn) watchWriteLocked() {
	if p := &c.clock.progress; !p.watching {
		p.watching = true
		now := c.link.now()
		p.moved, p.writes, p.unsent = now, c.send.writes, unsentBytes(c.socket)
		c.dueLocked(later(now, c.opts.StallTimeout/looksPerStall))
	}
}

// progressLocked ends the connection if a write has been stuck for too long.
func (c *conn) progressLocked(now time.Duration) (due time.Duration, end *ending) {
	p, d := &c.clock.progress, &c.send
	if !p.watching {
		return never, nil
	}
	stuck := d.writer == writerRunning && d.writes == p.writes
	if !stuck {
		if d.writes == p.writes {
			p.watching = false
			return never, nil
		}
		p.writes, p.moved = d.writes, now
	} else if unsent := unsentBytes(c.socket); unsent != p.unsent {
		p.unsent, p.moved = unsent, now
	}
	if now-p.moved >= c.opts.StallTimeout {
		err := connectionErrorf(true, nil, "transport: writing has made no progress for %v", c.opts.StallTimeout)
		return never, &ending{err, frame.EnhanceYourCalm, "the peer does not read"}
	}
	if stuck && c.vectors {
		_ = c.nc.SetWriteDeadline(longAgo) // write tells how many bytes the socket has taken, and goes on
	}
	return min(later(now, c.opts.StallTimeout/looksPerStall), later(p.moved, c.opts.StallTimeout)), nil
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// write writes a batch: to a socket at once, but for interruptions by progressLocked, and to another connection in pieces.
func (c *conn) write(b *batch) error {
	if len(b.flat) == 0 { // windows have shrunk since there was work; a pipe would wait until somebody reads nothing
		return nil
	}
	if c.direct != nil && len(b.pieces) == 0 && len(b.flat) <= smallWrite {
		if b.cut = c.direct.write(b.flat); b.written() {
			return nil
		}
	}
	limit := writePiece
	if c.vectors {
		limit = maxBatch
		began := c.link.now()
		defer func() { b.wrote(c.link.now() - began) }()
	}
	for {
		n, err := b.write(c.nc, limit)
		interrupted := c.vectors && errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case err != nil && !interrupted:
			return err
		case err == nil && b.written():
			return nil
		case interrupted:
			_ = c.nc.SetWriteDeadline(time.Time{})
		}
		c.mu.Lock()
		if n > 0 {
			c.send.writes++
		}
		closed := c.state == connClosed
		c.mu.Unlock()
		if interrupted && closed {
			return err
		}
	}
}

// socketOf returns the socket below a connection, nil if there is none or it cannot be known.
func socketOf(nc net.Conn) net.Conn {
	if upper, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = upper.NetConn()
	}
	if !writesVectors(nc) {
		return nil
	}
	return nc
}
