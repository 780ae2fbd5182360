// FuzzFlow: random interleavings of messages, window updates, settings and resets through the sending half of a connection, and through a
// model of RFC 9113 §5.2 and §6.9: a sum for the connection and one for each stream. No goroutine runs, so that what was sent at each
// step is known.

package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/transport/internal/frame"
)

// A feedConn is a net.Conn on which only that arrives which was put in.
type feedConn struct {
	net.Conn
	in bytes.Buffer
}

func (c *feedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// A flowModel is a connection, and what must come of it.
type flowModel struct {
	t        *testing.T
	c        *Client
	nc       *feedConn
	pool     *loanPool
	script   []byte
	streams  []*flowStream
	window   int64 // of the connection
	initial  int64
	maxFrame int
	largest  int    // the largest value of maxFrame since the last batch
	taken    []byte // what was gathered
	dead     bool   // the peer has broken a rule of the connection
}

// A flowStream is a stream of the model.
type flowStream struct {
	s      *ClientStream
	window int64
	want   []byte // what the application has sent, in its form on the wire
	sent   int    // bytes of it that went into frames
	ended  bool   // the application has ended the stream
	over   bool   // reset
}

func FuzzFlow(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 100, 0, 1, 1, 255, 255, 1, 7, 2, 0, 3, 7, 7, 3, 9, 7, 7, 5, 0, 1, 100, 100, 2, 7}, false)
	f.Add([]byte{0, 4, 0, 1, 0, 20, 20, 0, 7, 2, 0, 1, 7, 4, 6, 7, 4, 0, 7, 3, 4, 3, 4, 7, 4, 7, 7}, true)
	f.Add([]byte{0, 1, 0, 200, 0, 0, 1, 0, 200, 0, 0, 7, 4, 1, 7, 2, 0, 11, 3, 11, 7, 4, 7}, true)
	f.Add([]byte{0, 0, 0, 1, 0, 255, 0, 0, 1, 1, 255, 0, 1, 1, 2, 1, 0, 1, 6, 1, 7, 5, 2, 7, 3, 6, 7, 7}, false)
	f.Add([]byte{0, 8, 0, 255, 9, 1, 0, 0, 10, 1, 7, 8, 0, 10, 15, 7, 2, 0, 8, 3, 8, 8, 0, 100, 15, 1, 0, 0, 0, 0, 7}, true)
	f.Fuzz(func(t *testing.T, script []byte, vectors bool) {
		testkit.LimitTime(t)
		followFlow(t, script, vectors)
	})
}

func TestSendingFollowsTheModelOfFlowControl(t *testing.T) {
	const scripts = 1000
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range scripts {
		script := make([]byte, rng.IntN(400))
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		if followFlow(t, script, i%2 == 0); t.Failed() {
			t.Fatalf("script %d: %v", i, script)
		}
	}
}

// followFlow follows a script.
func followFlow(t *testing.T, script []byte, vectors bool) {
	m := newFlowModel(t, script, vectors)
	for len(m.script) > 0 && !m.dead {
		m.step()
	}
	if !m.dead {
		m.finish()
	}
	m.release()
}

func newFlowModel(t *testing.T, script []byte, vectors bool) *flowModel {
	c, nc, pool := &Client{nextID: 1, maxStreams: 100, isSettled: true}, new(feedConn), newLoanPool()
	o := ConnOptions{Pool: pool}
	o.setDefaults()
	c.init(nc, c, o)
	c.vectors = vectors
	c.send.writer = writerRunning // so that none is started
	c.read.settled = true
	return &flowModel{
		t: t, c: c, nc: nc, pool: pool, script: script, window: frame.DefaultWindow, initial: frame.DefaultWindow,
		maxFrame: frame.DefaultMaxSize, largest: frame.DefaultMaxSize,
	}
}

func (m *flowModel) next() int {
	if len(m.script) == 0 {
		return 0
	}
	b := m.script[0]
	m.script = m.script[1:]
	return int(b)
}

