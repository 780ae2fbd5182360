// Tests of what a client makes of responses: sound ones, such as are no gRPC, and such as break the rules.

package transport

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
)

// shown returns a status as "code: message".
func shown(s *ClientStream) string {
	st := s.Status()
	if st == nil {
		return "none"
	}
	return st.Code().String() + ": " + st.Message()
}

// data sends a DATA frame.
func (p *scriptedPeer) data(id uint32, end bool, payload string) {
	p.say(func(f *http2.Framer) error { return f.WriteData(id, end, []byte(payload)) })
}

// grpcHeaders sends response headers with more fields.
func (p *scriptedPeer) grpcHeaders(id uint32, end bool, more ...string) {
	p.headers(id, end, append([]string{":status", "200", "content-type", "application/grpc"}, more...)...)
}

func TestGRPCStatusIsASignedNumberOf32Bits(t *testing.T) {
	for _, tt := range []struct {
		text string
		want codes.Code
		bad  string // why it is no number, "" if it is one
	}{
		{"0", codes.OK, ""},
		{"16", codes.Unauthenticated, ""},
		{"17", 17, ""},
		{"007", codes.PermissionDenied, ""},
		{"+5", codes.NotFound, ""},
		{"2147483647", 1<<31 - 1, ""},
		{"2147483648", codes.Unknown, "value out of range"},
		{"4294967295", codes.Unknown, "value out of range"},
		{"4294967296", codes.Unknown, "value out of range"},
		{"-0", codes.OK, ""},
		{"-1", 1<<32 - 1, ""},
		{"-2147483648", 1 << 31, ""},
		{"-2147483649", codes.Unknown, "value out of range"},
		{"", codes.Unknown, "invalid syntax"},
		{" 5", codes.Unknown, "invalid syntax"},
		{"0x5", codes.Unknown, "invalid syntax"},
		{"1_0", codes.Unknown, "invalid syntax"},
		{"NOT_FOUND", codes.Unknown, "invalid syntax"},
	} {
		message := "said"
		if tt.bad != "" {
			message = fmt.Sprintf("transport: malformed grpc-status: strconv.ParseInt: parsing %q: %s", tt.text, tt.bad)
		}
		st, sound := statusOf(&head{parsed: parsed{hasStatus: true, grpcStatus: tt.text, grpcMessage: "said"}})
		if st.Code() != tt.want || st.Proto().GetCode() != int32(tt.want) || sound != (tt.bad == "") || tt.want != codes.OK && st.Message() != message {
			t.Errorf("%q: got %v %q, sound %v, want %v %q, sound %v", tt.text, st.Code(), st.Message(), sound, tt.want, message, tt.bad == "")
		}
	}
}

