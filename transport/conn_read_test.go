// Tests of what is read after the end of a stream, or of the connection.

package transport

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport/internal/frame"
)

func TestDataOnStreamThatIsGone(t *testing.T) {
	reset := frame.AppendRSTStream(nil, 3, frame.StreamClosed)
	for _, tt := range []struct {
		about string
		state connState
		code  frame.ErrCode // of the reset that ended the stream, if there was one
		want  []byte
	}{
		{"stream has ended", connOpen, frame.NoError, reset},
		{"stream was reset", connOpen, frame.Cancel, nil},
		{"connection drains", connDraining, frame.NoError, reset},
		{"connection is closed", connClosed, frame.NoError, nil},
	} {
		s := new(Server)
		s.role, s.topID, s.state = s, 3, tt.state
		s.send.init()
		s.send.writer = writerRunning // so that nobody starts it
		s.drain = drainSaid           // so that nobody closes it
		if tt.code != frame.NoError {
			s.send.reset(3, tt.code)
			s.send.buf = nil
		}
		if err := s.dataOnClosed(frame.Header{Type: frame.Data, StreamID: 3}); (err != nil) != (tt.state == connClosed) {
			t.Errorf("%s: got %v, want an error only if the connection is closed", tt.about, err)
		}
		if !bytes.Equal(s.send.buf, tt.want) {
			t.Errorf("%s: got %x sent, want %x", tt.about, s.send.buf, tt.want)
		}
	}
}

func TestDataThatNobodyWants(t *testing.T) {
	large := make([]byte, frame.DefaultWindow+1)
	for _, tt := range []struct {
		name string
		do   func(s *stillServer)
		said string
		left int // streams in the table
	}{
		{"behind the answer, which waits for a window", func(s *stillServer) {
			_ = s.WriteData(1, false, []byte("abc"))
			_ = s.WriteDataPadded(1, false, []byte("abc"), make([]byte, 10))
		}, "[]", 1},
		{"to the end of the request", func(s *stillServer) {
			_ = s.WriteData(1, false, large)
			_ = s.WriteData(1, true, nil)
		}, "[]", 1},
		{"behind the end of the request", func(s *stillServer) {
			_ = s.WriteData(1, true, nil)
			_ = s.WriteData(1, false, []byte("abc"))
			_ = s.WriteData(1, true, []byte("abc"))
		}, "[RST_STREAM 1 STREAM_CLOSED]", 0},
	} {
		s := newStillServer(t, ServerOptions{MaxMessageSize: 10, ConnOptions: ConnOptions{StaticWindows: true}})
		s.request(1, false)
		if err := s.feed(); err != nil {
			t.Fatal(err)
		}
		if err := s.opened[0].Finish(status.New(codes.OK, ""), messageOf(100_000)); err != nil {
			t.Fatal(err)
		}
		s.said()
		tt.do(s)
		if err := s.feed(); err != nil {
			t.Errorf("%s: got %v, want the connection to live", tt.name, err)
		}
		if got := fmt.Sprint(s.said()); got != tt.said || len(s.streams) != tt.left {
			t.Errorf("%s: got %s, %d streams, want %s, %d", tt.name, got, len(s.streams), tt.said, tt.left)
		}
	}
}

func TestDataBeyondTheWindowOfItsStream(t *testing.T) {
	s := newStillServer(t, ServerOptions{MaxMessageSize: 1 << 20, ConnOptions: ConnOptions{StaticWindows: true}})
	s.request(1, false)
	s.request(3, false)
	_ = s.WriteData(1, false, make([]byte, frame.DefaultWindow)) // empty messages
	_ = s.WriteData(3, false, make([]byte, frame.DefaultWindow+1))
	_ = s.WriteData(1, false, []byte("x"))
	if err := s.feed(); err != nil {
		t.Fatalf("got %v, want the connection to live", err)
	}
	var got []string
	for _, f := range s.said() {
		if f != "WINDOW_UPDATE 0" {
			got = append(got, f)
		}
	}
	if want := "[RST_STREAM 3 FLOW_CONTROL_ERROR RST_STREAM 1 FLOW_CONTROL_ERROR]"; fmt.Sprint(got) != want {
		t.Errorf("got %q, want %s", got, want)
	}
	_ = s.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 5, []byte{9, 1, 2})
	if err := s.feed(); err == nil {
		t.Error("more padding than there is payload: got no error, want that the connection ends")
	}
}
