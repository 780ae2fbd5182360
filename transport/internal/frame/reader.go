// The reading side: frames out of a byte stream, with one buffer that is given back while the stream is silent.
// Headers and small payloads are looked at in the buffer; large payloads of DATA are read past it, to where they belong.

package frame

import (
	"io"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/internal/bufpool"
)

const (
	muchPast = 32 << 10 // bytes that were read past the buffer at once after which
	glance   = 512      // bytes are read next, so that large payloads are not read into the buffer only to be copied out of it
)

// A Source is the byte stream that a Reader reads.
type Source interface {
	io.Reader
	// ReadLazily reads at least one byte into memory that it borrows from l. A source that can wait for bytes without holding
	// memory borrows it only when bytes are there.
	ReadLazily(l Lender) (int, error)
}

// A Lender lends the memory to read into.
type Lender interface {
	// Lend returns memory of at least one byte. It returns the same memory until it is taken back.
	Lend() []byte
	// TakeBack ends the loan: no byte was read.
	TakeBack()
}

// A Reader reads frames. It is used by one goroutine, but for Reads.
type Reader struct {
	src       Source
	pool      bufpool.Pool // where the buffer comes from, and is while the source is silent
	size      int          // of the buffer
	readAhead int          // most bytes to ask the source for beyond what is needed
	maxSize   int          // largest payload accepted

	buf  *[]byte // nil while the source is silent and nothing is buffered
	r, w int     // buffered bytes are (*buf)[r:w]
	ask  int     // bytes to ask the source for: what is waited for, the rest of the frame, or more
	past bool    // much was read past the buffer last, and much more may follow
	left int     // payload bytes of the current frame that were not consumed yet

	reads atomic.Uint64 // how often the source gave bytes
}

// NewReader returns a Reader whose buffer has the given size in bytes, raised so that a frame of the default maximum fits. Of
// a size of 0 or less nothing is read ahead: each frame costs a read for its header and one for its payload. Frames with more
// than maxSize bytes of payload are refused.
func NewReader(src Source, pool bufpool.Pool, size, maxSize int) *Reader {
	r := &Reader{src: src, pool: pool, size: max(size, HeaderLen+DefaultMaxSize), readAhead: size, maxSize: maxSize}
	r.readAhead = max(r.readAhead, 0)
	return r
}

// Reads returns a number that grows whenever bytes arrive, many frames or part of one at a time. Anybody may call it.
func (r *Reader) Reads() uint64 { return r.reads.Load() }

// Lend implements Lender.
func (r *Reader) Lend() []byte {
	if r.buf == nil {
		r.buf = bufpool.GetDirty(r.pool, r.size)
	}
	return (*r.buf)[r.w:min(len(*r.buf), r.w+r.ask)]
}

// TakeBack implements Lender.
func (r *Reader) TakeBack() { r.Release() }

// Release gives the buffer back to its pool if nothing is in it.
func (r *Reader) Release() {
	if r.buf != nil && r.r == r.w {
		r.pool.Put(r.buf)
		r.buf, r.r, r.w = nil, 0, 0
	}
}

// Close gives the buffer back whatever is in it. The Reader must not be used any more.
func (r *Reader) Close() {
	r.r, r.w = 0, 0
	r.Release()
}

// Next returns the header of the next frame. What is left of the payload of the frame before is skipped.
func (r *Reader) Next() (Header, error) {
	if err := r.Discard(); err != nil {
		return Header{}, err
	}
	if err := r.buffer(HeaderLen); err != nil {
		return Header{}, err
	}
	h := parseHeader((*r.buf)[r.r:r.w])
	if h.Length > r.maxSize && string((*r.buf)[r.r:r.r+5]) == "HTTP/" {
		return h, ErrHTTP1
	}
	if h.Length > r.maxSize {
		return h, errorf(SizeError, "%v of %d bytes, limit %d", h.Type, h.Length, r.maxSize)
	}
	r.r += HeaderLen
	r.left = h.Length
	return h, nil
}

// NextIsBuffered reports whether the whole next frame is in the buffer and belongs to the stream id.
func (r *Reader) NextIsBuffered(id uint32) bool {
	h, ok := r.peek()
	return ok && h.StreamID == id
}

// NextIsWhole reports whether all of the next frame is buffered.
func (r *Reader) NextIsWhole() bool {
	_, ok := r.peek()
	return ok
}

