// One HTTP/2 connection, seen from either end: what client and server share. The two differ by a role of a few methods.
// conn_read.go is the read goroutine, conn_write.go the write goroutine and the state that it turns into bytes.

package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// closeGrace is how long a closing connection may take to write what it has to say, and to let the peer read it.
const closeGrace = time.Second

// connState is the life of a connection: open → draining → closed, each step once, and draining may be left out.
type connState uint8

const (
	connOpen     connState = iota
	connDraining           // a GOAWAY was sent or received: no new streams, the old ones go on
	connClosed             // no streams; the last bytes are on their way
)

// A role is what differs between the ends of a connection. Those of its methods whose names end in Locked are called by anybody who holds
// conn.mu; peerName, readsOn, pingError and closed by anybody, without locks; the others by the read goroutine alone, without locks but for
// settingFault. An error that a method returns ends the connection, but for those that readError and pingError make.
type role interface {
	// headers takes a complete header block, which is cut off if tooLarge.
	headers(id uint32, h *head, tooLarge, end bool) error
	// idle reports whether neither end has opened the stream yet.
	idle(id uint32) bool
	// settingFault returns why the peer must not send a setting, "" if it may. It is called with conn.mu.
	settingFault(s frame.Setting) string
	// settings says that a SETTINGS frame was applied; maxStreams is what it said of SETTINGS_MAX_CONCURRENT_STREAMS, or -1.
	settings(maxStreams int64)
	// peerName returns what the other end is called in errors.
	peerName() string
	// readsOn says that writing has failed. It reports whether what the peer has sent before is to be read; then nothing new is begun.
	readsOn() bool
	// readError makes the error of a connection that cannot be read any more.
	readError(err error) error
	peerGoAway(lastID uint32, code frame.ErrCode, debug []byte) error
	// ping says that the peer sent a PING, which will be acknowledged, whether this side has sent something of its own since the one
	// before, and whether there is no stream.
	ping(spoke, idle bool) error
	pingAck(data [8]byte)
	// turnEnds says that a turn is over. It reports whether the goroutine is to read on.
	turnEnds(over bool) bool
	// removedLocked says that a stream was taken out of the table.
	removedLocked(s *stream)
	// tickLocked does what has to be done now, and says when it wants to be called again, or why the connection has to end.
	tickLocked(now time.Duration) (due time.Duration, end *ending)
	// pingError makes the error of a connection whose peer has not answered a keepalive PING within the timeout.
	pingError(timeout time.Duration) error
	// lastIDLocked returns the last stream of the peer's that this side may have acted on.
	lastIDLocked() uint32
	// drainedLocked reports whether a draining connection has done all it was kept for.
	drainedLocked() bool
	// closed says that the connection was closed; err is why. Called once, by whoever closed it, before the streams hear of it.
	closed(err error)
}

// A conn is one HTTP/2 connection.
type conn struct {
	nc      net.Conn
	role    role
	opts    ConnOptions
	vectors bool          // whether nc takes several buffers in one system call
	parts   atomic.Int32  // goroutines that still use nc; the last one closes it
	done    chan struct{} // closed when nc is closed and both goroutines have ended
	direct  *socketWriter // writes without waiting; nil if nc cannot
	socket  net.Conn      // nc or what it is made of; nil if that is no socket
	link    link          // what is known about the network
	read    readSide      // belongs to the read goroutine

	mu      sync.Mutex // guards the fields below, and the parts of streams that say so; held for microseconds, never across I/O
	state   connState
	err     error // why the connection was closed
	streams map[uint32]*stream
	send    sendSide
	// streamWindow is what streams let the peer send at first. The read goroutine changes it, and may read it without the lock.
	streamWindow int64
	clock        clock
	kill         *time.Timer // closes nc when closeGrace is over
}

// init makes the connection ready. The goroutines are started by start.
func (c *conn) init(nc net.Conn, r role, opts ConnOptions) {
	c.nc, c.role, c.opts = nc, r, opts
	c.vectors = writesVectors(nc)
	c.direct, c.socket = newSocketWriter(nc), socketOf(nc)
	c.done = make(chan struct{})
	c.streams = make(map[uint32]*stream)
	c.send.init()
	c.streamWindow = opts.StreamWindow
	c.link.init(opts.StreamWindow, opts.StaticWindows)
	c.read.init(newSource(nc), opts)
	c.clock.due = never
}

// start starts the read goroutine, after what is to be written first was queued.
func (c *conn) start(first []byte) {
	c.parts.Add(1)
	c.mu.Lock()
	c.send.buf = append(c.send.buf, c.greeting(first)...)
	c.send.peerBytes = len(c.send.buf) // it answers that the peer has come
	c.unlock()
}

