// One end of an HTTP/2 connection that does only what it is told, for what a well-behaved peer never does.
// Framing and HPACK are golang.org/x/net/http2's: an implementation that neither library under test shares.

// Package raw is a scripted HTTP/2 peer.
package raw

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// patience bounds every read and write of a peer: a test that waits longer has failed.
const patience = 10 * time.Second

// Conn is one end of a connection. Its methods fail the test on an I/O error. Not for concurrent use.
type Conn struct {
	Framer *http2.Framer

	t      testing.TB
	nc     net.Conn
	block  bytes.Buffer
	coder  *hpack.Encoder
	closed map[uint32]bool // streams on which END_STREAM was sent
}

func newConn(t testing.TB, nc net.Conn) *Conn {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Errorf("raw: %v", err)
	}
	c := &Conn{t: t, nc: nc, Framer: http2.NewFramer(nc, nc), closed: map[uint32]bool{}}
	c.Framer.AllowIllegalWrites = true
	c.coder = hpack.NewEncoder(&c.block)
	c.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.Framer.MaxHeaderListSize = 16 << 20
	return c
}

// Client makes the client's end of nc: preface and SETTINGS are sent.
func Client(t testing.TB, nc net.Conn, settings ...http2.Setting) *Conn {
	t.Helper()
	c := newConn(t, nc)
	_, err := io.WriteString(nc, http2.ClientPreface)
	c.must(err)
	c.must(c.Framer.WriteSettings(settings...))
	return c
}

// Server makes the server's end of nc: the preface is read, SETTINGS is sent.
func Server(t testing.TB, nc net.Conn, settings ...http2.Setting) *Conn {
	t.Helper()
	c := newConn(t, nc)
	preface := make([]byte, len(http2.ClientPreface))
	_, err := io.ReadFull(nc, preface)
	c.must(err)
	c.must(c.Framer.WriteSettings(settings...))
	return c
}

// Listen serves every connection of a loopback listener with script, each in its own goroutine, numbered from 0.
// The connection is half-closed when script returns, and closed when the client has closed it. It returns the listener's address.
func Listen(t testing.TB, script func(n int, c *Conn)) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("raw: %v", err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		lis.Close()
		<-ended
	})
	go func() {
		var running []chan struct{}
		for n := 0; ; n++ {
			nc, err := lis.Accept()
			if err != nil {
				break
			}
			done := make(chan struct{})
			running = append(running, done)
			go func() {
				defer close(done)
				defer nc.Close()
				c := Server(t, nc)
				script(n, c)
				nc.(*net.TCPConn).CloseWrite() // and read on: closing with unread bytes would reset the connection
				c.Drain()
			}()
		}
		for _, done := range running {
			<-done
		}
		close(ended)
	}()
	return lis.Addr().String()
}

func (c *Conn) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Errorf("raw: %v", err)
	}
}

// Close closes the connection.
func (c *Conn) Close() { c.nc.Close() }

// Write sends bytes as they are.
func (c *Conn) Write(p []byte) {
	c.t.Helper()
	_, err := c.nc.Write(p)
	c.must(err)
}

// Block returns the HPACK form of name/value pairs. "-" as a name is left out, with its value.
func (c *Conn) Block(pairs ...string) []byte {
	c.block.Reset()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "-" {
			c.must(c.coder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}))
		}
	}
	return bytes.Clone(c.block.Bytes())
}

// Headers sends one HEADERS frame, and CONTINUATION frames if the block is long.
func (c *Conn) Headers(id uint32, end bool, pairs ...string) {
	c.t.Helper()
	c.closed[id] = c.closed[id] || end
	block := c.Block(pairs...)
	const limit = 16384
	first := min(len(block), limit)
	c.must(c.Framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: block[:first], EndStream: end, EndHeaders: first == len(block),
	}))
	for block = block[first:]; len(block) > 0; {
		n := min(len(block), limit)
		c.must(c.Framer.WriteContinuation(id, n == len(block), block[:n]))
		block = block[n:]
	}
}

// Data sends one DATA frame.
func (c *Conn) Data(id uint32, end bool, p []byte) {
	c.t.Helper()
	c.closed[id] = c.closed[id] || end
	c.must(c.Framer.WriteData(id, end, p))
}

// Reset sends RST_STREAM.
func (c *Conn) Reset(id uint32, code http2.ErrCode) {
	c.t.Helper()
	c.must(c.Framer.WriteRSTStream(id, code))
}

