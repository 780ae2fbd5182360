// The messages that arrived on one stream and were not read yet, and the one that is arriving.
//
// Bytes go into chunks in the form that they have on the wire, prefix and payload. A message never spans two chunks, so that it
// can be decoded where it lies; small messages share a chunk, so that many of them cost little more than their bytes. The
// memory of a large message grows with what has arrived, never with what was announced.

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/mem"
)

const (
	smallChunk = 1 << 10  // bytes of a chunk that comes with its own memory
	firstChunk = 16 << 10 // bytes that are set aside for a larger message at first
)

// A chunk holds whole messages. Bytes r to w were published and not yet taken.
type chunk struct {
	data  []byte
	r, w  int
	next  *chunk
	buf   *[]byte // what data is part of if it came from a pool
	from  mem.BufferPool
	small [smallChunk]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

func newChunk(pool mem.BufferPool, size int) *chunk {
	c := chunks.Get().(*chunk)
	if size <= smallChunk {
		c.data = c.small[:]
	} else {
		c.from = pool
		c.buf = bufpool.GetDirty(pool, size)
		c.data = *c.buf
	}
	return c
}

func (c *chunk) free() {
	if c.buf != nil {
		c.from.Put(c.buf)
	} else {
		bufpool.Overwrite(c.data)
	}
	c.data, c.r, c.w, c.next, c.buf, c.from = nil, 0, 0, nil, nil, nil
	chunks.Put(c)
}

// A waitFor says what the reader of a recvQueue is blocked for.
type waitFor uint8

const (
	forNothing waitFor = iota
	forMessage         // one message or the end
	forEnd             // the end, or a second message, which a unary call must not have
	forByte            // the first byte or the end: the reader begins then
)

// MessageTooLarge says that the peer announced a message larger than this side accepts. Nothing of it was kept.
type MessageTooLarge struct {
	Size  uint32 // bytes announced
	Limit int    // bytes accepted
}

// Error names both figures.
func (e MessageTooLarge) Error() string {
	return fmt.Sprintf("received message larger than max (%d vs. %d)", e.Size, e.Limit)
}

// A recvQueue has one writer, the read goroutine of the connection, and one reader at a time.
type recvQueue struct {
	pool  mem.BufferPool
	limit int   // bytes; the largest message that is accepted
	link  *link // of the connection

	mu       sync.Mutex // guards the fields below; held while bytes of one frame are copied, never across I/O
	window   inWindow
	pace     pace   // of the reader
	head     *chunk // the chunk that is read; all further ones follow
	tail     *chunk // the chunk that is filled
	messages int    // complete messages that were not taken
	prefix   [PrefixLen]byte
	got      int   // bytes of the arriving message that are there, prefix included
	size     int   // bytes of the arriving message, once its prefix is there
	coming   int   // bytes of the arriving frame that are not there yet, which the window has paid for
	filling  bool  // the read goroutine reads from the socket into tail
	reading  bool  // the reader uses a message in head
	ended    bool  // nothing more will come
	closed   bool  // nobody reads any more: what comes is dropped
	err      error // what the reader gets after the last message; set before or with ended
	waiting  waitFor
	wake     chan struct{} // made when somebody waits for the first time; holds one wake-up
}

// midMessageLocked reports whether a part of a message has arrived.
func (q *recvQueue) midMessageLocked() bool { return q.got > 0 }

// errQueueEnded says that bytes came when nothing more was to come: the stream has ended, or nobody reads it any more.
var errQueueEnded = errors.New("data behind the end of the stream")

// arrive takes a DATA frame of n bytes out of the window; the padding among them is given back at once.
func (q *recvQueue) arrive(n, padding int) (increment uint32, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.arriveLocked(n); err != nil {
		return 0, err
	}
	q.coming = n - padding
	if padding == 0 {
		return 0, nil
	}
	q.window.consume(int64(padding))
	return q.window.renew() + q.askLocked(), nil // the padding may have taken what a message needs, and nothing else come with it
}

func (q *recvQueue) arriveLocked(n int) error {
	if q.ended {
		return errQueueEnded
	}
	return q.window.receive(int64(n))
}

// arriveWhole is arrive and put in one, for a frame without padding that is there as a whole.
func (q *recvQueue) arriveWhole(p []byte) (increment uint32, wake bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.arriveLocked(len(p)); err != nil {
		return 0, false, err
	}
	q.coming = len(p)
	q.putLocked(p, 0)
	return q.askLocked(), q.mustWakeLocked(), nil
}

// refund gives back n bytes that were not kept.
func (q *recvQueue) refund(n int) (increment uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.window.consume(int64(n))
	return q.window.renew()
}

// widen lets the peer send more, because streams begin with the window to instead of from.
func (q *recvQueue) widen(from, to int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.window.open += to - from
	q.window.size = max(q.window.size, to)
}

// put takes the next bytes of the stream, which left more bytes of the same frame will follow. It returns the increment to give
// the peer so that a message that is waited for can arrive, and whether the reader must be woken.
func (q *recvQueue) put(p []byte, left int) (increment uint32, wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putLocked(p, left)
	return q.askLocked(), q.mustWakeLocked()
}

func (q *recvQueue) putLocked(p []byte, left int) {
	q.coming = max(q.coming-len(p), 0)
	for len(p) > 0 && q.err == nil && !q.closed {
		if q.got < PrefixLen {
			n := copy(q.prefix[q.got:], p)
			q.got += n
			p = p[n:]
			if q.got == PrefixLen {
				q.startLocked(len(p) + left)
			}
			continue
		}
		dst := q.spaceLocked()
		n := copy(dst, p)
		q.advanceLocked(n)
		p = p[n:]
	}
}

// startLocked makes room for a message whose prefix is there; soon more bytes are about to follow.
func (q *recvQueue) startLocked(soon int) {
	n := binary.BigEndian.Uint32(q.prefix[1:])
	if int64(n) > min(int64(q.limit), math.MaxInt-PrefixLen) {
		q.err = MessageTooLarge{Size: n, Limit: q.limit}
		q.got = 0
		return
	}
	q.size = PrefixLen + int(n)
	if t := q.tail; t == nil || len(t.data)-t.w < q.size {
		q.appendChunkLocked(newChunk(q.pool, min(q.size, max(firstChunk, PrefixLen+soon))))
	}
	copy(q.tail.data[q.tail.w:], q.prefix[:])
	q.advanceLocked(0)
}

func (q *recvQueue) appendChunkLocked(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// spaceLocked returns the memory for the rest of the arriving message, or for the next part of it.
func (q *recvQueue) spaceLocked() []byte {
	t := q.tail
	if t.w+q.got == len(t.data) && t.buf != nil {
		t.data = bufpool.Room(t.from, t.buf)
	}
	if t.w+q.got == len(t.data) { // a message for which not enough was set aside has its chunk to itself
		grown := newChunk(q.pool, min(q.size, 4*len(t.data)))
		copy(grown.data, t.data)
		t.data, grown.data = grown.data, t.data
		t.buf, grown.buf = grown.buf, t.buf
		t.from, grown.from = grown.from, t.from
		grown.free()
	}
	return t.data[t.w+q.got : min(t.w+q.size, len(t.data))]
}

// advanceLocked counts n more bytes of the arriving message and publishes it if it is complete.
func (q *recvQueue) advanceLocked(n int) {
	q.got += n
	if q.got == q.size {
		q.tail.w += q.size
		q.messages++
		q.got, q.size = 0, 0
	}
}

// reserve returns memory to read the next bytes of the arriving message into, at most n and at least one; nil if the reader should
// look at the bytes first or drop them. It must be followed by commit.
func (q *recvQueue) reserve(n int) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.err != nil || q.got < PrefixLen {
		return nil
	}
	q.filling = true
	dst := q.spaceLocked()
	return dst[:min(n, len(dst))]
}

// commit counts the n bytes that were read into the memory from reserve.
func (q *recvQueue) commit(n int) (increment uint32, wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.filling = false
	q.coming = max(q.coming-n, 0)
	q.advanceLocked(n)
	if q.closed {
		q.dropLocked()
		return 0, false
	}
	return q.askLocked(), q.mustWakeLocked()
}

// askLocked returns the increment that the arriving message needs if somebody waits for it, and a byte more: a peer without window may not
// find out that it has nothing more to send, and so not send the trailers (nghttp2 does not).
func (q *recvQueue) askLocked() uint32 {
	if q.waiting == forNothing {
		return 0
	}
	missing := 0
	if q.got >= PrefixLen {
		missing = q.size - q.got - q.coming
	}
	return q.window.need(int64(missing) + 1)
}

// end says that nothing more will come; err is what the reader gets after the last message. If the peer has ended the stream within a
// message, that is io.ErrUnexpectedEOF instead of io.EOF, unless the reader has another way to learn that the stream did not end well.
// Only the first call counts.
func (q *recvQueue) end(err error, told bool) (wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.endLocked(err, told)
}

func (q *recvQueue) endLocked(err error, told bool) (wake bool) {
	if q.ended {
		return false
	}
	q.ended = true
	if q.err == nil {
		if err == io.EOF && !told && q.midMessageLocked() {
			err = io.ErrUnexpectedEOF
		}
		q.err = err
	}
	return q.mustWakeLocked()
}

// mustWakeLocked reports whether what the reader waits for is there, and if so notes that it waits no more.
func (q *recvQueue) mustWakeLocked() bool {
	switch {
	case q.waiting == forNothing:
		return false
	case q.ended || q.err != nil || q.messages > 1 || q.messages > 0 && q.waiting != forEnd || q.got > 0 && q.waiting == forByte:
		q.waiting = forNothing
		return true
	}
	return false
}

// signal wakes the reader. It is called once for each true that the methods above return.
func (q *recvQueue) signal() { q.wake <- struct{}{} }

// awaitByte reports whether nothing has come yet. If so, the methods above will return true, once, when something has.
func (q *recvQueue) awaitByte() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = forByte
	return !q.mustWakeLocked()
}

