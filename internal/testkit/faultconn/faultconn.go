// Connections in memory on which things go wrong as a plan says: late, in pieces, and cut, stalled or garbled at a place that is counted
// in HTTP/2 frames. All waiting is done on channels and in bufconn, so that the clock of testing/synctest rules it.

// Package faultconn connects clients and servers of tests by a network with faults.
package faultconn

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

// A Fault is what happens at the place that a Plan names.
type Fault uint8

// The faults.
const (
	None      Fault = iota
	Reset           // both directions end at once, and what is on its way is lost
	Close           // both directions end behind what was written
	HalfClose       // this direction ends behind what was written, the other one goes on
	Hole            // from here on this direction loses all bytes, and its end
	Holes           // from here on both directions do
	Stall           // this direction stands still for StallTime
	Garble          // a bit of the next byte is turned over
	numFaults
)

// StallTime is how long a Stall lasts.
const StallTime = 700 * time.Millisecond

// maxPause is how long a piece waits at most before it is sent.
const maxPause = 200 * time.Microsecond

var faultNames = [numFaults]string{"none", "reset", "close", "half-close", "hole", "holes", "stall", "garble"}

// String names the fault.
func (f Fault) String() string { return faultNames[f] }

// Faults returns all faults but None.
func Faults() (all []Fault) {
	for f := None + 1; f < numFaults; f++ {
		all = append(all, f)
	}
	return all
}

// A Plan says what happens to the bytes that one end of a connection writes. The zero value lets all pass as they are.
type Plan struct {
	Piece  int   // bytes of the largest piece that a write is cut into; 0 means that it stays whole
	Pause  bool  // pieces wait a moment before they are sent
	Buffer int   // bytes that may be on their way before a write waits; 0 means 64 KiB
	Fault  Fault // what happens
	Frames int   // behind so many frames; the preface of a client is not counted
	Bytes  int   // and so many bytes of the next one
}

// String says what the plan is, for the name of a test or its failure.
func (p Plan) String() string {
	return fmt.Sprintf("%v behind %d frames and %d bytes, pieces of %d bytes, pause %v, buffer of %d bytes", p.Fault, p.Frames, p.Bytes, p.Piece, p.Pause, p.Buffer)
}

// A Listener is a net.Listener whose connections follow plans.
type Listener struct {
	plan     func(n int) (up, down Plan) // for the connection number n, from 0 on
	seed     uint64
	accepted chan net.Conn // unbuffered: from Dial to Accept; never closed
	closing  sync.Once
	done     chan struct{} // closed by Close

	mu       sync.Mutex // guards the fields below
	n        int        // connections so far
	happened []*atomic.Int32
}

// Listen returns a Listener. plan tells what happens on its connection number n (from 0 on): up to what the client writes, down to what the
// server writes. What plans leave open is drawn from seed.
func Listen(seed uint64, plan func(n int) (up, down Plan)) *Listener {
	return &Listener{plan: plan, seed: seed, accepted: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	case nc := <-l.accepted:
		return nc, nil
	}
}

// Close makes Accept and Dial fail from now on. Connections stay as they are.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return new(net.UnixAddr) }

// Conns returns how many connections were made.
func (l *Listener) Conns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// Happened returns how many of the planned faults have happened.
func (l *Listener) Happened() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, count := range l.happened {
		n += int(count.Load())
	}
	return n
}

// Dial makes a connection, and returns the client's end when Accept has taken the server's. It has the form that
// grpc.WithContextDialer wants; the address does not count.
func (l *Listener) Dial(ctx context.Context, _ string) (net.Conn, error) {
	l.mu.Lock()
	n := l.n
	l.n++
	count := new(atomic.Int32)
	l.happened = append(l.happened, count)
	l.mu.Unlock()
	up, down := l.plan(n)
	client, server := newLine(rand.New(rand.NewPCG(l.seed, uint64(n))), up, down, count)
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Pair returns the two ends of a connection. rng is used by them from now on.
func Pair(rng *rand.Rand, up, down Plan) (client, server net.Conn) {
	return newLine(rng, up, down, new(atomic.Int32))
}

func newLine(rng *rand.Rand, up, down Plan, happened *atomic.Int32) (client, server net.Conn) {
	l := &line{rng: rng, happened: happened}
	upIn, upOut := pipe(up.Buffer)
	downIn, downOut := pipe(down.Buffer)
	c := &end{line: l, in: downOut, plan: up, place: place{preface: prefaceLen, frames: up.Frames, bytes: up.Bytes}, done: make(chan struct{})}
	s := &end{line: l, in: upOut, plan: down, place: place{frames: down.Frames, bytes: down.Bytes}, done: make(chan struct{})}
	c.out, s.out = upIn, downIn
	l.ends = [2]*end{c, s}
	return c, s
}

// pipe returns the two ends of one direction.
func pipe(buffer int) (in, out net.Conn) {
	if buffer == 0 {
		buffer = 64 << 10
	}
	lis := bufconn.Listen(buffer)
	defer lis.Close()
	accepted := make(chan net.Conn)
	go func() { // ends with the Dial below
		nc, _ := lis.Accept() // never fails before Close
		accepted <- nc
	}()
	in, _ = lis.Dial() // never fails before Close
	return in, <-accepted
}

// A line is what the two ends of a connection share.
type line struct {
	ends     [2]*end
	happened *atomic.Int32 // counts the faults of both ends

	mu  sync.Mutex // guards the fields below, and those of the ends that say so
	rng *rand.Rand
}

// An end is one end of a connection. One goroutine at a time may write, and one may read.
type end struct {
	line *line
	in   net.Conn // where it reads from
	plan Plan

	place   place // of whoever writes
	garble  bool  // of whoever writes: the next byte is to be spoilt
	closing sync.Once
	done    chan struct{} // closed by Close

	// Guarded by line.mu:
	out  net.Conn // where it writes to
	lost bool     // out is a hole: bytes and the end get lost
}

// Read implements net.Conn.
func (e *end) Read(p []byte) (int, error) { return e.in.Read(p) }

// Write implements net.Conn.
func (e *end) Write(p []byte) (written int, err error) {
	for {
		ahead, there := e.place.pass(p[:e.piece(len(p))])
		if ahead > 0 {
			if e.plan.Pause {
				e.wait(time.Duration(e.draw(int(maxPause))))
			}
			n, err := e.writer().Write(e.spoil(p[:ahead]))
			written += n
			if err != nil {
				return written, err
			}
			p = p[ahead:]
		}
		if there {
			e.happen()
		}
		if len(p) == 0 {
			return written, nil
		}
	}
}

// piece returns how many of n bytes are sent at once.
func (e *end) piece(n int) int {
	if e.plan.Piece == 0 || n == 0 {
		return n
	}
	return min(n, 1+e.draw(e.plan.Piece))
}

// draw returns a random number below n.
func (e *end) draw(n int) int {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	return e.line.rng.IntN(n)
}

// wait waits, unless the end is closed first.
func (e *end) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.done:
	}
}

