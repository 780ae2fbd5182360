// Handlers that return at once are run by the goroutine that reads their connection, at the end of a turn: nobody has to be woken for
// them, and answers leave together. Which handlers do is learnt, method by method, from workers. When one blocks all the same, the watch
// finds it, and another goroutine reads on.

package grpc

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/transport"
)

const (
	turnTime    = 250 * time.Microsecond // when a turn has lasted as long, workers take what is left of it
	watchPeriod = 5 * time.Millisecond   // a handler that the watch sees twice is taken to block
	flushes     = 6                      // how often a turn sends answers, so that the client has something to do meanwhile
	maxFlush    = 16                     // RPCs whose answers are sent together at most
)

// A credit tells how quick the handlers of a method have been: each quick one makes up for a little of the time that slow ones take, in
// which their connection is not read. So a method of which a few are slow is left to workers too. Lost updates do no harm.
type credit struct{ n atomic.Int32 }

const (
	quickTime    = 20 * time.Microsecond // handlers that take no longer are quick
	creditTime   = 500 * time.Nanosecond // what each of them makes up for
	enoughCredit = 64
	fullCredit   = 4 << 10
	maxDebt      = 1 << 20
	workerCost   = 32 // what a slow handler costs at most that has held up nobody: perhaps only its thread had to wait
)

// note takes account of a handler that took a time. inTurn says that the read goroutine ran it.
func (c *credit) note(d time.Duration, inTurn bool) {
	n := c.n.Load()
	if d <= quickTime {
		if n < fullCredit {
			c.n.Store(n + 1)
		}
		return
	}
	cost := min(d/creditTime, maxDebt)
	if !inTurn {
		cost = min(cost, workerCost)
	}
	c.n.Store(max(-maxDebt, n-int32(cost)))
}

// isQuick reports whether handlers of the method, which may be nil, return at once. Those of streams never have credit.
func (m *method) isQuick() bool { return m != nil && m.credit.n.Load() >= enoughCredit }

// A turn is the RPCs that a connection has brought at once and that its read goroutine is to handle. All but step belongs to that goroutine;
// while step is odd, to who makes it even.
type turn struct {
	place   uint32 // in the watch
	queue   rpcQueue
	n       int           // RPCs in queue
	running *serverStream // whose handler was run last
	now     time.Time     // when that returned
	step    atomic.Uint64 // odd while a handler runs; no handler has the step of another one
	passed  *bool         // of the goroutine that reads: its count was passed on to another one
}

func (t *turn) add(ss *serverStream) {
	t.queue.push(ss)
	t.n++
}

func (t *turn) take() *serverStream {
	t.n--
	return t.queue.pop()
}

// TurnEnds implements transport.TurnHandler.
func (c *serverConn) TurnEnds(over bool) (readOn bool) {
	t := &c.turn
	if t.n == 0 {
		return true
	}
	if over || !c.s.watch.enter(c) {
		c.leaveToWorkers()
		return true
	}
	together := maxFlush // answers; the fewer, the sooner the client has some
	if c.s.watch.alone(c) {
		together = max(1, min(t.n/flushes, maxFlush))
	}
	end := time.Now().Add(turnTime)
	for waiting := 0; t.n > 0; {
		if !c.handleNext() {
			return false
		}
		waiting++
		if t.now.After(end) {
			c.leaveToWorkers()
		}
		if waiting == together || t.n == 0 {
			c.t.Flush()
			waiting = 0
		}
	}
	t.running = nil
	c.s.watch.leave(c)
	return true
}

// handleNext handles the next RPC of the turn. It returns false if meanwhile another goroutine has begun to read.
func (c *serverConn) handleNext() (readOn bool) {
	t := &c.turn
	ss := t.take()
	ss.inTurn = true
	ss.st.FlushLater()
	t.running = ss
	passed := t.passed
	step := t.step.Add(1)
	begun := time.Now()
	returned := false
	defer func() {
		if readOn = t.step.CompareAndSwap(step, step+1); !readOn {
			*passed = true
			return // the watch has noted how long nobody read
		}
		t.now = time.Now()
		ss.m.credit.note(t.now.Sub(begun), true)
		if !returned { // but ended by runtime.Goexit
			*passed = true
			c.relieve()
		}
	}()
	ss.handle()
	returned = true
	return
}

// leaveToWorkers leaves the rest of the turn to workers.
func (c *serverConn) leaveToWorkers() {
	for c.turn.n > 0 {
		c.s.workers.run(c.turn.take())
	}
}

// relieve has another goroutine read the connection, and workers handle the rest of the turn. It is called by who has made step even. The
// count that the server has of the goroutine that was relieved is the other one's from now on.
func (c *serverConn) relieve() {
	go func() { // owned by the server; is the read goroutine of the connection from now on and ends with it
		c.leaveToWorkers()
		late := c.turn.running
		c.turn.running = nil
		c.s.watch.leave(c)
		late.st.FlushNow()
		c.read()
	}()
}

var _ transport.TurnHandler = (*serverConn)(nil)
