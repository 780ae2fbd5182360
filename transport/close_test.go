// Tests of how connections are closed: what the peer is told, and how long it takes.

package transport

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
)

func TestClientTellsTheServerItsFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  func(f *http2.Framer) error
		want string
	}{
		{"DATA without a stream", func(f *http2.Framer) error { return f.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) }, "PROTOCOL_ERROR"},
		{"DATA on an idle stream", func(f *http2.Framer) error { return f.WriteData(9, false, []byte("x")) }, "PROTOCOL_ERROR"},
		{"HEADERS on an idle stream", func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 9, BlockFragment: []byte{0x88}, EndHeaders: true})
		}, "PROTOCOL_ERROR"},
		{"stream of the server", func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, BlockFragment: []byte{0x88}, EndHeaders: true})
		}, "PROTOCOL_ERROR"},
		{"broken header block", func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff}, EndHeaders: true})
		}, "COMPRESSION_ERROR"},
		{"PUSH_PROMISE", func(f *http2.Framer) error {
			return f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: []byte{0x88}, EndHeaders: true})
		}, "PROTOCOL_ERROR"},
		{"SETTINGS of odd length", func(f *http2.Framer) error { return f.WriteRawFrame(http2.FrameSettings, 0, 0, []byte("x")) }, "FRAME_SIZE_ERROR"},
		{"window that is too large", func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1<<31-1) }, "FLOW_CONTROL_ERROR"},
		{"frame that is too large", func(f *http2.Framer) error { return f.WriteRawFrame(0x77, 0, 0, make([]byte, maxFrameSize+1)) }, "FRAME_SIZE_ERROR"},
		{"GOAWAY with an even id", func(f *http2.Framer) error { return f.WriteGoAway(2, 0, nil) }, "PROTOCOL_ERROR"},
		{"GOAWAY that raises the id", func(f *http2.Framer) error {
			return errors.Join(f.WriteGoAway(1, 0, nil), f.WriteGoAway(3, 0, nil))
		}, "PROTOCOL_ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, e := dialPeer(t, ClientOptions{}, false)
				p.framer.AllowIllegalWrites = true
				openCall(t, c)
				p.take()
				go p.say(tt.say) // ends when the client has read it, or is gone
				heard := p.take()
				if len(heard) != 2 || !strings.HasPrefix(heard[0], "0s GOAWAY 0 "+tt.want+" \"") || heard[1] != "0s end" {
					t.Errorf("got %q, want GOAWAY 0 %s and the end", heard, tt.want)
				}
				e.mu.Lock()
				defer e.mu.Unlock()
				if last := e.heard[len(e.heard)-1]; !strings.Contains(last, `closed connection error: desc = "error reading from server: `) {
					t.Errorf("events: got %q at last, want the error", last)
				}
			})
		})
	}
}

func TestDebugDataIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := acceptPeer(t, ServerOptions{}, false)
		s.close(ErrConnClosing, 2, strings.Repeat("x", maxDebugData+1), false)
		p.want(fmt.Sprintf("0s GOAWAY 0 INTERNAL_ERROR %q", strings.Repeat("x", maxDebugData)), "0s end")
	})
}

func TestCloseWithAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		defer p.stopReading()()
		openCall(t, c)
		second := openCall(t, c)
		c.Close(ErrConnClosing)
		if second.Status() == nil {
			t.Error("a call lives on, want it to end at once")
		}
		start := time.Now()
		<-c.Done()
		if got := time.Since(start); got != closeGrace {
			t.Errorf("the connection has gone after %v, want %v", got, closeGrace)
		}
	})
}

func TestClientTurnsToAnotherConnectionBeforeItRunsOutOfIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{}, false)
		c.mu.Lock()
		c.nextID = lastUsableID - 2
		c.mu.Unlock()
		openCall(t, c)
		e.want(t)
		s := openCall(t, c)
		e.want(t, "draining stream ids are used up")
		if err := c.Open(t.Context(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a"}, nil, false); err != ErrDraining {
			t.Errorf("a call more: got %v, want %v", err, ErrDraining)
		}
		p.want("0s HEADERS 1610612731", "0s HEADERS 1610612733")
		for _, id := range []uint32{lastUsableID - 2, lastUsableID} {
			p.headers(id, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0")
		}
		p.want("0s RST_STREAM 1610612731 NO_ERROR", "0s RST_STREAM 1610612733 NO_ERROR", `0s GOAWAY 0 NO_ERROR ""`, "0s end")
		if got := s.Status().Code(); got != codes.OK {
			t.Errorf("the last call: got %v, want OK", got)
		}
	})
}