// await blocks until what is waited for is there, or until done is closed, which it reports as false. ask, if not nil, is told
// the increment that the arriving message needs.
func (q *recvQueue) await(what waitFor, done <-chan struct{}, ask *stream) bool {
	q.mu.Lock()
	q.waiting = what
	if q.mustWakeLocked() {
		q.mu.Unlock()
		return true
	}
	if q.wake == nil {
		q.wake = make(chan struct{}, 1)
	}
	increment := q.askLocked()
	q.mu.Unlock()
	if increment > 0 && ask != nil {
		ask.sendWindowUpdate(increment)
	}
	if done == nil {
		<-q.wake
		return true
	}
	select {
	case <-q.wake:
		return true
	case <-done:
	}
	q.mu.Lock()
	woken := q.waiting == forNothing // at the same time
	q.waiting = forNothing
	q.mu.Unlock()
	if woken {
		<-q.wake
	}
	return woken
}

// take returns the next message, or the reason why there is none: nil and nil if it may still come. The payload is valid until
// release. increment is what the peer may be given for it.
func (q *recvQueue) take() (m InMessage, increment uint32, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.messages == 0 {
		return InMessage{}, 0, q.err
	}
	q.trimLocked()
	c := q.head
	n := PrefixLen + int(binary.BigEndian.Uint32(c.data[c.r+1:]))
	m = InMessage{Flag: c.data[c.r], Payload: c.data[c.r+PrefixLen : c.r+n : c.r+n]}
	c.r += n
	q.reading = true
	q.messages--
	q.window.consume(int64(n))
	if q.ended { // what its window has missed, later streams shall have
		q.link.earned(min(2*int64(n), maxInitialWindow))
		return m, 0, nil
	}
	q.pace.bytes += int64(n)
	if q.window.mustRenew() {
		q.pace.grow(&q.window, q.link, int64(n))
	}
	return m, q.window.renew(), nil
}

