// Tests of the frames that carry neither headers nor data: what each does to a server's connection and its streams, and what is answered.

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/transport/internal/frame"
)

// A stillServer is a server's connection without goroutines: the test feeds it frames, by the embedded framer, and looks at what waits to
// be written.
type stillServer struct {
	*Server
	*http2.Framer
	t      *testing.T
	nc     *feedConn
	opened []*ServerStream
	ended  error // what the handler was told
}

// HandleStream implements Handler.
func (s *stillServer) HandleStream(st *ServerStream) { s.opened = append(s.opened, st) }

// Closed implements Handler.
func (s *stillServer) Closed(err error) { s.ended = err }

func newStillServer(t *testing.T, o ServerOptions) *stillServer {
	s := &stillServer{t: t, nc: new(feedConn)}
	o.Context = context.Background()
	o.setDefaults()
	s.Framer = http2.NewFramer(&s.nc.in, nil)
	s.AllowIllegalWrites = true
	s.Server = &Server{o: o, handler: s, conn: conn{}}
	s.init(s.nc, s.Server, o.ConnOptions)
	s.setKeepalive(serverKeepalive(o.Keepalive))
	s.pings.init(o.Enforcement)
	s.lifetime.init(o.Keepalive, 0)
	s.ready, s.read.settled = true, true
	s.send.writer = writerRunning // so that none is started
	t.Cleanup(func() {
		s.Close(ErrConnClosing)
		s.kill.Stop()
		s.read.frames.Close()
	})
	return s
}

