// What both ends of a stream share: its place on the connection, what it received, what it has to send.

package transport

import (
	"sync/atomic"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/transport/internal/frame"
)

// writeQuota is how many bytes of a stream may wait to be written before a writer of further messages waits too.
const writeQuota = 64 << 10

// A stream is one HTTP/2 stream. ClientStream and ServerStream embed it.
type stream struct {
	c    *conn
	id   uint32
	side streamSide
	recv recvQueue

	// Of the read goroutine alone:
	takesMessages bool  // whether DATA belongs to messages
	expect        int64 // bytes of DATA still to come by content-length, -1 if unknown

	renewed atomic.Bool // the peer has given more window, so it reads the stream
	gone    atomic.Bool // the stream is closed and out of the table

	// The rest is guarded by c.mu.
	state streamState
	out   outQueue
}

// A streamSide is what differs between the ends of a stream. The methods are called without locks, by the read goroutine;
// aborted also by whoever closed the connection.
type streamSide interface {
	// aborted says that the stream came to a sudden end. It is closed and out of the table. Called at most once.
	aborted(why abort)
	// ended says that the peer has ended the stream with a DATA frame.
	ended()
	// stray takes bytes of DATA while the stream takes no messages.
	stray(p []byte)
}

// An abort says why a stream came to a sudden end.
type abort struct {
	code        frame.ErrCode // of the RST_STREAM, if conn is nil
	byPeer      bool          // whether the peer sent it
	text        string        // what was wrong, if this side sent it
	conn        error         // what ended the connection
	unprocessed bool          // whether the peer has certainly not acted on the stream
}

// An outQueue holds what a stream has to send and could not be sent yet.
type outQueue struct {
	window   outWindow // beyond the connection-wide initial window
	messages []*OutMessage
	first    [2]*OutMessage // the memory of messages as long as they are few
	sent     int            // bytes of messages[0] that were sent
	queued   int            // bytes that were not sent
	end      bool           // END_STREAM follows
	trailers *trailers      // or these do

	link streamLink

	waiting bool // somebody waits for the queue to shrink
	wake    chan struct{}
}

// trailers is the end of a response.
type trailers struct {
	status  rpcStatus
	fields  []hpack.HeaderField
	only    bool   // nothing was sent before: the block must say what the headers would have said
	subtype string // the content-subtype of the response, if only
}

func (q *outQueue) push(m *OutMessage) {
	if q.messages == nil {
		q.messages = q.first[:0]
	}
	q.messages = append(q.messages, m)
	q.queued += m.Len()
}

// pop takes the first message, which was sent, off the queue.
func (q *outQueue) pop() *OutMessage {
	m := q.messages[0]
	q.messages[0] = nil
	q.messages = q.messages[1:]
	q.sent = 0
	if len(q.messages) == 0 {
		q.messages = nil
	}
	return m
}

// drop empties the queue.
func (q *outQueue) drop() {
	for _, m := range q.messages {
		m.Free()
	}
	q.messages, q.sent, q.queued, q.end, q.trailers = nil, 0, 0, false, nil
}

// signal wakes whoever waits for the queue to shrink.
func (q *outQueue) signal() {
	if q.waiting {
		q.waiting = false
		q.wake <- struct{}{}
	}
}

// A streamList is a ring of streams that have something to send.
type streamList struct{ root streamLink }

// A streamLink is a stream's place in a list. It is in none if next is nil.
type streamLink struct {
	prev, next *streamLink
	s          *stream
}

func (l *streamList) init() { l.root.prev, l.root.next = &l.root, &l.root }

func (l *streamList) empty() bool { return l.root.next == &l.root }

func (l *streamList) first() *stream { return l.root.next.s }

// push adds a stream, which is in no list, at the end.
func (l *streamList) push(s *stream) {
	k := &s.out.link
	k.s, k.prev, k.next = s, l.root.prev, &l.root
	k.prev.next, k.next.prev = k, k
}

// takeAll moves all streams of another list to the end, in constant time.
func (l *streamList) takeAll(other *streamList) {
	if other.empty() {
		return
	}
	first, last := other.root.next, other.root.prev
	first.prev, last.next = l.root.prev, &l.root
	first.prev.next, last.next.prev = first, last
	other.init()
}

// remove takes a stream out of the list that it is in, if any.
func (k *streamLink) remove() {
	if k.next == nil {
		return
	}
	k.prev.next, k.next.prev = k.next, k.prev
	k.prev, k.next = nil, nil
}

// write queues a message, whose reference it takes over, and with end says that it is the last one. It blocks while too much of
// the stream waits to be written. One goroutine at a time may write.
func (s *stream) write(m *OutMessage, end bool) error {
	c := s.c
	c.mu.Lock()
	for s.out.queued >= writeQuota && s.state.canSend() {
		s.waitLocked()
	}
	if !s.state.canSend() || s.out.end || s.out.trailers != nil {
		c.mu.Unlock()
		m.Free()
		return ErrStreamDone
	}
	c.sendMessageLocked(s, m, end)
	c.flushBatchLocked()
	return nil
}

// waitLocked unlocks the connection until the queue of the stream shrinks or the stream ends, and locks it again.
func (s *stream) waitLocked() {
	if s.out.wake == nil {
		s.out.wake = make(chan struct{}, 1)
	}
	s.out.waiting = true
	s.c.mu.Unlock()
	<-s.out.wake
	s.c.mu.Lock()
}

// signal wakes the reader, or begins the call if there is no reader yet. It is called once for each true that recv's methods return.
func (s *stream) signal() {
	if s.recv.wake == nil {
		s.side.(*ServerStream).begin()
		return
	}
	s.recv.signal()
}

// receive blocks for the next message. The error is io.EOF at the end of the stream.
func (s *stream) receive() (InMessage, error) {
	for {
		m, increment, err := s.recv.take()
		if increment > 0 {
			s.sendWindowUpdate(increment)
		}
		if m.Payload != nil || err != nil {
			return m, err
		}
		s.recv.await(forMessage, nil, s)
	}
}

// sendWindowUpdate gives the peer more of the stream's window, unless the peer needs none any more.
func (s *stream) sendWindowUpdate(increment uint32) {
	s.c.mu.Lock()
	if s.state.canRecv() {
		s.c.send.buf = frame.AppendWindowUpdate(s.c.send.buf, s.id, increment)
	}
	s.c.unlock()
}
