// Tests of the queue of received messages: its window, and waking its reader.

package transport

import (
	"bytes"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc/transport/internal/frame"
)

func TestArriveCountsTheWindow(t *testing.T) {
	q, _ := newQueue(100)
	for _, tt := range []struct {
		n, padding int
		increment  uint32
		ok         bool
		open, held int64
	}{
		{60, 0, 0, true, 40, 60},
		{41, 0, 0, false, 40, 60},
		{40, 24, 0, true, 0, 76}, // 24 of padding are less than a quarter
		{0, 0, 0, true, 0, 76},
		{1, 1, 0, false, 0, 76},
	} {
		increment, err := q.arrive(tt.n, tt.padding)
		if increment != tt.increment || (err == nil) != tt.ok || q.window.open != tt.open || q.window.held != tt.held {
			t.Errorf("arrive of %d, %d of them padding: got %d, %v, %+v, want %d, ok %v, open %d, held %d", tt.n, tt.padding, increment, err, q.window, tt.increment, tt.ok, tt.open, tt.held)
		}
	}
	if got := q.refund(1); got != 25 || q.window != (inWindow{100, 25, 75}) {
		t.Errorf("refund of 1: got %d, %+v, want 25", got, q.window)
	}
}

func TestPaddingIsGivenBackAtOnce(t *testing.T) {
	q, _ := newQueue(100)
	if n, err := q.arrive(60, 55); n != 55 || err != nil || q.window != (inWindow{100, 95, 5}) {
		t.Errorf("arrive of 60 bytes, 55 of them padding: got %d, %v, %+v, want 55", n, err, q.window)
	}
}

func TestTakeRenewsTheWindow(t *testing.T) {
	q, _ := newQueue(100)
	arriveAll(t, q, wireOf(10, 20, 5))
	for i, want := range []uint32{0, 40, 0} { // 15 bytes are less than a quarter
		m, n, err := q.take()
		if n != want || err != nil || m.Payload == nil {
			t.Errorf("take %d: got increment %d, %v, want %d", i, n, err, want)
		}
		q.release()
	}
	if q.window != (inWindow{100, 90, 0}) {
		t.Errorf("window: got %+v, want 90 open, none held", q.window)
	}
}

func TestTakeGivesTheWindowThatTheLinkNeeds(t *testing.T) {
	q, _ := newQueue(100)
	q.link.fixed = false
	q.link.earned(1000)
	arriveAll(t, q, wireOf(1, 50))
	if _, n, _ := q.take(); n != 0 || q.window.size != 100 {
		t.Errorf("take of 6 of 61 bytes: got %d, %+v, want nothing, which is no time to grow", n, q.window)
	}
	q.release()
	if _, n, _ := q.take(); n != 401 || q.window != (inWindow{440, 440, 0}) {
		t.Errorf("take of 55 of 61 bytes after another stream has earned 1000: got %d, %+v, want 401 and a window of four times two messages", n, q.window)
	}
}

func TestTakeGivesNothingBehindTheEnd(t *testing.T) {
	q, _ := newQueue(100)
	arriveAll(t, q, wireOf(80))
	q.end(io.EOF, false)
	if m, n, err := q.take(); n != 0 || err != nil || len(m.Payload) != 80 {
		t.Errorf("take: got %d bytes, increment %d, %v, want 80, 0", len(m.Payload), n, err)
	}
}

// waiting notes that a reader waits, as await does before it blocks.
func waiting(q *recvQueue, what waitFor) {
	q.waiting = what
	q.wake = make(chan struct{}, 1)
}

