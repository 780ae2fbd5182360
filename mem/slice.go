// BufferSlice: one message in several Buffers, and the ways to fill one from an io.Reader or as an io.Writer.

package mem

import (
	"io"

	"google.golang.org/grpc/internal/bufpool"
)

// readAllSize is the size in bytes of the buffers that ReadAll fills: io.Copy's.
const readAllSize = 32 << 10

// BufferSlice is data that may be spread over several Buffers, in order. It is not changed once it is made: its methods leave the slice
// itself alone. The methods that read panic if one of the Buffers was freed.
//
// A function that returns (BufferSlice, error) returns nothing to be freed beside an error, unless it says otherwise.
type BufferSlice []Buffer

// Len returns the number of bytes in all Buffers together; the builtin len is the number of Buffers.
func (s BufferSlice) Len() int {
	n := 0
	for _, b := range s {
		n += b.Len()
	}
	return n
}

// Ref adds a reference to each Buffer.
func (s BufferSlice) Ref() {
	for _, b := range s {
		b.Ref()
	}
}

// Free gives up a reference to each Buffer.
func (s BufferSlice) Free() {
	for _, b := range s {
		b.Free()
	}
}

// CopyTo copies as many bytes as fit into dst, and returns how many.
func (s BufferSlice) CopyTo(dst []byte) int {
	n := 0
	for _, b := range s {
		n += copy(dst[n:], b.ReadOnlyData())
	}
	return n
}

// Materialize returns a copy of all bytes in one new slice; nil if there are none.
func (s BufferSlice) Materialize() []byte {
	n := s.Len()
	if n == 0 {
		return nil
	}
	out := make([]byte, n)
	s.CopyTo(out)
	return out
}

// MaterializeToBuffer returns all bytes in one Buffer, which the caller frees. If there is only one Buffer it is that one with a
// reference more; otherwise it is a copy, in memory from pool if it is above the pooling threshold.
func (s BufferSlice) MaterializeToBuffer(pool BufferPool) Buffer {
	if len(s) == 1 {
		s[0].Ref()
		return s[0]
	}
	n := s.Len()
	if IsBelowBufferPoolingThreshold(n) {
		return SliceBuffer(s.Materialize())
	}
	block := bufpool.GetDirty(pool, n)
	s.CopyTo(*block)
	return NewBuffer(block, pool)
}

// Reader returns a Reader of the bytes. It holds references of its own, so s may be freed before it.
func (s BufferSlice) Reader() *Reader {
	r := new(Reader)
	r.Reset(s)
	return r
}

// writer appends a copy of what is written to a BufferSlice.
type writer struct {
	buffers *BufferSlice
	pool    BufferPool
}

// NewWriter returns a writer whose every Write appends a Buffer to *buffers, with a copy of the bytes in memory from pool. It never fails.
func NewWriter(buffers *BufferSlice, pool BufferPool) io.Writer {
	return &writer{buffers: buffers, pool: pool}
}

func (w *writer) Write(p []byte) (int, error) {
	*w.buffers = append(*w.buffers, Copy(p, w.pool))
	return len(p), nil
}

// ReadAll reads r to its end into Buffers from pool. The end is not an error. Unlike other functions of this kind it returns what was
// read before an error beside it: the caller frees the BufferSlice in either case.
func ReadAll(r io.Reader, pool BufferPool) (BufferSlice, error) {
	var all BufferSlice
	if wt, ok := r.(io.WriterTo); ok {
		_, err := wt.WriteTo(NewWriter(&all, pool))
		return all, err
	}
	for {
		block := bufpool.GetDirty(pool, readAllSize)
		n, err := fill(r, (*block)[:cap(*block)])
		if n > 0 {
			*block = (*block)[:n]
			all = append(all, NewBuffer(block, pool))
		} else {
			pool.Put(block)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// fill reads until p is full or r fails. It is io.ReadFull, except that it leaves the error as it is.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}
