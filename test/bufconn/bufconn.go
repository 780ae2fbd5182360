// A net.Listener and net.Conn pair in memory: Listener hands connections over, conn is two pipes, pipe is a bounded buffer.
// Waiting is done on channels and a sync.Cond only, so that everything also works in a bubble of testing/synctest.

// Package bufconn connects clients and servers in one process by a net.Listener without a network.
package bufconn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

var errClosed = errors.New("closed")

// Listener is a net.Listener that only its own Dial and DialContext can reach. Its methods may be called by any number of goroutines.
type Listener struct {
	size    int
	dialled chan net.Conn // unbuffered: Dial sends the server's end to Accept; never closed
	closing sync.Once
	done    chan struct{} // closed by Close
}

// Listen returns a Listener whose connections buffer up to sz bytes (at least one) in each direction. The buffers grow as they are used.
func Listen(sz int) *Listener {
	return &Listener{size: max(sz, 1), dialled: make(chan net.Conn), done: make(chan struct{})}
}

// Accept waits for a Dial and returns the server's end of its connection. It fails once the Listener is closed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, errClosed
	case c := <-l.dialled:
		return c, nil
	}
}

// Close makes Accept and Dial fail from now on. Connections stay as they are. It returns nil.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.done) })
	return nil
}

// Addr returns an address whose network and text are "bufconn".
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial is DialContext without an end.
func (l *Listener) Dial() (net.Conn, error) { return l.DialContext(context.Background()) }

// DialContext makes a connection, waits until Accept has taken the server's end, and returns the client's end. It fails once the
// Listener is closed, and with ctx.Err() if ctx ends first.
func (l *Listener) DialContext(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	up, down := newPipe(l.size), newPipe(l.size)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.done:
		return nil, errClosed
	case l.dialled <- &conn{in: up, out: down}:
		return &conn{in: down, out: up}, nil
	}
}

type addr struct{}

func (addr) Network() string { return "bufconn" }
func (addr) String() string  { return "bufconn" }

// conn is one end of a connection: it reads from one pipe and writes to the other.
type conn struct {
	in, out *pipe
}

func (c *conn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions. What was written before can still be read by the other end.
func (c *conn) Close() error {
	c.in.closeReader()
	c.out.closeWriter()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return addr{} }
func (c *conn) RemoteAddr() net.Addr { return addr{} }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reads, t)
	c.out.setDeadline(&c.out.writes, t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reads, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writes, t)
	return nil
}

// pipe is one direction of a connection: a buffer of at most size bytes that are written and not yet read.
type pipe struct {
	size int

	mu           sync.Mutex // guards the fields below
	changed      sync.Cond  // any of the fields below has changed, or a deadline has passed
	buf          bytes.Buffer
	readerClosed bool
	writerClosed bool
	reads        deadline
	writes       deadline
}

func newPipe(size int) *pipe {
	p := &pipe{size: size}
	p.changed.L = &p.mu
	return p
}

// deadline is the end of the time for one kind of operation. The timer only wakes those who wait; they look at the clock themselves.
type deadline struct {
	at    time.Time // zero: none
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (p *pipe) setDeadline(d *deadline, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	*d = deadline{at: t}
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), p.wake)
	}
	p.changed.Broadcast()
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readerClosed:
			return 0, io.ErrClosedPipe
		case p.reads.passed():
			return 0, os.ErrDeadlineExceeded
		case p.buf.Len() > 0:
			p.changed.Broadcast()
			return p.buf.Read(b)
		case p.writerClosed:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for {
		switch room := p.size - p.buf.Len(); {
		case p.readerClosed || p.writerClosed:
			return total, io.ErrClosedPipe
		case p.writes.passed():
			return total, os.ErrDeadlineExceeded
		case room > 0 && len(b) > 0:
			n := min(room, len(b))
			p.buf.Write(b[:n])
			b, total = b[n:], total+n
			p.changed.Broadcast()
		}
		if len(b) == 0 {
			return total, nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) closeReader() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readerClosed = true
	p.buf = bytes.Buffer{}
	p.changed.Broadcast()
}

func (p *pipe) closeWriter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writerClosed = true
	p.changed.Broadcast()
}
