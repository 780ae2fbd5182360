// The sending half of a connection: state under one mutex, and the one goroutine that turns it into bytes.
//
// Callers put bytes where they belong: headers and control frames, and messages that are small and fit the windows, straight
// behind what is already waiting; other messages into their stream's queue, and the stream into a list. The write goroutine
// takes what is waiting, gives each stream of the list a turn, writes, and begins anew. Nobody sends it anything, but a caller
// may be faster (flush.go).

package transport

import (
	"runtime"
	"slices"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	copyLimit   = 4 << 10  // bytes of a message that are rather copied than referred to
	turnSize    = 64 << 10 // bytes that a stream may send before it is the next one's turn, or an eighth more if that is all, to what is no socket
	smallBatch  = 4 << 10  // bytes of a batch that is worth waiting a moment for company
	maxYields   = 4        // how often the write goroutine lets others run before it writes a small batch
	overlap     = 16       // how many ends of calls are written with others' after streams have overlapped
	keptBuffer  = 96 << 10 // bytes of a write buffer that is kept however little of it is used: a turn, and what append sets aside beyond it
	backlogSize = 64 << 10 // bytes caused by the peer that may wait before the read goroutine waits too
)

// A writerState says what the write goroutine is doing.
type writerState uint8

const (
	writerNone    writerState = iota // there is none; the next work starts one
	writerRunning                    // it will look at the state before it parks
	writerParked                     // it waits for conn.wake
)

// A sendSide is what a connection has to send and may send. It is guarded by conn.mu.
type sendSide struct {
	buf       []byte // bytes for the wire, in their order
	lastData  dataFrame
	ready     streamList // streams with bytes to send and window to send them
	blocked   streamList // streams with bytes to send whose window is used up
	window    outWindow  // of the connection
	checks    int        // how often the windows of all streams were looked at
	initial   int64      // the peer's SETTINGS_INITIAL_WINDOW_SIZE
	widest    outWindow  // no stream's window is further beyond initial
	maxFrame  int        // the peer's SETTINGS_MAX_FRAME_SIZE
	maxList   uint64     // the peer's SETTINGS_MAX_HEADER_LIST_SIZE
	blocks    blockEncoder
	writer    writerState
	writing   bool          // somebody is writing: the write goroutine, or a caller, whom it lets finish
	full      bool          // the socket had no room for all that a caller wrote: the write goroutine is next
	wake      chan struct{} // wakes the parked write goroutine; one slot, filled only when it is parked; closed to end it
	writes    uint64        // how often writing has begun, or got on
	retireAt  uint64        // writes when timer was started
	retiring  bool          // timer is running
	timer     *time.Timer
	linger    bool          // leave the socket to the peer when all is written
	saidLast  bool          // a GOAWAY has named the last stream that this side acts on
	peerBytes int           // bytes of buf that the peer has caused
	spoke     bool          // other bytes were sent since the peer's last PING
	broken    bool          // writing has failed: what is still to be written is dropped
	unread    unread        // of a server
	room      chan struct{} // made by the read goroutine when it waits for peerBytes to shrink; closed when they have
	company   int           // how many more ends of calls are left to the write goroutine because streams have overlapped
	spare     []byte        // memory for buf while a caller writes
	resets    []uint32      // the streams that were reset last, at most recentResets
	nextReset int           // where the next one goes
}

// A dataFrame is the DATA frame at the end of sendSide.buf, which more data of its stream may join.
type dataFrame struct {
	id   uint32 // 0 if there is none
	at   int    // where its header begins
	len  int    // bytes of payload
	more bool   // there are others before it
}

func (d *sendSide) init() {
	d.window = frame.DefaultWindow
	d.initial = frame.DefaultWindow
	d.maxFrame = frame.DefaultMaxSize
	d.maxList = noListLimit
	d.ready.init()
	d.blocked.init()
}

// noListLimit is the largest header list as long as the peer has named no limit.
const noListLimit = 1<<64 - 1