// pick returns one of the streams, nil if there is none.
func (m *flowModel) pick() *flowStream {
	if len(m.streams) == 0 {
		return nil
	}
	return m.streams[m.next()%len(m.streams)]
}

// increments are window increments with something special to them.
var increments = [...]uint32{1, 4, 5, 100, 4096, 16383, 16384, 16385, 65535, 1 << 20, 1 << 30, frame.MaxWindow}

func (m *flowModel) step() {
	switch m.next() % 9 {
	case 0:
		m.open()
	case 1:
		m.send(m.pick(), m.next()<<8|m.next(), m.next()%4 == 0)
	case 8:
		m.sendMany()
	case 2:
		m.updateStream()
	case 3:
		n := increments[m.next()%len(increments)]
		m.window += int64(n)
		m.feed(frame.AppendWindowUpdate(nil, 0, n), m.window > frame.MaxWindow)
	case 4:
		m.setInitial(int64([...]uint32{0, 1, 100, 65535, 65536, 1 << 20, frame.MaxWindow}[m.next()%7]))
	case 5:
		m.maxFrame = [...]int{16384, 16385, 20000, 1<<24 - 1}[m.next()%4]
		m.largest = max(m.largest, m.maxFrame)
		m.feed(frame.AppendSettings(nil, []frame.Setting{{ID: frame.MaxFrameSize, Value: uint32(m.maxFrame)}}), false)
	case 6:
		if s := m.pick(); s != nil {
			s.over = true
			m.feed(frame.AppendRSTStream(nil, s.s.id, frame.Cancel), false)
		}
	case 7:
		m.gather()
	}
	m.observe()
}

// open opens a stream as Client.open does.
func (m *flowModel) open() {
	if len(m.streams) == 6 {
		return
	}
	c, s := m.c, new(ClientStream)
	s.init(c, time.Time{}, queueLimit)
	c.mu.Lock()
	s.id = c.nextID
	c.nextID += 2
	c.addLocked(&s.stream)
	c.unlock()
	m.streams = append(m.streams, &flowStream{s: s, window: m.initial})
}

// sendMany sends messages in a row, which may share frames.
func (m *flowModel) sendMany() {
	s, n := m.pick(), m.next()*16
	for range m.next() % 16 {
		m.send(s, n, false)
	}
}

// send sends a message of n bytes, unless that would wait.
func (m *flowModel) send(s *flowStream, n int, end bool) {
	if s == nil || s.ended || s.over || s.s.out.queued >= writeQuota {
		return
	}
	out, p := NewOutMessage(), payload(n)
	out.SetPayload(false, append(out.Reserve(m.pool, n), p...))
	if err := s.s.Write(out, end); err != nil {
		m.t.Fatalf("write of %d bytes: %v", n, err)
	}
	s.want = append(s.want, onWire(0, p)...)
	s.ended = end
}

func (m *flowModel) updateStream() {
	s, n := m.pick(), increments[m.next()%len(increments)]
	if s == nil {
		return
	}
	gone := s.over
	if !gone {
		s.window += int64(n)
		s.over = s.window > frame.MaxWindow // a stream error
	}
	m.feed(frame.AppendWindowUpdate(nil, s.s.id, n), false)
	if reset := s.s.state == streamClosed; !gone && reset != s.over {
		m.t.Fatalf("window of %d bytes: got reset %v, want %v", s.window, reset, s.over)
	}
}

// setInitial changes the windows of all streams (RFC 9113 §6.9.2).
func (m *flowModel) setInitial(n int64) {
	overflow := false
	for _, s := range m.streams {
		s.window += n - m.initial
		overflow = overflow || s.window > frame.MaxWindow && !s.over
	}
	m.initial = n
	m.feed(frame.AppendSettings(nil, []frame.Setting{{ID: frame.InitialWindowSize, Value: uint32(n)}}), overflow)
}

// feed has the connection take a frame, which is a flow-control error of the connection if wrong.
func (m *flowModel) feed(wire []byte, wrong bool) {
	m.nc.in.Write(wire)
	h, err := m.c.read.frames.Next()
	if err == nil {
		err = m.c.handle(h)
	}
	var fault *frame.Error
	if is := errors.As(err, &fault) && fault.Code == frame.FlowControlError; is != wrong || err != nil && !is {
		m.t.Fatalf("%v: got %v, want flow-control error %v", h, err, wrong)
	}
	m.dead = wrong
}

