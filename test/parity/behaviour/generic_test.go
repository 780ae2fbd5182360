// The typed streams that generated code uses.

package behaviour

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestTypedClientStreams(t *testing.T) {
	p := start(t, setup{})
	ctx := within(t)
	stream, err := p.cc.NewStream(ctx, echo.ClientStreamDesc, echo.ClientStream)
	if err != nil {
		t.Fatal(err)
	}
	var uploading grpc.ClientStreamingClient[echo.Text, echo.Text] = &grpc.GenericClientStream[echo.Text, echo.Text]{ClientStream: stream}
	uploading.Send(echo.Of("a"))
	uploading.Send(echo.Of("b"))
	answer, err := uploading.CloseAndRecv()
	equal(t, result(answer.GetValue(), err), `"ab"`)

	var talking grpc.BidiStreamingClient[echo.Text, echo.Text] = &grpc.GenericClientStream[echo.Text, echo.Text]{ClientStream: open(t, ctx, p.cc)}
	talking.Send(echo.Of("a"))
	answer, err = talking.Recv()
	equal(t, result(answer.GetValue(), err), `"a"`)
	talking.CloseSend()
	answer, err = talking.Recv()
	equal(t, fmt.Sprint(answer, err), "<nil> EOF")

	stream, err = p.cc.NewStream(ctx, echo.ServerStreamDesc, echo.ServerStream)
	if err != nil {
		t.Fatal(err)
	}
	stream.SendMsg(echo.Of("ab"))
	stream.CloseSend()
	var reading grpc.ServerStreamingClient[echo.Text] = &grpc.GenericClientStream[echo.Text, echo.Text]{ClientStream: stream}
	for _, want := range []string{`"a"`, `"b"`, "EOF"} {
		answer, err = reading.Recv()
		equal(t, result(answer.GetValue(), err), want)
	}
}

func TestTypedServerStreams(t *testing.T) {
	p := start(t, setup{service: &echo.Service{
		OnBidi: func(stream grpc.ServerStream) error {
			var typed grpc.BidiStreamingServer[echo.Text, echo.Text] = &grpc.GenericServerStream[echo.Text, echo.Text]{ServerStream: stream}
			in, err := typed.Recv()
			if err != nil {
				return err
			}
			return typed.Send(echo.Of("got " + in.Value))
		},
		OnClientStream: func(stream grpc.ServerStream) error {
			var typed grpc.ClientStreamingServer[echo.Text, echo.Text] = &grpc.GenericServerStream[echo.Text, echo.Text]{ServerStream: stream}
			in, err := typed.Recv()
			if err != nil {
				return err
			}
			return typed.SendAndClose(echo.Of("sum " + in.Value))
		},
		OnServerStream: func(in *echo.Text, stream grpc.ServerStream) error {
			var typed grpc.ServerStreamingServer[echo.Text] = &grpc.GenericServerStream[echo.Text, echo.Text]{ServerStream: stream}
			return typed.Send(echo.Of("part of " + in.Value))
		},
	}})
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi, "x"), "got x, EOF")
	equal(t, converse(t, p.cc, echo.ClientStreamDesc, echo.ClientStream, "x"), "sum x, EOF")
	equal(t, converse(t, p.cc, echo.ServerStreamDesc, echo.ServerStream, "x"), "part of x, EOF")
}

// double is a server transport that a test passes to a service instead of a channel.
type double struct{ calls []string }

func (d *double) Invoke(_ context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	d.calls = append(d.calls, fmt.Sprint(method, " ", len(opts)))
	reply.(*echo.Text).Value = "double"
	return nil
}

func (d *double) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, fmt.Errorf("no streams")
}

func TestStubsAcceptAnyChannel(t *testing.T) {
	d := &double{}
	equal(t, result(unary(context.Background(), d, "x", grpc.StaticMethod())), `"double"`)
	equal(t, d.calls[0], "/parity.Echo/Unary 1")
}
