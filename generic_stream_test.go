// Tests of typed streams: each method is that of the stream below, with a message of its own.

package grpc

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A scriptStream is either side of a stream. It writes down what is called, and receives the numbers that it is given.
type scriptStream struct {
	ClientStream
	log      []string
	incoming []int
	fail     error // of CloseSend
}

func (s *scriptStream) SendMsg(m any) error {
	s.log = append(s.log, fmt.Sprint("send ", *m.(*int)))
	return nil
}

func (s *scriptStream) RecvMsg(m any) error {
	if len(s.incoming) == 0 {
		return errEnd
	}
	*m.(*int) = s.incoming[0]
	s.incoming = s.incoming[1:]
	return nil
}

func (s *scriptStream) CloseSend() error {
	s.log = append(s.log, "close")
	return s.fail
}

// serverScript is a scriptStream on the server's side.
type serverScript struct {
	ServerStream
	*scriptStream
}

func (s serverScript) SendMsg(m any) error { return s.scriptStream.SendMsg(m) }
func (s serverScript) RecvMsg(m any) error { return s.scriptStream.RecvMsg(m) }

// A typedReceiver is any typed stream that receives numbers.
type typedReceiver interface{ Recv() (*int, error) }

func TestTypedStreamsReceiveMessagesOfTheirOwn(t *testing.T) {
	for name, r := range map[string]typedReceiver{
		"client": &GenericClientStream[int, int]{&scriptStream{incoming: []int{1, 2}}},
		"server": &GenericServerStream[int, int]{serverScript{scriptStream: &scriptStream{incoming: []int{1, 2}}}},
	} {
		first, err := r.Recv()
		must(t, err)
		second, err := r.Recv()
		must(t, err)
		wantEqual(t, name+": messages", [2]int{*first, *second}, [2]int{1, 2})
		if m, err := r.Recv(); m != nil || err != errEnd {
			t.Errorf("%s: at the end: got %v, %v, want nil, %v", name, m, err, errEnd)
		}
	}
}

func TestTypedStreamsSend(t *testing.T) {
	five, six := 5, 6
	client := &scriptStream{}
	must(t, (&GenericClientStream[int, int]{client}).Send(&five))
	if want := []string{"send 5"}; !slices.Equal(client.log, want) {
		t.Errorf("client: got %q, want %q", client.log, want)
	}
	server := serverScript{scriptStream: &scriptStream{}}
	g := &GenericServerStream[int, int]{server}
	must(t, g.Send(&five))
	must(t, g.SendAndClose(&six))
	if want := []string{"send 5", "send 6"}; !slices.Equal(server.log, want) {
		t.Errorf("server: got %q, want %q", server.log, want)
	}
}

func TestCloseAndRecv(t *testing.T) {
	s := &scriptStream{incoming: []int{7}}
	got, err := (&GenericClientStream[int, int]{s}).CloseAndRecv()
	must(t, err)
	wantEqual(t, "response", *got, 7)
	if want := []string{"close"}; !slices.Equal(s.log, want) {
		t.Errorf("got %q, want %q", s.log, want)
	}
	failing := &scriptStream{incoming: []int{7}, fail: errors.New("no")}
	if m, err := (&GenericClientStream[int, int]{failing}).CloseAndRecv(); m != nil || err != failing.fail {
		t.Errorf("got %v, %v, want nil, %v", m, err, failing.fail)
	}
}