// gather takes a batch, as the write goroutine does.
func (m *flowModel) gather() {
	b := new(batch)
	m.c.mu.Lock()
	m.c.gatherLocked(b)
	m.c.mu.Unlock()
	if len(b.pieces) == 0 {
		m.taken = append(m.taken, b.flat...)
	} else {
		if len(b.flat) > b.cut {
			b.pieces = append(b.pieces, b.flat[b.cut:])
		}
		for _, p := range b.pieces {
			m.taken = append(m.taken, p...)
		}
	}
	b.reset()
	m.observe()
	m.taken, m.largest = m.taken[:0], m.maxFrame
	for _, s := range m.streams {
		s.want, s.sent = s.want[s.sent:], 0
	}
}

// observe looks at all frames that were made since the last batch, and checks that those that are new were allowed.
func (m *flowModel) observe() {
	data, last := make(map[uint32][]byte), make(map[uint32]frame.Flags)
	wire := slices.Concat(m.taken, m.c.send.buf)
	for len(wire) > 0 {
		h := frame.Header{
			Length: int(wire[0])<<16 | int(wire[1])<<8 | int(wire[2]), Type: frame.Type(wire[3]), Flags: frame.Flags(wire[4]),
			StreamID: binary.BigEndian.Uint32(wire[5:]),
		}
		p := wire[frame.HeaderLen : frame.HeaderLen+h.Length]
		wire = wire[frame.HeaderLen+h.Length:]
		if h.Type != frame.Data {
			continue
		}
		if h.Length > m.largest {
			m.t.Fatalf("%v: got %d bytes, want at most %d", h, h.Length, m.largest)
		}
		if last[h.StreamID].Has(frame.EndStream) {
			m.t.Fatalf("%v behind the end of the stream", h)
		}
		data[h.StreamID] = append(data[h.StreamID], p...)
		last[h.StreamID] = h.Flags
	}
	for _, s := range m.streams {
		m.observeStream(s, data[s.s.id], last[s.s.id].Has(frame.EndStream))
	}
}

func (m *flowModel) observeStream(s *flowStream, got []byte, end bool) {
	id, n := s.s.id, int64(len(got)-s.sent)
	if n < 0 && s.over {
		return
	}
	if n > 0 && (n > s.window || n > m.window) {
		m.t.Fatalf("stream %d: got %d bytes sent in a window of %d, that of the connection %d", id, n, s.window, m.window)
	}
	if len(got) > len(s.want) || !bytes.Equal(got, s.want[:len(got)]) {
		m.t.Fatalf("stream %d: got %d bytes, which are not what was sent", id, len(got))
	}
	if end && (!s.ended || len(got) < len(s.want)) {
		m.t.Fatalf("stream %d: got its end behind %d bytes, want ended %v and %d bytes", id, len(got), s.ended, len(s.want))
	}
	s.sent = len(got)
	s.window -= n
	m.window -= n
}

// finish checks that all was sent that may be.
func (m *flowModel) finish() {
	for m.c.hasWorkLocked() {
		m.gather()
	}
	for _, s := range m.streams {
		if left := len(s.want) - s.sent; left > 0 && !s.over && s.window > 0 && m.window > 0 {
			m.t.Errorf("stream %d: %d bytes wait with a window of %d, that of the connection %d", s.s.id, left, s.window, m.window)
		}
		if s.ended && !s.over && len(s.want) == s.sent && s.s.state != streamHalfClosedLocal {
			m.t.Errorf("stream %d: all was sent, and the state is %v", s.s.id, s.s.state)
		}
	}
}

// release drops what was not sent, and checks that nothing is left.
func (m *flowModel) release() {
	for _, s := range m.streams {
		s.s.out.drop()
	}
	m.c.read.frames.Close()
	m.pool.checkOut(m.t, "at the end", 0)
}
