// Tests of what is read after the end of a stream, or of the connection.

package transport

import (
	"bytes"
	"testing"

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
