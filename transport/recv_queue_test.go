// Tests of the queue of received messages: bytes in however they are cut, messages out, and memory that follows what has arrived.

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/mem"
)

// queueLimit is the largest message that queues of these tests accept.
const queueLimit = 4 << 20

// newQueue returns a queue with a window of the given size that does not grow.
func newQueue(window int64) (*recvQueue, *loanPool) {
	pool := newLoanPool()
	q := &recvQueue{pool: pool, limit: queueLimit, link: new(link), window: inWindow{size: window, open: window}}
	q.link.init(window, true)
	return q, pool
}

// wireOf returns messages of the given sizes, one after the other.
func wireOf(sizes ...int) (wire []byte) {
	for i, n := range sizes {
		wire = append(wire, onWire(byte(i&1), payload(n))...)
	}
	return wire
}

// arriveAll passes a whole DATA frame to the queue, in parts that end at the given offsets.
func arriveAll(t *testing.T, q *recvQueue, b []byte, cuts ...int) {
	t.Helper()
	if _, err := q.arrive(len(b), 0); err != nil {
		t.Fatalf("arrive of %d bytes: %v", len(b), err)
	}
	at := 0
	for _, cut := range append(cuts, len(b)) {
		q.put(b[at:cut], len(b)-cut)
		at = cut
	}
}

// takeAll takes and checks messages of the given sizes, and releases each.
func takeAll(t *testing.T, q *recvQueue, sizes ...int) {
	t.Helper()
	for i, n := range sizes {
		m, _, err := q.take()
		if err != nil || m.Payload == nil || m.Flag != byte(i&1) || !bytes.Equal(m.Payload, payload(n)) {
			t.Fatalf("message %d of %d bytes: got %d bytes, flag %d, %v, right bytes %v", i, n, len(m.Payload), m.Flag, err, bytes.Equal(m.Payload, payload(n)))
		}
		q.release()
	}
}

// checkNoMessage fails the test unless take has nothing but the error.
func checkNoMessage(t *testing.T, when string, q *recvQueue, want error) {
	t.Helper()
	if m, n, err := q.take(); m.Payload != nil || n != 0 || err != want {
		t.Errorf("%s: take: got %d bytes, %d, %v, want nothing, %v", when, len(m.Payload), n, err, want)
	}
}

// checkEmpty fails the test unless nothing is held any more.
func checkEmpty(t *testing.T, when string, q *recvQueue, pool *loanPool) {
	t.Helper()
	if q.head != nil || q.tail != nil || q.messages != 0 || q.got != 0 {
		t.Errorf("%s: got chunks %v, %v, %d messages, %d bytes of another, want none", when, q.head != nil, q.tail != nil, q.messages, q.got)
	}
	pool.checkOut(t, when, 0)
}

func TestMessagesArriveHoweverTheyAreCut(t *testing.T) {
	sizes := []int{0, 3, 0, 20, 1}
	wire := wireOf(sizes...)
	for i := range len(wire) + 1 {
		for j := i; j <= len(wire); j++ {
			q, pool := newQueue(65535)
			arriveAll(t, q, wire[:i])
			arriveAll(t, q, wire[i:], j-i) // one frame in two parts
			takeAll(t, q, sizes...)
			checkNoMessage(t, "behind all", q, nil)
			checkEmpty(t, fmt.Sprintf("cut at %d and %d", i, j), q, pool)
			if q.window.held != 0 {
				t.Fatalf("cut at %d and %d: got %d bytes held, want 0", i, j, q.window.held)
			}
		}
	}
}

func TestLargeMessagesArriveHoweverTheyAreCut(t *testing.T) {
	for _, sizes := range [][]int{
		{smallChunk - PrefixLen, 1}, {smallChunk - PrefixLen + 1, 1}, {smallChunk, 0, smallChunk}, {firstChunk - PrefixLen, 5}, {firstChunk - PrefixLen + 1},
		{firstChunk, 10, firstChunk + 1}, {100000, 1, 70000}, {4*firstChunk - PrefixLen, 16*firstChunk - PrefixLen + 1},
	} {
		wire := wireOf(sizes...)
		for _, frameLen := range []int{900, 1023, 4096, 16384, 100000} {
			for _, part := range []int{100, 4096, 1 << 20} {
				q, pool := newQueue(1 << 20)
				for f := range slices.Chunk(wire, frameLen) {
					var cuts []int
					for cut := part; cut < len(f); cut += part {
						cuts = append(cuts, cut)
					}
					arriveAll(t, q, f, cuts...)
				}
				takeAll(t, q, sizes...)
				checkEmpty(t, fmt.Sprintf("messages of %v bytes by frames of %d in parts of %d", sizes, frameLen, part), q, pool)
			}
		}
	}
}

