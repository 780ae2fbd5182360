// The read goroutine of a connection: frame by frame, each to its handler. It never waits for the socket to take something: what it has to
// say is left to the write goroutine, but for the answer to a call that is refused while it is handed to the handler, of which it writes as
// much as the socket has room for. It never waits for the write goroutine either, except while too much of what the peer has caused waits
// to be written.

package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// directRead is how many bytes of a message must be missing for them to be read from the socket straight into the message.
const directRead = 4 << 10

// maxEmptyData is how many DATA frames in a row, of all streams, may neither carry data nor end their stream.
const maxEmptyData = 100

// recentResets is how many streams that this side has reset are remembered: what the peer has sent before it knew is ignored.
const recentResets = 128

// A readSide is the state of the read goroutine.
type readSide struct {
	frames  *frame.Reader
	blocks  blockDecoder
	window  inWindow // of the connection
	last    *stream  // the stream of the last frame, so that a look-up serves a run of frames
	block   openBlock
	backlog int  // a recent value of sendSide.peerBytes
	crowded bool // sendSide was crowded when a stream was opened
	empty   int  // DATA frames in a row that brought nothing
	settled bool // whether the peer's first SETTINGS have arrived
	turn    int  // calls that were handed over since the last turn ended, and may have been put off
}

func (r *readSide) init(src frame.Source, o ConnOptions) {
	r.frames = frame.NewReader(src, o.Pool, o.ReadBufferSize, maxFrameSize)
	r.blocks.maxList = o.maxHeaderList()
	r.window = inWindow{size: o.ConnWindow, open: o.ConnWindow}
}

// readLoop is the read goroutine. It returns when the connection ends, or when another one has taken its place.
func (c *conn) readLoop() {
	if err := c.readFrames(); err != errRelieved {
		c.endReading(err)
	}
}

// errRelieved says that another goroutine reads the connection now.
var errRelieved = errors.New("transport: another goroutine reads")

// endReading ends the connection, because of err, and the use that the read goroutine has for it.
func (c *conn) endReading(err error) {
	defer c.leave()
	fault := (*frame.Error)(nil)
	switch {
	case errors.As(err, &fault):
		c.close(c.role.readError(fault), fault.Code, fault.Text, true)
	case errors.Is(err, os.ErrDeadlineExceeded): // there is none but for the handshake
		c.close(c.role.readError(err), frame.SettingsTimeout, "no preface and SETTINGS in time", false)
	default:
		c.close(c.role.readError(err), frame.NoError, "", false)
	}
	c.endTurn(true)
	// Bytes that nobody reads would make the system reset the connection and throw away what was written last. This ends at the
	// latest when the timer of close does.
	_ = c.nc.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, c.nc)
	c.read.frames.Close()
}

// readFrames reads until an error: one of the connection, or a *frame.Error that is the peer's fault.
func (c *conn) readFrames() error {
	for {
		if c.turnIsOver() && !c.endTurn(false) {
			return errRelieved
		}
		if err := c.pace(); err != nil {
			return err
		}
		h, err := c.read.frames.Next()
		if err != nil {
			return c.lateBlock(err)
		}
		if err := c.handle(h); err != nil {
			return c.lateBlock(err)
		}
	}
}

// handleBuffered takes those of the following frames that belong to the same stream and are in the buffer already.
func (c *conn) handleBuffered(id uint32) error {
	for c.read.block.id == 0 && c.read.frames.NextIsBuffered(id) {
		h, err := c.read.frames.Next()
		if err != nil {
			return err
		}
		if err := c.handle(h); err != nil {
			return err
		}
	}
	return nil
}

// pace waits while too much of what the peer has caused waits to be written. That is the socket's doing: whoever writes takes all there
// is, again and again, as long as it may be written. An error says that the connection is closed.
func (c *conn) pace() error {
	if !c.mayPace() {
		return nil
	}
	crowded := c.read.crowded
	c.read.backlog, c.read.crowded = 0, false
	c.mu.Lock()
	if c.state == connClosed {
		c.mu.Unlock()
		return ErrConnClosing
	}
	crowded = crowded && c.send.crowded()
	if c.send.peerBytes <= backlogSize && !(crowded && c.hasWorkLocked()) { // without work it is windows that are waited for, which must be read
		c.mu.Unlock()
		if crowded {
			runtime.Gosched() // or handlers, which must not fall far behind
		}
		return nil
	}
	room := make(chan struct{})
	c.send.room = room
	c.mu.Unlock()
	<-room // whoever writes closes it, at the latest when the write goroutine does for the last time
	return nil
}

