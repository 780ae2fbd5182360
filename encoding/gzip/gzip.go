// The gzip compressor (RFC 1952), with re-used compressors and decompressors.

// Package gzip registers the compressor "gzip" when it is imported.
//
// The API is experimental and may change in a later release.
package gzip

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/encoding"
)

// Name is the content coding of the compressor.
const Name = "gzip"

var registered = newCompressor()

func init() {
	encoding.RegisterCompressor(registered)
}

// SetLevel sets the compression level of all messages that are compressed from now on: -1 (the default) or 0 (none) to 9 (best), as in
// compress/gzip. It fails for any other level, so for gzip.HuffmanOnly too.
func SetLevel(level int) error {
	if level < gzip.DefaultCompression || level > gzip.BestCompression {
		return fmt.Errorf("grpc: invalid gzip compression level: %d", level)
	}
	registered.writers.Store(&writerPool{level: level})
	return nil
}

// compressor is the encoding.Compressor.
type compressor struct {
	writers atomic.Pointer[writerPool]
	readers sync.Pool // of *source
}

func newCompressor() *compressor {
	c := &compressor{}
	c.writers.Store(&writerPool{level: gzip.DefaultCompression})
	return c
}

func (c *compressor) Name() string { return Name }

// writerPool holds *sink of one level.
type writerPool struct {
	level int
	idle  sync.Pool
}

// sink is a gzip.Writer with a destination that can be taken away from it, so that an idle one does not keep a message alive.
type sink struct {
	gz  *gzip.Writer // writes to the sink itself
	dst io.Writer
}

func (s *sink) Write(p []byte) (int, error) { return s.dst.Write(p) }

// writer lends a sink to the compression of one message.
type writer struct {
	*sink // nil once closed
	pool  *writerPool
}

func (c *compressor) Compress(w io.Writer) (io.WriteCloser, error) {
	pool := c.writers.Load()
	s, ok := pool.idle.Get().(*sink)
	if ok {
		s.gz.Reset(s)
	} else {
		s = &sink{}
		var err error
		if s.gz, err = gzip.NewWriterLevel(s, pool.level); err != nil {
			return nil, err
		}
	}
	s.dst = w
	return &writer{sink: s, pool: pool}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if w.sink == nil {
		return 0, io.ErrClosedPipe
	}
	return w.gz.Write(p)
}

// Close completes the message and gives the sink back. Closing again does nothing.
func (w *writer) Close() error {
	if w.sink == nil {
		return nil
	}
	err := w.gz.Close()
	w.dst = nil
	w.pool.idle.Put(w.sink)
	w.sink = nil
	return err
}

// source is a gzip.Reader with the buffer that it reads from.
type source struct {
	gz gzip.Reader
	in *bufio.Reader
}

// reader lends a source to the decompression of one message.
type reader struct {
	*source // nil once the end is reached
	pool    *sync.Pool
}

func (c *compressor) Decompress(r io.Reader) (io.Reader, error) {
	s, ok := c.readers.Get().(*source)
	if !ok {
		s = &source{in: bufio.NewReader(nil)}
	}
	s.in.Reset(r)
	if err := s.gz.Reset(s.in); err != nil {
		return nil, err
	}
	return &reader{source: s, pool: &c.readers}, nil
}

// Read gives the source back when it has reached the end of a good message. After an error, and if the message is not read to its end,
// the source is left to the garbage collector.
func (r *reader) Read(p []byte) (int, error) {
	if r.source == nil {
		return 0, io.EOF
	}
	n, err := r.gz.Read(p)
	if err == io.EOF {
		r.in.Reset(nil)
		r.pool.Put(r.source)
		r.source = nil
	}
	return n, err
}