func TestMessagesAreTakenWhileOthersArrive(t *testing.T) {
	sizes := []int{10, 0, 2000, 5, 900, 40000, 1, 1, 1, 1020, 3}
	wire := wireOf(sizes...)
	for _, n := range []int{1, 3, 7, 500, 20000} {
		q, pool := newQueue(1 << 20)
		var got []int
		for part := range slices.Chunk(wire, n) {
			arriveAll(t, q, part)
			for {
				m, _, _ := q.take()
				if m.Payload == nil {
					break
				}
				if !bytes.Equal(m.Payload, payload(len(m.Payload))) {
					t.Fatalf("%d bytes at a time: message %d: got other bytes than were put in", n, len(got))
				}
				got = append(got, len(m.Payload))
				q.release()
			}
		}
		if !slices.Equal(got, sizes) {
			t.Errorf("%d bytes at a time: got messages of %v bytes, want %v", n, got, sizes)
		}
		checkEmpty(t, fmt.Sprintf("%d bytes at a time", n), q, pool)
	}
}

// chunkCount returns how many chunks the queue holds.
func chunkCount(q *recvQueue) (n int) {
	for c := q.head; c != nil; c = c.next {
		n++
	}
	return n
}

func TestSmallMessagesShareChunks(t *testing.T) {
	q, pool := newQueue(1 << 20)
	var sizes []int
	for range 1000 {
		sizes = append(sizes, 5)
	}
	for _, b := range wireOf(sizes...) {
		arriveAll(t, q, []byte{b})
	}
	if got, want := chunkCount(q), 1+1000*(5+PrefixLen)/(smallChunk/10*10); got > want {
		t.Errorf("1000 messages of 5 bytes: got %d chunks, want at most %d", got, want)
	}
	if pool.gets != 0 {
		t.Errorf("1000 messages of 5 bytes: got %d buffers from the pool, want 0", pool.gets)
	}
	takeAll(t, q, sizes...)
	checkEmpty(t, "after all were taken", q, pool)
}

func TestMemoryGrowsWithWhatArrivedNotWithWhatWasClaimed(t *testing.T) {
	const size = 3 << 20
	wire := wireOf(size)
	q, pool := newQueue(queueLimit)
	for at, part := 0, 0; at < len(wire); at += part {
		part = min(1000, len(wire)-at)
		arriveAll(t, q, wire[at:at+part])
		if _, held := pool.count(); held > max(firstChunk, 4*(at+part)) {
			t.Fatalf("%d bytes of %d have arrived: got %d bytes of memory", at+part, size, held)
		}
	}
	takeAll(t, q, size)
	checkEmpty(t, "after the message", q, pool)

	q, pool = newQueue(queueLimit)
	arriveAll(t, q, wire[:PrefixLen])
	if n, held := pool.count(); n > 1 || held > firstChunk {
		t.Errorf("a claim of %d bytes and nothing else: got %d bytes of memory, want at most %d", size, held, firstChunk)
	}
}

func TestMemoryFitsWhatTheFrameAnnounces(t *testing.T) {
	wire := wireOf(1 << 20)
	q, pool := newQueue(queueLimit)
	arriveAll(t, q, wire[:50000], 20) // the rest of the frame is on its way
	if _, held := pool.count(); held != 50000 {
		t.Errorf("frame of 50000 bytes with the beginning of a larger message: got %d bytes of memory, want 50000", held)
	}
	if pool.gets != 1 {
		t.Errorf("got %d buffers from the pool, want 1", pool.gets)
	}
}

func TestReserveReadsIntoTheMessage(t *testing.T) {
	const size = 200000
	wire := wireOf(size, 7)
	for _, part := range []int{1000, 16384, 1 << 20} {
		q, pool := newQueue(queueLimit)
		arriveAll(t, q, wire[:PrefixLen+10])
		if _, err := q.arrive(len(wire)-PrefixLen-10, 0); err != nil {
			t.Fatal(err)
		}
		at := PrefixLen + 10
		for {
			dst := q.reserve(min(part, len(wire)-at))
			if dst == nil {
				break
			}
			if len(dst) == 0 || len(dst) > part {
				t.Fatalf("reserve of %d: got %d bytes", part, len(dst))
			}
			at += copy(dst, wire[at:])
			q.commit(len(dst))
		}
		if want := PrefixLen + size; at != want {
			t.Errorf("parts of %d: got reserve up to byte %d, want %d: the next prefix must be looked at", part, at, want)
		}
		q.put(wire[at:], 0)
		takeAll(t, q, size, 7)
		checkEmpty(t, "after all were taken", q, pool)
	}
}

