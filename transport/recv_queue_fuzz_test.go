// FuzzReceive: a script of frames and readers through a recvQueue and a model of it, which is nothing but two byte strings and a sum.

package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

// fuzzLimit is the largest message that the queue of FuzzReceive accepts, in bytes.
const fuzzLimit = 60_000

// A recvModel plays the peer and the reader of a queue, and knows what must come of it.
type recvModel struct {
	t      *testing.T
	q      *recvQueue
	script []byte

	wire     []byte   // what the peer has still to send
	partial  []byte   // the message that was sent in part
	whole    [][]byte // messages that were sent and not taken
	held     bool     // the reader uses a message
	waiting  bool     // the reader waits for one
	tooLarge bool     // a message above the limit has come
	ended    bool
	closed   bool
	granted  int64 // bytes that the peer was ever allowed to send
	sent     int64 // and has sent
	consumed int64 // bytes that are out of the way
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 0, 100, 1, 50, 0, 1, 200, 0, 4, 4, 0, 0, 3, 2, 255, 0, 4, 5, 4, 5}, uint16(1000))
	f.Add([]byte{0, 200, 0, 6, 1, 100, 0, 3, 255, 0, 3, 255, 0, 3, 255, 255, 4, 0, 0, 0, 4, 7, 4}, uint16(100))
	f.Add([]byte{0, 255, 255, 1, 10, 0, 4, 5}, uint16(65535))
	f.Add([]byte{0, 9, 9, 0, 9, 9, 0, 9, 9, 1, 255, 9, 4, 3, 255, 200, 8, 5, 1, 10, 0, 9}, uint16(9000))
	f.Fuzz(func(t *testing.T, script []byte, window uint16) {
		testkit.LimitTime(t)
		followReceive(t, script, window)
	})
}

func TestReceivingFollowsTheModel(t *testing.T) {
	const scripts = 1000
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range scripts {
		script := make([]byte, rng.IntN(400))
		for j := range script {
			script[j] = byte(rng.Uint32()) >> (2 * rng.IntN(4)) // small numbers more often
		}
		if followReceive(t, script, uint16(rng.Uint32())); t.Failed() {
			t.Fatalf("script %d: %v", i, script)
		}
	}
}

// followReceive follows a script with a window of that many bytes.
func followReceive(t *testing.T, script []byte, window uint16) {
	size := max(int64(window), 1)
	q, pool := newQueue(size)
	q.limit = fuzzLimit
	m := &recvModel{t: t, q: q, script: script, granted: size}
	for len(m.script) > 0 {
		m.step()
		m.check()
	}
	m.release()
	q.close()
	checkEmpty(t, "after close", q, pool)
}

func (m *recvModel) next() int {
	if len(m.script) == 0 {
		return 0
	}
	b := m.script[0]
	m.script = m.script[1:]
	return int(b)
}

func (m *recvModel) step() {
	switch op := m.next(); op % 10 {
	case 0: // the application of the peer has another message
		n := m.next()<<8 | m.next()
		m.wire = append(m.wire, onWire(byte(n&1), payload(n))...)
	case 1, 2, 3:
		m.arrive(op%10, m.next()<<8|m.next())
	case 4:
		m.take()
	case 5:
		m.release()
	case 6:
		m.wait()
	case 7:
		m.end()
	case 8:
		m.q.close()
		m.closed, m.ended = true, true
	case 9:
		m.overrun()
	}
}

// arrive sends up to n bytes in one of three ways.
func (m *recvModel) arrive(way, n int) {
	n = int(min(int64(min(n, len(m.wire))), m.granted-m.sent))
	p, pad := m.wire[:n], 0
	if way == 1 {
		pad = int(min(int64(m.next()), m.granted-m.sent-int64(n)))
	}
	wantErr := error(nil)
	if m.ended {
		wantErr = errQueueEnded
	}
	var wake bool
	var inc uint32
	var err error
	if way == 2 {
		inc, wake, err = m.q.arriveWhole(p)
	} else {
		inc, err = m.q.arrive(n+pad, pad)
	}
	if err != wantErr {
		m.t.Fatalf("arrival of %d bytes of %d: got %v, want %v", n, m.granted-m.sent, err, wantErr)
	}
	if err != nil {
		return
	}
	m.wire = m.wire[n:]
	m.granted += int64(inc)
	m.sent += int64(n + pad)
	m.consumed += int64(pad)
	m.arrived(p)
	for way != 2 && len(p) > 0 {
		var dst []byte
		if way == 3 {
			dst = m.q.reserve(1 + m.next())
		}
		k := min(len(p), 1+m.next())
		if dst != nil {
			if k = copy(dst, p); k == 0 {
				m.t.Fatal("reserve: got no memory, want at least a byte")
			}
			inc, wake = m.q.commit(k)
		} else {
			inc, wake = m.q.put(p[:k], len(p)-k)
		}
		m.granted += int64(inc)
		p = p[k:]
		m.woken(wake)
	}
	m.woken(wake)
}

