// Tests of the outgoing message: the same bytes from every offset, whatever it is made of, and its memory back after the last
// reference.

package transport

import (
	"bytes"
	"sync"
	"testing"

	"google.golang.org/grpc/mem"
)

// A loanPool counts what is out, and spoils what comes back.
type loanPool struct {
	mu   sync.Mutex
	out  map[*byte]int // sizes
	gets int
}

func newLoanPool() *loanPool { return &loanPool{out: make(map[*byte]int)} }

func (p *loanPool) Get(n int) *[]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gets++
	b := bytes.Repeat([]byte{0xDB}, max(n, 1)) // nobody may count on zeros
	p.out[&b[0]] = n
	b = b[:n]
	return &b
}

func (p *loanPool) Put(b *[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := (*b)[:cap(*b)]
	if _, ok := p.out[&full[0]]; !ok {
		panic("a buffer comes back that is not out")
	}
	delete(p.out, &full[0])
	for i := range full {
		full[i] = 0xDB
	}
}

// count returns how many buffers are out, and of how many bytes.
func (p *loanPool) count() (buffers, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.out {
		size += n
	}
	return len(p.out), size
}

// checkOut fails the test unless so many buffers are out.
func (p *loanPool) checkOut(t *testing.T, when string, want int) {
	t.Helper()
	if got, _ := p.count(); got != want {
		t.Errorf("%s: got %d buffers out, want %d", when, got, want)
	}
}

// payload returns n bytes that differ from their neighbours.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + 1)
	}
	return b
}

