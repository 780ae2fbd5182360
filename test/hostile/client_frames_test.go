// Scripts of servers whose frames are wrong, too many, or missing, and of networks that end.

package hostile

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
)

// broken is the start of the status of calls whose connection broke a rule.
func broken(code http2.ErrCode) string {
	return "Unavailable: error reading from server: connection error: " + code.String() + ": …"
}

// unsettled is the start of the status of calls whose connection broke a rule at once.
func unsettled(code http2.ErrCode) string {
	return `Unavailable: connection error: desc = "error reading server preface: connection error: ` + code.String() + ": …"
}

// always returns a play that does not look at the call.
func always(do func(*peer)) func(*peer, uint32) { return func(p *peer, _ uint32) { do(p) } }

func TestClientScriptsStreams(t *testing.T) {
	runScripts(t, []script{
		{name: "DATA before HEADERS", play: func(p *peer, id uint32) { p.data(id, false, prefixed(0, encoded("x"))) },
			want: "Internal: DATA frame before the response headers"},
		{name: "DATA on a stream that has ended", play: func(p *peer, id uint32) {
			p.ok(id, "x")
			for range 100 {
				p.data(id, false, make([]byte, 16384)) // more than a window: it must be given back
			}
			p.wantReset(id, http2.ErrCodeStreamClosed)
		}, want: "OK"},
		{name: "DATA on an idle stream", play: always(func(p *peer) { p.data(99, false, []byte("x")) }), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "DATA on an even stream", play: always(func(p *peer) { p.data(2, false, []byte("x")) }), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "DATA on stream 0", play: always(func(p *peer) { p.frame(http2.FrameData, 0, 0, 1) }), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "HEADERS on an idle stream", play: always(func(p *peer) { p.response(99) }), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "HEADERS on an even stream", play: always(func(p *peer) { p.response(2) }), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "RST_STREAM on an idle stream", play: always(func(p *peer) { p.do(p.WriteRSTStream(99, http2.ErrCodeCancel)) }),
			want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "WINDOW_UPDATE on an idle stream", play: always(func(p *peer) { p.do(p.WriteWindowUpdate(99, 1)) }),
			want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "PUSH_PROMISE", play: func(p *peer, id uint32) {
			p.do(p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, BlockFragment: p.block(":method", "GET"), EndHeaders: true}))
		}, want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "RST_STREAM behind the end", play: func(p *peer, id uint32) {
			p.ok(id, "x")
			p.do(p.WriteRSTStream(id, http2.ErrCodeInternal))
		}, want: "OK"},
		{name: "RST_STREAM flood on a stream that has ended", play: func(p *peer, id uint32) {
			p.ok(id, "x")
			for range 20_000 {
				p.do(p.WriteRSTStream(id, http2.ErrCodeCancel))
			}
		}, want: "OK", memory: 16 << 20},
		{name: "RST_STREAM NO_ERROR instead of trailers", play: func(p *peer, id uint32) {
			p.response(id)
			p.do(p.WriteRSTStream(id, http2.ErrCodeNo))
		}, want: "Internal: stream terminated by RST_STREAM with error code: NO_ERROR"},
		{name: "RST_STREAM CANCEL", play: func(p *peer, id uint32) { p.do(p.WriteRSTStream(id, http2.ErrCodeCancel)) },
			want: "Canceled: stream terminated by RST_STREAM with error code: CANCEL"},
		{name: "RST_STREAM of an unknown code", play: func(p *peer, id uint32) { p.do(p.WriteRSTStream(id, 0xffff)) },
			want: "Unknown: stream terminated by RST_STREAM with error code: unknown error code 0xffff"},
		{name: "all streams refused", play: func(p *peer, id uint32) {
			p.do(p.WriteRSTStream(id, http2.ErrCodeRefusedStream))
			h := p.until("another attempt", func(h *heard) bool { return h.Type == http2.FrameHeaders })
			p.do(p.WriteRSTStream(h.StreamID, http2.ErrCodeRefusedStream))
		}, want: "Unavailable: stream terminated by RST_STREAM with error code: REFUSED_STREAM"},
		{name: "silence", play: func(p *peer, id uint32) { p.wantReset(id, http2.ErrCodeCancel) },
			deadline: true, want: "DeadlineExceeded: context deadline exceeded"},
		{name: "silence behind the header", play: func(p *peer, id uint32) {
			p.response(id)
			p.wantReset(id, http2.ErrCodeCancel)
		}, deadline: true, want: "DeadlineExceeded: context deadline exceeded"},
		{name: "early answer to an upload", call: upload(1 << 10), play: func(p *peer, id uint32) {
			p.headers(id, true, grpcHead("grpc-status", "7", "grpc-message", "no")...)
			p.do(p.WriteWindowUpdate(0, 1<<20))
			p.wantReset(id, http2.ErrCodeNo)
		}, want: "PermissionDenied: no"},
	})
}

