// Tests of the server's end of a connection: which requests it accepts, and what it answers to the others.

package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/transport/internal/frame"
)

// answers returns the fields of the header blocks that wait to be written, and the other frames, and takes them away.
func (s *stillServer) answers() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fr := http2.NewFramer(nil, strings.NewReader(string(s.send.buf)))
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			s.send.buf, s.send.lastData = nil, dataFrame{}
			return all
		}
		m, ok := f.(*http2.MetaHeadersFrame)
		if !ok {
			all = append(all, describe(f))
			continue
		}
		var fields []string
		for _, f := range m.Fields {
			fields = append(fields, f.Name+": "+f.Value)
		}
		all = append(all, strings.Join(fields, ", "))
	}
}

func TestRequestsThatAreNoGRPCAreAnswered(t *testing.T) {
	answer := func(http, contentType, code, message string) string {
		s := fmt.Sprintf("[:status: %s, content-type: %s, grpc-status: %s", http, contentType, code)
		if message != "" {
			s += ", grpc-message: " + message
		}
		return s + " RST_STREAM 1 NO_ERROR]"
	}
	const grpc = "application/grpc"
	for _, tt := range []struct {
		name string
		with []string
		want string
	}{
		{"content-type", []string{"content-type", "text/html"}, answer("415", grpc, "3", `invalid gRPC request content-type "text/html"`)},
		{"content-type that begins like it", []string{"content-type", "application/grpcweb"}, answer("415", grpc, "3", `invalid gRPC request content-type "application/grpcweb"`)},
		{"empty content-type", []string{"content-type", ""}, answer("415", grpc, "3", `invalid gRPC request content-type ""`)},
		{"method", []string{":method", "GET"}, answer("405", grpc, "13", `Received a HEADERS frame with :method "GET" which should be POST`)},
		{"method, with a subtype", []string{":method", "GET", "content-type", "application/grpc+json"}, answer("405", "application/grpc+json", "13", `Received a HEADERS frame with :method "GET" which should be POST`)},
		{"method in lower case", []string{":method", "post"}, answer("405", grpc, "13", `Received a HEADERS frame with :method "post" which should be POST`)},
		{"no authority", []string{":authority", none}, answer("400", grpc, "13", "no host or :authority header present")},
		{"no binary value", []string{"k-bin", "*"}, answer("400", grpc, "13", `malformed binary metadata "*" in header "k-bin": illegal base64 data at input byte 0`)},
		{"long value that is not binary", []string{"k-bin", strings.Repeat("*", 100)},
			answer("400", grpc, "13", `malformed binary metadata "`+strings.Repeat("*", maxQuoted)+`" in header "k-bin": illegal base64 data at input byte 0`)},
		{"empty timeout", []string{"grpc-timeout", ""}, answer("400", grpc, "13", `malformed grpc-timeout: transport: timeout string is too short: ""`)},
		{"unit alone", []string{"grpc-timeout", "S"}, answer("400", grpc, "13", `malformed grpc-timeout: transport: timeout string is too short: "S"`)},
		{"long timeout", []string{"grpc-timeout", "123456789S"}, answer("400", grpc, "13", `malformed grpc-timeout: transport: timeout string is too long: "123456789S"`)},
		{"timeout without unit", []string{"grpc-timeout", "12"}, answer("400", grpc, "13", `malformed grpc-timeout: transport: timeout unit is not recognized: "12"`)},
		{"negative timeout", []string{"grpc-timeout", "-1S"}, answer("400", grpc, "13", `malformed grpc-timeout: strconv.ParseUint: parsing "-1": invalid syntax`)},
		{"timeout that has passed", []string{"grpc-timeout", "0n"}, answer("200", grpc, "4", "context deadline exceeded")},
		{"the first of several reasons", []string{"content-type", "x", ":method", "GET", ":authority", none, "grpc-timeout", ""}, answer("415", grpc, "3", `invalid gRPC request content-type "x"`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStillServer(t, ServerOptions{})
			s.request(1, false, tt.with...)
			_ = s.WriteData(1, true, []byte("what was sent before the answer"))
			_ = s.WriteRSTStream(1, http2.ErrCodeCancel)
			s.request(3, true)
			if err := s.feed(); err != nil {
				t.Fatalf("got %v, want the connection to live", err)
			}
			if got := fmt.Sprint(s.answers()); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if len(s.opened) != 1 || s.opened[0].id != 3 {
				t.Errorf("got %d calls, want the one behind it", len(s.opened))
			}
		})
	}
}

