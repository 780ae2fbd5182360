// What a server answers to frames that no well-behaved client sends.

package behaviour

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestFramesThatBreakTheConnection(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(c *raw.Conn)
		want string
	}{
		{"even stream id", func(c *raw.Conn) { c.Headers(2, true, request(echo.Unary)...) },
			`GOAWAY 0 PROTOCOL_ERROR | CLOSED`},
		{"stream id that went back", func(c *raw.Conn) {
			c.Headers(5, true, request("/a/b")...)
			c.Headers(3, true, request("/a/b")...)
		},
			`GOAWAY 5 PROTOCOL_ERROR | CLOSED`},
		{"DATA on stream 0", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) }, "CLOSED"},
		{"HEADERS on stream 0", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FrameHeaders, 4, 0, []byte{0x82}) }, "CLOSED"},
		{"SETTINGS with a bad length", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FrameSettings, 0, 0, []byte{1}) }, "CLOSED"},
		{"SETTINGS with a window that is too large", func(c *raw.Conn) {
			c.Framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, "CLOSED"},
		{"PING with a bad length", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FramePing, 0, 0, []byte{1}) }, "CLOSED"},
		{"WINDOW_UPDATE of 0", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 0}) }, "CLOSED"},
		{"CONTINUATION without HEADERS", func(c *raw.Conn) { c.Framer.WriteContinuation(1, true, []byte{0x82}) }, "CLOSED"},
		{"frame that is too long", func(c *raw.Conn) {
			c.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
		}, "CLOSED"},
		{"HPACK that does not decode", func(c *raw.Conn) {
			c.Framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		}, "CLOSED"},
		{"another frame within a header block", func(c *raw.Conn) {
			c.Framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			c.Framer.WriteRawFrame(http2.FrameData, 0, 1, []byte("x"))
		}, "CLOSED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{}))
			tc.do(conn)
			got := debugData.ReplaceAllString(conn.Transcript(999), "$1")
			equal(t, got, frameDifferences[tc.name].or(t, tc.want))
		})
	}
}

// debugData matches what a GOAWAY says for humans: it may say it as it likes.
var debugData = regexp.MustCompile(`(GOAWAY \d+ \w+) "(?:[^"\\]|\\.)*"`)

var frameDifferences = map[string]differ{
	"DATA on stream 0":                         {"framing-error-goaway", "GOAWAY 0 PROTOCOL_ERROR | CLOSED"},
	"HEADERS on stream 0":                      {"framing-error-goaway", "GOAWAY 0 PROTOCOL_ERROR | CLOSED"},
	"SETTINGS with a bad length":               {"framing-error-goaway", "GOAWAY 0 FRAME_SIZE_ERROR | CLOSED"},
	"SETTINGS with a window that is too large": {"framing-error-goaway", "GOAWAY 0 FLOW_CONTROL_ERROR | CLOSED"},
	"PING with a bad length":                   {"framing-error-goaway", "GOAWAY 0 FRAME_SIZE_ERROR | CLOSED"},
	"WINDOW_UPDATE of 0":                       {"framing-error-goaway", "GOAWAY 0 PROTOCOL_ERROR | CLOSED"},
	"CONTINUATION without HEADERS":             {"framing-error-goaway", "GOAWAY 0 PROTOCOL_ERROR | CLOSED"},
	"frame that is too long":                   {"framing-error-goaway", "GOAWAY 0 FRAME_SIZE_ERROR | CLOSED"},
	"HPACK that does not decode":               {"framing-error-goaway", "GOAWAY 0 COMPRESSION_ERROR | CLOSED"},
	"another frame within a header block":      {"framing-error-goaway", "GOAWAY 0 PROTOCOL_ERROR | CLOSED"},
}

func TestFramesThatTheServerBears(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(c *raw.Conn)
	}{
		{"unknown frame type", func(c *raw.Conn) { c.Framer.WriteRawFrame(0xbb, 0xff, 0, []byte("x")) }},
		{"PRIORITY", func(c *raw.Conn) { c.Framer.WriteRawFrame(http2.FramePriority, 0, 7, []byte{0, 0, 0, 0, 5}) }},
		{"RST_STREAM of a stream that has ended", func(c *raw.Conn) {
			c.Headers(1, true, request("/a/b")...)
			c.Transcript(1)
			c.Reset(1, http2.ErrCodeCancel)
		}},
		{"WINDOW_UPDATE of a stream that has ended", func(c *raw.Conn) {
			c.Headers(1, true, request("/a/b")...)
			c.Transcript(1)
			c.Framer.WriteWindowUpdate(1, 10)
		}},
		{"unknown setting", func(c *raw.Conn) { c.Framer.WriteSettings(http2.Setting{ID: 0x99, Val: 1}) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{}))
			tc.do(conn)
			conn.Headers(3, false, request(echo.Unary)...)
			conn.Data(3, true, raw.Message(0, raw.Text("y")))
			equal(t, conn.Transcript(3), wellFormed)
		})
	}
}

