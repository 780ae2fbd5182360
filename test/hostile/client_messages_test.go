// Scripts of servers whose messages are wrong or too large, and of those that play with flow control.

package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
)

// zipped returns n zeros as gzip has them.
func zipped(tb testing.TB, n int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for ; n > 0; n -= len(zeros) {
		if _, err := w.Write(zeros[:min(n, len(zeros))]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// bodyAndOK answers with a header, these bytes and status OK.
func bodyAndOK(body []byte, head ...string) func(*peer, uint32) {
	return func(p *peer, id uint32) {
		p.headers(id, false, grpcHead(head...)...)
		for len(body) > 16384 {
			p.data(id, false, body[:16384])
			body = body[16384:]
		}
		p.data(id, false, body)
		p.headers(id, true, "grpc-status", "0")
	}
}

func TestClientScriptsMessages(t *testing.T) {
	bomb := prefixed(1, zipped(t, 64<<20))
	runScripts(t, []script{
		{name: "gzip bomb", play: bodyAndOK(bomb, "grpc-encoding", "gzip"),
			want: "ResourceExhausted: grpc: received message after decompression larger than max 4194304", memory: 32 << 20},
		{name: "gzip bomb for the decompressor of 2016", dial: []grpc.DialOption{grpc.WithDecompressor(grpc.NewGZIPDecompressor())},
			play: bodyAndOK(bomb, "grpc-encoding", "gzip"),
			want: "ResourceExhausted: grpc: received message after decompression larger than max 4194304", memory: 32 << 20},
		{name: "gzip that is none", play: bodyAndOK(prefixed(1, []byte("xxxxxxxxxxxx")), "grpc-encoding", "gzip"),
			want: "Internal: grpc: failed to decompress the message: gzip: invalid header"},
		{name: "gzip that is cut off", play: bodyAndOK(prefixed(1, zipped(t, 100)[:20]), "grpc-encoding", "gzip"),
			want: "Internal: grpc: failed to read decompressed data: unexpected EOF"},
		{name: "compressed without a grpc-encoding", play: bodyAndOK(prefixed(1, encoded("x"))),
			want: "Internal: grpc: compressed flag set with identity or empty encoding"},
		{name: "unknown grpc-encoding", play: bodyAndOK(prefixed(1, encoded("x")), "grpc-encoding", "rot13"),
			want: `Internal: grpc: Decompressor is not installed for grpc-encoding "rot13"`},
		{name: "flag 2", play: bodyAndOK(prefixed(2, encoded("x"))), want: "Internal: grpc: received unexpected payload format 2"},
		{name: "flag 255", play: bodyAndOK(prefixed(255, encoded("x"))), want: "Internal: grpc: received unexpected payload format 255"},
		{name: "no protocol buffer", play: bodyAndOK(prefixed(0, []byte{0x0a, 5, 'x'})), want: "Internal: grpc: failed to unmarshal the received message: …"},
		{name: "claim of 4 GiB", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, []byte{0, 0xff, 0xff, 0xff, 0xff})
		}, want: "ResourceExhausted: grpc: received message larger than max (4294967295 vs. 4194304)", memory: 16 << 20},
		{name: "claim of 4 MiB that is not kept", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, []byte{0, 0, 0x40, 0, 0})
			p.wantReset(id, http2.ErrCodeCancel)
		}, deadline: true, want: "DeadlineExceeded: context deadline exceeded", memory: 2 << 20},
		{name: "end within a prefix", play: bodyAndOK([]byte{0, 0, 0}), want: "Internal: unexpected EOF"},
		{name: "end within a message", play: bodyAndOK(prefixed(0, encoded("xyz"))[:7]), want: "Internal: unexpected EOF"},
		{name: "dribble", play: func(p *peer, id uint32) {
			p.response(id)
			for _, b := range prefixed(0, encoded("dribble")) {
				p.data(id, false, []byte{b})
				p.flush()
			}
			p.headers(id, true, "grpc-status", "0")
		}, want: "OK"},
	})
}

