// What the fuzz targets of whole connections have in common: a script of frames, good ones and others, written with x/net's Framer, and a
// reader that checks what comes back.

package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A script is the peer of the connection that is tested.
type script struct {
	t       *testing.T
	nc      net.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	coder   *hpack.Encoder
	rest    []byte
	last    uint32           // the last stream that there is, odd
	granted map[uint32]int64 // bytes that the other end was ever allowed to send, at most, beyond the initial window; 0 for the connection
	initial int64            // the largest initial window
	reading sync.WaitGroup

	// Of the reader, as long as it reads:
	sent map[uint32]int64 // bytes of DATA by stream; 0 for the connection
	over map[uint32]bool  // streams that the other end has ended or reset
}

func newScript(t *testing.T, nc net.Conn, rest []byte) *script {
	p := &script{
		t: t, nc: nc, framer: http2.NewFramer(nc, nc), rest: rest, last: 1, granted: make(map[uint32]int64), initial: 65535,
		sent: make(map[uint32]int64), over: make(map[uint32]bool),
	}
	p.framer.AllowIllegalWrites = true
	p.framer.SetMaxReadFrameSize(1<<24 - 1)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.coder = hpack.NewEncoder(&p.block)
	return p
}

func (p *script) next() int {
	if len(p.rest) == 0 {
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return int(b)
}

// take returns the next n bytes of the script, or fewer if there are no more.
func (p *script) take(n int) []byte {
	n = min(n, len(p.rest))
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// stream returns the id of a stream: mostly one that exists.
func (p *script) stream() uint32 {
	switch b := p.next(); b % 8 {
	case 0:
		return 0
	case 1:
		return uint32(b)
	case 2:
		return p.last + 2
	default:
		return p.last - min(2*uint32(b%3), p.last-1)
	}
}

// fields writes a header block.
func (p *script) fields(id uint32, flags int, fields []string) {
	p.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = p.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: p.block.Bytes(), EndHeaders: flags&1 == 0, EndStream: flags&2 == 2, PadLength: uint8(flags >> 4),
	})
}

// message returns a message with its prefix.
func message(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(payload))), payload...)
}

// Values that are special somewhere.
var (
	specialIncrements = []uint32{0, 1, 100, 65535, 1 << 20, 1<<31 - 1}
	specialSettings   = []uint32{0, 1, 2, 100, 16383, 16384, 65535, 1<<24 - 1, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1}
	specialPings      = [][8]byte{{}, {'d', 'r', 'a', 'i', 'n', 0, 0, 1}, {'r', 't', 't', 0, 0, 0, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 8}}
	pauses            = []time.Duration{0, 0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 12 * time.Second}
)

// common does a step that either end can do. Errors of writing are not looked at: the connection may be over.
func (p *script) common(op int) {
	f := p.framer
	switch op % 10 {
	case 0:
		id, n := p.stream(), specialIncrements[p.next()%len(specialIncrements)]
		p.granted[id] += int64(n)
		_ = f.WriteWindowUpdate(id, n)
	case 1:
		_ = f.WriteRSTStream(p.stream(), http2.ErrCode(p.next()%16))
	case 2:
		s := http2.Setting{ID: http2.SettingID(p.next() % 9), Val: specialSettings[p.next()%len(specialSettings)]}
		if s.ID == http2.SettingInitialWindowSize {
			p.initial = max(p.initial, int64(s.Val))
		}
		_ = f.WriteSettings(s)
	case 3:
		b := p.next()
		_ = f.WritePing(b&1 == 1, specialPings[b>>1%len(specialPings)])
	case 4:
		_ = f.WriteGoAway(p.stream(), http2.ErrCode(p.next()%16), p.take(p.next()%32))
	case 5:
		_ = f.WriteRawFrame(http2.FrameType(p.next()%12), http2.Flags(p.next()), p.stream(), p.take(p.next()%64))
	case 6:
		_ = f.WriteContinuation(p.stream(), p.next()&1 == 1, p.take(p.next()%32))
	case 7:
		_, _ = p.nc.Write(p.take(p.next() % 16))
	case 8:
		synctest.Wait()
		<-time.After(pauses[p.next()%len(pauses)])
	case 9:
		b := p.next()
		_ = f.WriteDataPadded(p.stream(), b&1 == 1, bytes.Repeat(p.take(b>>2&7), 1<<(b>>5)), make([]byte, b>>1&1*7))
	}
}

// read reads and checks what the other end says, until the connection ends.
func (p *script) read() {
	for {
		f, err := p.framer.ReadFrame()
		var ofConn http2.ConnectionError
		var ofStream http2.StreamError
		if errors.As(err, &ofConn) || errors.As(err, &ofStream) {
			p.t.Errorf("what the other end has sent is wrong: %v (%v)", err, p.framer.ErrorDetail())
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, p.nc) // nothing, or what is behind the error
			return
		}
		p.check(f)
	}
}

// check checks a frame.
func (p *script) check(f http2.Frame) {
	id := f.Header().StreamID
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		if f.ErrCode > http2.ErrCodeHTTP11Required || len(f.DebugData()) > 128 {
			p.t.Errorf("GOAWAY: got code %v and %d bytes of debug data", f.ErrCode, len(f.DebugData()))
		}
	case *http2.RSTStreamFrame:
		p.over[id] = true
	case *http2.DataFrame:
		p.alive("DATA", id, f.StreamEnded())
		p.sent[id] += int64(f.Length)
		p.sent[0] += int64(f.Length)
	case *http2.MetaHeadersFrame:
		p.alive("HEADERS", id, f.StreamEnded())
	case *http2.PushPromiseFrame, *http2.PriorityFrame, *http2.ContinuationFrame:
		p.t.Errorf("got %v, want no such frame", f)
	}
}

// alive checks that the other end may still send on a stream.
func (p *script) alive(what string, id uint32, end bool) {
	if p.over[id] {
		p.t.Errorf("got %s on stream %d behind its end", what, id)
	}
	p.over[id] = end
}

// finish checks, when the reader has ended, that no more was sent than allowed.
func (p *script) finish() {
	for id, n := range p.sent {
		limit := p.granted[id] + p.initial
		if id == 0 {
			limit = p.granted[0] + 65535
		}
		if n > limit {
			p.t.Errorf("stream %d: got %d bytes of DATA, the windows allow %d", id, n, limit)
		}
	}
}
