// What the fuzz targets of whole connections check of what comes back: that HTTP/2 allows it (RFC 9113), and that it is gRPC.

package faults

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A listener reads and checks what the other end of a connection says.
type listener struct {
	t       *testing.T
	nc      net.Conn
	in      *http2.Framer
	granted map[uint32]int64 // bytes that the other end was ever allowed to send, at most, beyond the initial window; 0 for the connection
	initial int64            // the largest initial window
	largest uint32           // the largest frame that the other end was allowed to send, in bytes
	reading sync.WaitGroup

	// Of the goroutine that reads, as long as it does, and of others while it waits:
	heard  map[uint32]*heard
	opened uint32 // the last stream that the other end has opened
	goAway uint32 // the last stream of its GOAWAY
	length uint32 // bytes of its largest frame
	ended  bool   // the connection has ended, or nothing sound comes any more

	mu     sync.Mutex // guards the field below
	paused chan struct{}
}

// heard is what was heard of a stream.
type heard struct {
	blocks  int    // header blocks
	data    int64  // bytes of DATA
	partial []byte // those of them that are no whole message yet
	over    bool   // the other end has ended or reset the stream
}

func (l *listener) init(t *testing.T, nc net.Conn) {
	l.t, l.nc, l.in = t, nc, http2.NewFramer(nil, nc)
	l.granted, l.initial, l.largest = make(map[uint32]int64), 65535, 16384
	l.heard, l.goAway = make(map[uint32]*heard), 1<<32-1
	l.in.SetMaxReadFrameSize(1<<24 - 1)
	l.in.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
}

// pause makes the reader wait at its next frame, or go on if it does so already.
func (l *listener) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused != nil {
		close(l.paused)
		l.paused = nil
		return
	}
	l.paused = make(chan struct{})
}

// resume lets the reader go on.
func (l *listener) resume() {
	l.mu.Lock()
	paused := l.paused
	l.mu.Unlock()
	if paused != nil {
		l.pause()
	}
}

// waitPaused waits as long as the reader shall.
func (l *listener) waitPaused() {
	l.mu.Lock()
	paused := l.paused
	l.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

// readClient reads the preface and then all frames.
func (l *listener) readClient() {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(l.nc, preface); err != nil || string(preface) != http2.ClientPreface {
		l.t.Errorf("preface: got %q, %v", preface, err)
	}
	l.read(l.request)
}

// readServer reads all frames.
func (l *listener) readServer() { l.read(l.response) }

// readAny reads what a server of net/http says, which is its own affair.
func (l *listener) readAny() {
	buf := make([]byte, 4<<10)
	for err := error(nil); err == nil; _, err = l.nc.Read(buf) {
		l.waitPaused()
	}
}

// read reads and checks what the other end says, until the connection ends. Header blocks are left to block.
func (l *listener) read(block func(*http2.MetaHeadersFrame, *heard)) {
	for {
		l.waitPaused()
		f, err := l.in.ReadFrame()
		var ofConn http2.ConnectionError
		var ofStream http2.StreamError
		if errors.As(err, &ofConn) || errors.As(err, &ofStream) {
			l.t.Errorf("what the other end has sent is wrong: %v (%v)", err, l.in.ErrorDetail())
		}
		if err != nil {
			l.ended = true
			_, _ = io.Copy(io.Discard, l.nc) // nothing, or what is behind the error
			return
		}
		l.length = max(l.length, f.Header().Length)
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			block(f, l.alive(f))
		case *http2.DataFrame:
			l.takeData(f, l.alive(f))
		case *http2.RSTStreamFrame:
			l.stream(f.StreamID).over = true
		case *http2.GoAwayFrame:
			l.takeGoAway(f)
		case *http2.PushPromiseFrame, *http2.PriorityFrame, *http2.ContinuationFrame:
			l.t.Errorf("got %v, want no such frame", f)
		}
	}
}

func (l *listener) stream(id uint32) *heard {
	s := l.heard[id]
	if s == nil {
		s = new(heard)
		l.heard[id] = s
	}
	return s
}