// feed handles what the client has written. It returns the error with which that ended.
func (s *stillServer) feed() error {
	for s.nc.in.Len() > 0 || s.read.frames.BufferedLen() > 0 {
		h, err := s.read.frames.Next()
		if err == io.EOF { // the last frame was passed over
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.handle(h); err != nil {
			return err
		}
	}
	return nil
}

// said returns what waits to be written, and takes it away.
func (s *stillServer) said() (frames []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fr := http2.NewFramer(nil, bytes.NewReader(s.send.buf)); ; {
		f, err := fr.ReadFrame()
		if err != nil {
			s.send.buf, s.send.lastData = nil, dataFrame{}
			return frames
		}
		frames = append(frames, describe(f))
	}
}

// none is the value of a field that is left out.
const none = "\x00"

// request writes the HEADERS of a request: a sound one with more fields, or with the values of fields replaced.
func (s *stillServer) request(id uint32, end bool, more ...string) {
	fields := []string{":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc"}
	for i := 0; i < len(more); i += 2 {
		if at := slices.Index(fields, more[i]); at >= 0 {
			fields[at+1] = more[i+1]
			if more[i+1] == none {
				fields = slices.Delete(fields, at, at+2)
			}
		} else {
			fields = append(fields, more[i:i+2]...)
		}
	}
	s.block(id, end, fields...)
}

// block writes HEADERS.
func (s *stillServer) block(id uint32, end bool, fields ...string) {
	var block bytes.Buffer
	coder := hpack.NewEncoder(&block)
	coder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

// withStreams returns a server with an open stream 1, and a stream 3 that was opened and reset by the client.
func withStreams(t *testing.T) *stillServer {
	s := newStillServer(t, ServerOptions{})
	s.request(1, false)
	s.request(3, false)
	_ = s.WriteRSTStream(3, http2.ErrCodeCancel)
	if err := s.feed(); err != nil || len(s.opened) != 2 || len(s.streams) != 1 {
		t.Fatalf("got %v, %d streams, want streams 1 and 3, and that 1 is open", err, len(s.opened))
	}
	s.said()
	return s
}

func TestControlFrames(t *testing.T) {
	raw := func(typ http2.FrameType, f http2.Flags, id uint32, p ...byte) func(*stillServer) {
		return func(s *stillServer) { _ = s.WriteRawFrame(typ, f, id, p) }
	}
	number := func(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	ping := make([]byte, 8)
	for _, tt := range []struct {
		name string
		do   func(s *stillServer)
		end  string // of the connection, "" if it lives on
		said string
	}{
		{"PRIORITY on an open stream", raw(http2.FramePriority, 0, 1, 0, 0, 0, 3, 16), "", "[]"},
		{"PRIORITY on an idle stream", raw(http2.FramePriority, 0, 99, 0, 0, 0, 3, 16), "", "[]"},
		{"PRIORITY on a closed stream", raw(http2.FramePriority, 0, 3, 0, 0, 0, 1, 16), "", "[]"},
		{"PRIORITY of a stream on itself", raw(http2.FramePriority, 0, 1, 0, 0, 0, 1, 16), "", "[RST_STREAM 1 PROTOCOL_ERROR]"},
		{"PRIORITY of a stream on itself, exclusively", raw(http2.FramePriority, 0, 1, 0x80, 0, 0, 1, 16), "", "[RST_STREAM 1 PROTOCOL_ERROR]"},
		{"PRIORITY of an idle stream on itself", raw(http2.FramePriority, 0, 99, 0, 0, 0, 99, 16), "PROTOCOL_ERROR: malformed PRIORITY on stream 99", "[]"},
		{"PRIORITY that is short", raw(http2.FramePriority, 0, 1, 0, 0, 0, 3), "", "[RST_STREAM 1 FRAME_SIZE_ERROR]"},
		{"PRIORITY that is empty", raw(http2.FramePriority, 0, 1), "", "[RST_STREAM 1 FRAME_SIZE_ERROR]"},
		{"PRIORITY that is long, on an idle stream", raw(http2.FramePriority, 0, 99, 0, 0, 0, 3, 16, 0), "FRAME_SIZE_ERROR: malformed PRIORITY on stream 99", "[]"},
		{"PRIORITY on stream 0", raw(http2.FramePriority, 0, 0, 0, 0, 0, 3, 16), "PROTOCOL_ERROR: PRIORITY on stream 0", "[]"},

		{"RST_STREAM on an open stream", raw(http2.FrameRSTStream, 0, 1, number(8)...), "", "[]"},
		{"RST_STREAM of an unknown code", raw(http2.FrameRSTStream, 0, 1, number(0xffffffff)...), "", "[]"},
		{"RST_STREAM on a closed stream", raw(http2.FrameRSTStream, 0, 3, number(8)...), "", "[]"},
		{"RST_STREAM on an idle stream", raw(http2.FrameRSTStream, 0, 5, number(8)...), "PROTOCOL_ERROR: RST_STREAM on idle stream 5", "[]"},
		{"RST_STREAM on a stream of the server's", raw(http2.FrameRSTStream, 0, 2, number(8)...), "PROTOCOL_ERROR: RST_STREAM on idle stream 2", "[]"},
		{"RST_STREAM on stream 0", raw(http2.FrameRSTStream, 0, 0, number(8)...), "PROTOCOL_ERROR: RST_STREAM on stream 0", "[]"},
		{"RST_STREAM that is short", raw(http2.FrameRSTStream, 0, 1, 0, 0, 0), "FRAME_SIZE_ERROR: RST_STREAM of 3 bytes, want 4", "[]"},

		{"WINDOW_UPDATE of the connection", raw(http2.FrameWindowUpdate, 0, 0, number(1)...), "", "[]"},
		{"WINDOW_UPDATE of 0 of the connection", raw(http2.FrameWindowUpdate, 0, 0, number(0)...), "PROTOCOL_ERROR: WINDOW_UPDATE of 0 bytes on the connection", "[]"},
		{"WINDOW_UPDATE of 0 with the reserved bit", raw(http2.FrameWindowUpdate, 0, 0, number(1<<31)...), "PROTOCOL_ERROR: WINDOW_UPDATE of 0 bytes on the connection", "[]"},
		{"WINDOW_UPDATE of the connection to the limit", raw(http2.FrameWindowUpdate, 0, 0, number(frame.MaxWindow-frame.DefaultWindow)...), "", "[]"},
		{"WINDOW_UPDATE of the connection beyond it", raw(http2.FrameWindowUpdate, 0, 0, number(frame.MaxWindow-frame.DefaultWindow+1)...),
			"FLOW_CONTROL_ERROR: WINDOW_UPDATE on the connection: window of 2147483648 bytes after an increment of 2147418113, limit 2147483647", "[]"},
		{"WINDOW_UPDATE of a stream", raw(http2.FrameWindowUpdate, 0, 1, number(1)...), "", "[]"},
		{"WINDOW_UPDATE of a stream to the limit", raw(http2.FrameWindowUpdate, 0, 1, number(frame.MaxWindow-frame.DefaultWindow)...), "", "[]"},
		{"WINDOW_UPDATE of a stream beyond it", raw(http2.FrameWindowUpdate, 0, 1, number(frame.MaxWindow)...), "", "[RST_STREAM 1 FLOW_CONTROL_ERROR]"},
		{"WINDOW_UPDATE of 0 of a stream", raw(http2.FrameWindowUpdate, 0, 1, number(0)...), "", "[RST_STREAM 1 PROTOCOL_ERROR]"},
		{"WINDOW_UPDATE of 0 of a closed stream", raw(http2.FrameWindowUpdate, 0, 3, number(0)...), "", "[]"},
		{"WINDOW_UPDATE of a closed stream", raw(http2.FrameWindowUpdate, 0, 3, number(frame.MaxWindow)...), "", "[]"},
		{"WINDOW_UPDATE of an idle stream", raw(http2.FrameWindowUpdate, 0, 5, number(1)...), "PROTOCOL_ERROR: WINDOW_UPDATE on idle stream 5", "[]"},
		{"WINDOW_UPDATE that is long", raw(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 1, 0), "FRAME_SIZE_ERROR: WINDOW_UPDATE of 5 bytes, want 4", "[]"},

		{"PING", raw(http2.FramePing, 0, 0, ping...), "", "[PING ack]"},
		{"PING with unknown flags", raw(http2.FramePing, 0xfe, 0, ping...), "", "[PING ack]"},
		{"acknowledgement of a PING that was not sent", raw(http2.FramePing, http2.FlagPingAck, 0, ping...), "", "[]"},
		{"acknowledgement of a drain that has not begun", raw(http2.FramePing, http2.FlagPingAck, 0, drainPing[:]...), "", "[]"},
		{"acknowledgement of a measurement that has not begun", raw(http2.FramePing, http2.FlagPingAck, 0, linkPing[:]...), "", "[]"},
		{"PING on a stream", raw(http2.FramePing, 0, 1, ping...), "PROTOCOL_ERROR: PING on stream 1, want 0", "[]"},
		{"PING that is short", raw(http2.FramePing, 0, 0, ping[1:]...), "FRAME_SIZE_ERROR: PING of 7 bytes, want 8", "[]"},

		{"SETTINGS without a setting", raw(http2.FrameSettings, 0, 0), "", "[SETTINGS ack]"},
		{"SETTINGS that nobody knows", raw(http2.FrameSettings, 0, 0, 0xff, 0xff, 1, 2, 3, 4), "", "[SETTINGS ack]"},
		{"SETTINGS_ENABLE_PUSH of 1 from a client", raw(http2.FrameSettings, 0, 0, 0, 2, 0, 0, 0, 1), "", "[SETTINGS ack]"},
		{"SETTINGS_ENABLE_PUSH of 2", raw(http2.FrameSettings, 0, 0, 0, 2, 0, 0, 0, 2), "PROTOCOL_ERROR: SETTINGS_ENABLE_PUSH of 2, want 0 or 1", "[SETTINGS ack]"},
		{"acknowledgement of SETTINGS", raw(http2.FrameSettings, http2.FlagSettingsAck, 0), "", "[]"},
		{"acknowledgement of SETTINGS with a setting", raw(http2.FrameSettings, http2.FlagSettingsAck, 0, 0, 2, 0, 0, 0, 1), "FRAME_SIZE_ERROR: SETTINGS of 6 bytes, want 0", "[]"},
		{"SETTINGS on a stream", raw(http2.FrameSettings, 0, 1), "PROTOCOL_ERROR: SETTINGS on stream 1, want 0", "[]"},

		{"GOAWAY of a client", raw(http2.FrameGoAway, 0, 0, append(number(0), number(0)...)...), "", "[]"},
		{"GOAWAY of a client about streams there are not", raw(http2.FrameGoAway, 0, 0, append(number(8), number(99)...)...), "", "[]"},
		{"GOAWAY on a stream", raw(http2.FrameGoAway, 0, 1, append(number(0), number(0)...)...), "PROTOCOL_ERROR: GOAWAY on stream 1, want 0", "[]"},
		{"GOAWAY that is short", raw(http2.FrameGoAway, 0, 0, number(0)...), "FRAME_SIZE_ERROR: GOAWAY of 4 bytes, want at least 8", "[]"},
		{"PUSH_PROMISE", raw(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, 0, 0, 0, 2), "PROTOCOL_ERROR: PUSH_PROMISE, which was disabled or comes from a client", "[]"},
		{"a frame that nobody knows", raw(0xff, 0xff, 0xff, 1, 2, 3), "", "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withStreams(t)
			tt.do(s)
			err := s.feed()
			end, fault := "", (*frame.Error)(nil)
			if errors.As(err, &fault) {
				end = fmt.Sprintf("%v: %s", fault.Code, fault.Text)
			}
			if end != tt.end || (err == nil) != (tt.end == "") {
				t.Errorf("end of the connection: got %v, want %q", err, tt.end)
			}
			if got := fmt.Sprint(s.said()); got != tt.said {
				t.Errorf("answer: got %s, want %s", got, tt.said)
			}
		})
	}
}

func TestControlFramesThatAreCutOff(t *testing.T) {
	for name, f := range map[string][]byte{
		"PING": frame.AppendPing(nil, 0, [8]byte{}), "SETTINGS": frame.AppendSettings(nil, make([]frame.Setting, 2)),
		"RST_STREAM": frame.AppendRSTStream(nil, 1, 0), "GOAWAY": frame.AppendGoAway(nil, 0, 0, "why"),
	} {
		for n := 1; n < len(f); n++ {
			s := withStreams(t)
			s.nc.in.Write(f[:n])
			if err := s.feed(); err != io.ErrUnexpectedEOF {
				t.Errorf("%s after %d of %d bytes: got %v, want %v", name, n, len(f), err, io.ErrUnexpectedEOF)
			}
			if got := s.said(); len(got) > 0 {
				t.Errorf("%s after %d of %d bytes: got the answer %q, want none", name, n, len(f), got)
			}
		}
	}
}

func TestTheFirstFrameIsSettings(t *testing.T) {
	for name, do := range map[string]func(*stillServer) error{
		"PING":            func(s *stillServer) error { return s.WritePing(false, [8]byte{}) },
		"acknowledgement": func(s *stillServer) error { return s.WriteSettingsAck() },
		"unknown frame":   func(s *stillServer) error { return s.WriteRawFrame(0x77, 0, 0, nil) },
	} {
		s := newStillServer(t, ServerOptions{})
		s.read.settled = false
		_ = do(s)
		fault := (*frame.Error)(nil)
		if err := s.feed(); !errors.As(err, &fault) || fault.Code != frame.ProtocolError {
			t.Errorf("%s: got %v, want PROTOCOL_ERROR", name, err)
		}
	}
}

func TestCallsHearWhyTheyWereReset(t *testing.T) {
	reset := func(code http2.ErrCode) func(*scriptedPeer) {
		return func(p *scriptedPeer) {
			p.say(func(f *http2.Framer) error {
				return errors.Join(f.WriteRSTStream(1, code), f.WriteRSTStream(1, http2.ErrCodeInternal))
			})
		}
	}
	for _, tt := range []struct {
		name        string
		do          func(p *scriptedPeer)
		want        string
		unprocessed bool
	}{
		{"refused", reset(http2.ErrCodeRefusedStream), "Unavailable: stream terminated by RST_STREAM with error code: REFUSED_STREAM", true},
		{"cancelled", reset(http2.ErrCodeCancel), "Canceled: stream terminated by RST_STREAM with error code: CANCEL", false},
		{"without an error", reset(http2.ErrCodeNo), "Internal: stream terminated by RST_STREAM with error code: NO_ERROR", false},
		{"WINDOW_UPDATE of nothing", func(p *scriptedPeer) {
			p.say(func(f *http2.Framer) error { return f.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)) })
		}, "Internal: WINDOW_UPDATE of 0 bytes", false},
		{"PRIORITY of the wrong size", func(p *scriptedPeer) {
			p.say(func(f *http2.Framer) error { return f.WriteRawFrame(http2.FramePriority, 0, 1, make([]byte, 4)) })
		}, "Internal: malformed PRIORITY", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, _ := dialPeer(t, ClientOptions{}, false)
				p.framer.AllowIllegalWrites = true
				s := openCall(t, c)
				tt.do(p)
				synctest.Wait()
				if got := shown(s); got != tt.want || s.Unprocessed() != tt.unprocessed {
					t.Errorf("got %q, unprocessed %v, want %q, %v", got, s.Unprocessed(), tt.want, tt.unprocessed)
				}
				if err := c.Err(); err != nil {
					t.Errorf("the connection: got %v, want it to live", err)
				}
			})
		})
	}
}

