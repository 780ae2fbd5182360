// A service with one method of each kind, described by hand, so that this module needs no generated code.
// The handlers are fields: every test says itself what its server does.

// Package echo is the service that the tests of this module call.
package echo

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Full names of the methods.
const (
	Unary        = "/parity.Echo/Unary"
	ClientStream = "/parity.Echo/ClientStream"
	ServerStream = "/parity.Echo/ServerStream"
	Bidi         = "/parity.Echo/Bidi"
)

// Text is the message of every method, both ways.
type Text = wrapperspb.StringValue

// Of returns a message that holds s.
func Of(s string) *Text { return wrapperspb.String(s) }

// Service is a server of the four methods. A nil field echoes.
type Service struct {
	OnUnary        func(ctx context.Context, in *Text) (*Text, error)
	OnClientStream func(stream grpc.ServerStream) error
	OnServerStream func(in *Text, stream grpc.ServerStream) error
	OnBidi         func(stream grpc.ServerStream) error
}

// Desc describes the service to a server.
var Desc = grpc.ServiceDesc{
	ServiceName: "parity.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
	Streams: []grpc.StreamDesc{
		{StreamName: "ClientStream", Handler: clientStream, ClientStreams: true},
		{StreamName: "ServerStream", Handler: serverStream, ServerStreams: true},
		{StreamName: "Bidi", Handler: bidi, ClientStreams: true, ServerStreams: true},
	},
	Metadata: "parity/echo.proto",
}

// Descriptions of the streaming methods for a client.
var (
	ClientStreamDesc = &grpc.StreamDesc{StreamName: "ClientStream", ClientStreams: true}
	ServerStreamDesc = &grpc.StreamDesc{StreamName: "ServerStream", ServerStreams: true}
	BidiDesc         = &grpc.StreamDesc{StreamName: "Bidi", ClientStreams: true, ServerStreams: true}
)

func unary(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	in := new(Text)
	if err := decode(in); err != nil {
		return nil, err
	}
	handle := func(ctx context.Context, in any) (any, error) {
		if on := srv.(*Service).OnUnary; on != nil {
			return on(ctx, in.(*Text))
		}
		return in, nil
	}
	if interceptor == nil {
		return handle(ctx, in)
	}
	return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: Unary}, handle)
}

// clientStream answers with all that it received, joined.
func clientStream(srv any, stream grpc.ServerStream) error {
	if on := srv.(*Service).OnClientStream; on != nil {
		return on(stream)
	}
	all := ""
	for {
		in := new(Text)
		switch err := stream.RecvMsg(in); err {
		case nil:
			all += in.Value
		case io.EOF:
			return stream.SendMsg(Of(all))
		default:
			return err
		}
	}
}

// serverStream answers with one message per character of the request.
func serverStream(srv any, stream grpc.ServerStream) error {
	in := new(Text)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	if on := srv.(*Service).OnServerStream; on != nil {
		return on(in, stream)
	}
	for _, r := range in.Value {
		if err := stream.SendMsg(Of(string(r))); err != nil {
			return err
		}
	}
	return nil
}

// bidi answers each message with itself.
func bidi(srv any, stream grpc.ServerStream) error {
	if on := srv.(*Service).OnBidi; on != nil {
		return on(stream)
	}
	for {
		in := new(Text)
		switch err := stream.RecvMsg(in); err {
		case nil:
			if err := stream.SendMsg(in); err != nil {
				return err
			}
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
