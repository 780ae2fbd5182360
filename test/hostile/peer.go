// A peer that says what a test tells it: one end of an HTTP/2 connection over golang.org/x/net's framer and HPACK coder, which are an
// implementation independent of the one under test. expect.go has what a test wants to hear from it.

package hostile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// patience is how long a peer waits for what must come. Only tests that fail wait that long.
const patience = 20 * time.Second

// A peer is one end of a connection. Frames are written through the methods of the embedded framer, or those of peer, and leave when flush is
// called or the buffer is full; whatever reads flushes first. One goroutine uses it, but for drain (expect.go), which reads beside a writer.
//
// Once the other end has closed the connection, writing goes on without effect, and broken says so: what a test wants to know is what was
// said before.
type peer struct {
	*http2.Framer
	tb     testing.TB
	nc     net.Conn
	w      *bufio.Writer
	broken bool // writing has failed
	single bool // bytes leave one by one
	quiet  bool // SETTINGS and PING of the other end are not acknowledged

	coded  bytes.Buffer // what enc has written
	enc    *hpack.Encoder
	dec    *hpack.Decoder
	fields []hpack.HeaderField // of the block that is being decoded
}

// newPeer makes nc a peer. The test closes it in the end.
func newPeer(tb testing.TB, nc net.Conn) *peer {
	p := &peer{tb: tb, nc: nc}
	p.w = bufio.NewWriterSize(p, 64<<10)
	p.Framer = http2.NewFramer(p.w, bufio.NewReaderSize(nc, 64<<10))
	p.AllowIllegalWrites = true
	p.SetMaxReadFrameSize(16384) // a test that announces more raises it
	p.SetReuseFrames()
	p.enc = hpack.NewEncoder(&p.coded)
	p.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.fields = append(p.fields, f) })
	tb.Cleanup(func() { nc.Close() })
	return p
}

// dial connects to a TCP address as a client, and says the preface and SETTINGS.
func dial(tb testing.TB, addr string, settings ...http2.Setting) *peer {
	tb.Helper()
	p := dialRaw(tb, addr)
	p.begin(settings...)
	return p
}

// dialRaw connects to a TCP address and says nothing.
func dialRaw(tb testing.TB, addr string) *peer {
	tb.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	return newPeer(tb, nc)
}

// begin says a client's preface and SETTINGS.
func (p *peer) begin(settings ...http2.Setting) {
	p.raw([]byte(http2.ClientPreface))
	p.do(p.WriteSettings(settings...))
	p.flush()
}

// accept makes an accepted connection a server's end: it reads the client's preface and says SETTINGS.
func accept(tb testing.TB, nc net.Conn, settings ...http2.Setting) *peer {
	tb.Helper()
	p := newPeer(tb, nc)
	preface := make([]byte, len(http2.ClientPreface))
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(nc, preface); err != nil || string(preface) != http2.ClientPreface {
		tb.Fatalf("preface: got %q and error %v, want %q", preface, err, http2.ClientPreface)
	}
	p.do(p.WriteSettings(settings...))
	p.flush()
	return p
}

// Write implements io.Writer for the buffer: an error is only noted.
func (p *peer) Write(b []byte) (int, error) {
	step := max(len(b), 1)
	if p.single {
		step = 1
	}
	for part := range slices.Chunk(b, step) {
		if p.broken {
			break
		}
		_, err := p.nc.Write(part)
		p.broken = err != nil
	}
	return len(b), nil
}

// flush sends what was written.
func (p *peer) flush() { _ = p.w.Flush() }

// do takes the error of a method of the framer, which is one of the test: nothing else fails on a buffer.
func (p *peer) do(err error) {
	if err != nil {
		p.tb.Helper()
		p.tb.Fatal(err)
	}
}

// raw writes bytes as they are.
func (p *peer) raw(b []byte) { _, _ = p.w.Write(b) }

// frame writes a frame of any type with any payload.
func (p *peer) frame(t http2.FrameType, flags http2.Flags, id uint32, payload ...byte) {
	p.do(p.WriteRawFrame(t, flags, id, payload))
}