// mayPace reports whether pace may have to wait.
func (c *conn) mayPace() bool { return c.read.crowded || c.read.backlog > backlogSize }

// caused unlocks after the bytes that were appended since the buffer had the length before: the peer has caused them.
func (c *conn) caused(before int) {
	c.send.peerBytes += len(c.send.buf) - before
	c.read.backlog = c.send.peerBytes
	c.unlock()
}

// handle takes one frame.
func (c *conn) handle(h frame.Header) error {
	if b := &c.read.block; b.id != 0 && (h.Type != frame.Continuation || h.StreamID != b.id) {
		return faultf(frame.ProtocolError, "%v within the header block of stream %d", h, b.id)
	}
	if !c.read.settled && h.Type != frame.Settings {
		return faultf(frame.ProtocolError, "first frame is %v, want SETTINGS", h)
	}
	switch h.Type {
	case frame.Data:
		return c.onData(h)
	case frame.Headers:
		return c.onHeaders(h)
	case frame.Continuation:
		return c.onContinuation(h)
	case frame.RSTStream, frame.WindowUpdate, frame.Priority, frame.Ping:
		return c.onFixed(h)
	case frame.Settings:
		return c.onSettings(h)
	case frame.GoAway:
		return c.onGoAway(h)
	case frame.PushPromise:
		return faultf(frame.ProtocolError, "PUSH_PROMISE, which was disabled or comes from a client")
	}
	return nil // unknown types are ignored (RFC 9113 §4.1)
}

