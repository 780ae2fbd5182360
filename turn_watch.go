// The watch over the goroutines that handle RPCs and should read their connections.

package grpc

import (
	"math"
	"sync/atomic"
	"time"
)

// A turnWatch looks at all turns of a server that are handled, again and again as long as there are some, and finds handlers that block.
type turnWatch struct {
	places []watchPlace
	next   atomic.Uint32 // the place of the next connection
	latest atomic.Uint32 // the place of the connection that had the latest turn
	armed  atomic.Bool   // timer is running, or look is
	timer  *time.Timer   // calls look
}

// A watchPlace has a connection whose turn is handled. Several connections share a place; workers handle the turn of one that
// finds its place taken.
type watchPlace struct {
	c    atomic.Pointer[serverConn]
	uses atomic.Uint64 // how many turns it has had

	// Of look: what it saw the last time.
	seen     *serverConn
	seenStep uint64
	seenUses uint64

	_ [24]byte // no other place is on the same cache line
}

// placesPerProcessor makes it unlikely that connections that have turns at the same time share a place.
const placesPerProcessor = 8

func (w *turnWatch) init(processors int) {
	w.places = make([]watchPlace, placesPerProcessor*processors)
	w.timer = time.AfterFunc(math.MaxInt64, w.look)
	w.timer.Stop()
}

// place returns the place of a new connection.
func (w *turnWatch) place() uint32 { return w.next.Add(1) }

func (w *turnWatch) of(c *serverConn) *watchPlace {
	return &w.places[c.turn.place%uint32(len(w.places))]
}

// enter begins to watch a connection. It returns false if there is no room.
func (w *turnWatch) enter(c *serverConn) bool {
	p := w.of(c)
	if !p.c.CompareAndSwap(nil, c) {
		return false
	}
	p.uses.Add(1)
	w.arm()
	return true
}

func (w *turnWatch) leave(c *serverConn) { w.of(c).c.Store(nil) }

// alone reports whether the latest turn was the connection's too.
func (w *turnWatch) alone(c *serverConn) bool {
	if w.latest.Load() == c.turn.place {
		return true
	}
	w.latest.Store(c.turn.place)
	return false
}

func (w *turnWatch) arm() {
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(watchPeriod)
	}
}

// look relieves the goroutines that still run the handlers that they ran at the last look.
func (w *turnWatch) look() {
	busy := false
	for i := range w.places {
		p := &w.places[i]
		if uses := p.uses.Load(); uses != p.seenUses {
			p.seenUses, busy = uses, true
		}
		c := p.c.Load()
		if c == nil {
			p.seen = nil
			continue
		}
		busy = true
		step := c.turn.step.Load()
		if c != p.seen || step != p.seenStep || step%2 == 0 {
			p.seen, p.seenStep = c, step
		} else if c.turn.step.CompareAndSwap(step, step+1) {
			c.turn.running.m.credit.note(2*watchPeriod, true)
			c.relieve()
		}
	}
	if busy {
		w.timer.Reset(watchPeriod)
		return
	}
	w.armed.Store(false)
	for i := range w.places { // a turn that has begun meanwhile may have found the watch armed
		if w.places[i].c.Load() != nil {
			w.arm()
			return
		}
	}
}
