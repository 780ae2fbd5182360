// The contracts of codecs and compressors, and the two registries that find them by name.
// A registry is an immutable table behind an atomic pointer: registering replaces the table, a look-up costs one load and one map access.

// Package encoding defines how messages become bytes (Codec, CodecV2) and how bytes are compressed (Compressor), and finds both by name.
//
// The API is experimental and may change in a later release.
package encoding

import (
	"io"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
)

// Identity is the content coding of messages that are not compressed. It is for gRPC itself.
const Identity = "identity"

// Compressor compresses and decompresses messages. Its methods may be called by any number of goroutines.
type Compressor interface {
	// Compress returns a writer that compresses what is written to it into w. The message is complete once the writer is closed.
	Compress(w io.Writer) (io.WriteCloser, error)
	// Decompress returns a reader of what r holds in compressed form. gRPC reads no further than a byte beyond what a message may have, so
	// that the reader should produce no more than it is asked for. If it is an io.Closer too, gRPC closes it exactly once.
	Decompress(r io.Reader) (io.Reader, error)
	// Name returns the content coding that names the compressor on the wire (grpc-encoding). It is always the same.
	Name() string
}

// Codec turns messages into bytes and back. Its methods may be called by any number of goroutines.
type Codec interface {
	// Marshal returns the bytes of v.
	Marshal(v any) ([]byte, error)
	// Unmarshal sets v to what data says.
	Unmarshal(data []byte, v any) error
	// Name returns the content-subtype that names the codec on the wire. It is always the same.
	Name() string
}

// CodecV2 is a Codec whose bytes are in buffers that can be pooled. Its methods may be called by any number of goroutines.
type CodecV2 interface {
	// Marshal returns the bytes of v, with a reference to each Buffer that the caller frees.
	Marshal(v any) (out mem.BufferSlice, err error)
	// Unmarshal sets v to what data says. The caller frees data right afterwards: a codec that keeps it takes references of its own.
	Unmarshal(data mem.BufferSlice, v any) error
	// Name returns the content-subtype that names the codec on the wire. It is always the same.
	Name() string
}

// codec is what one content-subtype stands for: either kind of codec, the other nil.
type codec struct {
	v1 Codec
	v2 CodecV2
}

// compressorTable is immutable.
type compressorTable struct {
	byName map[string]Compressor
	names  string // in order of registration, comma-joined
}

var (
	registering sync.Mutex // held while a table is replaced; look-ups take no lock
	codecs      atomic.Pointer[map[string]codec]
	compressors atomic.Pointer[compressorTable]
)

// RegisterCodec makes c the codec of the content-subtype c.Name(), in lower case, in place of any Codec or CodecV2 that had it. It is
// meant to be called from init functions. It panics if c is nil or its name is empty. Calls of content-subtypes that nobody has registered
// are taken by servers for those of "proto".
func RegisterCodec(c Codec) {
	if c == nil {
		panic("cannot register a nil Codec")
	}
	if c.Name() == "" {
		panic("cannot register Codec with empty string result for Name()")
	}
	register(c.Name(), codec{v1: c})
}

// RegisterCodecV2 makes c the codec of the content-subtype c.Name(), in lower case, in place of any Codec or CodecV2 that had it. It is
// meant to be called from init functions. It panics if c is nil or its name is empty.
func RegisterCodecV2(c CodecV2) {
	if c == nil {
		panic("cannot register a nil CodecV2")
	}
	if c.Name() == "" {
		panic("cannot register CodecV2 with empty string result for Name()")
	}
	register(c.Name(), codec{v2: c})
}

func register(name string, c codec) {
	registering.Lock()
	defer registering.Unlock()
	next := map[string]codec{}
	if t := codecs.Load(); t != nil {
		maps.Copy(next, *t)
	}
	next[strings.ToLower(name)] = c
	codecs.Store(&next)
}

// GetCodec returns the Codec of a content-subtype, which must be in lower case; nil if none is registered or it is a CodecV2.
func GetCodec(contentSubtype string) Codec { return lookUp(contentSubtype).v1 }

// GetCodecV2 returns the CodecV2 of a content-subtype, which must be in lower case; nil if none is registered or it is a Codec.
func GetCodecV2(contentSubtype string) CodecV2 { return lookUp(contentSubtype).v2 }

func lookUp(contentSubtype string) codec {
	t := codecs.Load()
	if t == nil {
		return codec{}
	}
	return (*t)[contentSubtype]
}

// RegisterCompressor makes c the compressor of the content coding c.Name(), in place of any that had it. From then on messages in that
// coding are understood, peers are told so (grpc-accept-encoding), and grpc.UseCompressor can ask for it. It is meant to be called from
// init functions.
func RegisterCompressor(c Compressor) {
	name := c.Name()
	registering.Lock()
	defer registering.Unlock()
	next := &compressorTable{byName: map[string]Compressor{}}
	if t := compressors.Load(); t != nil {
		maps.Copy(next.byName, t.byName)
		next.names = t.names
	}
	if _, known := next.byName[name]; !known && name != "" {
		if next.names != "" {
			next.names += ","
		}
		next.names += name
	}
	next.byName[name] = c
	compressors.Store(next)
}

// GetCompressor returns the compressor of a content coding, or nil if none is registered.
func GetCompressor(name string) Compressor {
	t := compressors.Load()
	if t == nil {
		return nil
	}
	return t.byName[name]
}

// CompressorNames returns the names of all registered compressors in order of registration, joined by commas: the value of
// grpc-accept-encoding. It costs no more than a load. It is for gRPC itself.
func CompressorNames() string {
	t := compressors.Load()
	if t == nil {
		return ""
	}
	return t.names
}