// onWire returns a message as it is on the wire.
func onWire(flag byte, p []byte) []byte {
	n := len(p)
	return append([]byte{flag, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, p...)
}

// inPieces cuts p into pieces of the given sizes; what is left is the last one.
func inPieces(p []byte, pool mem.BufferPool, sizes ...int) (s mem.BufferSlice) {
	for _, n := range sizes {
		s = append(s, mem.Copy(p[:n], pool))
		p = p[n:]
	}
	return append(s, mem.Copy(p, pool))
}

// messageCases are messages of every make.
var messageCases = []struct {
	name       string
	compressed bool
	size       int
	build      func(m *OutMessage, pool mem.BufferPool, p []byte)
}{
	{"empty", false, 0, inOne},
	{"small", true, 20, inOne},
	{"of the largest small size", false, smallMessage - PrefixLen, inOne},
	{"pooled", false, smallMessage - PrefixLen + 1, inOne},
	{"longer than was reserved", true, 300, func(m *OutMessage, pool mem.BufferPool, p []byte) {
		m.SetPayload(true, append(m.Reserve(pool, 3), p...))
	}},
	{"pooled and longer than was reserved", true, 6000, func(m *OutMessage, pool mem.BufferPool, p []byte) {
		m.SetPayload(true, append(m.Reserve(pool, 2500), p...))
	}},
	{"one piece", true, 50, func(m *OutMessage, pool mem.BufferPool, p []byte) { m.SetPieces(true, inPieces(p, pool)) }},
	{"pieces", false, 3000, func(m *OutMessage, pool mem.BufferPool, p []byte) {
		m.SetPieces(false, inPieces(p, pool, 1, 0, 10, 2000, 0, 500))
	}},
	{"no pieces", false, 0, func(m *OutMessage, pool mem.BufferPool, p []byte) { m.SetPieces(false, nil) }},
}

func inOne(m *OutMessage, pool mem.BufferPool, p []byte) {
	m.SetPayload(len(p) == 20, append(m.Reserve(pool, len(p)), p...))
}

func TestOutMessageFromEveryOffset(t *testing.T) {
	for _, tt := range messageCases {
		t.Run(tt.name, func(t *testing.T) {
			pool := newLoanPool()
			m := NewOutMessage()
			tt.build(m, pool, payload(tt.size))
			flag := byte(0)
			if tt.compressed {
				flag = 1
			}
			want := onWire(flag, payload(tt.size))
			if m.Len() != len(want) {
				t.Fatalf("Len: got %d, want %d", m.Len(), len(want))
			}
			if p := m.Payload(); !bytes.Equal(p, want[PrefixLen:]) || m.Compressed() != tt.compressed {
				t.Errorf("got compressed %v and a payload of %d bytes, want %v, %d", m.Compressed(), len(p), tt.compressed, tt.size)
			}
			step := max(1, len(want)/150)
			for off := 0; off <= len(want); off += step {
				for _, n := range []int{0, 1, PrefixLen, (len(want) - off) / 2, len(want) - off} {
					n = min(n, len(want)-off)
					if got := m.appendTo([]byte("x"), off, n); got[0] != 'x' || !bytes.Equal(got[1:], want[off:off+n]) {
						t.Fatalf("appendTo of %d bytes from %d: got other bytes than were put in", n, off)
					}
					var got []byte
					m.each(off, n, func(p []byte) {
						if len(p) == 0 && n > 0 {
							t.Errorf("each of %d bytes from %d: got an empty piece", n, off)
						}
						got = append(got, p...)
					})
					if !bytes.Equal(got, want[off:off+n]) {
						t.Fatalf("each of %d bytes from %d: got other bytes than were put in", n, off)
					}
				}
			}
			m.Free()
			pool.checkOut(t, "after Free", 0)
		})
	}
}

func TestOutMessageKeepsItsMemoryUntilTheLastReference(t *testing.T) {
	for _, tt := range messageCases {
		pool := newLoanPool()
		m := NewOutMessage()
		tt.build(m, pool, payload(tt.size))
		held, _ := pool.count()
		want := m.appendTo(nil, 0, m.Len())
		m.Ref()
		m.Ref()
		m.Free()
		m.Free()
		pool.checkOut(t, tt.name+", one reference left", held)
		if got := m.appendTo(nil, 0, m.Len()); !bytes.Equal(got, want) {
			t.Errorf("%s: the bytes changed while a reference was left", tt.name)
		}
		m.Free()
		pool.checkOut(t, tt.name+", no reference left", 0)
	}
}

func TestOutMessageIsFreedOnceByManyGoroutines(t *testing.T) {
	pool := newLoanPool()
	m := NewOutMessage()
	m.SetPayload(false, append(m.Reserve(pool, 5000), payload(5000)...))
	want := onWire(0, payload(5000))
	var done sync.WaitGroup
	for range 8 {
		m.Ref()
		done.Go(func() {
			defer m.Free()
			if !bytes.Equal(m.appendTo(nil, 0, m.Len()), want) {
				t.Error("the bytes changed while a reference was held")
			}
		})
	}
	m.Free()
	done.Wait()
	pool.checkOut(t, "after all references", 0)
}

func TestOutMessageIsUsedAgainAsNew(t *testing.T) {
	for range 100 { // a sync.Pool may drop what it was given
		for _, tt := range messageCases {
			m := NewOutMessage()
			if m.Len() != 0 || m.head != nil || m.rest != nil || m.buf != nil || m.refs.Load() != 1 {
				t.Fatalf("new message: got %d bytes, %d references, want none, 1", m.Len(), m.refs.Load())
			}
			tt.build(m, newLoanPool(), payload(tt.size))
			if got := m.appendTo(nil, PrefixLen, tt.size); !bytes.Equal(got, payload(tt.size)) {
				t.Fatalf("%s: got other bytes than were put in", tt.name)
			}
			m.Free()
		}
	}
}

func TestReserveDoesNotAllocateForSmallMessages(t *testing.T) {
	p := payload(100)
	n := testing.AllocsPerRun(1000, func() {
		m := NewOutMessage()
		m.SetPayload(false, append(m.Reserve(nil, len(p)), p...))
		m.Free()
	})
	if n > 0 {
		t.Errorf("small message: got %v allocations on average, want 0", n)
	}
}

func TestGatherUntilThereIsNoRoom(t *testing.T) {
	pool := newLoanPool()
	for range 2 { // the second one may be the first one again
		kept := NewOutMessage()
		var want []byte
		for i := 0; ; i++ {
			m, p := NewOutMessage(), payload(i%300)
			if i%2 == 0 {
				m.SetPayload(true, append(m.Reserve(pool, len(p)), p...))
			} else {
				m.SetPieces(false, inPieces(p, pool, len(p)/3))
			}
			before := kept.Len()
			if ok := kept.Gather(m); ok != (before+m.Len() <= smallMessage) {
				t.Fatalf("Gather of %d bytes behind %d: got %v, limit %d", m.Len(), before, ok, smallMessage)
			} else if !ok {
				m.Free()
				break
			}
			want = m.appendTo(want, 0, m.Len())
			m.Free()
		}
		if got := kept.appendTo(nil, 0, kept.Len()); !bytes.Equal(got, want) {
			t.Errorf("gathered: got %d bytes, want %d, one message after the other", len(got), len(want))
		}
		kept.Free()
	}
	pool.checkOut(t, "after all", 0)
}