func TestStatusOfResponses(t *testing.T) {
	const message = "\x00\x00\x00\x00\x02ok"
	for _, tt := range []struct {
		name   string
		say    func(p *scriptedPeer)
		status string
		reset  string // what the server hears besides, "" for nothing
	}{
		{"complete", func(p *scriptedPeer) {
			p.grpcHeaders(1, false)
			p.data(1, false, message)
			p.headers(1, true, "grpc-status", "0")
		}, "OK: ", "NO_ERROR"},
		{"trailers alone", func(p *scriptedPeer) { p.grpcHeaders(1, true, "grpc-status", "5", "grpc-message", "no%20such") }, "NotFound: no such", "NO_ERROR"},
		{"without a status", func(p *scriptedPeer) { p.grpcHeaders(1, true) }, "Unknown: no grpc-status in trailers", "NO_ERROR"},
		{"status that is no number", func(p *scriptedPeer) { p.grpcHeaders(1, true, "grpc-status", "x") },
			`Unknown: transport: malformed grpc-status: strconv.ParseInt: parsing "x": invalid syntax`, "PROTOCOL_ERROR"},
		{"informational ones before", func(p *scriptedPeer) {
			p.headers(1, false, ":status", "103")
			p.headers(1, false, ":status", "100")
			p.grpcHeaders(1, true, "grpc-status", "0")
		}, "OK: ", "NO_ERROR"},
		{"informational one that ends it", func(p *scriptedPeer) { p.headers(1, true, ":status", "103") },
			"Internal: protocol error: informational header with status code 103 must not have END_STREAM set", "PROTOCOL_ERROR"},
		{"too many informational ones", func(p *scriptedPeer) {
			for range maxInformational + 1 {
				p.headers(1, false, ":status", "103")
			}
		}, "Internal: more than 100 informational responses", "ENHANCE_YOUR_CALM"},
		{"no gRPC", func(p *scriptedPeer) {
			p.headers(1, false, ":status", "503", "content-type", "text/html")
			p.data(1, true, "sorry")
		}, "Unavailable: unexpected HTTP status code received from server: 503 (Service Unavailable); " +
			"transport: received unexpected content-type \"text/html\"\ndata: \"sorry\"", "CANCEL"},
		{"no gRPC, with trailers", func(p *scriptedPeer) {
			p.headers(1, false, ":status", "404")
			p.headers(1, true, "grpc-status", "0")
		}, "Unimplemented: unexpected HTTP status code received from server: 404 (Not Found); malformed header: missing HTTP content-type", "CANCEL"},
		{"no gRPC, and long", func(p *scriptedPeer) {
			p.headers(1, false, ":status", "500", "content-type", "text/plain")
			p.data(1, false, strings.Repeat("x", 5000))
		}, "Unknown: unexpected HTTP status code received from server: 500 (Internal Server Error); transport: received unexpected content-type " +
			`"text/plain"` + "\ndata: \"" + strings.Repeat("x", maxForeignBody) + `"`, "CANCEL"},
		{"HTTP status that is no number", func(p *scriptedPeer) { p.headers(1, true, ":status", "x", "content-type", "text/plain") },
			"Internal: malformed http-status: \"x\"; transport: received unexpected content-type \"text/plain\"", "CANCEL"},
		{"DATA first", func(p *scriptedPeer) { p.data(1, false, message) }, "Internal: DATA frame before the response headers", "PROTOCOL_ERROR"},
		{"DATA that ends it", func(p *scriptedPeer) { p.grpcHeaders(1, false); p.data(1, true, message) },
			"Internal: server closed the stream without sending trailers", "NO_ERROR"},
		{"headers in the middle", func(p *scriptedPeer) { p.grpcHeaders(1, false); p.headers(1, false, "key", "value") },
			"Internal: a HEADERS frame cannot appear in the middle of a stream", "PROTOCOL_ERROR"},
		{"pseudo-header in trailers", func(p *scriptedPeer) {
			p.grpcHeaders(1, false)
			p.headers(1, true, ":status", "200", "grpc-status", "0")
		},
			"Internal: malformed header: pseudo-header field that does not belong there", "PROTOCOL_ERROR"},
		{"reset", func(p *scriptedPeer) {
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeEnhanceYourCalm) })
		},
			"ResourceExhausted: stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, _ := dialPeer(t, ClientOptions{}, false)
				s, other := openCall(t, c), openCall(t, c)
				p.take()
				tt.say(p)
				heard := p.take()
				if got := shown(s); got != tt.status {
					t.Errorf("status: got %q, want %q", got, tt.status)
				}
				want := "[]"
				if tt.reset != "" {
					want = fmt.Sprintf("[0s RST_STREAM 1 %s]", tt.reset)
				}
				if got := fmt.Sprint(heard); got != want {
					t.Errorf("the server heard %s, want %s", got, want)
				}
				if got := shown(other); got != "none" {
					t.Errorf("the other call: got %q, want it to go on", got)
				}
			})
		})
	}
}

func TestResetAtTheDeadlineIsTheDeadline(t *testing.T) {
	for after, want := range map[time.Duration]string{
		time.Second - 1: "Canceled: stream terminated by RST_STREAM with error code: CANCEL",
		time.Second:     "DeadlineExceeded: stream terminated by RST_STREAM with error code: CANCEL",
	} {
		synctest.Test(t, func(t *testing.T) {
			c, p, _ := dialPeer(t, ClientOptions{}, false)
			s := new(ClientStream)
			h := CallHeader{Method: "/s/m", Authority: "a", MaxMessageSize: 1, Deadline: time.Now().Add(time.Second)}
			if err := c.Open(t.Context(), s, &h, nil, false); err != nil {
				t.Fatal(err)
			}
			letPass(after)
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
			synctest.Wait()
			if got := shown(s); got != want {
				t.Errorf("CANCEL after %v: got %q, want %q", after, got, want)
			}
		})
	}
}

func TestPartsOfAResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		if _, ok := s.Header(); ok || s.HeaderLen() != 0 || s.Trailer() != nil || s.TrailerLen() != 0 || s.Accepted() {
			t.Error("got parts of a response before there is one")
		}
		awaited := make(chan string, 1)
		go func() { awaited <- fmt.Sprint(s.AwaitHeader()["key"]) }()
		p.grpcHeaders(1, false, "key", "value", "grpc-encoding", "gzip")
		if got := <-awaited; got != "[value]" {
			t.Errorf("AwaitHeader: got key %s, want [value]", got)
		}
		if name, ok := s.Encoding(); name != "gzip" || !ok {
			t.Errorf("Encoding: got %q, %v, want gzip", name, ok)
		}
		if m, err := s.Next(); m.Payload != nil || err != nil {
			t.Errorf("Next before the message: got %v, %v, want nothing", m, err)
		}
		p.data(1, false, "\x00\x00\x00\x00\x02ok")
		m, err := s.Recv()
		if err != nil || string(m.Payload) != "ok" {
			t.Fatalf("Recv: got %v, %v, want ok", m, err)
		}
		s.Release()
		p.headers(1, true, "grpc-status", "9", "t", "w")
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("Recv at the end: got %v, want %v", err, io.EOF)
		}
		if got := fmt.Sprint(s.Trailer()["t"], s.HeaderLen() > 0, s.TrailerLen() > 0, s.Unprocessed()); got != "[w] true true false" {
			t.Errorf("at the end: got %s, want [w] true true false", got)
		}
	})
}

func TestCancelLeavesWhatTheServerHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		p.grpcHeaders(1, false)
		p.data(1, false, "\x00\x00\x00\x00\x02ok")
		p.headers(1, true, "grpc-status", "0")
		synctest.Wait()
		s.Cancel(canceled)
		if got := shown(s); got != "OK: " {
			t.Errorf("status: got %q, want OK", got)
		}
		if m, err := s.Recv(); err != nil || string(m.Payload) != "ok" {
			t.Errorf("Recv: got %q, %v, want ok", m.Payload, err)
		}
		s.Release()
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("Recv at the end: got %v, want %v", err, io.EOF)
		}
		s.Close()
	})
}

func TestOnlyAnOrdinaryEndLetsAStreamBeReused(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(p *scriptedPeer, s *ClientStream)
		want bool
	}{
		{"not over", func(*scriptedPeer, *ClientStream) {}, false},
		{"trailers", func(p *scriptedPeer, _ *ClientStream) { p.grpcHeaders(1, true, "grpc-status", "0") }, true},
		{"cancelled", func(_ *scriptedPeer, s *ClientStream) { s.Close() }, false},
		{"reset", func(p *scriptedPeer, _ *ClientStream) {
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, _ := dialPeer(t, ClientOptions{}, false)
				s := openCall(t, c)
				tt.end(p, s)
				synctest.Wait()
				if got := s.Reuse(); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestQueueNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		queue := func(n int, last bool) {
			m := NewOutMessage()
			m.SetPayload(false, append(m.Reserve(c.opts.Pool, n), make([]byte, n)...))
			s.Queue([]*OutMessage{m}, last)
		}
		for range 10 {
			queue(writeQuota, false)
		}
		p.take()
		if got, want := s.Queued(), 10*(writeQuota+PrefixLen)-65535; got != want {
			t.Errorf("got %d bytes that wait, want %d: all but the window", got, want)
		}
		s.Cancel(canceled)
		queue(1, true)
		if got := s.Queued(); got != 0 {
			t.Errorf("after the end: got %d bytes that wait, want none", got)
		}
		if got := shown(s); got != "Canceled: context canceled" {
			t.Errorf("got %q, want Canceled: context canceled", got)
		}
	})
}