// apply takes over one of the peer's settings that concern what is sent.
func (d *sendSide) apply(s frame.Setting) {
	switch s.ID {
	case frame.HeaderTableSize:
		d.blocks.setTableSize(s.Value)
	case frame.MaxFrameSize:
		d.maxFrame = int(s.Value)
	case frame.MaxHeaderListSize:
		d.maxList = uint64(s.Value)
	}
}

// unblock lets all streams try again whose window was used up, in constant time.
func (d *sendSide) unblock() {
	d.ready.takeAll(&d.blocked)
}

// reset appends a RST_STREAM, and remembers it for a while.
func (d *sendSide) reset(id uint32, code frame.ErrCode) {
	d.buf = frame.AppendRSTStream(d.buf, id, code)
	d.ignore(id)
}

// ignore remembers for a while that what the peer still sends on a stream is of no interest.
func (d *sendSide) ignore(id uint32) {
	if len(d.resets) < recentResets {
		d.resets = append(d.resets, id)
		return
	}
	d.resets[d.nextReset%recentResets] = id
	d.nextReset++
}

// wasReset reports whether this side has reset the stream lately.
func (d *sendSide) wasReset(id uint32) bool {
	return slices.Contains(d.resets, id)
}

// mayLocked returns how many bytes the stream may send by the windows.
func (s *stream) mayLocked() int {
	d := &s.c.send
	return int(max(0, min(int64(d.window), int64(s.out.window)+d.initial)))
}

// spendLocked takes n sent bytes out of the windows.
func (s *stream) spendLocked(n int) {
	s.c.send.window -= outWindow(n)
	s.out.window -= outWindow(n)
}

// sendMessageLocked takes over a message: small ones go straight to the end of what is waiting.
func (c *conn) sendMessageLocked(s *stream, m *OutMessage, end bool) {
	if n := m.Len(); s.out.queued > 0 || n > copyLimit || n > s.mayLocked() || len(c.send.buf) > backlogSize {
		s.out.push(m)
		s.out.end = end
		s.linkLocked()
		return
	}
	c.send.data(s.id, m, end)
	s.spendLocked(m.Len())
	m.Free()
	if end {
		_ = c.advanceLocked(s, sendEnd) // the caller has checked the state
	}
}

// data appends a whole message as a DATA frame, or to the DATA frame of the same stream that is the last in the buffer.
func (d *sendSide) data(id uint32, m *OutMessage, end bool) {
	n := m.Len()
	last := &d.lastData
	if last.id != id || last.at+frame.HeaderLen+last.len != len(d.buf) || last.len+n > frame.DefaultMaxSize {
		*last = dataFrame{id: id, at: len(d.buf), more: last.len > 0}
		d.buf = frame.AppendHeader(d.buf, frame.Data, 0, id, 0)
	}
	d.buf = m.appendTo(d.buf, 0, n)
	last.len += n
	f := frame.Flags(0)
	if end {
		f = frame.EndStream
		last.id = 0
	}
	frame.AppendHeader(d.buf[:last.at], frame.Data, f, id, last.len)
}

// linkLocked puts a stream with bytes to send into the list that it belongs to.
func (s *stream) linkLocked() {
	d := &s.c.send
	s.out.link.remove()
	switch {
	case s.out.queued == 0:
	case int64(s.out.window)+d.initial > 0:
		d.ready.push(s)
	default:
		d.blocked.push(s)
	}
}

// growLocked adds to the window of a stream.
func (c *conn) growLocked(s *stream, increment uint32) error {
	w := s.out.window + outWindow(c.send.initial)
	if err := w.grow(increment); err != nil {
		return err
	}
	s.out.window += outWindow(increment)
	c.send.widest = max(c.send.widest, s.out.window)
	s.linkLocked()
	return nil
}

// endLocked ends the sending half of a stream after what it has queued.
func (c *conn) endLocked(s *stream) {
	if s.out.queued > 0 {
		s.out.end = true
		return
	}
	c.send.buf = frame.AppendHeader(c.send.buf, frame.Data, frame.EndStream, s.id, 0)
	_ = c.advanceLocked(s, sendEnd) // the caller has checked the state
}

// hasWorkLocked reports whether there is something that can be written now.
func (c *conn) hasWorkLocked() bool {
	d := &c.send
	return c.state == connClosed || !d.broken && (len(d.buf) > 0 || !d.ready.empty() && d.window > 0)
}