func TestDataAfterTheRequestEnded(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	conn := rawClient(t, start(t, setup{service: hanging(entered, ended)}))
	conn.Headers(1, true, request(echo.Bidi)...)
	wait(t, entered, "call")
	conn.Data(1, false, []byte("x"))
	equal(t, conn.Transcript(1), "RST_STREAM STREAM_CLOSED")
	equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
}

func TestPrefaceThatIsNone(t *testing.T) {
	for _, preface := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n                ",
		"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
	} {
		p := start(t, setup{})
		nc, err := p.lis.DialContext(within(t))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		go io.WriteString(nc, preface)
		f := http2.NewFramer(nil, nc)
		equal(t, frameTypes(f), differ{"framing-error-goaway", "SETTINGS GOAWAY EOF"}.or(t, "SETTINGS EOF"))
	}
}

func TestFirstFrameThatIsNoSettings(t *testing.T) {
	p := start(t, setup{})
	nc, err := p.lis.DialContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	f := http2.NewFramer(nc, nc)
	go func() {
		io.WriteString(nc, http2.ClientPreface)
		f.WritePing(false, [8]byte{})
	}()
	equal(t, frameTypes(f), differ{"framing-error-goaway", "SETTINGS GOAWAY EOF"}.or(t, "SETTINGS EOF"))
}

// frameTypes reads to the end and shows the types of what came, but for WINDOW_UPDATE.
func frameTypes(f *http2.Framer) string {
	var log string
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return log + text(err)
		}
		if frame.Header().Type != http2.FrameWindowUpdate {
			log += frame.Header().Type.String() + " "
		}
	}
}

// settingsOf returns what a server says first, in the order of the settings' numbers.
func settingsOf(t *testing.T, opts ...grpc.ServerOption) []string {
	t.Helper()
	f, err := rawClient(t, start(t, setup{server: opts})).Framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	var settings []http2.Setting
	f.(*http2.SettingsFrame).ForeachSetting(func(s http2.Setting) error {
		settings = append(settings, s)
		return nil
	})
	slices.SortFunc(settings, func(a, b http2.Setting) int { return int(a.ID) - int(b.ID) })
	var texts []string
	for _, s := range settings {
		texts = append(texts, s.String())
	}
	return texts
}

func TestSettingsOfTheServer(t *testing.T) {
	settings := settingsOf(t)
	equal(t, settings[0], differ{"larger-frames", "[MAX_FRAME_SIZE = 1048576]"}.or(t, "[MAX_FRAME_SIZE = 16384]"))
	equal(t, strings.Join(settings[1:], " "), differ{"header-list-limit-is-told", "[MAX_HEADER_LIST_SIZE = 16777216]"}.or(t, ""))
}

func TestSettingsThatOptionsMake(t *testing.T) {
	for _, tc := range []struct {
		name string
		opt  grpc.ServerOption
		want string // beside what every server says
	}{
		{"streams", grpc.MaxConcurrentStreams(7), "[MAX_CONCURRENT_STREAMS = 7]"},
		{"streams without limit", grpc.MaxConcurrentStreams(0), ""},
		{"header list", grpc.MaxHeaderListSize(5000), "[MAX_HEADER_LIST_SIZE = 5000]"},
		{"header table", grpc.HeaderTableSize(100), "[HEADER_TABLE_SIZE = 100]"},
		{"no header table", grpc.HeaderTableSize(0), "[HEADER_TABLE_SIZE = 0]"},
		{"window", grpc.InitialWindowSize(100_000), "[INITIAL_WINDOW_SIZE = 100000]"},
		{"window that stays", grpc.StaticStreamWindowSize(100_000), "[INITIAL_WINDOW_SIZE = 100000]"},
		{"window that is too small", grpc.InitialWindowSize(65534), ""},
		{"window of the connection", grpc.InitialConnWindowSize(100_000), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			usual := settingsOf(t)
			said := slices.DeleteFunc(settingsOf(t, tc.opt), func(s string) bool { return slices.Contains(usual, s) })
			equal(t, strings.Join(said, " "), tc.want)
		})
	}
}