// GoAway sends GOAWAY.
func (c *Conn) GoAway(last uint32, code http2.ErrCode, debug string) {
	c.t.Helper()
	c.must(c.Framer.WriteGoAway(last, code, []byte(debug)))
}

// Next returns the next frame that is not SETTINGS, PING, WINDOW_UPDATE or PRIORITY; it acknowledges the first two.
// The error is the reader's, io.EOF at the end of the connection.
func (c *Conn) Next() (http2.Frame, error) {
	for {
		f, err := c.Framer.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.Framer.WriteSettingsAck() // if the connection has ended, reading says so
			}
		case *http2.PingFrame:
			if f.IsAck() {
				return f, nil
			}
			c.Framer.WritePing(true, f.Data)
		case *http2.WindowUpdateFrame, *http2.PriorityFrame:
		default:
			return f, nil
		}
	}
}

// Request waits for the HEADERS of a new stream and returns its id and the fields by name; a frame of another kind is skipped.
// It returns 0 when the connection ends.
func (c *Conn) Request() (id uint32, fields map[string]string) {
	for {
		f, err := c.Next()
		if err != nil {
			return 0, nil
		}
		if h, ok := f.(*http2.MetaHeadersFrame); ok {
			fields = map[string]string{}
			for _, field := range h.Fields {
				fields[field.Name] = field.Value
			}
			return h.StreamID, fields
		}
	}
}

// Drain reads until the connection ends.
func (c *Conn) Drain() {
	for {
		if _, err := c.Next(); err != nil {
			return
		}
	}
}

// Until reads until the peer half-closes stream id, or resets it (then it returns false).
func (c *Conn) Until(id uint32) bool {
	for {
		switch f, err := c.Next(); f := f.(type) {
		case *http2.DataFrame:
			if f.StreamID == id && f.StreamEnded() {
				return true
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return false
			}
		default:
			if err != nil {
				return false
			}
		}
	}
}

// Message returns the length-prefixed form of a message.
func Message(flag byte, body []byte) []byte {
	p := binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(body)))
	return append(p, body...)
}

// Text returns the protobuf form of a StringValue shorter than 128 bytes.
func Text(s string) []byte {
	if s == "" {
		return nil
	}
	if len(s) > 127 {
		panic("raw: Text is for short texts")
	}
	return append([]byte{0x0a, byte(len(s))}, s...)
}

// Transcript reads all that the peer says about stream id until it has ended, and a little further: a PING that follows
// the end is answered after everything that the end brought with it. DATA frames in a row are joined. RST_STREAM NO_ERROR after
// the end is left out if this end had finished too: whether a server asks to stop then depends on how far it has read.
func (c *Conn) Transcript(id uint32) string {
	c.t.Helper()
	var log []string
	var data []byte
	flush := func() {
		if len(data) > 0 {
			log = append(log, fmt.Sprintf("DATA %q", data))
		}
		data = nil
	}
	over := func() {
		c.must(c.Framer.WritePing(false, [8]byte{'o', 'v', 'e', 'r'}))
	}
	for {
		f, err := c.Next()
		if d, ok := f.(*http2.DataFrame); ok && d.StreamID == id {
			data = append(data, d.Data()...)
			if d.StreamEnded() {
				flush()
				log = append(log, "END_STREAM")
				over()
			}
			continue
		}
		flush()
		if err != nil {
			log = append(log, ending(err))
			return strings.Join(log, " | ")
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID != id {
				continue
			}
			log = append(log, Fields(f))
			if f.StreamEnded() {
				over()
			}
		case *http2.RSTStreamFrame:
			if f.StreamID != id {
				continue
			}
			if len(log) == 0 || !strings.HasSuffix(log[len(log)-1], "END_STREAM") {
				over()
			}
			if f.ErrCode != http2.ErrCodeNo || !c.closed[id] {
				log = append(log, "RST_STREAM "+f.ErrCode.String())
			}
		case *http2.GoAwayFrame:
			log = append(log, fmt.Sprintf("GOAWAY %d %s %q", f.LastStreamID, f.ErrCode, f.DebugData()))
		case *http2.PingFrame:
			return strings.Join(log, " | ")
		}
	}
}

func ending(err error) string {
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return "TIMEOUT"
	}
	return "CLOSED"
}

// Fields is the written form of HEADERS.
func Fields(f *http2.MetaHeadersFrame) string {
	var b strings.Builder
	b.WriteString("HEADERS")
	for _, field := range f.Fields {
		fmt.Fprintf(&b, " %s=%s", field.Name, field.Value)
	}
	if f.StreamEnded() {
		b.WriteString(" END_STREAM")
	}
	return b.String()
}
