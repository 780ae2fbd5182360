// Writing by callers themselves. The write goroutine is a wake-up away, and whoever is ready to run comes before it, which is what makes
// batches. Where nobody will come, or a batch is there already, the caller is faster. It writes what the socket has room for and leaves
// the rest to the write goroutine, so that it never waits.

package transport

// callerBatch is how many bytes with more than one DATA frame are worth a write: the peer begins with them while the next ones are made.
const callerBatch = 2 << 10

// flushLocked unlocks at the end of a call, and writes what is waiting before it returns if streams have been coming one by one lately, so
// that nobody would join the batch, and the write goroutine has nothing to do. It spares a lone call the way over the write goroutine.
func (c *conn) flushLocked() {
	d := &c.send
	switch {
	case d.company > 0:
		d.company--
		c.unlock()
	case d.writer != writerRunning && len(d.buf) <= smallBatch && c.mayWriteLocked():
		c.writeLocked()
	default:
		c.unlock()
	}
}

// flushBatchLocked unlocks after a message was queued, and writes what is waiting before it returns if that is a batch: small messages of
// several streams, or more of one than fits a frame. Both ends work at the same time then, rather than in turn.
func (c *conn) flushBatchLocked() {
	if d := &c.send; len(d.buf) >= callerBatch && d.lastData.more && c.mayWriteLocked() {
		c.writeLocked()
	} else {
		c.unlock()
	}
}

// mayWriteLocked reports whether a caller may write all that is waiting.
func (c *conn) mayWriteLocked() bool {
	d := &c.send
	return c.direct != nil && !d.writing && !d.full && d.ready.empty() && 0 < len(d.buf) && len(d.buf) <= smallWrite && !d.broken &&
		c.state != connClosed
}

// writeLocked writes what is waiting and unlocks.
func (c *conn) writeLocked() {
	d := &c.send
	d.writing = true
	peerBytes, begun := d.peerBytes, d.unread.begun
	b := d.takeBuffer(d.spare)
	d.spare = nil
	c.parts.Add(1) // if the connection ends meanwhile, what is left to write goes before its end
	c.mu.Unlock()
	n := c.direct.write(b)
	c.mu.Lock()
	if n < len(b) {
		d.full = true
		d.buf, d.lastData = append(b[n:], d.buf...), dataFrame{}
		d.peerBytes += peerBytes
		d.unread.begun += begun
	} else {
		d.spare = reusable(b)
	}
	d.writing = false
	d.writes++
	if !d.retiring {
		d.retireLater(c)
	}
	c.unlock()
	c.leave()
}
