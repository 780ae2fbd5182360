// Frames that break the rules of RFC 9113, and frames that only look as if they did.

package hostile

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/net/http2"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// window returns the payload of a WINDOW_UPDATE.
func window(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// setting returns the payload of a SETTINGS frame of one entry.
func setting(id http2.SettingID, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, uint16(id)), v)
}

// sound makes a sound call and wants its answer.
func sound(id uint32) (say, want func(p *peer)) {
	return func(p *peer) {
			p.open(id, unary)
			p.data(id, true, message(&pb.Request{Payload: []byte("sound")}))
		}, func(p *peer) {
			p.tb.Helper()
			if a := p.wantStatus(id, "0"); !bytes.Contains(a.data, []byte("sound")) {
				p.tb.Errorf("got the answer %q, want the payload in it", a.data)
			}
			p.wantAlive()
		}
}

// finished makes a call and waits for its answer, so that its stream is closed.
func finished(p *peer, id uint32) {
	p.open(id, unary)
	p.data(id, true, message(&pb.Request{}))
	p.wantStatus(id, "0")
}

const (
	protocolError = http2.ErrCodeProtocol
	sizeError     = http2.ErrCodeFrameSize
	flowError     = http2.ErrCodeFlowControl
	streamClosed  = http2.ErrCodeStreamClosed
	calm          = http2.ErrCodeEnhanceYourCalm
)

func TestFramesThatEndTheConnection(t *testing.T) {
	type frame struct {
		t       http2.FrameType
		flags   http2.Flags
		id      uint32
		payload []byte
	}
	const (
		data, headers, priority, rst, set, push = http2.FrameData, http2.FrameHeaders, http2.FramePriority, http2.FrameRSTStream, http2.FrameSettings, http2.FramePushPromise
		ping, goaway, update, continuation      = http2.FramePing, http2.FrameGoAway, http2.FrameWindowUpdate, http2.FrameContinuation
	)
	var rows []row
	for _, tt := range []struct {
		name string
		f    frame
		code http2.ErrCode
	}{
		{"data-on-stream-0", frame{data, 0, 0, []byte{1}}, protocolError},
		{"headers-on-stream-0", frame{headers, 4, 0, []byte{0x82}}, protocolError},
		{"priority-on-stream-0", frame{priority, 0, 0, make([]byte, 5)}, protocolError},
		{"rst-on-stream-0", frame{rst, 0, 0, make([]byte, 4)}, protocolError},
		{"continuation-on-stream-0", frame{continuation, 4, 0, nil}, protocolError},
		{"settings-on-a-stream", frame{set, 0, 1, nil}, protocolError},
		{"ping-on-a-stream", frame{ping, 0, 1, make([]byte, 8)}, protocolError},
		{"goaway-on-a-stream", frame{goaway, 0, 1, make([]byte, 8)}, protocolError},
		{"push-promise", frame{push, 4, 1, make([]byte, 4)}, protocolError},
		{"headers-on-an-even-stream", frame{headers, 5, 2, []byte{0x82}}, protocolError},
		{"data-on-an-idle-stream", frame{data, 0, 1, []byte{1}}, protocolError},
		{"data-on-an-even-stream", frame{data, 0, 2, []byte{1}}, protocolError},
		{"rst-on-an-idle-stream", frame{rst, 0, 1, make([]byte, 4)}, protocolError},
		{"window-update-on-an-idle-stream", frame{update, 0, 1, window(1)}, protocolError},
		{"continuation-without-headers", frame{continuation, 4, 1, nil}, protocolError},
		{"ping-of-7-bytes", frame{ping, 0, 0, make([]byte, 7)}, sizeError},
		{"ping-of-9-bytes", frame{ping, 0, 0, make([]byte, 9)}, sizeError},
		{"rst-of-3-bytes", frame{rst, 0, 1, make([]byte, 3)}, sizeError},
		{"rst-of-5-bytes", frame{rst, 0, 1, make([]byte, 5)}, sizeError},
		{"window-update-of-3-bytes", frame{update, 0, 0, make([]byte, 3)}, sizeError},
		{"window-update-of-5-bytes", frame{update, 0, 0, make([]byte, 5)}, sizeError},
		{"settings-of-5-bytes", frame{set, 0, 0, make([]byte, 5)}, sizeError},
		{"settings-ack-of-6-bytes", frame{set, 1, 0, make([]byte, 6)}, sizeError},
		{"goaway-of-7-bytes", frame{goaway, 0, 0, make([]byte, 7)}, sizeError},
		{"headers-without-room-for-the-priority", frame{headers, 0x24, 1, make([]byte, 4)}, sizeError},
		{"padded-headers-of-0-bytes", frame{headers, 0xc, 1, nil}, sizeError},
		{"frame-above-the-maximum", frame{0xfe, 0, 0, make([]byte, 1<<20+1)}, sizeError},
		{"headers-with-more-padding-than-bytes", frame{headers, 0xd, 1, []byte{5, 0x82}}, protocolError},
		{"enable-push-of-2", frame{set, 0, 0, setting(http2.SettingEnablePush, 2)}, protocolError},
		{"initial-window-of-2^31", frame{set, 0, 0, setting(http2.SettingInitialWindowSize, 1<<31)}, flowError},
		{"max-frame-size-of-100", frame{set, 0, 0, setting(http2.SettingMaxFrameSize, 100)}, protocolError},
		{"max-frame-size-of-16383", frame{set, 0, 0, setting(http2.SettingMaxFrameSize, 16383)}, protocolError},
		{"max-frame-size-of-2^24", frame{set, 0, 0, setting(http2.SettingMaxFrameSize, 1<<24)}, protocolError},
		{"settings-of-101-entries", frame{set, 0, 0, make([]byte, 606)}, calm},
		{"window-update-of-0", frame{update, 0, 0, window(0)}, protocolError},
		{"window-update-overflow", frame{update, 0, 0, window(1<<31 - 1)}, flowError},
	} {
		rows = append(rows, row{tt.name, func(p *peer) { p.frame(tt.f.t, tt.f.flags, tt.f.id, tt.f.payload...) }, goAway(tt.code)})
	}
	newTarget(t).run(t, rows)
}