// woken notes that the reader was woken.
func (m *recvModel) woken(wake bool) {
	if wake {
		m.waiting = false
	}
}

// arrived does in the model what the bytes do in the queue.
func (m *recvModel) arrived(p []byte) {
	m.partial = append(m.partial, p...)
	for len(m.partial) >= PrefixLen && !m.tooLarge {
		n := int(binary.BigEndian.Uint32(m.partial[1:]))
		switch {
		case n > fuzzLimit:
			m.tooLarge = true
			return
		case len(m.partial) < PrefixLen+n:
			return
		}
		m.whole = append(m.whole, m.partial[:PrefixLen+n])
		m.partial = m.partial[PrefixLen+n:]
	}
}

func (m *recvModel) take() {
	m.release()
	got, inc, err := m.q.take()
	m.granted += int64(inc)
	var large MessageTooLarge
	switch {
	case m.closed:
		if got.Payload != nil {
			m.t.Fatalf("take of a closed queue: got %d bytes, want none", len(got.Payload))
		}
	case len(m.whole) > 0:
		want := m.whole[0]
		m.whole = m.whole[1:]
		if err != nil || got.Payload == nil || got.Flag != want[0] || !bytes.Equal(got.Payload, want[PrefixLen:]) {
			m.t.Fatalf("take: got %d bytes, %v, want message of %d bytes", len(got.Payload), err, len(want)-PrefixLen)
		}
		m.held = true
		m.consumed += int64(len(want))
	case m.tooLarge:
		if !errors.As(err, &large) || large.Limit != fuzzLimit {
			m.t.Fatalf("take: got %v, want the message to be too large", err)
		}
	case m.ended && len(m.partial) > 0:
		if err != io.ErrUnexpectedEOF {
			m.t.Fatalf("take behind the end within a message: got %v, want %v", err, io.ErrUnexpectedEOF)
		}
	case m.ended:
		if err != io.EOF {
			m.t.Fatalf("take behind the end: got %v, want %v", err, io.EOF)
		}
	case err != nil || got.Payload != nil:
		m.t.Fatalf("take without a message: got %d bytes, %v", len(got.Payload), err)
	}
}

func (m *recvModel) release() {
	if m.held {
		m.held = false
		m.q.release()
	}
}

// wait makes the queue believe that a reader waits, as await does before it blocks.
func (m *recvModel) wait() {
	m.q.mu.Lock()
	defer m.q.mu.Unlock()
	m.q.waiting = forMessage
	ready := m.q.mustWakeLocked()
	if want := len(m.whole) > 0 || m.tooLarge || m.ended; ready != want && !m.closed {
		m.t.Fatalf("await: got ready %v, want %v", ready, want)
	}
	m.waiting = !ready
	m.granted += int64(m.q.askLocked())
}

func (m *recvModel) end() {
	m.woken(m.q.end(io.EOF, false))
	m.ended = true
}

// overrun sends more than was granted, which must change nothing.
func (m *recvModel) overrun() {
	if m.ended {
		return
	}
	over := int(m.granted-m.sent) + 1 + m.next()
	if _, err := m.q.arrive(over, 0); err == nil || err == errQueueEnded {
		m.t.Fatalf("arrival of %d bytes in a window of %d: got %v, want an error", over, m.granted-m.sent, err)
	}
}

// check compares the queue with the model.
func (m *recvModel) check() {
	w := &m.q.window
	if w.open != m.granted-m.sent || w.open < 0 {
		m.t.Fatalf("window: got %d bytes open, want %d", w.open, m.granted-m.sent)
	}
	if m.closed || m.ended {
		return
	}
	if want := m.sent - m.consumed; w.held != want {
		m.t.Fatalf("window: got %d bytes held, want %d", w.held, want)
	}
	if m.tooLarge {
		return
	}
	if m.q.messages != len(m.whole) {
		m.t.Fatalf("got %d messages, want %d", m.q.messages, len(m.whole))
	}
	if m.waiting && len(m.whole) > 0 {
		m.t.Fatal("the reader waits for the message that is there")
	}
	if missing := m.missing(); m.waiting && w.open < int64(missing) {
		m.t.Fatalf("the reader waits for a message that misses %d bytes, but the window is %d", missing, w.open)
	}
	if w.held == 0 && w.open <= w.size/2 {
		m.t.Fatalf("window of %d bytes with %d open and nothing held: it must be renewed", w.size, w.open)
	}
}

// missing returns how many bytes the arriving message misses, 0 if that is not known.
func (m *recvModel) missing() int {
	if len(m.partial) < PrefixLen {
		return 0
	}
	return PrefixLen + int(binary.BigEndian.Uint32(m.partial[1:])) - len(m.partial)
}