func TestClientScriptsGoAway(t *testing.T) {
	goAway := func(last uint32, code http2.ErrCode, debug string) func(*peer) {
		return func(p *peer) { p.do(p.WriteGoAway(last, code, []byte(debug))) }
	}
	runScripts(t, []script{
		{name: "of an even stream", play: always(goAway(2, 0, "")), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "that raises the last stream", play: always(func(p *peer) {
			goAway(1, 0, "")(p)
			goAway(3, 0, "")(p)
		}), want: broken(http2.ErrCodeProtocol), then: newConn},
		{name: "that does not cover the call", play: always(goAway(0, 0, "")), want: "OK", then: newConn},
		{name: "that covers the call", play: func(p *peer, id uint32) {
			goAway(id, 0, "")(p)
			p.ok(id, "x")
		}, want: "OK", then: newConn},
		{name: "flood", play: func(p *peer, id uint32) {
			for range 20_000 {
				goAway(id, 0, "x")(p)
			}
			p.ok(id, "x")
		}, want: "OK", then: newConn, memory: 16 << 20},
		{name: "16 MiB of debug data", play: always(func(p *peer) {
			p.raw([]byte{0xff, 0xff, 0xff, byte(http2.FrameGoAway), 0, 0, 0, 0, 0})
			p.raw(make([]byte, 1<<20))
		}), want: broken(http2.ErrCodeFrameSize), then: newConn, memory: 16 << 20},
		{name: "1 MiB of debug data", play: func(p *peer, id uint32) {
			goAway(id, http2.ErrCodeInternal, strings.Repeat("d", 1<<20-8))(p)
			p.flush()
			p.nc.Close()
		}, want: `Unavailable: closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: INTERNAL_ERROR, debug data: "` +
			strings.Repeat("d", 1024) + `"`, then: newConn, memory: 16 << 20},
		{name: "then silence", play: func(p *peer, id uint32) {
			goAway(id, 0, "")(p)
			p.wantReset(id, http2.ErrCodeCancel)
		}, deadline: true, want: "DeadlineExceeded: context deadline exceeded", then: newConn},
		{name: "before any call", early: goAway(0, http2.ErrCodeEnhanceYourCalm, "too_many_pings"), want: "OK", then: newConn},
	})
}

func TestClientScriptsSettings(t *testing.T) {
	one := func(id http2.SettingID, v uint32) []http2.Setting { return []http2.Setting{{ID: id, Val: v}} }
	runScripts(t, []script{
		{name: "MAX_CONCURRENT_STREAMS 0", settings: one(http2.SettingMaxConcurrentStreams, 0),
			early: func(p *peer) { // the call must not come before 1 is allowed
				p.wantAlive()
				p.do(p.WriteSettings(one(http2.SettingMaxConcurrentStreams, 1)...))
			}, want: "OK"},
		{name: "MAX_CONCURRENT_STREAMS 0 for long", settings: one(http2.SettingMaxConcurrentStreams, 0),
			later:    func(p *peer) { p.do(p.WriteSettings(one(http2.SettingMaxConcurrentStreams, 1)...)) },
			deadline: true, want: "DeadlineExceeded: …"},
		{name: "MAX_FRAME_SIZE 0", settings: one(http2.SettingMaxFrameSize, 0), want: unsettled(http2.ErrCodeProtocol), then: newConn},
		{name: "MAX_FRAME_SIZE 100", settings: one(http2.SettingMaxFrameSize, 100), want: unsettled(http2.ErrCodeProtocol), then: newConn},
		{name: "MAX_FRAME_SIZE 2^24", settings: one(http2.SettingMaxFrameSize, 1<<24), want: unsettled(http2.ErrCodeProtocol), then: newConn},
		{name: "INITIAL_WINDOW_SIZE 2^31", settings: one(http2.SettingInitialWindowSize, 1<<31), want: unsettled(http2.ErrCodeFlowControl), then: newConn},
		{name: "ENABLE_PUSH 1", settings: one(http2.SettingEnablePush, 1), want: unsettled(http2.ErrCodeProtocol), then: newConn},
		{name: "HEADER_TABLE_SIZE 0", settings: one(http2.SettingHeaderTableSize, 0), play: func(p *peer, id uint32) { p.ok(id, "x") }, want: "OK"},
		{name: "HEADER_TABLE_SIZE 2^32-1", settings: one(http2.SettingHeaderTableSize, 1<<32-1), // the decoder allows 4096
			play: func(p *peer, id uint32) { p.ok(id, "x") }, want: "OK"},
		{name: "MAX_HEADER_LIST_SIZE 1, then more", settings: one(http2.SettingMaxHeaderListSize, 1),
			later: func(p *peer) {
				p.do(p.WriteSettings(one(http2.SettingMaxHeaderListSize, 1<<20)...))
				p.wantAlive()
			}, want: "Internal: header list size to send violates the maximum size (1 bytes) set by server"},
		{name: "of 101 entries", settings: make([]http2.Setting, 101), want: unsettled(http2.ErrCodeEnhanceYourCalm), then: newConn},
		{name: "of unknown ids", settings: []http2.Setting{{ID: 0xffff, Val: 1}, {ID: 0, Val: 9}}, want: "OK"},
		{name: "never", dial: []grpc.DialOption{connectWithin(time.Second)}, instead: func(nc net.Conn) { io.Copy(io.Discard, nc) },
			want: `Unavailable: connection error: desc = "failed to receive server preface within timeout"`, then: newConn},
		{name: "acknowledged before they are said", instead: func(nc net.Conn) {
			nc.Write([]byte{0, 0, 0, byte(http2.FrameSettings), 1, 0, 0, 0, 0})
			io.Copy(io.Discard, nc)
		}, want: unsettled(http2.ErrCodeProtocol), then: newConn},
	})
}