func TestFramesInAnOrderThatEndsTheConnection(t *testing.T) {
	within := func(say func(p *peer)) func(p *peer) { // a block that is not complete
		return func(p *peer) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(request(unary)...)}))
			say(p)
		}
	}
	newTarget(t).run(t, []row{
		{"decreasing-stream", func(p *peer) { p.open(5, chat); p.open(3, chat) }, goAway(protocolError)},
		{"headers-on-a-closed-stream", func(p *peer) { finished(p, 1); p.open(1, unary) }, goAway(streamClosed)},
		{"ping-within-a-block", within(func(p *peer) { p.do(p.WritePing(false, [8]byte{})) }), goAway(protocolError)},
		{"data-within-a-block", within(func(p *peer) { p.data(1, true, nil) }), goAway(protocolError)},
		{"headers-within-a-block", within(func(p *peer) { p.headers(3, true, request(unary)...) }), goAway(protocolError)},
		{"unknown-frame-within-a-block", within(func(p *peer) { p.frame(0xee, 0, 0) }), goAway(protocolError)},
		{"continuation-on-another-stream", within(func(p *peer) { p.do(p.WriteContinuation(3, true, nil)) }), goAway(protocolError)},
		{"continuation-behind-the-end", func(p *peer) { p.open(1, unary); p.do(p.WriteContinuation(1, true, nil)) }, goAway(protocolError)},
		{"data-with-more-padding-than-bytes", func(p *peer) { p.open(1, chat); p.frame(http2.FrameData, 8, 1, 5, 0, 0) }, goAway(protocolError)},
		{"padded-data-of-0-bytes", func(p *peer) { p.open(1, chat); p.frame(http2.FrameData, 8, 1) }, goAway(sizeError)},
		{"initial-window-overflow", func(p *peer) {
			p.open(1, chat)
			p.do(p.WriteWindowUpdate(1, 1<<31-1-65535))
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65536}))
		}, goAway(flowError)},
	})
}