// wakeLocked makes sure that the write goroutine looks at the state. It returns where the caller must send to wake it, nil if it is
// awake, or somebody is writing, who will call wakeLocked again.
func (c *conn) wakeLocked() chan<- struct{} {
	d := &c.send
	if d.writer == writerRunning || d.writing || !c.hasWorkLocked() {
		return nil
	}
	if d.writer == writerNone {
		d.wake = make(chan struct{}, 1)
		c.parts.Add(1)
		go c.writeLoop(d.wake) // owned by the connection; ends when all is written after close, or when there was no work for a while
		d.writer = writerRunning
		return nil
	}
	d.writer = writerRunning
	return d.wake
}

// takeBuffer takes what is waiting in one piece; next is the memory for what comes now.
func (d *sendSide) takeBuffer(next []byte) []byte {
	b := d.buf
	if len(b) > d.peerBytes {
		d.spoke = true
	}
	d.buf, d.lastData = next, dataFrame{}
	d.peerBytes, d.unread.begun = 0, 0
	if d.room != nil {
		close(d.room)
		d.room = nil
	}
	return b
}

// writeLoop is the write goroutine.
func (c *conn) writeLoop(wake <-chan struct{}) {
	defer c.leave()
	b := new(batch)
	c.mu.Lock()
	for c.awaitWorkLocked(wake) {
		last, broken := c.state == connClosed, c.send.broken
		c.gatherLocked(b)
		c.send.writing, c.send.full = true, false
		c.send.writes++
		c.watchWriteLocked()
		drained := c.drainedLocked()
		c.mu.Unlock()
		if last {
			_ = c.nc.SetWriteDeadline(time.Now().Add(closeGrace)) // a net.Conn without deadlines is closed by the timer
		}
		var err error
		if !broken {
			err = c.write(b)
		}
		b.reset()
		if last {
			c.finishWriting(err == nil && !broken)
			return
		}
		if err != nil {
			c.closeForWrite(err)
		} else if drained {
			c.close(ErrConnClosing, frame.NoError, "", true)
		}
		c.mu.Lock()
		c.send.writing = false
	}
	c.mu.Unlock()
}

// awaitWorkLocked blocks until there is something to write, and nobody who writes, and then a moment for company. It returns false if the
// goroutine shall end instead, since there was none for so long.
func (c *conn) awaitWorkLocked(wake <-chan struct{}) bool {
	for {
		for c.send.writing || !c.hasWorkLocked() {
			if !c.parkLocked(wake) {
				return false
			}
		}
		c.gatherCompanyLocked()
		if !c.send.writing && c.hasWorkLocked() { // no caller was faster
			return true
		}
	}
}

// gatherCompanyLocked lets those who are ready to send join a small batch: once, and again as long as one stream alone makes it grow,
// which is sending message after message then.
func (c *conn) gatherCompanyLocked() {
	d := &c.send
	for range maxYields {
		before := len(d.buf)
		if before >= smallBatch || !d.ready.empty() || c.state == connClosed || c.opts.WriteBufferSize < 0 {
			return
		}
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		if len(d.buf) == before || d.lastData.id == 0 || d.lastData.at >= before {
			return
		}
	}
}

// parkLocked blocks until there is work, or returns false as awaitWorkLocked does.
func (c *conn) parkLocked(wake <-chan struct{}) bool {
	d := &c.send
	d.writer = writerParked
	if !d.retiring {
		d.retireLater(c)
	}
	c.mu.Unlock()
	_, work := <-wake
	c.mu.Lock()
	return work
}

// idleWriter is how long the write goroutine stays without work.
const idleWriter = time.Second

// retireLater sees to it that the write goroutine ends, and the buffers with it, if nothing is written for a while and they are not kept.
func (d *sendSide) retireLater(c *conn) {
	if c.opts.KeepWriteBuffers {
		return
	}
	d.retiring, d.retireAt = true, d.writes
	if d.timer == nil {
		d.timer = time.AfterFunc(idleWriter, c.retireWriter)
	} else {
		d.timer.Reset(idleWriter)
	}
}