func TestSettingsAreAppliedInTheirOrder(t *testing.T) {
	s := withStreams(t)
	st := s.streams[1]
	_ = s.WriteSettings(
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 20_000},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: 7}, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 99},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: 30_000}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0},
	)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	if got := st.mayLocked(); got != 7 || s.send.maxFrame != 30_000 || s.send.maxList != 99 {
		t.Errorf("got a window of %d, frames of %d, header lists of %d, want 7, 30000, 99", got, s.send.maxFrame, s.send.maxList)
	}
}

func TestInitialWindowChangesThoseOfOpenStreams(t *testing.T) {
	s := withStreams(t)
	st := s.streams[1]
	if err := st.write(messageOf(30_000), false); err != nil {
		t.Fatal(err)
	}
	s.gatherLocked(new(batch)) // and so sends it
	for _, tt := range []struct{ initial, want int64 }{
		{1 << 20, 1<<20 - 30_005}, {30_005, 0}, {10_000, -20_005}, {0, -30_005}, {30_006, 1}, {frame.MaxWindow, frame.MaxWindow - 30_005},
	} {
		_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(tt.initial)})
		if err := s.feed(); err != nil {
			t.Fatalf("initial window of %d: got %v", tt.initial, err)
		}
		if got := int64(st.out.window) + s.send.initial; got != tt.want {
			t.Errorf("initial window of %d: got a window of %d, want %d", tt.initial, got, tt.want)
		}
	}
}

