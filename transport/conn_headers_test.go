// Tests of how header blocks are put together, and of their limits.

package transport

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
)

// wantGoAway fails the test unless the server has said this.
func wantGoAway(t *testing.T, said <-chan string, want string) {
	t.Helper()
	if got := <-said; got != want {
		t.Errorf("GOAWAY: got %q, want %q", got, want)
	}
}

func TestBlockInFragmentsIsTheBlock(t *testing.T) {
	for _, n := range []int{1, 2, 7, 100} {
		inBubble(t, ServerOptions{}, func(c *rawClient) {
			said := c.reading()
			b := c.block("key", strings.Repeat("value", 10))
			first, rest := b[:0], b
			if n > 2 {
				first, rest = b[:len(b)/2], b[len(b)/2:]
			}
			c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: true}))
			step := max(len(rest)/7, n) // within the limit on their number
			for len(rest) > 0 {
				part := rest[:min(step, len(rest))]
				rest = rest[len(part):]
				c.do(c.WriteContinuation(1, len(rest) == 0, part))
			}
			s := <-c.streams
			if got := s.Metadata().Get("key"); len(got) != 1 || got[0] != strings.Repeat("value", 10) || s.HeaderLen() != len(b) {
				t.Errorf("fragments of %d bytes: got %q from %d bytes, want the whole value from %d bytes", n, got, s.HeaderLen(), len(b))
			}
			_ = s.Finish(nil, nil)
			s.Done()
			select {
			case got := <-said:
				t.Errorf("got GOAWAY %q, want none", got)
			default:
			}
		})
	}
}

func TestContinuationLimits(t *testing.T) {
	list := uint32(100 << 10) // needs 7 frames
	frames := spareContinuations + 7
	for _, tt := range []struct {
		name    string
		size, n int // bytes of each, and how many are legal
		limit   string
	}{
		{"frames", 1, frames, fmt.Sprintf("header block of stream 1 has %d CONTINUATION frames, limit %d", frames+1, frames)},
		{"empty frames", 0, maxEmptyContinuations, "header block of stream 1 has 5 empty CONTINUATION frames, limit 4"},
		{"bytes", 100 << 10, 2, fmt.Sprintf("header block of stream 1 has %d bytes, limit %d", 300<<10, frames<<14)},
	} {
		for _, more := range []int{0, 1} {
			inBubble(t, ServerOptions{ConnOptions: ConnOptions{MaxHeaderListSize: &list}}, func(c *rawClient) {
				said := c.reading()
				part := []byte(strings.Repeat("\x82", tt.size))
				c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true}))
				for range tt.n + more {
					_ = c.WriteContinuation(1, false, part) // fails if the server has closed the connection
				}
				if more == 0 {
					synctest.Wait()
					select {
					case got := <-said:
						t.Errorf("%s, %d of them: got GOAWAY %q, want none", tt.name, tt.n, got)
					default:
					}
					return
				}
				wantGoAway(t, said, "ENHANCE_YOUR_CALM: "+tt.limit)
			})
		}
	}
}

func TestHeadersLargerThanAnyBlockMayBe(t *testing.T) {
	list := uint32(8 << 10)
	inBubble(t, ServerOptions{ConnOptions: ConnOptions{MaxHeaderListSize: &list}}, func(c *rawClient) {
		said := c.reading()
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: make([]byte, 9<<14+1)})
		wantGoAway(t, said, fmt.Sprintf("ENHANCE_YOUR_CALM: header block of stream 1 has %d bytes, limit %d", 9<<14+1, 9<<14))
	})
}

func TestBlockMustBeCompleteInTime(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		said := c.reading()
		b := c.block()
		c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:1]}))
		<-time.After(maxBlockTime - time.Millisecond)
		c.do(c.WriteContinuation(1, true, b[1:]))
		s := <-c.streams
		<-time.After(2 * maxBlockTime) // the deadline is gone
		c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: b[:1]}))
		for range 4 { // progress does not count
			<-time.After(maxBlockTime / 4)
			_ = c.WriteContinuation(3, false, b[1:2])
		}
		wantGoAway(t, said, "ENHANCE_YOUR_CALM: header block of stream 3 is not complete after 10s")
		s.Done()
	})
}

func TestStreamThatDependsOnItselfIsRefusedAlone(t *testing.T) {
	for _, tt := range []struct {
		name string
		cut  int // bytes of the block that come in CONTINUATION
	}{{"in one frame", 0}, {"in two frames", 5}} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, ServerOptions{}, func(c *rawClient) {
				b := c.block("key", "value") // enters the table, which the next block refers to
				c.do(c.WriteHeaders(http2.HeadersFrameParam{
					StreamID: 1, BlockFragment: b[:len(b)-tt.cut], EndHeaders: tt.cut == 0, Priority: http2.PriorityParam{StreamDep: 1},
				}))
				if tt.cut > 0 {
					c.do(c.WriteContinuation(1, true, b[len(b)-tt.cut:]))
				}
				if f := c.until(http2.FrameRSTStream).(*http2.RSTStreamFrame); f.StreamID != 1 || f.ErrCode != http2.ErrCodeProtocol {
					t.Errorf("got %v on stream %d, want PROTOCOL_ERROR on 1", f.ErrCode, f.StreamID)
				}
				c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: c.block("key", "value"), EndHeaders: true, EndStream: true}))
				s := <-c.streams
				if got := fmt.Sprint(s.Metadata()["key"]); s.id != 3 || got != "[value]" {
					t.Errorf("got stream %d with the key %s, want 3 with [value]", s.id, got)
				}
				_ = s.Finish(nil, nil)
				s.Done()
			})
		})
	}
}

func TestResponseThatDependsOnItselfFailsItsCallAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s, other := openCall(t, c), openCall(t, c)
		p.take()
		p.say(func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 1, BlockFragment: []byte{0x88}, EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 1},
			})
		})
		p.want("0s RST_STREAM 1 PROTOCOL_ERROR")
		if got := s.Status(); got.Code() != codes.Internal || got.Message() != "stream 1 depends on itself" {
			t.Errorf("got %v, want Internal: stream 1 depends on itself", got)
		}
		if got := other.Status(); got != nil {
			t.Errorf("the other call: got %v, want it to go on", got)
		}
	})
}