// alive returns the stream of a frame on which the other end may still send.
func (l *listener) alive(f http2.Frame) *heard {
	s := l.stream(f.Header().StreamID)
	if s.over {
		l.t.Errorf("got %v behind the end of the stream", f)
	}
	s.over = f.Header().Flags.Has(http2.FlagDataEndStream) // the bit is the same for HEADERS
	return s
}

// request takes a header block of a client: each opens a stream.
func (l *listener) request(f *http2.MetaHeadersFrame, s *heard) {
	s.blocks++
	switch id := f.StreamID; {
	case id%2 == 0 || id <= l.opened:
		l.t.Errorf("got %v, want it on a new stream above %d", f, l.opened)
	case f.PseudoValue("method") != "POST" || f.PseudoValue("path") == "" || f.PseudoValue("scheme") != "http":
		l.t.Errorf("got a request without fields that it must have: %v", f.Fields)
	}
	l.opened = f.StreamID
}

// response takes a header block of a server.
func (l *listener) response(f *http2.MetaHeadersFrame, s *heard) {
	s.blocks++
	httpStatus, code := f.PseudoValue("status"), valueOf(f, "grpc-status")
	_, err := strconv.ParseUint(code, 10, 31)
	switch {
	case f.StreamID > l.goAway:
		l.t.Errorf("got %v, which the other end has not acted on: its GOAWAY named %d", f, l.goAway)
	case (s.blocks == 1) != (httpStatus != ""):
		l.t.Errorf("header block number %d of stream %d: got :status %q", s.blocks, f.StreamID, httpStatus)
	case !f.StreamEnded() && (s.blocks > 1 || code != ""):
		l.t.Errorf("header block number %d of stream %d: got grpc-status %q, want it in that which ends the stream", s.blocks, f.StreamID, code)
	case f.StreamEnded() && err != nil:
		l.t.Errorf("end of stream %d: got grpc-status %q, want a number", f.StreamID, code)
	case f.StreamEnded() && len(s.partial) > 0:
		l.t.Errorf("got the end of stream %d within a message, of which there are %d bytes", f.StreamID, len(s.partial))
	}
}

func valueOf(f *http2.MetaHeadersFrame, name string) (value string) {
	for _, field := range f.RegularFields() {
		if field.Name == name {
			value = field.Value
		}
	}
	return value
}

func (l *listener) takeData(f *http2.DataFrame, s *heard) {
	n := int64(f.Length)
	s.data += n
	l.stream(0).data += n
	if s.blocks == 0 {
		l.t.Errorf("got %v before header fields", f)
	}
	for s.partial = append(s.partial, f.Data()...); len(s.partial) >= 5; {
		n := 5 + int(binary.BigEndian.Uint32(s.partial[1:]))
		if len(s.partial) < n {
			break
		}
		s.partial = s.partial[n:]
	}
	if f.StreamEnded() && len(s.partial) > 0 {
		l.t.Errorf("got the end of stream %d within a message, of which there are %d bytes", f.StreamID, len(s.partial))
	}
}

func (l *listener) takeGoAway(f *http2.GoAwayFrame) {
	if f.ErrCode > http2.ErrCodeHTTP11Required || len(f.DebugData()) > 128 || f.LastStreamID > l.goAway {
		l.t.Errorf("GOAWAY: got code %v, last stream %d behind %d, %d bytes of debug data", f.ErrCode, f.LastStreamID, l.goAway, len(f.DebugData()))
	}
	l.goAway = f.LastStreamID
}

// finish checks, when the reader has ended, that no more was sent than allowed.
func (l *listener) finish() {
	if l.length > l.largest {
		l.t.Errorf("got a frame of %d bytes, want at most %d", l.length, l.largest)
	}
	for id, s := range l.heard {
		limit := l.granted[id] + l.initial
		if id == 0 {
			limit = l.granted[0] + 65535
		}
		if s.data > limit {
			l.t.Errorf("stream %d: got %d bytes of DATA, the windows allow %d", id, s.data, limit)
		}
	}
}
