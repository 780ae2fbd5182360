// What one client may cost the server beyond what it pays for itself: streams that end early, header lists that are far larger than what was
// sent for them, answers that nobody reads. None of the limits is met by a client in good faith, however fast it is.

package transport

import (
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// maxEarlyEnds is how many streams may end early at once, and earlyEndInterval the time in which one of them is forgotten: 100 a second.
	// They count only while more than half of the last streams of the connection have ended so.
	maxEarlyEnds     = 1000
	earlyEndInterval = 10 * time.Millisecond
	// earlyEndWindow is how many streams at most are the last ones, and earlyEndLeast how many must have been opened for a share to mean
	// something.
	earlyEndWindow = 1000
	earlyEndLeast  = 100

	// freeList is how many bytes, by the measure of RFC 9113 §6.5.2, the header list of a stream may exceed what its block may stand
	// for (listPerByte) for nothing.
	freeList = 8 << 10
	// maxHeldLists is how many bytes beyond that the header lists of a connection's streams may have in all. In memory a list of short
	// fields takes up to four times its measure, so that this stands for 4 MiB.
	maxHeldLists = 1 << 20

	// maxUnreadBytes is how many bytes of answers may wait for the socket before no more requests are read, and maxAhead how many requests
	// may be read while anything waits: of the answers that their handlers make, nobody knows the size.
	maxUnreadBytes = 1 << 20
	maxAhead       = 128
	// maxWaitingAnswers is how many streams whose handlers have returned may wait, because the client gives no window for their answers,
	// before further ones are refused.
	maxWaitingAnswers = 32 << 10
)

// earlyEnds counts the streams that the client has reset, or that were reset because of what it did or because their deadline passed, before
// there was an answer: they cost the server a handler and the client nothing (CVE-2023-44487, CVE-2025-8671). The zero value has seen none.
type earlyEnds struct {
	mark   uint64        // how many streams had been opened before the last ones
	count  uint64        // how many of the last ones have ended early
	forget time.Duration // when, by link.now, all that counted will be forgotten
}

// add counts an end. It reports whether there are too many. opened is how many streams were opened so far.
func (e *earlyEnds) add(opened uint64, l *link) (tooMany bool) {
	e.count++
	n := opened - e.mark
	if n > earlyEndWindow { // keep half of them, and their share
		e.mark = opened - earlyEndWindow/2
		e.count = (e.count*earlyEndWindow/2 + n - 1) / n
		n = earlyEndWindow / 2
	}
	if n < earlyEndLeast || 2*e.count <= n {
		return false
	}
	now := l.now()
	e.forget = max(e.forget, now) + earlyEndInterval
	return e.forget-now > maxEarlyEnds*earlyEndInterval
}

// endedEarly counts a stream that ended before there was an answer, and ends the connection if there are too many.
func (t *Server) endedEarly() {
	t.mu.Lock()
	tooMany := t.early.add(t.opened, &t.link)
	t.mu.Unlock()
	if tooMany {
		t.close(connectionErrorf(false, nil, "too many streams ended early, limit %d and %d a second", maxEarlyEnds, time.Second/earlyEndInterval),
			frame.EnhanceYourCalm, "too_many_resets", true)
	}
}

// endedEarly counts the stream if there was no answer yet.
func (s *ServerStream) endedEarly() {
	s.mu.Lock()
	answered := s.headerSent
	s.mu.Unlock()
	if !answered {
		s.server.endedEarly()
	}
}

// unread counts what was not written, and what may come to that.
type unread struct {
	begun   int // streams that were opened since sendSide.buf was taken last
	streams int // streams whose ends wait for what they have queued
	bytes   int // that those have queued
}

// crowded reports whether so much waits that the server shall not begin more.
func (d *sendSide) crowded() bool {
	return d.unread.begun > maxAhead || d.unread.bytes+len(d.buf) > maxUnreadBytes
}

// refusalLocked returns the code to refuse a new stream with, NoError if it may be opened.
func (t *Server) refusalLocked(s *ServerStream) frame.ErrCode {
	if t.send.crowded() {
		t.read.crowded = true // pace looks before the next frame
	}
	switch {
	case t.fullLocked(), t.send.unread.streams >= maxWaitingAnswers:
		return frame.RefusedStream
	case t.held+s.held > maxHeldLists:
		return frame.EnhanceYourCalm
	}
	return frame.NoError
}