func TestTheWindowOpensForAMessageThatIsWaitedFor(t *testing.T) {
	wire := wireOf(1000)
	q, _ := newQueue(100)
	arriveAll(t, q, wire[:50])
	if n, _ := q.put(nil, 0); n != 0 {
		t.Errorf("nobody waits: got increment %d, want 0", n)
	}
	waiting(q, forMessage)
	if _, err := q.arrive(30, 0); err != nil {
		t.Fatal(err)
	}
	if n, wake := q.put(wire[50:80], 0); n != 1005+1-80-20 || wake {
		t.Errorf("80 of 1005 bytes are there, 20 may come: got increment %d, %v, want %d", n, wake, 1005+1-80-20)
	}
	if _, err := q.arrive(925, 0); err != nil {
		t.Fatal(err)
	}
	dst := q.reserve(900)
	copy(dst, wire[80:])
	if n, wake := q.commit(len(dst)); n != 0 || wake {
		t.Errorf("980 of 1005 bytes are there, the rest of the frame is on its way: got increment %d, %v, want 0", n, wake)
	}
	if n, wake := q.put(wire[980:], 0); n != 0 || !wake {
		t.Errorf("all is there: got increment %d, %v, want 0 and a wake-up", n, wake)
	}
	if _, n, _ := q.take(); n != 99 {
		t.Errorf("take with a byte open: got increment %d, want 99", n)
	}
}

func TestPaddingLeavesTheWindowToAMessageThatIsWaitedFor(t *testing.T) {
	wire := wireOf(1000)
	q, _ := newQueue(100)
	arriveAll(t, q, wire[:100])
	waiting(q, forMessage)
	if n, _ := q.put(nil, 0); n != 906 {
		t.Fatalf("100 of 1005 bytes are there: got increment %d, want %d", n, 906)
	}
	for _, tt := range []struct{ n, padding, want int }{{256, 256, 256}, {800, 100, 100}, {7, 7, 7}} {
		if n, err := q.arrive(tt.n, tt.padding); n != uint32(tt.want) || err != nil {
			t.Errorf("frame of %d bytes, %d of them padding: got increment %d, %v, want %d", tt.n, tt.padding, n, err, tt.want)
		}
		if tt.n > tt.padding {
			q.put(wire[100:800], 0)
		}
	}
}

func TestAwaitAsksForWhatTheMessageNeeds(t *testing.T) {
	c := heldConn()
	s := &stream{c: c, id: 5}
	q, _ := newQueue(100)
	arriveAll(t, q, wireOf(1000)[:50])
	done := make(chan struct{})
	close(done)
	if q.await(forMessage, done, s) {
		t.Error("await: got true, want false: nothing is there and done is closed")
	}
	if got, want := c.send.buf, frame.AppendWindowUpdate(nil, 5, 1005+1-50-50); !bytes.Equal(got, want) {
		t.Errorf("sent: got %x, want %x", got, want)
	}
	if q.waiting != forNothing || len(q.wake) != 0 {
		t.Errorf("after await: got waiting %d, %d wake-ups, want none", q.waiting, len(q.wake))
	}
}

// TestTheEndHasAWindow: a server without window may not find out that it has nothing more to send, and so not send the trailers.
func TestTheEndHasAWindow(t *testing.T) {
	for _, waitsFirst := range []bool{false, true} {
		q, _ := newQueue(100)
		if waitsFirst {
			waiting(q, forEnd)
		}
		wire := wireOf(95)
		var given uint32
		for _, part := range [][]byte{wire[:60], wire[60:]} {
			n, _, err := q.arriveWhole(part)
			if err != nil {
				t.Fatal(err)
			}
			given += n
		}
		if !waitsFirst {
			s := &stream{c: heldConn(), id: 5}
			done := make(chan struct{})
			close(done)
			q.await(forEnd, done, s)
			if want := frame.AppendWindowUpdate(nil, 5, 1); !bytes.Equal(s.c.send.buf, want) {
				t.Errorf("message is there before anybody waits: got %x sent, want %x", s.c.send.buf, want)
			}
		} else if given != 1 {
			t.Errorf("message comes while the end is waited for: got increments of %d, want 1", given)
		}
	}
}

func TestWhatAwaitWaitsFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(q *recvQueue)
		want map[waitFor]bool
	}{
		{"nothing", func(*recvQueue) {}, map[waitFor]bool{forMessage: false, forEnd: false}},
		{"part of a message", func(q *recvQueue) { q.put(wireOf(9)[:8], 0) }, map[waitFor]bool{forMessage: false, forEnd: false}},
		{"one message", func(q *recvQueue) { q.put(wireOf(9), 0) }, map[waitFor]bool{forMessage: true, forEnd: false}},
		{"two messages", func(q *recvQueue) { q.put(wireOf(9, 9), 0) }, map[waitFor]bool{forMessage: true, forEnd: true}},
		{"end", func(q *recvQueue) { q.end(io.EOF, false) }, map[waitFor]bool{forMessage: true, forEnd: true}},
		{"message and end", func(q *recvQueue) { q.put(wireOf(9), 0); q.end(io.EOF, false) }, map[waitFor]bool{forMessage: true, forEnd: true}},
		{"too large", func(q *recvQueue) { q.put([]byte{0, 255, 255, 255, 255}, 0) }, map[waitFor]bool{forMessage: true, forEnd: true}},
	} {
		done := make(chan struct{})
		close(done)
		for what, want := range tt.want {
			q, _ := newQueue(65535)
			tt.make(q)
			if got := q.await(what, done, nil); got != want || q.waiting != forNothing {
				t.Errorf("%s, before await of %d: got %v, want %v", tt.name, what, got, want)
			}
			q, _ = newQueue(65535)
			waiting(q, what)
			tt.make(q)
			if woken := q.waiting == forNothing; woken != want {
				t.Errorf("%s, during await of %d: got woken %v, want %v", tt.name, what, woken, want)
			}
		}
	}
}

// TestReaderAndWriter runs both ends at full speed: no message and no wake-up is lost.
func TestReaderAndWriter(t *testing.T) {
	const messages = 3000
	for _, done := range []chan struct{}{nil, make(chan struct{})} {
		q, pool := newQueue(1 << 30)
		var writer sync.WaitGroup
		writer.Go(func() {
			wake := func(_ uint32, wake bool) {
				if wake {
					q.signal()
				}
			}
			for i := range messages {
				wire := onWire(0, payload(i%1500))
				if _, err := q.arrive(len(wire), 0); err != nil {
					t.Error(err)
				}
				cut := i % len(wire)
				wake(q.put(wire[:cut], len(wire)-cut))
				if dst := q.reserve(len(wire) - cut); dst != nil {
					wake(q.commit(copy(dst, wire[cut:])))
				} else {
					wake(q.put(wire[cut:], 0))
				}
			}
			wake(0, q.end(io.EOF, false))
		})
		got := 0
		for {
			m, _, err := q.take()
			if err != nil {
				break
			}
			if m.Payload == nil {
				if !q.await(forMessage, done, nil) {
					t.Fatal("await: got false though done is open")
				}
				continue
			}
			if !bytes.Equal(m.Payload, payload(got%1500)) {
				t.Fatalf("message %d: got other bytes than were put in", got)
			}
			q.release()
			got++
		}
		writer.Wait()
		if got != messages {
			t.Errorf("got %d messages, want %d", got, messages)
		}
		q.close()
		checkEmpty(t, "after close", q, pool)
	}
}

// TestAwaitThatIsGivenUp lets a message, the end of waiting and a close come at the same time.
func TestAwaitThatIsGivenUp(t *testing.T) {
	for i := range 2000 {
		q, pool := newQueue(65535)
		done := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			if _, wake := q.put(wireOf(2000), 0); wake {
				q.signal()
			}
			if q.end(io.EOF, false) {
				q.signal()
			}
		})
		others.Go(func() { close(done) })
		what := forMessage
		if i%2 == 0 {
			what = forEnd
		}
		if q.await(what, done, nil) {
			if m, _, _ := q.take(); len(m.Payload) != 2000 {
				t.Fatalf("await: got true and a message of %d bytes, want 2000", len(m.Payload))
			}
			q.release()
		}
		q.close()
		others.Wait()
		if q.waiting != forNothing || len(q.wake) != 0 {
			t.Fatalf("after await: got waiting %d, %d wake-ups, want none", q.waiting, len(q.wake))
		}
		checkEmpty(t, "after close", q, pool)
	}
}