// peek returns the header of the next frame if all of it is buffered.
func (r *Reader) peek() (Header, bool) {
	at := r.r + r.left
	if r.w-at < HeaderLen {
		return Header{}, false
	}
	h := parseHeader((*r.buf)[at:r.w])
	return h, r.w-at >= HeaderLen+h.Length
}

// BufferedLen returns how many bytes are buffered of this and the following frames.
func (r *Reader) BufferedLen() int { return r.w - r.r }

// Payload consumes the rest of the payload. The bytes are valid until the next call.
func (r *Reader) Payload() ([]byte, error) {
	n := r.left
	if HeaderLen+n > r.size {
		return r.largePayload(n)
	}
	if err := r.buffer(n); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	p := (*r.buf)[r.r : r.r+n]
	r.r += n
	r.left = 0
	return p, nil
}

// largePayload is Payload for one that does not fit into the buffer. Its memory grows with what has arrived.
func (r *Reader) largePayload(n int) ([]byte, error) {
	var p []byte
	for len(p) < n {
		at, step := len(p), min(n-len(p), max(len(p), DefaultMaxSize))
		p = slices.Grow(p, step)[:at+step]
		if err := r.ReadFull(p[at:]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Buffered consumes what is buffered of the payload. The bytes are valid until the next call; there may be none.
func (r *Reader) Buffered() []byte {
	n := min(r.left, r.w-r.r)
	if n == 0 {
		return nil
	}
	p := (*r.buf)[r.r : r.r+n]
	r.r += n
	r.left -= n
	return p
}

// ReadFull consumes len(p) bytes of the payload, of which there must be as many: those that are not buffered come straight
// from the source.
func (r *Reader) ReadFull(p []byte) error {
	n := 0
	r.past = len(p) >= muchPast
	if r.r < r.w {
		n = copy(p, (*r.buf)[r.r:r.w])
		r.r += n
	}
	r.left -= len(p)
	for n < len(p) {
		got, err := r.src.Read(p[n:])
		r.arrived(got)
		if n += got; err != nil && n < len(p) {
			return unexpected(err)
		}
	}
	return nil
}

// arrived counts a read.
func (r *Reader) arrived(n int) {
	if n > 0 {
		r.reads.Store(r.reads.Load() + 1) // there is one writer
	}
}

// ReadRaw consumes len(p) bytes that are no frame: a client's preface. p must fit into the buffer.
func (r *Reader) ReadRaw(p []byte) error {
	if err := r.buffer(len(p)); err != nil {
		return err
	}
	r.r += copy(p, (*r.buf)[r.r:r.w])
	return nil
}

// Fill reads until at least n bytes of the payload, or the rest of it, are buffered. n is at most DefaultMaxSize.
func (r *Reader) Fill(n int) error { return r.buffer(min(n, r.left)) }

// Discard skips the rest of the payload.
func (r *Reader) Discard() error {
	for r.left > 0 {
		if len(r.Buffered()) > 0 {
			continue
		}
		if err := r.buffer(1); err != nil {
			return err
		}
	}
	return nil
}

// buffer reads until n bytes are buffered. n must fit into the buffer. An end before the first byte of a frame is io.EOF.
func (r *Reader) buffer(n int) error {
	for r.w-r.r < n {
		got, err := 0, error(nil)
		if r.r == r.w {
			r.r, r.w, r.ask = 0, 0, max(n, r.left, r.readAhead)
			if r.past {
				r.past, r.ask = false, max(n, min(r.ask, glance))
			}
			got, err = r.src.ReadLazily(r)
		} else {
			r.makeRoom(n)
			end := min(len(*r.buf), max(r.r+max(n, r.left), r.w+r.readAhead))
			got, err = r.src.Read((*r.buf)[r.w:end])
		}
		r.arrived(got)
		r.w += got
		if err != nil && r.w-r.r < n {
			if r.w > r.r || r.left > 0 {
				err = unexpected(err)
			}
			return err
		}
	}
	return nil
}

// makeRoom moves what is buffered to the front if n bytes would not fit behind it.
func (r *Reader) makeRoom(n int) {
	if r.r+n > len(*r.buf) {
		r.w = copy(*r.buf, (*r.buf)[r.r:r.w])
		r.r = 0
	}
}

// unexpected tells an end within a frame from an end between frames.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
