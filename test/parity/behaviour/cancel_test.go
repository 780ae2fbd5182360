// Cancellation: before, during and after a call of each kind, and what the handler sees of it.

package behaviour

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestCancelBeforeTheCall(t *testing.T) {
	p := start(t, setup{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = Canceled desc = context canceled")
	if _, err := unary(within(t), p.cc, "connect"); err != nil {
		t.Fatal(err)
	}
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = Canceled desc = context canceled")
	_, err := p.cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
	equal(t, text(err), "rpc error: code = Canceled desc = context canceled")
}

func TestCancelDuringEachKindOfCall(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 1), make(chan error, 1)
			p := start(t, setup{service: hanging(entered, ended)})
			ctx, cancel := context.WithCancel(within(t))
			stream, err := p.cc.NewStream(ctx, kind.desc, kind.method)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(echo.Of("x")); err != nil {
				t.Fatal(err)
			}
			if !kind.desc.ClientStreams {
				stream.CloseSend()
			}
			wait(t, entered, "call")
			cancel()
			equal(t, result(receive(stream)), "rpc error: code = Canceled desc = context canceled")
			equal(t, result(receive(stream)), "rpc error: code = Canceled desc = context canceled")
			equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
			equal(t, text(stream.Context().Err()), "context canceled")
			equal(t, show(stream.Trailer()), "")
		})
	}
}

func TestCancelDuringAUnaryCall(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	p := start(t, setup{service: hanging(entered, ended)})
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		<-entered
		cancel()
	}()
	var header, trailer metadata.MD
	_, err := unary(ctx, p.cc, "x", grpc.Header(&header), grpc.Trailer(&trailer))
	equal(t, fmt.Sprintf("%s; header %s; trailer %s", text(err), show(header), show(trailer)),
		"rpc error: code = Canceled desc = context canceled; header nil; trailer ")
	equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
}

func TestSendAfterCancel(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	p := start(t, setup{service: hanging(entered, ended)})
	ctx, cancel := context.WithCancel(within(t))
	stream := open(t, ctx, p.cc)
	wait(t, entered, "call")
	cancel()
	wait(t, ended, "end of the handler")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "EOF")
	equal(t, text(stream.CloseSend()), "<nil>")
	equal(t, result(receive(stream)), "rpc error: code = Canceled desc = context canceled")
	equal(t, text(stream.SendMsg(echo.Of("x"))), "rpc error: code = Internal desc = SendMsg called after CloseSend")
}

func TestCancelWhileTheHandlerSends(t *testing.T) {
	result := make(chan string, 1)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		stream.SendMsg(echo.Of("first"))
		for {
			if err := stream.SendMsg(echo.Of("more")); err != nil {
				result <- text(err)
				return err
			}
		}
	}}})
	ctx, cancel := context.WithCancel(within(t))
	stream := open(t, ctx, p.cc)
	if _, err := receive(stream); err != nil {
		t.Fatal(err)
	}
	cancel()
	equal(t, wait(t, result, "end of the handler"), "rpc error: code = Canceled desc = context canceled")
}

func TestCancelWhileTheHandlerReceives(t *testing.T) {
	result := make(chan string, 2)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		if _, err := receive(stream); err != nil {
			return err
		}
		stream.SendMsg(echo.Of("first"))
		for range 2 {
			_, err := receive(stream)
			result <- text(err)
		}
		return nil
	}}})
	ctx, cancel := context.WithCancel(within(t))
	stream := open(t, ctx, p.cc)
	stream.SendMsg(echo.Of("x"))
	if _, err := receive(stream); err != nil {
		t.Fatal(err)
	}
	cancel()
	equal(t, wait(t, result, "error of RecvMsg"), "rpc error: code = Canceled desc = context canceled")
	equal(t, wait(t, result, "second error of RecvMsg"), "rpc error: code = Canceled desc = context canceled")
}

func TestCancelAfterTheCallHasEnded(t *testing.T) {
	p := start(t, setup{})
	ctx, cancel := context.WithCancel(within(t))
	stream := open(t, ctx, p.cc)
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
	cancel()
	equal(t, result(receive(stream)), "EOF")
}

func TestHandlerContextEndsWhenTheHandlerReturns(t *testing.T) {
	contexts := make(chan context.Context, 1)
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		contexts <- ctx
		return nil
	})})
	if _, err := unary(within(t), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	ctx := wait(t, contexts, "call")
	wait(t, ctx.Done(), "end of the handler's context")
	equal(t, text(ctx.Err()), "context canceled")
}

func TestStreamContextEndsWithTheStream(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	ctx := stream.Context()
	equal(t, text(ctx.Err()), "<nil>")
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
	wait(t, ctx.Done(), "end of the stream's context")
	equal(t, text(ctx.Err()), "context canceled")
}

func TestStreamEndsWithoutAReaderWhenItsContextDoes(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	p := start(t, setup{service: hanging(entered, ended)})
	ctx, cancel := context.WithCancel(within(t))
	finished := make(chan error, 1)
	open(t, ctx, p.cc, grpc.OnFinish(func(err error) { finished <- err }))
	wait(t, entered, "call")
	cancel()
	equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
	equal(t, text(wait(t, finished, "OnFinish")), "rpc error: code = Canceled desc = context canceled")
}
