// A server for tests of what a peer may do: it speaks HTTP/2 frames, coded by golang.org/x/net, and does by itself only what keeps a
// connection up. The test says what becomes of streams.

package grpc

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/test/bufconn"
)

// A rawConn is the server's end of a connection.
type rawConn struct {
	nc net.Conn

	mu     sync.Mutex // guards the fields below
	framer *http2.Framer
	block  bytes.Buffer
	coder  *hpack.Encoder
}

// A rawServer serves raw connections.
type rawServer struct {
	lis      *bufconn.Listener
	conns    chan *rawConn // those that were accepted; the slots are more than any test needs
	onStream func(c *rawConn, id uint32)
}

// serveRaw accepts connections until the end of the test. onStream is called for each stream that a client opens; it may be nil.
func serveRaw(t *testing.T, onStream func(c *rawConn, id uint32)) *rawServer {
	r := &rawServer{lis: bufconn.Listen(64 << 10), conns: make(chan *rawConn, 100), onStream: onStream}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var readers sync.WaitGroup
		var open []net.Conn
		for nc, err := r.lis.Accept(); err == nil; nc, err = r.lis.Accept() {
			open = append(open, nc)
			readers.Go(func() { r.serve(nc) })
		}
		for _, nc := range open {
			nc.Close()
		}
		readers.Wait()
	}()
	t.Cleanup(func() {
		r.lis.Close()
		<-done
	})
	return r
}

// serve sets a connection up and reads it until it ends.
func (r *rawServer) serve(nc net.Conn) {
	defer nc.Close()
	c := &rawConn{nc: nc, framer: http2.NewFramer(nc, nc)}
	c.coder = hpack.NewEncoder(&c.block)
	if _, err := io.CopyN(io.Discard, nc, int64(len(http2.ClientPreface))); err != nil {
		return
	}
	c.write(func(f *http2.Framer) error { return f.WriteSettings() })
	r.conns <- c
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.write(func(f *http2.Framer) error { return f.WriteSettingsAck() })
			}
		case *http2.PingFrame:
			if data := f.Data; !f.IsAck() {
				c.write(func(f *http2.Framer) error { return f.WritePing(true, data) })
			}
		case *http2.HeadersFrame:
			if r.onStream != nil {
				r.onStream(c, f.StreamID)
			}
		}
	}
}

// write writes a frame. If the client is gone, so be it.
func (c *rawConn) write(f func(*http2.Framer) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = f(c.framer)
}

// goAway says that streams above last were not acted on.
func (c *rawConn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.write(func(f *http2.Framer) error { return f.WriteGoAway(last, code, []byte(debug)) })
}

// reset ends a stream with RST_STREAM.
func (c *rawConn) reset(id uint32, code http2.ErrCode) {
	c.write(func(f *http2.Framer) error { return f.WriteRSTStream(id, code) })
}

// headers answers a stream with response headers. The fields are keys and values.
func (c *rawConn) headers(id uint32, fields ...string) {
	c.fields(id, false, append([]string{":status", "200", "content-type", "application/grpc"}, fields...))
}

// trailers ends a stream that has response headers.
func (c *rawConn) trailers(id uint32, fields ...string) { c.fields(id, true, fields) }

// answer ends a stream with trailers alone.
func (c *rawConn) answer(id uint32, fields ...string) {
	c.fields(id, true, append([]string{":status", "200", "content-type", "application/grpc"}, fields...))
}

// message sends a message without compression.
func (c *rawConn) message(id uint32, payload string) {
	c.write(func(f *http2.Framer) error {
		return f.WriteData(id, false, append([]byte{0, 0, 0, 0, byte(len(payload))}, payload...))
	})
}

func (c *rawConn) fields(id uint32, end bool, fields []string) {
	c.write(func(f *http2.Framer) error {
		c.block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = c.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
		}
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
	})
}