func (e *end) writer() net.Conn {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	return e.out
}

// happen does what the plan says.
func (e *end) happen() {
	ends := e.line.ends
	if e.plan.Fault != None {
		e.line.happened.Add(1)
	}
	switch e.plan.Fault {
	case Stall:
		e.wait(StallTime)
	case HalfClose:
		e.writer().Close()
	case Close:
		ends[0].writer().Close()
		ends[1].writer().Close()
	case Reset:
		for _, e := range ends {
			e.in.Close()
			e.writer().Close()
		}
	case Hole:
		e.lose()
	case Holes:
		ends[0].lose()
		ends[1].lose()
	case Garble:
		e.garble = true
	}
}

// spoil turns a bit of the first byte of p over if that is due. p itself stays as it is.
func (e *end) spoil(p []byte) []byte {
	if !e.garble {
		return p
	}
	e.garble = false
	p = bytes.Clone(p)
	p[0] ^= 1 << e.draw(8)
	return p
}

// lose makes what is written from now on vanish: into a buffer that nobody reads, and that is as full at some time as that of a socket.
func (e *end) lose() {
	in, _ := pipe(e.plan.Buffer)
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	if !e.lost {
		e.lost, e.out = true, in
	}
}

// Close implements net.Conn. The other end learns of it unless it is lost.
func (e *end) Close() error {
	e.closing.Do(func() { close(e.done) })
	e.in.Close()
	return e.writer().Close()
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return e.in.LocalAddr() }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return e.in.RemoteAddr() }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error {
	_ = e.in.SetDeadline(t) // never fails
	return e.writer().SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error { return e.in.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error { return e.writer().SetWriteDeadline(t) }

// CloseWrite ends what this end writes, as TCP can.
func (e *end) CloseWrite() error { return e.writer().Close() }

const (
	prefaceLen = 24 // bytes of a client's connection preface (RFC 9113 §3.4)
	headerLen  = 9  // bytes of a frame's header (RFC 9113 §4.1)
)

// A place is where in the bytes of one direction something happens.
type place struct {
	preface int // bytes of the preface that are to come
	frames  int // frames to come before the place
	bytes   int // bytes to come behind them
	passed  bool

	header  [headerLen]byte
	got     int // bytes of header
	payload int // bytes to come of the payload
}

// pass counts the bytes of p up to the place. It returns how many these are, and whether the place is behind them.
func (c *place) pass(p []byte) (ahead int, there bool) {
	if c.passed {
		return len(p), false
	}
	for {
		rest := p[ahead:]
		switch {
		case c.preface > 0:
			n := min(c.preface, len(rest))
			c.preface -= n
			ahead += n
		case c.payload > 0:
			n := min(c.payload, len(rest))
			c.payload -= n
			ahead += n
		case c.got > 0 || c.frames > 0:
			n := copy(c.header[c.got:], rest)
			c.got += n
			ahead += n
			if c.got == headerLen {
				c.got, c.payload = 0, int(c.header[0])<<16|int(c.header[1])<<8|int(c.header[2])
				c.frames--
			}
		case c.bytes > 0:
			n := min(c.bytes, len(rest))
			c.bytes -= n
			ahead += n
		default:
			c.passed = true
			return ahead, true
		}
		if ahead == len(p) && (c.preface > 0 || c.payload > 0 || c.got > 0 || c.frames > 0 || c.bytes > 0) {
			return ahead, false
		}
	}
}
