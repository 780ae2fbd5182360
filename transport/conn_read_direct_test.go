// Tests of reading DATA straight into the message that it belongs to.

package transport

import (
	"bytes"
	"io"
	"testing"

	"google.golang.org/grpc/transport/internal/frame"
)

// readerOf makes the connection read the given bytes.
func (c *conn) readerOf(b []byte, readAhead int) {
	c.read.frames = frame.NewReader(&bytesSource{bytes.NewReader(b)}, newLoanPool(), readAhead, maxFrameSize)
}

type bytesSource struct{ io.Reader }

func (s *bytesSource) ReadLazily(l frame.Lender) (int, error) { return s.Read(l.Lend()) }

// nextFrame reads the header of the next frame.
func (c *conn) nextFrame(t *testing.T) frame.Header {
	t.Helper()
	h, err := c.read.frames.Next()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestReceiveOfDataInEveryWay(t *testing.T) {
	sizes := []int{3, 5000, 0, 100000, 20}
	wire := wireOf(sizes...)
	for _, frameLen := range []int{1000, directRead, directRead + 1, 16384, 50000} {
		for _, readAhead := range []int{0, 100, 6000, 32 << 10} {
			q, pool := newQueue(1 << 20)
			c := heldConn()
			s := &stream{c: c, id: 1, takesMessages: true}
			s.recv.pool, s.recv.limit, s.recv.link, s.recv.window = q.pool, q.limit, q.link, q.window
			var b []byte
			for at := 0; at < len(wire); at += frameLen {
				part := wire[at:min(at+frameLen, len(wire))]
				b = append(frame.AppendHeader(b, frame.Data, 0, 1, len(part)), part...)
			}
			c.readerOf(b, readAhead)
			for at := 0; at < len(wire); at += frameLen {
				h := c.nextFrame(t)
				if _, err := s.recv.arrive(h.Length, 0); err != nil {
					t.Fatal(err)
				}
				if err := c.receive(s, h.Length); err != nil {
					t.Fatal(err)
				}
			}
			takeAll(t, &s.recv, sizes...)
			checkEmpty(t, "after all were taken", &s.recv, pool)
		}
	}
}

func TestMessageThatTheConnectionCutsOffIsNone(t *testing.T) {
	wire := wireOf(10000)
	b := append(frame.AppendHeader(nil, frame.Data, 0, 1, len(wire)), wire...)
	for _, cut := range []int{len(b) - 1, len(b) - 5000, 100} {
		q, pool := newQueue(1 << 20)
		c := heldConn()
		s := &stream{c: c, id: 1, takesMessages: true}
		s.recv.pool, s.recv.limit, s.recv.link, s.recv.window = q.pool, q.limit, q.link, q.window
		c.readerOf(b[:cut], 0)
		if err := c.receive(s, c.nextFrame(t).Length); err != io.ErrUnexpectedEOF {
			t.Errorf("%d of %d bytes: got %v, want %v", cut, len(b), err, io.ErrUnexpectedEOF)
		}
		checkNoMessage(t, "after the cut", &s.recv, nil)
		s.recv.close()
		checkEmpty(t, "after close", &s.recv, pool)
	}
}
