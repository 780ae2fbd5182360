// The buffer pools behind package mem, and the process-wide default pool.
// They live in a leaf package so that gRPC itself can take a buffer without paying for its zeroing, and can replace the default.

// Package bufpool implements pools of byte slices that package mem hands out under public names.
package bufpool

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// pageSize is what the sizes of buffers above the largest tier are rounded up to, in bytes.
	pageSize = 4 << 10
	// maxLarge is the capacity in bytes up to which a buffer above the largest tier is kept. It is twice the default limit of a
	// received message; what is larger goes to the garbage collector, so that a few huge messages do not stay in memory.
	maxLarge = 8 << 20
)

// Pool is mem.BufferPool under a name that this leaf package can use.
type Pool interface {
	Get(length int) *[]byte
	Put(*[]byte)
}

// NopBufferPool allocates each buffer anew and keeps none. Its zero value is ready for use by any number of goroutines.
type NopBufferPool struct{}

// Get returns a new zeroed buffer of length bytes.
func (NopBufferPool) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put drops the buffer.
func (NopBufferPool) Put(*[]byte) {}

// Tiered keeps buffers in classes of fixed capacity, and those above the largest class in one class of mixed capacities.
// It may be used by any number of goroutines.
type Tiered struct {
	sizes []int // capacities of the tiers in bytes: ascending, distinct, immutable
	tiers []sync.Pool
	large sync.Pool
}

// NewTiered returns a pool with one class per size in bytes. The sizes may come in any order and more than once.
func NewTiered(sizes ...int) *Tiered {
	sizes = slices.Clone(sizes)
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	return &Tiered{sizes: sizes, tiers: make([]sync.Pool, len(sizes))}
}

// Get returns a buffer of length bytes that are all zero. It panics if length is negative.
func (t *Tiered) Get(length int) *[]byte {
	b, used := t.take(length)
	if used {
		clear(*b)
	}
	return b
}

// Put takes a buffer back. A buffer that fits no class well is dropped: one below the smallest, one of twice a tier's capacity
// or more, one above maxLarge.
func (t *Tiered) Put(b *[]byte) {
	c := cap(*b)
	Overwrite((*b)[:c])
	i, exact := slices.BinarySearch(t.sizes, c)
	switch {
	case exact:
		t.tiers[i].Put(b)
	case i == len(t.sizes) && c <= maxLarge:
		t.large.Put(b)
	case i > 0 && c < 2*t.sizes[i-1]:
		t.tiers[i-1].Put(b)
	}
}

// take returns a buffer of length bytes, and whether it was in use before and so holds old bytes.
func (t *Tiered) take(length int) (b *[]byte, used bool) {
	if i, _ := slices.BinarySearch(t.sizes, length); i < len(t.sizes) {
		if b, ok := t.tiers[i].Get().(*[]byte); ok {
			*b = (*b)[:length]
			return b, true
		}
		return allocate(length, t.sizes[i]), false
	}
	if length > maxLarge {
		return allocate(length, length), false
	}
	if b, ok := t.large.Get().(*[]byte); ok && cap(*b) >= length {
		*b = (*b)[:length]
		return b, true
	}
	return allocate(length, (length+pageSize-1)&^(pageSize-1)), false
}

func allocate(length, capacity int) *[]byte {
	b := make([]byte, length, capacity)
	return &b
}

// Overwrite makes b, which is about to be used again, unreadable if the pools are poisoned.
func Overwrite(b []byte) {
	if Poison {
		overwrite(b)
	}
}

// overwrite makes every byte one that no reader takes for good data.
func overwrite(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

// GetDirty is p.Get without the guarantee that the bytes are zero: for callers that overwrite all that they later read.
func GetDirty(p Pool, length int) *[]byte {
	if t, ok := p.(*Tiered); ok {
		b, _ := t.take(length)
		return b
	}
	return p.Get(length)
}

// Room returns all memory of a buffer that p has handed out, which is more than its bytes if p has given more than it was asked for.
func Room(p Pool, b *[]byte) []byte {
	if _, ok := p.(*Tiered); ok { // other pools may use what is behind the bytes that they hand out
		return (*b)[:cap(*b)]
	}
	return *b
}

var (
	// builtin has a class for frame headers and small messages, for pages, for full HTTP/2 frames, for stream copies, and for large messages
	// those that are at most twice as large: many that wait for peers which do not read must not take much more memory than they have bytes.
	builtin = NewTiered(256, 4<<10, 16<<10, 32<<10, 64<<10, 128<<10, 256<<10, 512<<10, 1<<20)
	// override is what SetDefault stored; nil until then.
	override atomic.Pointer[Pool]
)

// Default returns the pool that is used where none is configured.
func Default() Pool {
	if p := override.Load(); p != nil {
		return *p
	}
	return builtin
}

// SetDefault makes p the pool that Default returns from now on. Buffers that came from another pool still go back to that one.
func SetDefault(p Pool) { override.Store(&p) }
