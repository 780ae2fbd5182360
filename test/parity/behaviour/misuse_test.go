// Streams used in ways, or at times, that their documents advise against.

package behaviour

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestSendAfterCloseSend(t *testing.T) {
	p := start(t, setup{service: hanging(nil, make(chan error, 10))})
	for _, kind := range kinds[1:] {
		t.Run(kind.name, func(t *testing.T) {
			stream, err := p.cc.NewStream(within(t), kind.desc, kind.method)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, text(stream.SendMsg(echo.Of("x"))), "<nil>")
			equal(t, text(stream.CloseSend()), "<nil>")
			equal(t, text(stream.SendMsg(echo.Of("y"))), "rpc error: code = Internal desc = SendMsg called after CloseSend")
			equal(t, text(stream.CloseSend()), "<nil>")
			equal(t, result(receive(stream)), "rpc error: code = Internal desc = SendMsg called after CloseSend")
		})
	}
}

func TestSecondMessageOnAStreamOfOneRequest(t *testing.T) {
	p := start(t, setup{service: hanging(nil, make(chan error, 10))})
	stream, err := p.cc.NewStream(within(t), echo.ServerStreamDesc, echo.ServerStream)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, text(stream.SendMsg(echo.Of("ab"))), "<nil>")
	equal(t, text(stream.SendMsg(echo.Of("cd"))), "rpc error: code = Internal desc = SendMsg called after CloseSend")
	equal(t, result(receive(stream)), "rpc error: code = Internal desc = SendMsg called after CloseSend")
	equal(t, result(receive(stream)), "rpc error: code = Internal desc = SendMsg called after CloseSend")
}

func TestSendOnAFinishedStream(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.Aborted, "over") })})
	stream := open(t, within(t), p.cc)
	equal(t, result(receive(stream)), "rpc error: code = Aborted desc = over")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "EOF")
	equal(t, text(stream.CloseSend()), "<nil>")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "rpc error: code = Internal desc = SendMsg called after CloseSend")
	equal(t, result(receive(stream)), "rpc error: code = Aborted desc = over")
}

func TestSendOnAStreamThatTheServerEnded(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.Aborted, "over") })})
	stream := open(t, within(t), p.cc)
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil { // the end arrives some time
		err = stream.SendMsg(echo.Of("x"))
	}
	equal(t, text(err), "EOF")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "EOF")
	equal(t, result(receive(stream)), "rpc error: code = Aborted desc = over")
}

func TestReceiveAfterTheEnd(t *testing.T) {
	for _, tc := range []struct {
		name   string
		onBidi func(grpc.ServerStream) error
		want   string
	}{
		{"of a stream that succeeded", func(grpc.ServerStream) error { return nil }, "EOF"},
		{"of a stream that failed", func(grpc.ServerStream) error { return status.Error(codes.Aborted, "over") },
			"rpc error: code = Aborted desc = over"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{service: &echo.Service{OnBidi: tc.onBidi}})
			stream := open(t, within(t), p.cc)
			for range 3 {
				equal(t, result(receive(stream)), tc.want)
			}
		})
	}
}

func TestReceiveAfterTheAnswerOfAClientStream(t *testing.T) {
	p := start(t, setup{})
	stream, err := p.cc.NewStream(within(t), echo.ClientStreamDesc, echo.ClientStream)
	if err != nil {
		t.Fatal(err)
	}
	stream.SendMsg(echo.Of("x"))
	stream.CloseSend()
	equal(t, result(receive(stream)), `"x"`)
	equal(t, result(receive(stream)), "EOF")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "rpc error: code = Internal desc = SendMsg called after CloseSend")
}

func TestMessagesThatTheCodecRefuses(t *testing.T) {
	p := start(t, setup{})
	ctx := within(t)
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, "no message", new(echo.Text))),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, nil, new(echo.Text))), "<nil>")
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, (*echo.Text)(nil), new(echo.Text))), "<nil>")
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, echo.Of("x"), "no message")),
		"rpc error: code = Internal desc = grpc: failed to unmarshal the received message: failed to unmarshal, message is string, want proto.Message")
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, echo.Of("x"), nil)),
		"rpc error: code = Internal desc = grpc: failed to unmarshal the received message: failed to unmarshal, message is <nil>, want proto.Message")
	equal(t, text(p.cc.Invoke(ctx, echo.Unary, echo.Of("a\xffb"), new(echo.Text))),
		"rpc error: code = Internal desc = grpc: error while marshaling: string field contains invalid UTF-8")
	stream := open(t, ctx, p.cc)
	equal(t, text(stream.SendMsg("no message")),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "EOF")
	equal(t, result(receive(stream)),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
}

func TestReceiveIntoSomethingElse(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	stream.SendMsg(echo.Of("x"))
	equal(t, text(stream.RecvMsg("no message")),
		"rpc error: code = Internal desc = grpc: failed to unmarshal the received message: failed to unmarshal, message is string, want proto.Message")
	equal(t, result(receive(stream)),
		"rpc error: code = Internal desc = grpc: failed to unmarshal the received message: failed to unmarshal, message is string, want proto.Message")
}

func TestHandlerMisusesItsStream(t *testing.T) {
	seen := make(chan string, 2)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		seen <- text(stream.SendMsg("no message"))
		seen <- text(stream.SendMsg(echo.Of("x")))
		return nil
	}}})
	stream := open(t, within(t), p.cc)
	stream.SendMsg(echo.Of("x"))
	equal(t, wait(t, seen, "error"),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
	equal(t, wait(t, seen, "error"), "rpc error: code = Canceled desc = context canceled")
	equal(t, result(receive(stream)),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
	equal(t, result(receive(stream)),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
}

func TestHandlerUsesItsStreamAfterReturning(t *testing.T) {
	streams := make(chan grpc.ServerStream, 1)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		streams <- stream
		return nil
	}}})
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), "EOF")
	stream := wait(t, streams, "call")
	wait(t, stream.Context().Done(), "end of the handler's context")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "rpc error: code = Canceled desc = context canceled")
	equal(t, text(stream.SendHeader(nil)), "rpc error: code = Canceled desc = context canceled")
	equal(t, text(stream.SetHeader(nil)), "<nil>")
}

func TestNilContextPanics(t *testing.T) {
	p := start(t, setup{})
	defer func() {
		if recover() == nil {
			t.Errorf("got no panic")
		}
	}()
	p.cc.NewStream(context.Context(nil), echo.BidiDesc, echo.Bidi)
}

func TestHandlerPanicsAreItsOwn(t *testing.T) {
	// A recovering interceptor sees the panic value; without one the process would die.
	seen := make(chan any, 1)
	p := start(t, setup{
		service: answering(func(context.Context) error { panic("ouch") }),
		server: []grpc.ServerOption{grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
				defer func() {
					seen <- recover()
					err = status.Error(codes.Internal, "recovered")
				}()
				return next(ctx, req)
			})},
	})
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = Internal desc = recovered")
	equal(t, wait(t, seen, "panic").(string), "ouch")
}