// block encodes fields, given as names and values, into a header block.
func (p *peer) block(fields ...string) []byte {
	p.coded.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		p.do(p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(p.coded.Bytes())
}

// headers writes a block of fields, given as names and values, in one HEADERS frame.
func (p *peer) headers(id uint32, end bool, fields ...string) {
	p.headerBlock(id, end, p.block(fields...))
}

// headerBlock writes an encoded block in one HEADERS frame.
func (p *peer) headerBlock(id uint32, end bool, block []byte) {
	p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: true}))
}

// request returns the fields of a sound request, followed by others.
func request(method string, more ...string) []string {
	return append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "localhost",
		"content-type", "application/grpc", "te", "trailers"}, more...)
}

// open writes the HEADERS of a sound request with more fields.
func (p *peer) open(id uint32, method string, more ...string) {
	p.headers(id, false, request(method, more...)...)
}

// response writes the HEADERS of a sound response with more fields.
func (p *peer) response(id uint32, more ...string) {
	p.headers(id, false, append([]string{":status", "200", "content-type", "application/grpc"}, more...)...)
}

// data writes a DATA frame.
func (p *peer) data(id uint32, end bool, b []byte) { p.do(p.WriteData(id, end, b)) }

// prefixed returns a message with the prefix that says its length and whether it is compressed.
func prefixed(flag byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(payload)))
	return append(b, payload...)
}

// A heard is a frame that arrived. Of a header block it holds the fields, once the block is complete.
type heard struct {
	http2.FrameHeader
	fields   []hpack.HeaderField // HEADERS
	data     []byte              // DATA, PING, and the debug data of GOAWAY
	code     http2.ErrCode       // RST_STREAM, GOAWAY
	last     uint32              // GOAWAY: the last stream
	more     uint32              // WINDOW_UPDATE: the increment
	settings []http2.Setting     // SETTINGS
}

// end reports whether the frame ends its stream in good order.
func (h *heard) end() bool {
	return (h.Type == http2.FrameData || h.Type == http2.FrameHeaders) && h.Flags.Has(http2.FlagDataEndStream)
}

// field returns the value of the first field of a name, "" if there is none.
func (h *heard) field(name string) string {
	for _, f := range h.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// next flushes, and returns the next frame that arrives; SETTINGS and PING it acknowledges, unless the peer is quiet. The error is io.EOF, or
// another, when the connection has ended or the other end has broken a rule.
func (p *peer) next() (heard, error) {
	p.flush()
	_ = p.nc.SetReadDeadline(time.Now().Add(patience))
	h, err := p.read()
	if err != nil || p.quiet || h.Flags.Has(http2.FlagPingAck) {
		return h, err
	}
	switch h.Type {
	case http2.FrameSettings:
		p.do(p.WriteSettingsAck())
	case http2.FramePing:
		p.do(p.WritePing(true, [8]byte(h.data)))
	}
	return h, nil
}

// read returns the next frame, and does nothing else.
func (p *peer) read() (heard, error) {
	f, err := p.ReadFrame()
	if err != nil {
		return heard{}, err
	}
	h := heard{FrameHeader: f.Header()}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		_ = f.ForeachSetting(func(s http2.Setting) error { h.settings = append(h.settings, s); return nil })
	case *http2.PingFrame:
		h.data = bytes.Clone(f.Data[:])
	case *http2.DataFrame:
		h.data = bytes.Clone(f.Data())
	case *http2.RSTStreamFrame:
		h.code = f.ErrCode
	case *http2.WindowUpdateFrame:
		h.more = f.Increment
	case *http2.GoAwayFrame:
		h.code, h.last, h.data = f.ErrCode, f.LastStreamID, bytes.Clone(f.DebugData())
	case *http2.HeadersFrame:
		h.fields, err = p.decode(f.HeaderBlockFragment(), f.HeadersEnded())
	}
	return h, err
}

// decode decodes a header block that begins with a fragment.
func (p *peer) decode(fragment []byte, whole bool) ([]hpack.HeaderField, error) {
	p.fields = nil
	for {
		if _, err := p.dec.Write(fragment); err != nil {
			return nil, err
		}
		if whole {
			return p.fields, p.dec.Close()
		}
		f, err := p.ReadFrame()
		if err != nil {
			return nil, err
		}
		c := f.(*http2.ContinuationFrame) // the framer has checked it
		fragment, whole = c.HeaderBlockFragment(), c.HeadersEnded()
	}
}