// An InMessage is a received message. The zero value, whose Payload is nil, is none.
type InMessage struct {
	Flag    byte   // the first byte of the prefix: 0, or 1 for a compressed payload
	Payload []byte // not nil, even if it is empty
}

// release ends the use of the message taken last.
func (q *recvQueue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reading = false
	if q.closed {
		q.dropLocked()
		return
	}
	q.trimLocked()
}

// trimLocked frees the chunk at the head if it was read to its end and nothing is being put into it.
func (q *recvQueue) trimLocked() {
	c := q.head
	if c == nil || c.r != c.w || c == q.tail && q.midMessageLocked() {
		return
	}
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	c.free()
}

// close says that nobody will read any more, and drops what is there.
func (q *recvQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closeLocked()
}

func (q *recvQueue) closeLocked() {
	q.closed, q.ended = true, true
	q.dropLocked()
}

// finish is end and close in one: what the reader still gets is err.
func (q *recvQueue) finish(err error) (wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wake = q.endLocked(err, true)
	q.closeLocked()
	return wake
}

// dropLocked frees all chunks, unless somebody is using one: then whoever that is does it.
func (q *recvQueue) dropLocked() {
	if q.filling || q.reading {
		return
	}
	for c := q.head; c != nil; {
		next := c.next
		c.free()
		c = next
	}
	q.head, q.tail, q.messages, q.got = nil, nil, 0, 0
}