func TestClientScriptsData(t *testing.T) {
	runScripts(t, []script{
		{name: "beyond the window of the stream", call: download, play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, make([]byte, 100_000))
			p.wantReset(id, http2.ErrCodeFlowControl)
		}, want: "Internal: received 100000-bytes data exceeding the limit 65535 bytes"},
		{name: "empty frames", play: func(p *peer, id uint32) {
			p.response(id)
			for range 20_000 {
				p.data(id, false, nil)
			}
			p.data(id, false, prefixed(0, encoded("x")))
			p.headers(id, true, "grpc-status", "0")
		}, want: "Unavailable: error reading from server: connection error: ENHANCE_YOUR_CALM: …", then: newConn, memory: 16 << 20},
		{name: "padding", play: func(p *peer, id uint32) {
			p.response(id)
			message := prefixed(0, append([]byte{0x0a, 0xac, 0x02}, make([]byte, 300)...))
			for i := range message { // 77 kB: each pad counts for the window, and must be given back
				p.do(p.WriteDataPadded(id, false, message[i:i+1], make([]byte, 255)))
			}
			p.headers(id, true, "grpc-status", "0")
		}, want: "OK", memory: 16 << 20},
		{name: "padding alone", play: func(p *peer, id uint32) {
			p.response(id)
			for range 2_000 {
				p.do(p.WriteDataPadded(id, false, nil, make([]byte, 255)))
			}
			p.data(id, false, prefixed(0, encoded("x")))
			p.headers(id, true, "grpc-status", "0")
		}, want: "Unavailable: error reading from server: connection error: ENHANCE_YOUR_CALM: …", then: newConn, memory: 16 << 20},
		{name: "padding longer than the frame", play: func(p *peer, id uint32) {
			p.response(id)
			p.frame(http2.FrameData, http2.FlagDataPadded, id, 9, 1, 2, 3)
		}, want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "messages that nobody reads", call: unread, play: func(p *peer, id uint32) {
			p.response(id)
			body := bytes.Repeat(prefixed(0, nil), 13107)
			p.data(id, false, body[:65535]) // as many as the window of the stream has room for
			p.wantReset(id, http2.ErrCodeCancel)
		}, deadline: true, want: "DeadlineExceeded: context deadline exceeded", memory: 16 << 20},
	})
}

// listening opens a stream, sends nothing, and receives until the end.
func listening(ctx context.Context, cc *grpc.ClientConn) error {
	cs, err := cc.NewStream(ctx, both, method)
	for err == nil {
		err = cs.RecvMsg(new(wrapperspb.StringValue))
	}
	return err
}

// unread opens a stream, reads nothing, and waits for its end.
func unread(ctx context.Context, cc *grpc.ClientConn) error {
	cs, err := cc.NewStream(ctx, both, method)
	if err != nil {
		return err
	}
	<-cs.Context().Done()
	for err == nil {
		err = cs.RecvMsg(new(wrapperspb.StringValue))
	}
	return err
}

