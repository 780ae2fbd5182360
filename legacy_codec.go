// The codec and the compressors of 2016: interfaces that bytes go through whole, and options that set one for all calls.
// Today's are in package encoding.

package grpc

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

// Codec turns messages into bytes and back. Its methods may be called concurrently.
//
// Deprecated: use encoding.CodecV2.
type Codec interface {
	// Marshal returns the bytes of v.
	Marshal(v any) ([]byte, error)
	// Unmarshal sets v to what data says.
	Unmarshal(data []byte, v any) error
	// String returns the name of the codec.
	String() string
}

// Compressor compresses messages. Its methods may be called concurrently.
//
// Deprecated: use encoding.Compressor.
type Compressor interface {
	// Do compresses p into w.
	Do(w io.Writer, p []byte) error
	// Type returns the name of the compression, which goes on the wire.
	Type() string
}

// Decompressor undoes a Compressor. Its methods may be called concurrently.
//
// Deprecated: use encoding.Compressor.
type Decompressor interface {
	// Do reads all of r, which is compressed.
	Do(r io.Reader) ([]byte, error)
	// Type returns the name of the compression that it undoes.
	Type() string
}

// NewGZIPCompressor returns a Compressor with the default level of gzip.
//
// Deprecated: use package encoding/gzip.
func NewGZIPCompressor() Compressor {
	c, _ := NewGZIPCompressorWithLevel(gzip.DefaultCompression) // which is a level
	return c
}

// NewGZIPCompressorWithLevel returns a Compressor with a level of gzip.
//
// Deprecated: use package encoding/gzip.
func NewGZIPCompressorWithLevel(level int) (Compressor, error) {
	if level < gzip.DefaultCompression || level > gzip.BestCompression {
		return nil, fmt.Errorf("grpc: invalid compression level: %d", level)
	}
	return &gzipCompressor{level: level}, nil
}

// A gzipCompressor keeps its writers for later.
type gzipCompressor struct {
	level   int
	writers sync.Pool
}

func (c *gzipCompressor) Do(w io.Writer, p []byte) error {
	z, ok := c.writers.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(io.Discard, c.level) // the level was checked
	}
	defer c.writers.Put(z)
	z.Reset(w)
	if _, err := z.Write(p); err != nil {
		return err
	}
	return z.Close()
}

func (c *gzipCompressor) Type() string { return "gzip" }

// NewGZIPDecompressor returns a Decompressor of gzip.
//
// Deprecated: use package encoding/gzip.
func NewGZIPDecompressor() Decompressor { return new(gzipDecompressor) }

// A gzipDecompressor keeps its readers for later.
type gzipDecompressor struct{ readers sync.Pool }

func (d *gzipDecompressor) Do(r io.Reader) ([]byte, error) {
	z, err := d.open(r)
	if err != nil {
		return nil, err
	}
	defer d.readers.Put(z)
	return io.ReadAll(z)
}

func (d *gzipDecompressor) open(r io.Reader) (*gzip.Reader, error) {
	z, ok := d.readers.Get().(*gzip.Reader)
	if !ok {
		return gzip.NewReader(r)
	}
	if err := z.Reset(r); err != nil {
		d.readers.Put(z)
		return nil, err
	}
	return z, nil
}

func (d *gzipDecompressor) Type() string { return "gzip" }

// doLimited is Do for a message of at most limit bytes: our own decompressor stops there, and of any other one the result is
// checked.
func doLimited(d Decompressor, p []byte, limit int) ([]byte, error) {
	g, ok := d.(*gzipDecompressor)
	if !ok {
		return d.Do(bytes.NewReader(p))
	}
	z, err := g.open(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	defer g.readers.Put(z)
	return io.ReadAll(upTo(z, limit))
}