func TestInitialWindowMustNotMakeOneTooLarge(t *testing.T) {
	s := withStreams(t)
	_ = s.WriteWindowUpdate(1, 10)
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frame.MaxWindow - 10})
	if err := s.feed(); err != nil {
		t.Fatalf("a window of the largest size: got %v, want nil", err)
	}
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frame.MaxWindow - 9})
	fault := (*frame.Error)(nil)
	want := "SETTINGS_INITIAL_WINDOW_SIZE of 2147483638 makes a window of 2147483648 bytes, limit 2147483647"
	if err := s.feed(); !errors.As(err, &fault) || fault.Code != frame.FlowControlError || fault.Text != want {
		t.Errorf("got %v, want FLOW_CONTROL_ERROR: %s", err, want)
	}

	s = withStreams(t) // a stream that is gone does not matter
	_ = s.WriteWindowUpdate(1, 10)
	_ = s.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frame.MaxWindow})
	if err := s.feed(); err != nil {
		t.Errorf("when the stream is gone: got %v, want nil", err)
	}
}

func TestWindowsOfAllStreamsAreNotLookedAtForever(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	for i := range uint32(2 * maxWindowChecks) {
		s.request(2*i+1, false)
		_ = s.WriteWindowUpdate(2*i+1, frame.MaxWindow-frame.DefaultWindow)
		_ = s.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frame.DefaultWindow + 1}) // too large for that stream, were it there
		_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frame.DefaultWindow})
		if err := s.feed(); err != nil {
			t.Fatalf("round %d: got %v", i, err)
		}
		if got, want := s.send.checks, min(int(i)+1, maxWindowChecks); got != want {
			t.Fatalf("round %d: got %d looks at all streams, want %d", i, got, want)
		}
	}
}
