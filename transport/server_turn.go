// A turn is what a server's connection brings at once. Calls that are there as a whole can be handled at its end, by the read goroutine
// itself: nobody has to be woken, and their answers can leave together.

package transport

// A TurnHandler is a Handler that may put off calls until the end of a turn.
type TurnHandler interface {
	Handler
	// TurnEnds is called by the read goroutine before it waits for the client, if it has called HandleStream for a stream whose handler may be
	// put off. It reports whether that goroutine is to read on. It may return false if meanwhile, since it took so long, somebody else has
	// called Serve. If the connection is over, it must not block, and what it reports is of no account.
	TurnEnds(over bool) bool
}

// maxTurn is how many calls a turn has at most.
const maxTurn = 64

// MayBePutOff reports whether the handling of the call may be put off until TurnEnds. It is only known while HandleStream runs.
func (s *ServerStream) MayBePutOff() bool { return s.whole && s.server.turns != nil }

// FlushLater lets Finish leave the answer to the next Flush or FlushNow. It may be called before anybody else has the stream.
func (s *ServerStream) FlushLater() { s.later = true }

// FlushNow ends what FlushLater has begun: it sends what Finish has left, and Finish leaves nothing from now on.
func (s *ServerStream) FlushNow() {
	s.c.mu.Lock()
	s.later = false
	s.c.mu.Unlock()
	s.server.Flush()
}

// unlockFor is unlock, unless the stream's answer is left to Flush, and so is its end.
func (t *Server) unlockFor(s *ServerStream) {
	if s.later {
		t.mu.Unlock()
	} else {
		t.unlock()
	}
}

// Flush sends what Finish has left. It writes itself what the socket has room for, and never blocks.
func (t *Server) Flush() {
	t.mu.Lock()
	t.send.company = 0
	t.flushLocked()
}

// endTurn ends the turn. It reports whether the goroutine is to read on.
func (c *conn) endTurn(over bool) bool {
	if c.read.turn == 0 {
		return true
	}
	c.read.turn = 0
	return c.role.turnEnds(over)
}

// turnIsOver reports whether the turn has calls and ends before the next frame is read: not all of that is there, pace may wait, or the
// calls are many.
func (c *conn) turnIsOver() bool {
	n := c.read.turn
	return n > 0 && (n >= maxTurn || c.mayPace() || !c.read.frames.NextIsWhole())
}

// turnEnds implements role.
func (t *Server) turnEnds(over bool) bool { return t.turns.TurnEnds(over) }
