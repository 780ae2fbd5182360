// Buffer: a reference-counted view of bytes that go back to their pool when nobody holds them any more.
// SliceBuffer is the uncounted kind, for bytes that belong to the garbage collector.

// Package mem holds message bytes in reference-counted, pooled buffers, so that they are neither copied nor allocated more than needed.
//
// The API is experimental and may change in a later release.
package mem

import (
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/internal/bufpool"
)

// Buffer is a read-only piece of data with a count of references, made by NewBuffer or Copy with a count of one. Each holder of a
// reference calls Free once; the last Free returns the memory to its pool. A goroutine that keeps a Buffer beyond the call that gave it
// takes a reference of its own by Ref. Ref and Free may be called concurrently; every use after the last Free panics.
type Buffer interface {
	// ReadOnlyData returns the bytes, which must not be modified nor used after the holder's Free.
	ReadOnlyData() []byte
	// Ref adds a reference.
	Ref()
	// Free gives a reference up.
	Free()
	// Len returns the number of bytes.
	Len() int
	// Slice returns a Buffer of the bytes [start, end) of this one, with a reference of its own: both must be freed.
	// It panics if the range is not within the Buffer.
	Slice(start, end int) Buffer

	split(n int) (left, right Buffer)
	read(dst []byte) (n int, rest Buffer)
}

// NewBuffer returns a Buffer over *data, without a copy; its last Free puts data into pool. If pool is nil, or if the capacity of *data
// is below the pooling threshold, there is nothing to return and the Buffer is a SliceBuffer.
func NewBuffer(data *[]byte, pool BufferPool) Buffer {
	if pool == nil || IsBelowBufferPoolingThreshold(cap(*data)) {
		return SliceBuffer(*data)
	}
	b := newBuffer()
	b.data = (*data)[:len(*data):len(*data)]
	b.block, b.pool = data, pool
	b.refs.Store(1)
	return b
}

// Copy returns a Buffer with a copy of data, in memory from pool if data is above the pooling threshold.
func Copy(data []byte, pool BufferPool) Buffer {
	if IsBelowBufferPoolingThreshold(len(data)) {
		return SliceBuffer(append([]byte(nil), data...))
	}
	block := bufpool.GetDirty(pool, len(data))
	copy(*block, data)
	return NewBuffer(block, pool)
}

// SplitUnsafe shortens buf to its first n bytes, and returns it and a new Buffer with the rest; both must be freed. It is unsafe because
// every other holder of buf sees it shrink. It panics if n is out of range.
func SplitUnsafe(buf Buffer, n int) (left, right Buffer) { return buf.split(n) }

// ReadUnsafe copies bytes from buf to dst and returns how many, and what is left of buf: nil, with buf freed, if nothing is. It is
// unsafe because it consumes buf under every other holder of it.
func ReadUnsafe(dst []byte, buf Buffer) (int, Buffer) { return buf.read(dst) }

// buffer is a counted Buffer: the owner of a block of pooled memory, or a view of a part of one.
type buffer struct {
	data  []byte // capped at its length, so that an append by a careless reader does not write into a neighbour
	refs  atomic.Int32
	owner *buffer // the buffer on which a view holds one reference; nil in the owner itself

	block *[]byte // what goes back to pool; nil in a view
	pool  BufferPool
}

// objects re-uses the buffer objects; a freed one has a count of zero.
var objects = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer {
	if bufpool.Poison {
		return new(buffer)
	}
	return objects.Get().(*buffer)
}

// view returns a buffer of data, which is a part of b's.
func (b *buffer) view(data []byte) *buffer {
	owner := b
	if b.owner != nil {
		owner = b.owner
	}
	owner.refs.Add(1)
	v := newBuffer()
	v.data, v.owner = data, owner
	v.refs.Store(1)
	return v
}

func (b *buffer) freed() bool { return b.refs.Load() <= 0 }

func (b *buffer) ReadOnlyData() []byte {
	if b.freed() {
		panic("Cannot read freed buffer")
	}
	return b.data
}

func (b *buffer) Len() int { return len(b.ReadOnlyData()) }

func (b *buffer) Ref() {
	if b.refs.Add(1) <= 1 {
		panic("Cannot ref freed buffer")
	}
}

func (b *buffer) Free() {
	n := b.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		panic("Cannot free freed buffer")
	}
	owner, block, pool := b.owner, b.block, b.pool
	b.data, b.owner, b.block, b.pool = nil, nil, nil, nil
	if !bufpool.Poison {
		objects.Put(b)
	}
	if owner != nil {
		owner.Free()
	} else {
		pool.Put(block)
	}
}

func (b *buffer) Slice(start, end int) Buffer {
	if b.freed() {
		panic("Cannot slice freed buffer")
	}
	part := b.data[start:end:end]
	switch len(part) {
	case 0:
		return SliceBuffer(nil)
	case len(b.data):
		b.Ref()
		return b
	}
	return b.view(part)
}

func (b *buffer) split(n int) (left, right Buffer) {
	if b.freed() {
		panic("Cannot split freed buffer")
	}
	head, tail := b.data[:n:n], b.data[n:]
	v := b.view(tail)
	b.data = head
	return b, v
}

func (b *buffer) read(dst []byte) (int, Buffer) {
	n := copy(dst, b.ReadOnlyData())
	if n == len(b.data) {
		b.Free()
		return n, nil
	}
	b.data = b.data[n:]
	return n, b
}

// String names the Buffer without showing its contents.
func (b *buffer) String() string {
	return fmt.Sprintf("mem.Buffer(%p, data: %p, length: %d)", b, b.ReadOnlyData(), b.Len())
}

// SliceBuffer is a Buffer over ordinary memory: nothing is counted, and Ref and Free do nothing.
type SliceBuffer []byte

// ReadOnlyData returns the bytes.
func (s SliceBuffer) ReadOnlyData() []byte { return s }

// Ref does nothing.
func (s SliceBuffer) Ref() {}

// Free does nothing.
func (s SliceBuffer) Free() {}

// Len returns the number of bytes.
func (s SliceBuffer) Len() int { return len(s) }

// Slice returns the bytes [start, end). It panics if the range is not within s.
func (s SliceBuffer) Slice(start, end int) Buffer { return s[:len(s):len(s)][start:end:end] }

func (s SliceBuffer) split(n int) (left, right Buffer) {
	s = s[:len(s):len(s)]
	return s[:n:n], s[n:]
}

func (s SliceBuffer) read(dst []byte) (int, Buffer) {
	n := copy(dst, s)
	if n == len(s) {
		return n, nil
	}
	return n, s[n:]
}