func TestFirstFrames(t *testing.T) {
	s := newTarget(t)
	for _, tt := range []struct {
		name string
		say  func(p *peer)
	}{
		{"first-frame-is-a-ping", func(p *peer) { p.raw([]byte(http2.ClientPreface)); p.do(p.WritePing(false, [8]byte{})) }},
		{"first-frame-is-an-ack", func(p *peer) { p.raw([]byte(http2.ClientPreface)); p.do(p.WriteSettingsAck()) }},
		{"first-frame-is-headers", func(p *peer) { p.raw([]byte(http2.ClientPreface)); p.open(1, unary) }},
		{"bogus-preface", func(p *peer) { p.raw([]byte("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")) }},
		{"http1-request", func(p *peer) { p.raw([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := dialRaw(t, s.addr)
			tt.say(p)
			p.wantGoAway(protocolError)
		})
	}
	s.call()
}

func TestFramesThatEndAStream(t *testing.T) {
	open := func(say func(p *peer)) func(p *peer) {
		return func(p *peer) { p.open(1, chat); say(p) }
	}
	newTarget(t).run(t, []row{
		{"window-update-of-0-on-a-stream", open(func(p *peer) { p.frame(http2.FrameWindowUpdate, 0, 1, window(0)...) }), resets(1, protocolError)},
		{"window-update-overflow-on-a-stream", open(func(p *peer) { p.do(p.WriteWindowUpdate(1, 1<<31-1)) }), resets(1, flowError)},
		{"priority-of-4-bytes", open(func(p *peer) { p.frame(http2.FramePriority, 0, 1, make([]byte, 4)...) }), resets(1, sizeError)},
		{"priority-of-6-bytes", open(func(p *peer) { p.frame(http2.FramePriority, 0, 1, make([]byte, 6)...) }), resets(1, sizeError)},
		{"priority-on-itself", open(func(p *peer) { p.do(p.WritePriority(1, http2.PriorityParam{StreamDep: 1})) }), resets(1, protocolError)},
		{"headers-that-depend-on-themselves", func(p *peer) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(request(unary)...), EndHeaders: true,
				Priority: http2.PriorityParam{StreamDep: 1}}))
		}, resets(1, protocolError)},
		{"data-behind-the-end", open(func(p *peer) { p.data(1, true, nil); p.data(1, true, nil) }), func(p *peer) {
			a := p.answer(1) // the handler may have been faster
			if !a.reset && a.status() != "0" || a.reset && a.code != streamClosed {
				p.tb.Errorf("got %+v, want the answer or a reset with %v", a, streamClosed)
			}
			p.wantAlive()
		}},
		{"data-on-a-closed-stream", func(p *peer) { finished(p, 1); p.data(1, false, []byte{1}) }, resets(1, streamClosed)},
		{"headers-in-mid-stream", open(func(p *peer) { p.headers(1, false, "a", "b") }), resets(1, protocolError)},
		{"data-beyond-the-stream-window", func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			p.open(1, chat)
			p.data(1, false, message(&pb.Request{Size: 100000})) // with the answer to the next one, the handler waits for our window
			for range 12 {
				p.data(1, false, message(&pb.Request{Payload: make([]byte, 16000)}))
			}
		}, resets(1, flowError)},
	})
}

