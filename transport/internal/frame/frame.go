// The vocabulary of HTTP/2 framing (RFC 9113 §4-7): frame types, flags, error codes, settings and the nine-byte header.
// Each other file of this package holds one kind of frame: how it is parsed, and how it is appended to bytes.

// Package frame reads and writes HTTP/2 frames. It knows nothing of connections or streams: it checks what a frame by itself
// must fulfil, and leaves to its caller every rule that depends on what came before.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Preface is what a client sends before its first frame (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	// HeaderLen is the size in bytes of the header of every frame (RFC 9113 §4.1).
	HeaderLen = 9
	// DefaultMaxSize is the largest payload in bytes that may be sent before the peer allows more
	// (RFC 9113 §6.5.2, SETTINGS_MAX_FRAME_SIZE initial value).
	DefaultMaxSize = 16384
	// LargestMaxSize is the largest value that SETTINGS_MAX_FRAME_SIZE may have (RFC 9113 §6.5.2).
	LargestMaxSize = 1<<24 - 1
	// MaxWindow is the largest flow-control window in bytes (RFC 9113 §6.9.1).
	MaxWindow = 1<<31 - 1
	// DefaultWindow is the flow-control window in bytes that streams and connections start with (RFC 9113 §6.9.2).
	DefaultWindow = 65535
	// DefaultTableSize is the size in bytes that an HPACK table starts with (RFC 9113 §6.5.2).
	DefaultTableSize = 4096
)

// A Type is the type of a frame (RFC 9113 §6).
type Type uint8

// The frame types of RFC 9113. Others must be ignored (§4.1).
const (
	Data         Type = 0x0
	Headers      Type = 0x1
	Priority     Type = 0x2
	RSTStream    Type = 0x3
	Settings     Type = 0x4
	PushPromise  Type = 0x5
	Ping         Type = 0x6
	GoAway       Type = 0x7
	WindowUpdate Type = 0x8
	Continuation Type = 0x9
)

var typeNames = [...]string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"}

// String returns the name that the RFC gives the type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("frame type %#x", uint8(t))
}

// Flags are the flags of a frame; their meaning depends on its type.
type Flags uint8

// The flags of RFC 9113.
const (
	Ack        Flags = 0x1 // SETTINGS, PING
	EndStream  Flags = 0x1 // DATA, HEADERS
	EndHeaders Flags = 0x4 // HEADERS, CONTINUATION
	Padded     Flags = 0x8 // DATA, HEADERS
	HasPrio    Flags = 0x20
)

// Has reports whether all of the flags v are set.
func (f Flags) Has(v Flags) bool { return f&v == v }

// A Header is the header of a frame.
type Header struct {
	Length   int // bytes of payload
	Type     Type
	Flags    Flags
	StreamID uint32 // without the reserved bit
}

// String describes the header for error texts.
func (h Header) String() string {
	return fmt.Sprintf("%v on stream %d, flags %#x, %d bytes", h.Type, h.StreamID, uint8(h.Flags), h.Length)
}

// parseHeader reads a header from the first nine bytes of b.
func parseHeader(b []byte) Header {
	_ = b[HeaderLen-1]
	return Header{
		Length:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		Type:     Type(b[3]),
		Flags:    Flags(b[4]),
		StreamID: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1),
	}
}

// AppendHeader appends the header of a frame whose payload of length bytes follows.
func AppendHeader(b []byte, t Type, f Flags, id uint32, length int) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(t), byte(f), byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// An Error is a breach of the protocol that ends the connection: the peer is told its code in a GOAWAY (RFC 9113 §5.4.1).
type Error struct {
	Code ErrCode
	Text string // what was wrong, with limit and value
}

// Error returns the code and the text.
func (e *Error) Error() string { return fmt.Sprintf("connection error: %v: %s", e.Code, e.Text) }

// ErrHTTP1 says that the peer does not speak HTTP/2.
var ErrHTTP1 = errors.New("http2: failed reading the frame payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header")

func errorf(code ErrCode, format string, args ...any) error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}
