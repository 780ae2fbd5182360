// The other end of a connection for tests of one end alone: it says what the test tells it, coded by golang.org/x/net, and notes what it
// hears, and when.

package transport

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A scriptedPeer is an end of an in-memory connection. It runs within a bubble of synctest.
type scriptedPeer struct {
	t     *testing.T
	nc    net.Conn
	start time.Time

	framer *http2.Framer // reads in listen

	answersPings bool

	mu    sync.Mutex // guards the fields below
	heard []string
	gate  chan struct{} // the peer does not read before it is closed; nil if it reads

	speaking sync.Mutex // held to write
}

// newPeer returns the peer of the other end. It reads from now on, and ends with the test.
func newPeer(t *testing.T, answersPings bool) (p *scriptedPeer, other net.Conn) {
	near, far := net.Pipe()
	p = &scriptedPeer{t: t, nc: near, start: time.Now(), answersPings: answersPings, framer: http2.NewFramer(near, near)}
	t.Cleanup(func() { near.Close() })
	return p, far
}

// listen notes each frame until the connection ends.
func (p *scriptedPeer) listen() {
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.note("end")
			return
		}
		p.note(describe(f))
		if f, ok := f.(*http2.PingFrame); ok && p.answersPings && !f.IsAck() {
			data := f.Data
			go p.say(func(fr *http2.Framer) error { return fr.WritePing(true, data) }) // ends when the other end has read it
		}
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		if gate != nil {
			<-gate
		}
	}
}

func (p *scriptedPeer) note(what string) {
	p.mu.Lock()
	p.heard = append(p.heard, fmt.Sprintf("%v %s", time.Since(p.start), what))
	p.mu.Unlock()
}

// describe returns what matters of a frame.
func describe(f http2.Frame) string {
	switch f := f.(type) {
	case *http2.PingFrame:
		if f.IsAck() {
			return "PING ack"
		}
		return "PING " + strings.TrimRight(string(f.Data[:]), "\x00\x01")
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %v %q", f.LastStreamID, f.ErrCode, f.DebugData())
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("RST_STREAM %d %v", f.StreamID, f.ErrCode)
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ack"
		}
	}
	return fmt.Sprintf("%v %d", f.Header().Type, f.Header().StreamID)
}

// say writes frames. If the other end is gone, so be it.
func (p *scriptedPeer) say(write func(*http2.Framer) error) {
	p.speaking.Lock()
	defer p.speaking.Unlock()
	_ = write(p.framer)
}

// take returns what was heard since the last take, without what belongs to the beginning of each connection.
func (p *scriptedPeer) take() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var heard []string
	for _, h := range p.heard {
		if !strings.Contains(h, "s SETTINGS ") && !strings.HasSuffix(h, "WINDOW_UPDATE 0") {
			heard = append(heard, h)
		}
	}
	p.heard = nil
	return heard
}

// want checks what was heard since the last take.
func (p *scriptedPeer) want(want ...string) {
	p.t.Helper()
	if got := p.take(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// letPass lets time pass.
func letPass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// headers opens a stream, or with end ends the one that has response headers.
func (p *scriptedPeer) headers(id uint32, end bool, fields ...string) {
	var block bytes.Buffer
	coder := hpack.NewEncoder(&block)
	coder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	p.say(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	})
}

// request opens a stream as a client.
func (p *scriptedPeer) request(id uint32) {
	p.headers(id, false, ":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "te", "trailers", "content-type", "application/grpc")
}

func (p *scriptedPeer) ping() {
	p.say(func(f *http2.Framer) error { return f.WritePing(false, [8]byte{'p', 'e', 'e', 'r'}) })
}

// clientEvents notes what a client connection tells.
type clientEvents struct {
	mu    sync.Mutex
	heard []string
}

func (e *clientEvents) Draining(r GoAwayReason) { e.note("draining " + r.Debug) }
func (e *clientEvents) Closed(err error)        { e.note("closed " + err.Error()) }

func (e *clientEvents) note(what string) {
	e.mu.Lock()
	e.heard = append(e.heard, what)
	e.mu.Unlock()
}

func (e *clientEvents) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if strings.Join(e.heard, "\n") != strings.Join(want, "\n") {
		t.Errorf("events: got %q, want %q", e.heard, want)
	}
}

// dialPeer returns a client connection to a scripted server.
func dialPeer(t *testing.T, o ClientOptions, answersPings bool) (*Client, *scriptedPeer, *clientEvents) {
	t.Helper()
	p, nc := newPeer(t, answersPings)
	go func() { // ends with the connection
		if _, err := p.nc.Read(make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		p.listen()
	}()
	go p.say(func(f *http2.Framer) error { return f.WriteSettings() }) // ends when the client has read it
	e := new(clientEvents)
	c, err := NewClient(context.Background(), nc, o, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close(ErrConnClosing)
		p.nc.Close()
		<-c.Done()
	})
	p.take()
	return c, p, e
}

// openCall opens a stream without messages.
func openCall(t *testing.T, c *Client) *ClientStream {
	t.Helper()
	s := new(ClientStream)
	if err := c.Open(context.Background(), s, &CallHeader{Method: "/s/m", Authority: "a", MaxMessageSize: 1 << 20}, nil, false); err != nil {
		t.Fatal(err)
	}
	return s
}

// streamKeeper is a Handler that keeps its streams.
type streamKeeper struct {
	mu      sync.Mutex
	streams []*ServerStream
	ends    []string
}

func (k *streamKeeper) HandleStream(s *ServerStream) {
	k.mu.Lock()
	k.streams = append(k.streams, s)
	k.mu.Unlock()
}

func (k *streamKeeper) Closed(err error) {
	k.mu.Lock()
	k.ends = append(k.ends, err.Error())
	k.mu.Unlock()
}

// stream returns the stream that came as the nth one.
func (k *streamKeeper) stream(n int) *ServerStream {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.streams[n]
}

// acceptPeer returns a server connection from a scripted client.
func acceptPeer(t *testing.T, o ServerOptions, answersPings bool) (*Server, *scriptedPeer, *streamKeeper) {
	t.Helper()
	p, nc := newPeer(t, answersPings)
	go p.listen() // ends with the connection
	go func() {   // ends when the server has read it
		_, _ = p.nc.Write([]byte(http2.ClientPreface))
		p.say(func(f *http2.Framer) error { return f.WriteSettings() })
	}()
	o.Context = context.Background()
	k := new(streamKeeper)
	s, err := NewServer(nc, o, k)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve() // ends with the connection
	t.Cleanup(func() {
		s.Close(ErrConnClosing)
		p.nc.Close()
		<-s.Done()
	})
	p.take()
	return s, p, k
}