func faultf(code frame.ErrCode, format string, args ...any) error {
	return &frame.Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// stream returns the stream of a frame, nil if it is closed.
func (c *conn) stream(id uint32) *stream {
	if s := c.read.last; s != nil && s.id == id && !s.gone.Load() {
		return s
	}
	c.mu.Lock()
	s := c.streams[id]
	c.mu.Unlock()
	if s != nil {
		c.read.last = s
	}
	return s
}

// onData takes a DATA frame (RFC 9113 §6.1). All of it counts for the window of the connection, which is renewed at once:
// what bounds memory is the windows of the streams.
func (c *conn) onData(h frame.Header) error {
	if err := frame.CheckData(h); err != nil {
		return err
	}
	if err := c.read.window.receive(int64(h.Length)); err != nil {
		return faultf(frame.FlowControlError, "DATA: %v", err)
	}
	c.read.window.consume(int64(h.Length))
	c.measure(h.Length)
	if n := c.read.window.renew(); n > 0 {
		c.control(func(b []byte) []byte { return frame.AppendWindowUpdate(b, 0, n) })
	}
	n, pad := h.Length, 0
	if h.Flags.Has(frame.Padded) {
		var b [1]byte
		if err := c.read.frames.ReadFull(b[:]); err != nil {
			return err
		}
		var err error
		if n, err = frame.DataLen(h, b[0]); err != nil {
			return err
		}
		pad = h.Length - n
	}
	if n > 0 || h.Flags.Has(frame.EndStream) {
		c.read.empty = 0
	} else if c.read.empty++; c.read.empty > maxEmptyData {
		return faultf(frame.EnhanceYourCalm, "%d empty DATA frames in a row, limit %d", c.read.empty, maxEmptyData)
	}
	s := c.stream(h.StreamID)
	if s == nil {
		return c.dataOnClosed(h)
	}
	return c.streamData(s, h, n, pad)
}

// dataOnClosed answers DATA on a stream that is not in the table. If that is because the connection was closed, the GOAWAY is the answer:
// a reset would become the status of the call.
func (c *conn) dataOnClosed(h frame.Header) error {
	if c.role.idle(h.StreamID) {
		return faultf(frame.ProtocolError, "DATA on idle stream %d", h.StreamID)
	}
	c.mu.Lock()
	if c.state == connClosed { // which has closed the stream: that is no fault of the peer's
		c.mu.Unlock()
		return ErrConnClosing
	}
	before := len(c.send.buf)
	if !c.send.wasReset(h.StreamID) {
		c.send.reset(h.StreamID, frame.StreamClosed)
	}
	c.caused(before)
	return nil
}

// streamData takes n bytes of data and pad bytes of padding for a stream.
func (c *conn) streamData(s *stream, h frame.Header, n, pad int) error {
	if n == h.Length && n <= c.read.frames.BufferedLen() && s.takesMessages && s.expect < 0 {
		return c.wholeData(s, h, c.read.frames.Buffered())
	}
	increment, err := s.recv.arrive(h.Length, pad)
	if err != nil {
		return c.unwantedData(s, h, err)
	}
	if increment > 0 {
		s.sendWindowUpdate(increment)
	}
	if s.expect >= 0 {
		if s.expect -= int64(n); s.expect < 0 || s.expect > 0 && h.Flags.Has(frame.EndStream) {
			c.abort(s, frame.ProtocolError, "content-length does not match the data")
			return nil
		}
	}
	if err := c.receive(s, n); err != nil {
		return err
	}
	if h.Flags.Has(frame.EndStream) {
		c.peerEnded(s)
	}
	return nil
}

// peerEnded says that the peer has ended the stream. Hardly a frame of it follows, so that it is not kept for that.
func (c *conn) peerEnded(s *stream) {
	c.read.last = nil
	s.side.ended()
}

// wholeData takes the payload of a DATA frame for a stream.
func (c *conn) wholeData(s *stream, h frame.Header, p []byte) error {
	increment, wake, err := s.recv.arriveWhole(p)
	if err != nil {
		return c.unwantedData(s, h, err)
	}
	if h.Flags.Has(frame.EndStream) {
		c.peerEnded(s) // first, so that the reader need not be woken again
	}
	s.received(increment, wake)
	return nil
}

// unwantedData answers DATA that the receive queue has refused: the stream or its window does not allow it, or the handler has returned
// while its response is still waiting to be sent. Then the client cannot know, and the data is dropped.
func (c *conn) unwantedData(s *stream, h frame.Header, err error) error {
	switch {
	case err != errQueueEnded:
		c.abort(s, frame.FlowControlError, err.Error())
	case c.mayReceive(s):
		if h.Flags.Has(frame.EndStream) {
			s.side.ended()
		}
	case !c.abort(s, frame.StreamClosed, "DATA behind END_STREAM"):
		return c.dataOnClosed(h)
	}
	return nil
}

// mayReceive reports whether the peer has not ended the stream, nor this side reset it.
func (c *conn) mayReceive(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.state.canRecv()
}

// receive reads n bytes of a stream's data to where they belong.
func (c *conn) receive(s *stream, n int) error {
	for n > 0 {
		if n >= directRead && s.takesMessages {
			read, err := c.receiveDirect(s, n)
			if err != nil {
				return err
			}
			if n -= read; read > 0 {
				continue
			}
		}
		if err := c.read.frames.Fill(1); err != nil {
			return err
		}
		p := c.read.frames.Buffered()
		p = p[:min(len(p), n)] // what is beyond n is padding
		n -= len(p)
		if !s.takesMessages {
			s.side.stray(p)
			continue
		}
		s.received(s.recv.put(p, n))
	}
	return nil
}

// receiveDirect reads up to n bytes straight into the arriving message if that misses many. It returns how many.
func (c *conn) receiveDirect(s *stream, n int) (int, error) {
	if c.read.frames.BufferedLen() > 0 {
		return 0, nil
	}
	dst := s.recv.reserve(n)
	if dst == nil {
		return 0, nil
	}
	if err := c.read.frames.ReadFull(dst); err != nil {
		s.recv.commit(0) // what was not read must not become part of a message
		return 0, err
	}
	s.received(s.recv.commit(len(dst)))
	return len(dst), nil
}

// received acts on what the receive queue says after new bytes.
func (s *stream) received(increment uint32, wake bool) {
	if increment > 0 {
		s.sendWindowUpdate(increment)
	}
	if wake {
		s.signal()
	}
}

// control queues a control frame that the peer has caused.
func (c *conn) control(appendFrame func([]byte) []byte) {
	c.mu.Lock()
	before := len(c.send.buf)
	c.send.buf = appendFrame(c.send.buf)
	c.caused(before)
}