func TestReserveWithoutAnArrivingMessage(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(q *recvQueue)
	}{
		{"nothing has arrived", func(*recvQueue) {}},
		{"within a prefix", func(q *recvQueue) { q.put([]byte{0, 0, 0, 1}, 0) }},
		{"behind a message", func(q *recvQueue) { q.put(wireOf(3), 0) }},
		{"too large", func(q *recvQueue) { q.put([]byte{0, 255, 255, 255, 255}, 0) }},
		{"closed", func(q *recvQueue) { q.put(wireOf(9)[:7], 0); q.close() }},
	} {
		q, _ := newQueue(65535)
		tt.make(q)
		if got := q.reserve(100); got != nil || q.filling {
			t.Errorf("%s: got %d bytes, filling %v, want none", tt.name, len(got), q.filling)
		}
	}
}

// TestReserveAfterAFailedRead pins that memory which nothing was read into never becomes a message.
func TestReserveAfterAFailedRead(t *testing.T) {
	q, pool := newQueue(65535)
	wire := wireOf(100)
	arriveAll(t, q, wire[:20])
	if got := len(q.reserve(1000)); got != 85 {
		t.Fatalf("reserve: got %d bytes, want 85", got)
	}
	if n, wake := q.commit(0); n != 0 || wake {
		t.Errorf("commit of nothing: got %d, %v, want 0, false", n, wake)
	}
	q.end(io.EOF, false)
	checkNoMessage(t, "after the end", q, io.ErrUnexpectedEOF)
	q.close()
	checkEmpty(t, "after close", q, pool)
}

func TestMessageTooLarge(t *testing.T) {
	for _, tt := range []struct {
		size uint32
		ok   bool
	}{{queueLimit, true}, {queueLimit + 1, false}, {1<<32 - 1, false}, {1 << 31, false}} {
		q, pool := newQueue(65535)
		prefix := []byte{0, byte(tt.size >> 24), byte(tt.size >> 16), byte(tt.size >> 8), byte(tt.size)}
		arriveAll(t, q, slices.Concat(wireOf(3), prefix, make([]byte, 1000)))
		takeAll(t, q, 3)
		want := error(MessageTooLarge{tt.size, queueLimit})
		if tt.ok {
			want = nil
		}
		checkNoMessage(t, fmt.Sprintf("message of %d bytes", tt.size), q, want)
		if tt.ok {
			continue
		}
		arriveAll(t, q, wireOf(4))
		q.end(io.EOF, false)
		checkNoMessage(t, "end behind it", q, want)
		checkEmpty(t, "after it", q, pool)
	}
}

// TestMessageSizeIsNoOverflow matters where an int has 32 bits.
func TestMessageSizeIsNoOverflow(t *testing.T) {
	q, _ := newQueue(65535)
	q.limit = math.MaxInt32
	arriveAll(t, q, []byte{0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3})
	_, _, err := q.take()
	if tooLarge := (MessageTooLarge{}); strconv.IntSize == 32 && !errors.As(err, &tooLarge) || strconv.IntSize == 64 && err != nil {
		t.Errorf("message of %d bytes, ints of %d bits: got %v", math.MaxInt32, strconv.IntSize, err)
	}
}

func TestEnd(t *testing.T) {
	other := errors.New("reset")
	wire := wireOf(3, 4)
	for cut := range len(wire) + 1 {
		for _, end := range []error{io.EOF, other} {
			q, pool := newQueue(65535)
			arriveAll(t, q, wire[:cut])
			if q.ended {
				t.Fatal("ended before the end")
			}
			if q.end(end, false) {
				t.Error("end: got a wake-up for nobody")
			}
			q.end(errors.New("second"), false) // does not count
			want, whole := end, []int{}
			if cut >= 8 {
				whole = append(whole, 3)
			}
			if cut == len(wire) {
				whole = append(whole, 4)
			}
			if cut != 0 && cut != 8 && cut != len(wire) && end == io.EOF {
				want = io.ErrUnexpectedEOF
			}
			takeAll(t, q, whole...)
			checkNoMessage(t, fmt.Sprintf("%v behind byte %d", end, cut), q, want)
			if _, err := q.arrive(1, 0); err != errQueueEnded || !q.ended {
				t.Errorf("arrive behind the end: got %v, want %v", err, errQueueEnded)
			}
			q.close()
			checkEmpty(t, "after close", q, pool)
		}
	}
}