func TestClientScriptsNetworks(t *testing.T) {
	say := func(text string) func(net.Conn) {
		return func(nc net.Conn) { io.WriteString(nc, text) }
	}
	runScripts(t, []script{
		{name: "HTTP/1.1", instead: say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), want: "Unavailable: connection error: desc = \"error reading server preface: …", then: newConn},
		{name: "nothing", instead: say(""), want: "Unavailable: connection error: desc = \"error reading server preface: …", then: newConn},
		{name: "half a frame", instead: say("\x00\x00"), want: "Unavailable: connection error: desc = \"error reading server preface: …", then: newConn},
		{name: "noise", instead: say(strings.Repeat("\xa5\x5a\x00", 1<<16)), want: "Unavailable: connection error: desc = \"error reading server preface: …", then: newConn},
		{name: "end before the answer", play: always(func(p *peer) { p.nc.Close() }), want: "Unavailable: error reading from server: …", then: newConn},
		{name: "reset before the answer", play: always(func(p *peer) {
			p.nc.(*net.TCPConn).SetLinger(0)
			p.nc.Close()
		}), want: "Unavailable: error reading from server: …", then: newConn},
		{name: "end within a frame", play: func(p *peer, id uint32) {
			p.response(id)
			p.raw([]byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 'x'})
			p.flush()
			p.nc.Close()
		}, want: "Unavailable: error reading from server: unexpected EOF", then: newConn},
		{name: "end between message and trailers", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, prefixed(0, encoded("x")))
			p.flush()
			p.nc.Close()
		}, want: "Unavailable: error reading from server: EOF", then: newConn},
	})
}

func TestClientScriptsFloods(t *testing.T) {
	// flood sends frames, reads nothing that the client answers before all are sent, and then answers the call.
	flood := func(n int, frame func(p *peer, id uint32)) func(*peer, uint32) {
		return func(p *peer, id uint32) {
			heard := p.drain()
			for range n {
				frame(p, id)
			}
			p.ok(id, "x")
			p.flush()
			p.nc.(*net.TCPConn).CloseWrite()
			<-heard
		}
	}
	ping := func(p *peer, _ uint32) { p.do(p.WritePing(false, [8]byte{1})) }
	hangUp := func(p *peer) { p.nc.Close() }
	runScripts(t, []script{
		{name: "PING", play: flood(20_000, ping), want: "OK", then: newConn, memory: 64 << 20},
		{name: "SETTINGS", play: flood(20_000, func(p *peer, _ uint32) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
		}), want: "OK", then: newConn, memory: 64 << 20},
		{name: "PRIORITY", play: flood(20_000, func(p *peer, _ uint32) { p.do(p.WritePriority(99, http2.PriorityParam{StreamDep: 1})) }),
			want: "OK", then: newConn, memory: 16 << 20},
		{name: "unknown frames", play: flood(20_000, func(p *peer, id uint32) { p.frame(0xbb, 0xff, id, 1, 2, 3) }), want: "OK", then: newConn, memory: 16 << 20},
		{name: "WINDOW_UPDATE", play: flood(20_000, func(p *peer, id uint32) { p.do(p.WriteWindowUpdate(id, 1)) }), want: "OK", then: newConn, memory: 16 << 20},
		{name: "SETTINGS whose acknowledgements are not read", play: always(func(p *peer) {
			p.unread(func() { p.do(p.WriteSettings()) })
		}), later: hangUp, deadline: true, want: "DeadlineExceeded: context deadline exceeded", then: newConn, memory: 64 << 20},
		{name: "PING whose acknowledgements are not read", play: func(p *peer, id uint32) {
			p.unread(func() { ping(p, id) })
		}, later: hangUp, deadline: true, want: "DeadlineExceeded: context deadline exceeded", then: newConn, memory: 64 << 20},
	})
}

// unread writes frames and reads nothing, until the other end does not either.
func (p *peer) unread(frame func()) {
	p.quiet = true
	_ = p.nc.(*net.TCPConn).SetReadBuffer(4096)
	_ = p.nc.SetWriteDeadline(time.Now().Add(2 * short))
	for !p.broken { // the deadline ends it
		frame()
	}
}