func TestTwoHosts(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	s.block(1, true, ":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "host", "b", "host", "c", "content-type", "application/grpc")
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	want := "[:status: 400, content-type: application/grpc, grpc-status: 13, " +
		"grpc-message: num values of :authority: 1, num values of host: 2, both must only have 1 value as per HTTP/2 spec]" // and no reset: it has ended
	if got := fmt.Sprint(s.answers()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswerThatTheClientDoesNotTakeIsAReset(t *testing.T) {
	for _, tt := range []struct {
		limit uint32
		reset bool
	}{{10, true}, {1000, false}} {
		s := newStillServer(t, ServerOptions{})
		_ = s.WriteSettings(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: tt.limit})
		s.request(1, true, ":method", "GET")
		if err := s.feed(); err != nil {
			t.Fatal(err)
		}
		got := s.answers()
		if reset := got[len(got)-1] == "RST_STREAM 1 INTERNAL_ERROR"; len(got) != 2 || reset != tt.reset {
			t.Errorf("limit %d: got %q, want a reset %v", tt.limit, got, tt.reset)
		}
	}
}

func TestStreamIDs(t *testing.T) {
	open := func(ids ...uint32) func(s *stillServer) {
		return func(s *stillServer) {
			for _, id := range ids {
				s.request(id, true)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		do     func(s *stillServer)
		end    string // of the connection, "" if it lives on
		opened int
		said   string
	}{
		{"gaps", open(1, 7, 9, 1<<31-1), "", 4, "[]"},
		{"0", open(0), "PROTOCOL_ERROR: HEADERS on stream 0", 0, "[]"},
		{"even", open(2), "PROTOCOL_ERROR: HEADERS on stream 2, which is not a client's", 0, "[]"},
		{"falling", open(5, 3), "PROTOCOL_ERROR: HEADERS on stream 3, which is below the last one, 5", 1, "[]"},
		{"HEADERS behind END_STREAM", open(1, 1), "", 1, "[RST_STREAM 1 STREAM_CLOSED]"},
		{"HEADERS on a stream that is closed", func(s *stillServer) {
			s.request(1, true)
			_ = s.WriteRSTStream(1, http2.ErrCodeCancel)
			s.request(1, true)
		}, "STREAM_CLOSED: HEADERS on stream 1, which is closed", 1, "[]"},
		{"trailers on a stream that this side has reset", func(s *stillServer) {
			s.request(1, false)
			_ = s.WriteWindowUpdate(1, 0)
			s.block(1, true, "k", "v")
		}, "", 1, "[RST_STREAM 1 PROTOCOL_ERROR]"},
		{"trailers on an earlier stream that this side has reset", func(s *stillServer) {
			s.request(1, false)
			_ = s.WriteWindowUpdate(1, 0)
			s.request(3, true)
			s.block(1, true, "k", "v")
		}, "", 2, "[RST_STREAM 1 PROTOCOL_ERROR]"},
		{"a stream that was refused counts", func(s *stillServer) {
			s.request(5, true, ":method", "")
			s.request(3, true)
		}, "PROTOCOL_ERROR: HEADERS on stream 3, which is below the last one, 5", 0, "[:status: 405, content-type: application/grpc, grpc-status: 13, " +
			`grpc-message: Received a HEADERS frame with :method "" which should be POST]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStillServer(t, ServerOptions{})
			tt.do(s)
			err := s.feed()
			end, fault := "", (*frame.Error)(nil)
			if errors.As(err, &fault) {
				end = fmt.Sprintf("%v: %s", fault.Code, fault.Text)
			}
			if end != tt.end || (err == nil) != (tt.end == "") || len(s.opened) != tt.opened {
				t.Errorf("got %v, %d calls, want %q, %d", err, len(s.opened), tt.end, tt.opened)
			}
			if got := fmt.Sprint(s.answers()); got != tt.said {
				t.Errorf("answer: got %s, want %s", got, tt.said)
			}
		})
	}
}

func TestMalformedRequestsAreReset(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  bool
		with []string
		code string // "" if it is sound
	}{
		{"sound", true, nil, ""},
		{"content-length", false, []string{"content-length", "5"}, ""},
		{"content-length of an empty body", true, []string{"content-length", "0"}, ""},
		{"content-length without a body", true, []string{"content-length", "5"}, "PROTOCOL_ERROR"},
		{"content-length that is no number", false, []string{"content-length", "five"}, "PROTOCOL_ERROR"},
		{"negative content-length", false, []string{"content-length", "-1"}, "PROTOCOL_ERROR"},
		{"te", true, []string{"te", "gzip"}, "PROTOCOL_ERROR"},
		{"connection-specific field", true, []string{"connection", "close"}, "PROTOCOL_ERROR"},
		{"line end in a value", true, []string{"k", "a\nb"}, "PROTOCOL_ERROR"},
		{"empty path", true, []string{":path", ""}, "PROTOCOL_ERROR"},
		{"unknown pseudo-header", true, []string{":k", "v"}, "PROTOCOL_ERROR"},
	} {
		s := newStillServer(t, ServerOptions{})
		s.request(1, tt.end, tt.with...)
		if err := s.feed(); err != nil {
			t.Fatalf("%s: got %v, want the connection to live", tt.name, err)
		}
		got, want := fmt.Sprint(s.said(), len(s.opened)), "[] 1"
		if tt.code != "" {
			want = "[RST_STREAM 1 " + tt.code + "] 0"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", tt.name, got, want)
		}
	}
}

func TestHeaderListBeyondTheLimitIsRefusedAlone(t *testing.T) {
	limit := uint32(500)
	s := newStillServer(t, ServerOptions{ConnOptions: ConnOptions{MaxHeaderListSize: &limit}})
	s.request(1, true, "k", strings.Repeat("v", int(limit)))
	s.request(3, true)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.said(), len(s.opened)); got != "[RST_STREAM 1 FRAME_SIZE_ERROR] 1" {
		t.Errorf("got %s, want that stream 1 is reset and 3 is served", got)
	}
}

func TestClosedServerOpensNoStreams(t *testing.T) {
	for name, with := range map[string][]string{"sound": nil, "malformed": {"te", "gzip"}} {
		s := newStillServer(t, ServerOptions{})
		s.Close(errors.New("stopped"))
		s.said()
		s.request(1, true, with...)
		if err := s.feed(); err != ErrConnClosing {
			t.Errorf("%s request: got %v, want %v", name, err, ErrConnClosing)
		}
		if got := s.said(); len(got) > 0 || len(s.opened) > 0 {
			t.Errorf("%s request: got the answer %q, %d calls, want none", name, got, len(s.opened))
		}
	}
}

func TestDrainedServerIgnoresStreamsThatItHasNotNamed(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	s.request(1, false)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	s.Drain("why")
	_ = s.WritePing(true, drainPing)
	s.request(3, true)
	s.request(5, true, ":method", "GET") // which would be answered
	s.request(7, true, "te", "gzip")     // which would be reset
	s.block(9, true, "no", "request")
	_ = s.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = s.WriteData(1, true, nil)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.said()), `[GOAWAY 2147483647 NO_ERROR "why" PING drain GOAWAY 1 NO_ERROR "why"]`; got != want || len(s.opened) != 1 {
		t.Errorf("got %s, %d calls, want %s, 1", got, len(s.opened), want)
	}
}

func TestSettingsOfAServer(t *testing.T) {
	table, list := uint32(0), uint32(12345)
	for _, tt := range []struct {
		name string
		o    ServerOptions
		want string
	}{
		{"by default", ServerOptions{}, "[MAX_FRAME_SIZE = 1048576] [MAX_HEADER_LIST_SIZE = 16777216]"},
		{"all", ServerOptions{
			MaxConcurrentStreams: 7, HeaderTableSize: &table,
			ConnOptions: ConnOptions{StreamWindow: 99999, MaxHeaderListSize: &list},
		}, "[MAX_FRAME_SIZE = 1048576] [MAX_HEADER_LIST_SIZE = 12345] [INITIAL_WINDOW_SIZE = 99999] [MAX_CONCURRENT_STREAMS = 7] [HEADER_TABLE_SIZE = 0]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, nc := newPeer(t, false)
			got := make(chan string, 1)
			go func() { // ends with the connection
				var all []string
				f, err := p.framer.ReadFrame()
				if err == nil {
					_ = f.(*http2.SettingsFrame).ForeachSetting(func(s http2.Setting) error { all = append(all, s.String()); return nil })
				}
				got <- strings.Join(all, " ")
				p.listen()
			}()
			go func() { // ends when the server has read it
				_, _ = p.nc.Write([]byte(http2.ClientPreface))
				p.say(func(f *http2.Framer) error { return f.WriteSettings() })
			}()
			tt.o.Context = context.Background()
			s, err := NewServer(nc, tt.o, new(streamKeeper))
			if err != nil {
				t.Fatal(err)
			}
			go s.Serve() // ends with the connection
			if got := <-got; got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
			s.Close(ErrConnClosing)
			<-s.Done()
		})
	}
}

func TestSetUpThatFailsIsNoConcernOfTheHandler(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  string // behind which the client goes
		want string
	}{
		{"gone at once", "", `connection error: desc = "transport: http2Server.HandleStreams failed to receive the preface from client: EOF"`},
		{"gone within the preface", http2.ClientPreface[:10], `connection error: desc = "transport: http2Server.HandleStreams failed to receive the preface from client: unexpected EOF"`},
		{"gone behind the preface", http2.ClientPreface, `connection error: desc = "transport: http2Server.HandleStreams failed to receive the preface from client: EOF"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, nc := newPeer(t, false)
			go p.listen() // ends with the connection
			go func() {   // ends when the server has read it
				_, _ = p.nc.Write([]byte(tt.say))
				synctest.Wait()
				p.nc.Close()
			}()
			k := new(streamKeeper)
			start := time.Now()
			s, err := NewServer(nc, ServerOptions{Context: context.Background()}, k)
			if s != nil || err == nil || err.Error() != tt.want {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
			}
			if len(k.ends) > 0 || time.Since(start) > 0 {
				t.Errorf("%s: the handler heard %q, after %v, want nothing, and at once", tt.name, k.ends, time.Since(start))
			}
		})
	}
}

// A brokenConn cannot be written to. What it reads comes when it was closed for that.
type brokenConn struct {
	feedConn
	once   sync.Once
	closed chan struct{}
}

func (c *brokenConn) Read(p []byte) (int, error) {
	<-c.closed
	return c.feedConn.Read(p)
}

func (c *brokenConn) Write([]byte) (int, error)        { return 0, errors.New("broken pipe") }
func (c *brokenConn) SetReadDeadline(time.Time) error  { return nil }
func (c *brokenConn) SetWriteDeadline(time.Time) error { return nil }

func (c *brokenConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func TestSetUpOfAConnectionThatCannotBeWrittenTo(t *testing.T) {
	nc := &brokenConn{closed: make(chan struct{})}
	nc.in.WriteString(http2.ClientPreface)
	nc.in.Write(frame.AppendSettings(nil, nil))
	k := new(streamKeeper)
	s, err := NewServer(nc, ServerOptions{Context: context.Background()}, k)
	if want := `connection error: desc = "error writing to client: broken pipe"`; s != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(k.ends) > 0 {
		t.Errorf("the handler heard %q, want nothing", k.ends)
	}
}