func TestCloseWaitsForWhoeverUsesTheMemory(t *testing.T) {
	type step struct {
		name string
		out  int // buffers out afterwards
		do   func(q *recvQueue)
	}
	reserve := step{"reserve", 2, func(q *recvQueue) { q.reserve(10) }}
	take := step{"take", 2, func(q *recvQueue) { q.take() }}
	closed := func(out int) step { return step{"close", out, (*recvQueue).close} }
	commit := func(out int) step { return step{"commit", out, func(q *recvQueue) { q.commit(10) }} }
	release := func(out int) step { return step{"release", out, (*recvQueue).release} }
	for _, steps := range [][]step{
		{closed(0)},
		{closed(0), closed(0)},
		{reserve, closed(2), commit(0)},
		{take, closed(2), release(0)},
		{take, release(1), closed(0)},
		{take, reserve, closed(2), commit(2), release(0)},
		{take, reserve, closed(2), release(2), commit(0)},
		{reserve, take, closed(2), closed(2), release(2), commit(0)},
		{reserve, take, closed(2), commit(2), release(0), closed(0)},
	} {
		q, pool := newQueue(1 << 20)
		wire := wireOf(2000, 3000)
		arriveAll(t, q, wire[:2500])
		names := ""
		for _, s := range steps {
			names += " " + s.name
			s.do(q)
			pool.checkOut(t, "after"+names, s.out)
		}
		q.put(wire[2500:], 0)
		q.put(wireOf(5000), 0)
		checkEmpty(t, "more bytes after"+names, q, pool)
	}
}

func TestMemoryOfAMessageFitsIt(t *testing.T) {
	for _, size := range []int{smallChunk + 1, 33 << 10, 64 << 10, 100 << 10, 512 << 10, 512<<10 + 1, 3 << 20} {
		c := newChunk(mem.DefaultBufferPool(), size)
		if got := cap(*c.buf); got < size || got > 2*size && size > 32<<10 {
			t.Errorf("%d bytes: got memory of %d, want at most twice as much", size, got)
		}
		c.free()
	}
	q, pool := newQueue(1 << 20) // one that was configured is used for every size
	c := newChunk(q.pool, 64<<10)
	if c.from != q.pool {
		t.Errorf("64 KiB: got memory of another pool than the one that was configured")
	}
	c.free()
	checkEmpty(t, "after free", q, pool)
}

func TestMessageIsNotMovedWithinTheClassOfItsMemory(t *testing.T) {
	q, _ := newQueue(1 << 20)
	q.pool = mem.DefaultBufferPool()
	wire := wireOf(65536)
	if _, err := q.arrive(len(wire), 0); err != nil {
		t.Fatal(err)
	}
	q.put(wire[:65537], 0) // as a frame of its own
	before := &q.tail.data[0]
	q.put(wire[65537:], 0)
	if q.messages != 1 || &q.tail.data[0] != before {
		t.Errorf("got %d messages, moved %t, want one where it was", q.messages, &q.tail.data[0] != before)
	}
	takeAll(t, q, 65536)
}

// Whoever is the first, the read goroutine or one who ends the stream, begins the call, and nobody else does.
func TestOneOfTheFirstByteAndTheEndIsTheFirst(t *testing.T) {
	for range 1000 {
		q, _ := newQueue(100)
		if !q.awaitByte() {
			t.Fatal("got a queue with something in it, want an empty one")
		}
		var wakes atomic.Int32
		var both sync.WaitGroup
		count := func(wake bool) {
			if wake {
				wakes.Add(1)
			}
		}
		both.Go(func() {
			_, wake, _ := q.arriveWhole(wireOf(1))
			count(wake)
			count(q.end(io.EOF, false))
		})
		both.Go(func() { count(q.end(context.Canceled, true)) })
		both.Wait()
		if got := wakes.Load(); got != 1 {
			t.Fatalf("got %d wake-ups, want 1", got)
		}
	}
}
