// A client that says what a test tells it, frame by frame, and a server whose handler does nothing but note its streams. Frames are coded by
// golang.org/x/net. All runs in a bubble of testing/synctest.

package transport

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A rawClient is the client's end of a connection to a Server.
type rawClient struct {
	*http2.Framer
	t       *testing.T
	nc      net.Conn
	server  *Server
	streams chan *ServerStream // those that the handler was given
	answer  int                // bytes of the message that every stream is ended with at once, if not negative
	closed  error              // what the handler was told
	coded   bytes.Buffer
	enc     *hpack.Encoder
}

// HandleStream implements Handler.
func (c *rawClient) HandleStream(s *ServerStream) {
	if c.answer >= 0 {
		m := NewOutMessage()
		m.SetPayload(false, append(m.Reserve(s.c.opts.Pool, c.answer), make([]byte, c.answer)...))
		_ = s.Finish(status.New(codes.OK, ""), m)
		s.Done()
		return
	}
	c.streams <- s
}

// Closed implements Handler.
func (c *rawClient) Closed(err error) { c.closed = err }

// newRawClient connects to a new server, and says the preface and SETTINGS. It must be called in a bubble.
func newRawClient(t *testing.T, o ServerOptions) *rawClient {
	near, far := net.Pipe()
	c := &rawClient{t: t, nc: near, Framer: http2.NewFramer(near, near), streams: make(chan *ServerStream, 10000), answer: -1}
	c.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.coded)
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		o.Context = context.Background()
		var err error
		if c.server, err = NewServer(far, o, c); err != nil {
			t.Error(err)
			return
		}
		go c.server.Serve()
	}()
	if _, err := io.WriteString(near, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c.do(c.WriteSettings())
	<-ready
	t.Cleanup(func() {
		near.Close()
		<-c.server.Done()
	})
	return c
}

func (c *rawClient) do(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// block encodes a sound request with more fields.
func (c *rawClient) block(more ...string) []byte {
	c.coded.Reset()
	fields := append([]string{":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc"}, more...)
	for i := 0; i < len(fields); i += 2 {
		c.do(c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(c.coded.Bytes())
}

// open opens a stream with a sound request.
func (c *rawClient) open(id uint32, end bool) {
	c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block(), EndStream: end, EndHeaders: true}))
}

// until reads until a frame of the type arrives.
func (c *rawClient) until(typ http2.FrameType) http2.Frame {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("got %v, want %v", err, typ)
		}
		if f.Header().Type == typ {
			return f
		}
	}
}

// reading reads all that comes until the connection ends, in another goroutine, so that writing does not have to wait. The channel gives the
// last GOAWAY, and is closed then.
func (c *rawClient) reading() <-chan string {
	said := make(chan string, 1)
	go func() {
		defer close(said)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			if g, ok := f.(*http2.GoAwayFrame); ok {
				said <- g.ErrCode.String() + ": " + string(g.DebugData())
			}
		}
	}()
	return said
}

// inBubble runs a test with a raw client.
func inBubble(t *testing.T, o ServerOptions, f func(c *rawClient)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newRawClient(t, o)) })
}