// greeting appends to the first bytes what opens the window of the connection.
func (c *conn) greeting(first []byte) []byte {
	if more := c.opts.ConnWindow - frame.DefaultWindow; more > 0 {
		first = frame.AppendWindowUpdate(first, 0, uint32(more))
	}
	return first
}

// unlock releases c.mu, wakes the write goroutine if there is something for it to do, and closes the connection if it was only
// kept for streams that are gone.
func (c *conn) unlock() {
	wake := c.wakeLocked()
	drained := c.drainedLocked()
	c.mu.Unlock()
	if wake != nil {
		wake <- struct{}{}
	}
	if drained {
		c.close(ErrConnClosing, frame.NoError, "", true)
	}
}

// drainedLocked reports whether the connection was only kept for streams that are gone.
func (c *conn) drainedLocked() bool {
	return c.state == connDraining && len(c.streams) == 0 && c.role.drainedLocked()
}

// addLocked enters a new stream into the table.
func (c *conn) addLocked(s *stream) {
	s.recv.window = inWindow{size: c.streamWindow, open: c.streamWindow}
	c.streams[s.id] = s
	if len(c.streams) > 1 {
		c.send.company = overlap
	}
}

// advanceLocked moves the stream to its next state, and takes it out of the table when it is closed.
func (c *conn) advanceLocked(s *stream, e streamEvent) error {
	state, err := s.state.next(e)
	if err != nil {
		return err
	}
	s.state = state
	if state == streamClosed {
		c.removeLocked(s)
	}
	return nil
}

func (c *conn) removeLocked(s *stream) {
	if c.streams[s.id] != s {
		return
	}
	delete(c.streams, s.id)
	s.gone.Store(true)
	s.out.link.remove()
	if s.out.trailers != nil && s.out.queued > 0 { // they will never be read
		c.send.unread.streams--
		c.send.unread.bytes -= s.out.queued
	}
	s.out.drop()
	s.out.signal()
	c.role.removedLocked(s)
}

// resetLocked ends a stream with RST_STREAM. It reports whether the stream was still there.
func (c *conn) resetLocked(s *stream, code frame.ErrCode) bool {
	if s.state == streamClosed {
		return false
	}
	c.send.reset(s.id, code)
	_ = c.advanceLocked(s, sendReset) // never illegal
	return true
}

// abort ends a stream with RST_STREAM because of what the peer did. Only the read goroutine calls it. It reports whether the
// stream was still there.
func (c *conn) abort(s *stream, code frame.ErrCode, text string) bool {
	c.mu.Lock()
	before := len(c.send.buf)
	there := c.resetLocked(s, code)
	c.caused(before)
	if there {
		s.side.aborted(abort{code: code, text: text})
	}
	return there
}

// close ends the connection and all of its streams. A GOAWAY with the code and the text is sent, for which there is closeGrace.
// With linger the peer is left that time to read what was sent, since bytes that this side has not read would take it away
// (a TCP reset). Only the first call counts.
func (c *conn) close(err error, code frame.ErrCode, debug string, linger bool) {
	c.mu.Lock()
	if c.state == connClosed {
		c.mu.Unlock()
		return
	}
	c.state, c.err = connClosed, err
	streams := c.streams
	c.streams = nil
	for _, s := range streams {
		s.state = streamClosed
		s.gone.Store(true)
		s.out.link.remove()
		s.out.drop()
		s.out.signal()
		c.role.removedLocked(s)
	}
	if code != frame.NoError || !c.send.saidLast {
		c.send.buf = frame.AppendGoAway(c.send.buf, c.role.lastIDLocked(), code, debug[:min(len(debug), maxDebugData)])
	}
	c.send.linger = linger
	c.kill = time.AfterFunc(closeGrace, c.cut)
	c.clock.stopLocked()
	c.unlock()
	c.role.closed(err) // first, so that no call that ends now is made on this connection again
	for _, s := range streams {
		s.side.aborted(abort{conn: err})
	}
}

// cut closes the network connection without regard to what waits to be written.
func (c *conn) cut() {
	if c.socket != nil {
		c.socket.Close() // TLS would say good-bye first, for which it waits
	}
	c.nc.Close()
}

// maxDebugData is how many bytes of a GOAWAY's debug data are sent.
const maxDebugData = 128

// leave is called by each goroutine of the connection, and by a caller that writes, when it has no more use for nc.
func (c *conn) leave() {
	if c.parts.Add(-1) > 0 {
		return
	}
	c.nc.Close()
	c.mu.Lock()
	c.kill.Stop()
	if c.send.timer != nil {
		c.send.timer.Stop()
	}
	c.mu.Unlock()
	close(c.done)
}