func TestClientScriptsWindows(t *testing.T) {
	window := func(v uint32) []http2.Setting { return []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: v}} }
	large := func(ctx context.Context, cc *grpc.ClientConn) error {
		return cc.Invoke(ctx, method, wrapperspb.String(strings.Repeat("l", 100_000)), new(wrapperspb.StringValue))
	}
	whole := func(p *peer, id uint32) {
		p.until("END_STREAM", func(h *heard) bool { return h.StreamID == id && h.end() })
	}
	runScripts(t, []script{
		{name: "0 for ever", settings: window(0), play: func(p *peer, id uint32) {
			p.wantReset(id, http2.ErrCodeCancel)
		}, later: func(p *peer) { p.do(p.WriteSettings(window(65535)...)) }, deadline: true, want: "DeadlineExceeded: context deadline exceeded"},
		{name: "0, then opened byte by byte", settings: window(0), play: func(p *peer, id uint32) {
			for range 5 + 7 { // prefix and message
				p.do(p.WriteWindowUpdate(id, 1))
				p.until("a byte", func(h *heard) bool { return h.Type == http2.FrameData && len(h.data) == 1 })
			}
			p.ok(id, "x")
			p.do(p.WriteSettings(window(65535)...))
		}, want: "OK"},
		{name: "0, then opened byte by byte for long", call: large, settings: window(0), play: func(p *peer, id uint32) {
			p.do(p.WriteWindowUpdate(0, 1<<20))
			for n := 0; n < 20_000; {
				for range 1000 {
					p.do(p.WriteWindowUpdate(id, 1))
				}
				p.until("a thousand bytes", func(h *heard) bool { n += len(h.data); return n%1000 == 0 && n > 0 })
			}
			p.do(p.WriteWindowUpdate(id, 1<<20))
			whole(p, id)
			p.ok(id, "x")
			p.do(p.WriteSettings(window(65535)...))
		}, want: "OK", memory: 16 << 20},
		{name: "changed for ever", call: large, settings: window(0), play: func(p *peer, id uint32) {
			p.do(p.WriteWindowUpdate(0, 1<<20))
			for i := range uint32(20_000) { // each is acknowledged
				p.do(p.WriteSettings(window(i % 2)...))
			}
			p.wantAlive()
			p.do(p.WriteSettings(window(1 << 20)...))
			whole(p, id)
			p.ok(id, "x")
		}, want: "OK", memory: 16 << 20},
		{name: "made negative, then opened", call: large, play: func(p *peer, id uint32) {
			p.until("a full window", func(h *heard) bool { return h.Type == http2.FrameData })
			p.do(p.WriteSettings(window(0)...))
			p.wantAlive()
			p.do(p.WriteWindowUpdate(0, 1<<20))
			p.do(p.WriteSettings(window(1 << 20)...))
			whole(p, id)
			p.ok(id, "x")
		}, want: "OK"},
		{name: "WINDOW_UPDATE of 0 on the stream", play: func(p *peer, id uint32) { p.do(p.WriteWindowUpdate(id, 0)) },
			want: "Internal: WINDOW_UPDATE of 0 bytes"},
		{name: "WINDOW_UPDATE of 0 on the connection", play: always(func(p *peer) { p.do(p.WriteWindowUpdate(0, 0)) }),
			want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "overflow on the stream", play: func(p *peer, id uint32) {
			p.do(p.WriteWindowUpdate(id, 1<<31-1))
			p.do(p.WriteWindowUpdate(id, 1<<31-1))
		}, want: "Internal: window of …"},
		{name: "overflow on the connection", play: always(func(p *peer) {
			p.do(p.WriteWindowUpdate(0, 1<<31-1))
			p.do(p.WriteWindowUpdate(0, 1<<31-1))
		}), want: broken(http2.ErrCodeFlowControl), then: newConn},
		{name: "overflow by SETTINGS", call: listening, settings: window(0), play: func(p *peer, id uint32) {
			p.do(p.WriteWindowUpdate(id, 1<<30))
			p.do(p.WriteSettings(window(1<<31 - 1)...))
		}, want: broken(http2.ErrCodeFlowControl), then: newConn},
		{name: "closed to an upload", call: upload(1 << 10), play: func(p *peer, id uint32) { p.wantReset(id, http2.ErrCodeCancel) },
			later: func(p *peer) { p.do(p.WriteWindowUpdate(0, 1<<20)) }, deadline: true, want: "DeadlineExceeded: context deadline exceeded"},
		{name: "closed to an upload that is cancelled", call: cancelled(upload(1 << 10)), play: func(p *peer, id uint32) { p.wantReset(id, http2.ErrCodeCancel) },
			later: func(p *peer) { p.do(p.WriteWindowUpdate(0, 1<<20)) }, ready: true, want: "Canceled: context canceled"},
		{name: "nothing is read of an upload", call: upload(1 << 20), settings: window(1<<31 - 1), play: func(p *peer, id uint32) {
			p.do(p.WriteWindowUpdate(0, 1<<30))
			_ = p.nc.(interface{ SetReadBuffer(int) error }).SetReadBuffer(4096)
		}, later: func(p *peer) { p.nc.Close() }, deadline: true, want: "DeadlineExceeded: context deadline exceeded", then: newConn},
	})
}

// cancelled makes a call whose context is cancelled while it blocks.
func cancelled(call func(context.Context, *grpc.ClientConn) error) func(context.Context, *grpc.ClientConn) error {
	return func(ctx context.Context, cc *grpc.ClientConn) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		timer := time.AfterFunc(short, cancel)
		defer timer.Stop()
		return call(ctx, cc)
	}
}
