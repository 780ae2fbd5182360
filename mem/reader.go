// Reader: a BufferSlice as an io.Reader that frees what it has read.

package mem

import (
	"errors"
	"io"
)

var errInsufficientBytes = errors.New("insufficient bytes in reader")

// Reader reads a BufferSlice from front to back, and gives up its reference to each Buffer as soon as that is read. The zero value is
// at its end; Reset gives it something to read. A Reader is for one goroutine at a time.
type Reader struct {
	data   BufferSlice // what is left; while unread > 0, the first Buffer has unread bytes
	offset int         // bytes of the first Buffer that are read
	unread int         // bytes
}

// Reset gives up what is left and starts at the beginning of s, taking references of its own.
func (r *Reader) Reset(s BufferSlice) {
	s.Ref()
	r.data.Free()
	*r = Reader{data: s, unread: s.Len()}
	r.advance(0)
}

// Close gives up what is left: reads from then on find the end. It returns nil.
func (r *Reader) Close() error {
	r.data.Free()
	*r = Reader{}
	return nil
}

// Remaining returns the number of unread bytes.
func (r *Reader) Remaining() int { return r.unread }

// Read fills p as far as there are bytes. It returns io.EOF, and no bytes, at the end only.
func (r *Reader) Read(p []byte) (int, error) {
	if r.unread == 0 {
		return 0, io.EOF
	}
	total := 0
	for total < len(p) && r.unread > 0 {
		n := copy(p[total:], r.first())
		r.advance(n)
		total += n
	}
	return total, nil
}

// ReadByte returns the next byte, or io.EOF at the end.
func (r *Reader) ReadByte() (byte, error) {
	if r.unread == 0 {
		return 0, io.EOF
	}
	b := r.first()[0]
	r.advance(1)
	return b, nil
}

// Discard skips n bytes. If there are fewer it skips those and returns how many, with an error.
func (r *Reader) Discard(n int) (int, error) {
	total := 0
	for total < n && r.unread > 0 {
		m := min(n-total, len(r.first()))
		r.advance(m)
		total += m
	}
	if total < n {
		return total, errInsufficientBytes
	}
	return total, nil
}

// Peek appends the next n bytes to res, as slices of the Buffers that hold them, and returns the result; nothing counts as read. The
// slices are valid until their bytes are read. If there are fewer than n bytes it returns nil and an error.
func (r *Reader) Peek(n int, res [][]byte) ([][]byte, error) {
	if n > r.unread {
		return nil, errInsufficientBytes
	}
	offset := r.offset
	for i := 0; n > 0; i++ {
		part := r.data[i].ReadOnlyData()[offset:]
		offset = 0
		part = part[:min(n, len(part))]
		if len(part) > 0 {
			res = append(res, part)
			n -= len(part)
		}
	}
	return res, nil
}

// first returns the unread bytes of the first Buffer.
func (r *Reader) first() []byte { return r.data[0].ReadOnlyData()[r.offset:] }

// advance counts n bytes of the first Buffer as read, and frees the Buffers at the front that have no unread bytes.
func (r *Reader) advance(n int) {
	r.offset += n
	r.unread -= n
	for len(r.data) > 0 && r.offset == r.data[0].Len() {
		r.data[0].Free()
		r.data = r.data[1:]
		r.offset = 0
	}
}
