// The four kinds of calls when nothing goes wrong.

package behaviour

import (
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// converse sends every text, closes the sending side and returns all answers, then how the stream ended.
func converse(t *testing.T, cc grpc.ClientConnInterface, desc *grpc.StreamDesc, method string, texts ...string) string {
	t.Helper()
	stream, err := cc.NewStream(within(t), desc, method)
	if err != nil {
		return "NewStream: " + text(err)
	}
	for _, s := range texts {
		err := stream.SendMsg(echo.Of(s))
		if err == io.EOF {
			break // the stream is over, RecvMsg says how
		}
		if err != nil {
			return "SendMsg: " + text(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return "CloseSend: " + text(err)
	}
	var got []string
	for {
		s, err := receive(stream)
		if err != nil {
			return strings.Join(append(got, text(err)), ", ")
		}
		got = append(got, s)
	}
}

func TestUnaryCallReturnsTheAnswer(t *testing.T) {
	p := start(t, setup{})
	for _, in := range []string{"", "x", "héllo\n%41\x00", strings.Repeat("a", 100_000)} {
		out, err := unary(within(t), p.cc, in)
		if err != nil || out != in {
			t.Errorf("unary call with %d bytes: got %d bytes and %v", len(in), len(out), err)
		}
	}
}

func TestStreamsEndWithEOFAfterTheirMessages(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct {
		name   string
		desc   *grpc.StreamDesc
		method string
		in     []string
		want   string
	}{
		{"client stream", echo.ClientStreamDesc, echo.ClientStream, []string{"a", "b", "c"}, "abc, EOF"},
		{"client stream of nothing", echo.ClientStreamDesc, echo.ClientStream, nil, ", EOF"},
		{"server stream", echo.ServerStreamDesc, echo.ServerStream, []string{"abc"}, "a, b, c, EOF"},
		{"server stream of nothing", echo.ServerStreamDesc, echo.ServerStream, []string{""}, "EOF"},
		{"bidi", echo.BidiDesc, echo.Bidi, []string{"a", "", "c"}, "a, , c, EOF"},
		{"bidi of nothing", echo.BidiDesc, echo.Bidi, nil, "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, converse(t, p.cc, tc.desc, tc.method, tc.in...), tc.want)
		})
	}
}

func TestBidiAnswersBeforeTheClientHasFinished(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	for _, in := range []string{"a", "b", "c"} {
		if err := stream.SendMsg(echo.Of(in)); err != nil {
			t.Fatal(err)
		}
		equal(t, result(receive(stream)), `"`+in+`"`)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	equal(t, result(receive(stream)), "EOF")
}

func TestServerStreamHandlerMayReturnWhileMessagesAreUnread(t *testing.T) {
	p := start(t, setup{})
	text := strings.Repeat("abcdefghij", 20)
	got := converse(t, p.cc, echo.ServerStreamDesc, echo.ServerStream, text)
	equal(t, got, strings.Join(strings.Split(text, ""), ", ")+", EOF")
}

func TestServerMayAnswerBeforeTheClientStreamEnds(t *testing.T) {
	p := start(t, setup{service: &echo.Service{
		OnClientStream: func(stream grpc.ServerStream) error { return stream.SendMsg(echo.Of("early")) },
	}})
	stream, err := p.cc.NewStream(within(t), echo.ClientStreamDesc, echo.ClientStream)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, result(receive(stream)), `"early"`)
	equal(t, text(stream.SendMsg(echo.Of("late"))), "EOF")
}

func TestInvokeIgnoresWhetherTheMethodStreams(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct {
		name, method, in string
		want             string
	}{
		{"client streaming method", echo.ClientStream, "x", `"x"`},
		{"server streaming method, one answer", echo.ServerStream, "x", `"x"`},
		{"server streaming method, no answer", echo.ServerStream, "",
			"rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC"},
		{"server streaming method, two answers", echo.ServerStream, "ab",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"},
		{"bidirectional method", echo.Bidi, "x", `"x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := new(echo.Text)
			err := p.cc.Invoke(within(t), tc.method, echo.Of(tc.in), out)
			equal(t, result(out.Value, err), tc.want)
		})
	}
}

func TestUnaryMethodCalledAsAStream(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct {
		name string
		desc *grpc.StreamDesc
		in   []string
		want string
	}{
		{"bidi, one message", echo.BidiDesc, []string{"a"}, "a, EOF"},
		{"bidi, two messages", echo.BidiDesc, []string{"a", "b"},
			"rpc error: code = Internal desc = cardinality violation: received multiple request messages for non-client-streaming RPC"},
		{"bidi, no message", echo.BidiDesc, nil,
			"rpc error: code = Internal desc = cardinality violation: received no request message from non-client-streaming RPC"},
		{"client stream, two messages", echo.ClientStreamDesc, []string{"a", "b"},
			"rpc error: code = Internal desc = cardinality violation: received multiple request messages for non-client-streaming RPC"},
		{"server stream", echo.ServerStreamDesc, []string{"a"}, "a, EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, converse(t, p.cc, tc.desc, echo.Unary, tc.in...), tc.want)
		})
	}
}

func TestServerStreamMethodWithTooManyRequests(t *testing.T) {
	p := start(t, setup{})
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.ServerStream, "ab", "cd"),
		"rpc error: code = Internal desc = cardinality violation: received multiple request messages for non-client-streaming RPC")
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.ServerStream),
		"rpc error: code = Internal desc = cardinality violation: received no request message from non-client-streaming RPC")
}

func TestHandlerReadsEOFForeverAfterTheClientHasFinished(t *testing.T) {
	seen := make(chan string, 1)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		var log []string
		for range 3 {
			log = append(log, result(receive(stream)))
		}
		seen <- strings.Join(log, ", ")
		return nil
	}}})
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), io.EOF.Error())
	equal(t, wait(t, seen, "handler"), "EOF, EOF, EOF")
}
