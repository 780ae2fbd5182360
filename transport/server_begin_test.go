// Tests of when calls begin that wait for their requests.

package transport

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A beginner is a Call that notes how it begins.
type beginner struct{ begins chan string }

func (b beginner) Value(any) any { return nil }

func (b beginner) Begin(over bool) { b.begins <- fmt.Sprintf("over %v", over) }

// await waits for the request of a stream.
func await(s *ServerStream) <-chan string {
	b := beginner{make(chan string, 10)}
	s.SetCall(b)
	s.AwaitRequest()
	return b.begins
}

// wantBegins checks how a call has begun, "" for not at all.
func wantBegins(t *testing.T, what string, begins <-chan string, want string) {
	t.Helper()
	synctest.Wait()
	got := ""
	for len(begins) > 0 {
		got += <-begins
	}
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// events are what may happen to stream 1, and how its call begins then.
var events = []struct {
	name string
	do   func(c *rawClient)
	want string
}{
	{"nothing", func(*rawClient) {}, ""},
	{"other stream", func(c *rawClient) { c.open(3, true) }, ""},
	{"empty DATA", func(c *rawClient) { c.do(c.WriteData(1, false, nil)) }, ""},
	{"padding", func(c *rawClient) { c.do(c.WriteDataPadded(1, false, nil, make([]byte, 10))) }, ""},
	{"window", func(c *rawClient) { c.do(c.WriteWindowUpdate(1, 1)) }, ""},
	{"a byte", func(c *rawClient) { c.do(c.WriteData(1, false, make([]byte, 1))) }, "over false"},
	{"a padded byte", func(c *rawClient) { c.do(c.WriteDataPadded(1, false, make([]byte, 1), make([]byte, 10))) }, "over false"},
	{"a message", func(c *rawClient) { c.do(c.WriteData(1, false, make([]byte, 5))) }, "over false"},
	{"messages and the end", func(c *rawClient) { c.do(c.WriteData(1, true, make([]byte, 10))) }, "over false"},
	{"a message that is too large", func(c *rawClient) { c.do(c.WriteData(1, false, []byte{0, 0xff, 0, 0, 0})) }, "over false"},
	{"the end", func(c *rawClient) { c.do(c.WriteData(1, true, nil)) }, "over false"},
	{"trailers", func(c *rawClient) {
		c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndHeaders: true, EndStream: true}))
	}, "over true"},
	{"reset", func(c *rawClient) { c.do(c.WriteRSTStream(1, http2.ErrCodeCancel)) }, "over true"},
	{"fault", func(c *rawClient) { c.do(c.WriteWindowUpdate(1, 0)) }, "over true"},
	{"deadline", func(*rawClient) { <-time.After(time.Second) }, "over true"},
	{"end of the connection", func(c *rawClient) { c.nc.Close() }, "over true"},
	{"stop", func(c *rawClient) { c.server.Close(ErrConnClosing) }, "over true"},
}

func TestCallThatAwaitsItsRequest(t *testing.T) {
	for _, tt := range events {
		for _, when := range []string{"after", "before"} { // it waits
			inBubble(t, ServerOptions{MaxMessageSize: 100}, func(c *rawClient) {
				c.reading()
				c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block("grpc-timeout", "1S"), EndHeaders: true}))
				s := <-c.streams
				var begins <-chan string
				if when == "after" {
					begins = await(s)
				}
				tt.do(c)
				synctest.Wait()
				if when == "before" {
					begins = await(s)
				}
				wantBegins(t, tt.name+" "+when+" it waits", begins, tt.want)
				if s.Complete() {
					t.Errorf("%s: got a request that was complete, want one that was not", tt.name)
				}
				_ = c.WriteRSTStream(1, http2.ErrCodeCancel) // unless the connection is gone
				if tt.want == "" {
					wantBegins(t, "reset after "+tt.name, begins, "over true")
				} else {
					wantBegins(t, "reset after "+tt.name, begins, "")
				}
			})
		}
	}
}

// A request of which all is there is known to be complete, so that it need not be looked at again.
func TestRequestsThatCameWithTheirHeaders(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(f *http2.Framer, block []byte)
		want  bool
	}{
		{"all", func(f *http2.Framer, block []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
			_ = f.WriteData(1, true, make([]byte, 5))
		}, true},
		{"headers that are all", func(f *http2.Framer, block []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: true})
		}, true},
		{"a message without the end", func(f *http2.Framer, block []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
			_ = f.WriteData(1, false, make([]byte, 5))
		}, false},
		{"all, and a reset", func(f *http2.Framer, block []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
			_ = f.WriteData(1, true, make([]byte, 5))
			_ = f.WriteRSTStream(1, http2.ErrCodeCancel)
		}, false},
	} {
		inBubble(t, ServerOptions{MaxMessageSize: 100}, func(c *rawClient) {
			c.reading()
			var b bytes.Buffer
			tt.write(http2.NewFramer(&b, nil), c.block())
			_, err := c.nc.Write(b.Bytes())
			c.do(err)
			if got := (<-c.streams).Complete(); got != tt.want {
				t.Errorf("%s: got complete %v, want %v", tt.name, got, tt.want)
			}
		})
	}
}

// Streams that wait for their requests have their share of the limits as if they were handled.
func TestCallsThatAwaitTheirRequestsCountAsHandled(t *testing.T) {
	inBubble(t, ServerOptions{MaxConcurrentStreams: 1}, func(c *rawClient) {
		c.reading()
		c.open(1, false)
		s := <-c.streams
		begins := await(s)
		c.do(c.WriteRSTStream(1, http2.ErrCodeCancel))
		c.open(3, false)
		wantBegins(t, "reset", begins, "over true")
		if len(c.streams) > 0 {
			t.Error("got a second stream before the first one was done with, want none")
		}
		s.Done()
		begins = await(<-c.streams)
		wantBegins(t, "the next", begins, "")
		c.do(c.WriteData(3, true, make([]byte, 5)))
		wantBegins(t, "message of the next", begins, "over false")
	})
}

func TestDeadlineOfACallThatAwaitsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t, "grpc-timeout", "1S")
		begins := await(s)
		letPass(time.Second)
		wantBegins(t, "deadline", begins, "over true")
		p.want("1s RST_STREAM 1 CANCEL")
		if got := s.Context().Err(); got != context.DeadlineExceeded {
			t.Errorf("context: got %v, want %v", got, context.DeadlineExceeded)
		}
	})
}
