// What both ends offer to the packages above: options, their defaults, and what a call's header says.

package transport

import (
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// maxFrameSize is the largest payload, in bytes, of a frame that this side accepts.
	maxFrameSize = 1 << 20
	// defaultConnWindow is the initial window of a connection, in bytes. It bounds no memory, since it is renewed on arrival.
	defaultConnWindow = 1 << 20
	// defaultReadBuffer is the size of the read buffer, in bytes.
	defaultReadBuffer = 32 << 10
	// minWriteBuffer is how many bytes of messages are gathered for one write at least.
	minWriteBuffer = frame.DefaultMaxSize
	// defaultMaxHeaderListSize is the largest header list, in bytes by the measure of RFC 9113 §6.5.2, that is accepted. The peer is told, so
	// that a call that has more fails on its side, and not the connection on this one.
	defaultMaxHeaderListSize = 16 << 20
)

// ConnOptions are the options that both ends have in common.
type ConnOptions struct {
	Pool              mem.BufferPool // mem.DefaultBufferPool() if nil
	ReadBufferSize    int            // bytes read ahead; 0 means 32 KiB, less than 0 none
	WriteBufferSize   int            // bytes of messages gathered for one write; 0 means minBatch and more, or turnSize, less than 0 that nobody is waited for
	KeepWriteBuffers  bool           // while nothing is written, and the goroutine that writes
	StreamWindow      int64          // bytes; the initial window of each stream; 0 means 65535
	ConnWindow        int64          // bytes; the initial window of the connection; 0 means 1 MiB
	StaticWindows     bool           // keeps the windows from growing with what the link can carry
	StallTimeout      time.Duration  // how long writing may make no progress before the connection is closed; 0 means 20 seconds
	MaxHeaderListSize *uint32        // bytes; the largest header list that is accepted; nil means 16 MiB
}

// setDefaults replaces zero values.
func (o *ConnOptions) setDefaults() {
	if o.Pool == nil {
		o.Pool = mem.DefaultBufferPool()
	}
	if o.ReadBufferSize == 0 {
		o.ReadBufferSize = defaultReadBuffer
	}
	if o.WriteBufferSize > 0 {
		o.WriteBufferSize = max(o.WriteBufferSize, minWriteBuffer)
	}
	if o.StreamWindow == 0 {
		o.StreamWindow = frame.DefaultWindow
	}
	if o.ConnWindow == 0 {
		o.ConnWindow = defaultConnWindow
	}
	o.StallTimeout = orDefault(o.StallTimeout, defaultStallTimeout)
}

// maxHeaderList returns the largest header list, in bytes, that is accepted.
func (o *ConnOptions) maxHeaderList() uint64 {
	if o.MaxHeaderListSize == nil {
		return defaultMaxHeaderListSize
	}
	return uint64(*o.MaxHeaderListSize)
}

// settings returns what the options mean to the peer.
func (o *ConnOptions) settings() []frame.Setting {
	s := []frame.Setting{{ID: frame.MaxFrameSize, Value: maxFrameSize}, {ID: frame.MaxHeaderListSize, Value: uint32(o.maxHeaderList())}}
	if o.StreamWindow != frame.DefaultWindow {
		s = append(s, frame.Setting{ID: frame.InitialWindowSize, Value: uint32(o.StreamWindow)})
	}
	return s
}

// A CallHeader is what a client's call says before its messages.
type CallHeader struct {
	Method           string    // the path, "/service/method"
	Authority        string    // the value of :authority
	ContentSubtype   string    // "" for proto by default
	SendCompress     string    // the value of grpc-encoding, "" for none
	AcceptEncoding   string    // the value of grpc-accept-encoding, "" for none
	PreviousAttempts int       // the value of grpc-previous-rpc-attempts, 0 for none
	Deadline         time.Time // zero for none
	MaxMessageSize   int       // bytes; larger messages of the answer are refused

	// Metadata in the order in which it is sent. Nothing of it is changed. Reserved names are left out.
	Credentials [2]map[string]string // of the channel and of the call
	Metadata    metadata.MD
	Added       [][]string // pairs of keys and values, keys of any case
	PickMD      metadata.MD
}