// retireWriter ends the write goroutine and frees the buffers if nothing was written since retireLater.
func (c *conn) retireWriter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &c.send
	d.retiring = false
	switch {
	case d.writer == writerRunning || c.state == connClosed:
	case d.writes != d.retireAt || len(d.buf) > 0: // what Flush will write, or a caller is writing
		d.retireLater(c)
	default:
		d.buf, d.spare = nil, nil
		if d.writer == writerParked {
			d.writer = writerNone
			close(d.wake)
		}
	}
}

// closeForWrite ends the connection because it cannot be written to: at once, or, if what the peer said before may be on its way, when that was
// read, which is given closeGrace.
func (c *conn) closeForWrite(err error) {
	c.mu.Lock()
	c.send.broken = true
	c.mu.Unlock()
	err = connectionErrorf(true, err, "error writing to %s: %v", c.role.peerName(), err)
	end := func() { c.close(err, frame.NoError, "", false) }
	if c.role.readsOn() {
		time.AfterFunc(closeGrace, end) // which does nothing if the connection has ended
	} else {
		end()
	}
}

// finishWriting ends the writing half of the socket, or all of it if nobody shall linger or not all was written.
func (c *conn) finishWriting(all bool) {
	c.mu.Lock()
	linger := c.send.linger
	c.mu.Unlock()
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && linger && all {
		if half.CloseWrite() == nil {
			return
		}
	}
	c.nc.Close()
}

// gatherLocked takes what is waiting, and then gives streams their turns until the batch is full.
func (c *conn) gatherLocked(b *batch) {
	d := &c.send
	d.lastData = dataFrame{}
	limit := turnSize
	switch size := c.opts.WriteBufferSize; {
	case size > 0:
		limit = size
	case c.vectors:
		limit = b.limit()
	}
	for size := len(d.buf); d.window > 0 && !d.ready.empty() && size < limit; {
		size += c.turnLocked(d.ready.first(), b)
	}
	b.flat = d.takeBuffer(b.flat)
}

// turnLocked moves one DATA frame of the stream into the batch. It returns its size.
func (c *conn) turnLocked(s *stream, b *batch) int {
	s.out.link.remove()
	turn := turnSize
	if c.vectors { // large messages need not be copied
		turn = b.limit()
		if !c.send.ready.empty() {
			turn /= turnsPerBatch
		}
	}
	if size := c.opts.WriteBufferSize; size > 0 {
		turn = min(turn, size)
	}
	n := min(s.out.queued, s.mayLocked())
	if n > turn+turn/8 { // else the rest is not worth a turn of its own
		n, b.short = turn, true
	}
	n = min(n, c.send.maxFrame)
	if n > 0 {
		c.frameLocked(s, b, n)
	}
	if s.out.queued < writeQuota {
		s.out.signal()
	}
	s.linkLocked()
	return n
}

// frameLocked appends a DATA frame with the next n bytes of the stream, and the end of the stream if that follows them.
func (c *conn) frameLocked(s *stream, b *batch, n int) {
	d, q := &c.send, &s.out
	f := frame.Flags(0)
	if q.end && n == q.queued {
		f = frame.EndStream
	}
	d.buf = frame.AppendHeader(d.buf, frame.Data, f, s.id, n)
	s.spendLocked(n)
	q.queued -= n
	if q.trailers != nil {
		d.unread.bytes -= n
	}
	for n > 0 {
		m := q.messages[0]
		part := min(n, m.Len()-q.sent)
		if c.vectors && part > copyLimit {
			m.Ref()
			b.held = append(b.held, m)
			m.each(q.sent, part, func(p []byte) { b.refer(d.buf, p) })
		} else {
			d.buf = m.appendTo(d.buf, q.sent, part)
		}
		n -= part
		if q.sent += part; q.sent == m.Len() {
			q.pop().Free()
		}
	}
	switch {
	case f != 0:
		_ = c.advanceLocked(s, sendEnd) // nothing was sent behind the end
	case q.queued == 0 && q.trailers != nil:
		d.unread.streams--
		c.trailersLocked(s, q.trailers)
	}
}