func TestFramesThatMustSucceed(t *testing.T) {
	say, want := sound(1)
	after := func(first func(p *peer)) func(p *peer) {
		return func(p *peer) { first(p); say(p) }
	}
	block := func(p *peer) []byte { return p.block(request(unary)...) }
	body := message(&pb.Request{Payload: []byte("sound")})
	newTarget(t).run(t, []row{
		{"good-unknown-frames", after(func(p *peer) {
			for typ := 10; typ < 256; typ++ {
				p.frame(http2.FrameType(typ), 0xff, uint32(typ%3), make([]byte, typ%20)...)
			}
		}), want},
		{"good-unknown-settings", after(func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: 0x99, Val: 1<<32 - 1}, http2.Setting{ID: 0, Val: 7}))
		}), want},
		{"good-settings-of-100-entries", after(func(p *peer) { p.frame(http2.FrameSettings, 0, 0, bytes.Repeat(setting(0x99, 1), 100)...) }), want},
		{"good-unknown-flags", func(p *peer) {
			p.frame(http2.FrameHeaders, 4|0x40|0x80|0x10|2, 1, block(p)...)
			p.frame(http2.FrameData, 1|2|0x10|0x20|0x40|0x80, 1, body...)
		}, want},
		{"good-acks-of-nothing", after(func(p *peer) {
			p.do(p.WriteSettingsAck())
			p.do(p.WritePing(true, [8]byte{7}))
		}), want},
		{"good-reserved-bit", after(func(p *peer) { p.frame(http2.FrameWindowUpdate, 0, 1<<31, window(1<<31|5)...) }), want},
		{"good-padding", func(p *peer) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(p), EndHeaders: true, PadLength: 255}))
			for i, b := range body {
				p.do(p.WriteDataPadded(1, i == len(body)-1, []byte{b}, make([]byte, 200)))
			}
		}, want},
		{"good-priority", func(p *peer) {
			p.do(p.WritePriority(1, http2.PriorityParam{StreamDep: 3}))
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(p), EndHeaders: true,
				Priority: http2.PriorityParam{StreamDep: 9, Exclusive: true, Weight: 1}}))
			p.do(p.WritePriority(1, http2.PriorityParam{StreamDep: 3}))
			p.data(1, true, body)
		}, want},
		{"good-continuation", func(p *peer) {
			b := block(p)
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:1]}))
			p.do(p.WriteContinuation(1, false, b[1:5]))
			p.do(p.WriteContinuation(1, false, nil))
			p.do(p.WriteContinuation(1, true, b[5:]))
			p.data(1, true, body)
		}, want},
		{"good-one-byte-segments", func(p *peer) {
			p.single = true
			say(p)
		}, want},
		{"good-one-byte-data", func(p *peer) {
			p.headerBlock(1, false, block(p))
			for i := range body {
				p.data(1, false, body[i:i+1])
			}
			p.data(1, true, nil)
		}, want},
		{"good-window-0-then-open", func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			say(p)
			p.until("headers", func(h *heard) bool { return h.Type == http2.FrameHeaders && h.StreamID == 1 })
			p.do(p.WriteWindowUpdate(1, 100))
		}, want},
		{"good-one-byte-windows", func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			say(p)
			for range 100 {
				p.do(p.WriteWindowUpdate(1, 1))
			}
		}, want},
		{"good-table-size-0", func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}))
			p.enc.SetMaxDynamicTableSize(0)
			p.dec.SetAllowedMaxDynamicTableSize(0)
			say(p)
		}, want},
		{"good-table-size-of-4-GiB", after(func(p *peer) { p.do(p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1<<32 - 1})) }), want},
		{"good-goaway-then-answer", after(func(p *peer) { p.do(p.WriteGoAway(0, http2.ErrCodeNo, nil)) }), want},
		{"good-host-for-authority", func(p *peer) {
			p.headers(1, false, ":method", "POST", ":scheme", "http", ":path", unary, "content-type", "application/grpc", "te", "trailers", "host", "localhost")
			p.data(1, true, body)
		}, want},
		{"good-obs-text-value", func(p *peer) { p.open(1, unary, "key", "caf\xe9"); p.data(1, true, body) }, want},
		{"good-request-trailers", func(p *peer) { p.open(1, unary); p.data(1, false, body); p.headers(1, true, "a", "b") }, want},
		{"good-frames-on-closed-streams", func(p *peer) {
			finished(p, 1)
			p.do(p.WriteWindowUpdate(1, 1))
			p.do(p.WriteRSTStream(1, http2.ErrCodeCancel))
			p.do(p.WritePriority(1, http2.PriorityParam{StreamDep: 3}))
			p.open(3, unary)
			p.data(3, true, body)
		}, answers(3, "0")},
		{"good-frame-of-60-kB", func(p *peer) {
			p.open(1, unary)
			b := message(&pb.Request{Payload: make([]byte, 60000), Size: 1})
			p.data(1, true, b)
		}, answers(1, "0")},
	})
}
