// Method names: those nobody serves, and those that are no names.

package behaviour

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestMethodNames(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct{ method, want string }{
		{"/parity.Echo/Unary", `"x"`},
		{"parity.Echo/Unary", `rpc error: code = Unimplemented desc = malformed method name: "parity.Echo/Unary"`},
		{"/parity.Echo/Missing", "rpc error: code = Unimplemented desc = unknown method Missing for service parity.Echo"},
		{"/parity.Missing/Unary", "rpc error: code = Unimplemented desc = unknown service parity.Missing"},
		{"/parity.Echo/", "rpc error: code = Unimplemented desc = unknown method  for service parity.Echo"},
		{"//Unary", "rpc error: code = Unimplemented desc = unknown service "},
		{"/parity.Echo//Unary", "rpc error: code = Unimplemented desc = unknown service parity.Echo/"},
		{"/parity.Echo/Unary/", "rpc error: code = Unimplemented desc = unknown service parity.Echo/Unary"},
		{"/a/parity.Echo/Unary", "rpc error: code = Unimplemented desc = unknown service a/parity.Echo"},
		{"/parity.echo/unary", "rpc error: code = Unimplemented desc = unknown service parity.echo"},
		{"foo", `rpc error: code = Unimplemented desc = malformed method name: "foo"`},
		{"", `rpc error: code = Unimplemented desc = malformed method name: ""`},
		{"/", `rpc error: code = Unimplemented desc = malformed method name: "/"`},
		{"//", "rpc error: code = Unimplemented desc = unknown service "},
		{"/a", `rpc error: code = Unimplemented desc = malformed method name: "/a"`},
		{"a/b", `rpc error: code = Unimplemented desc = malformed method name: "a/b"`},
		{"/a/b", "rpc error: code = Unimplemented desc = unknown service a"},
		{"/a/b?c=d", "rpc error: code = Unimplemented desc = unknown service a"},
		{"/parity.Echo/Unary?c=d", "rpc error: code = Unimplemented desc = unknown method Unary?c=d for service parity.Echo"},
		{"/parity.Echo/Un%61ry", "rpc error: code = Unimplemented desc = unknown method Un%61ry for service parity.Echo"},
		{"/a b/c", "rpc error: code = Unimplemented desc = unknown service a b"},
		{"*", `rpc error: code = Unimplemented desc = malformed method name: "*"`},
	} {
		t.Run(tc.method, func(t *testing.T) {
			out := new(echo.Text)
			err := p.cc.Invoke(within(t), tc.method, echo.Of("x"), out)
			equal(t, result(out.Value, err), tc.want)
			stream, err := p.cc.NewStream(within(t), echo.BidiDesc, tc.method)
			if err == nil {
				stream.SendMsg(echo.Of("x"))
				stream.CloseSend()
				_, err = receive(stream)
			}
			if err != nil {
				equal(t, text(err), tc.want)
			}
		})
	}
}

func TestUnknownServiceHandlerGetsEveryUnservedMethod(t *testing.T) {
	handler := func(_ any, stream grpc.ServerStream) error {
		method, ok := grpc.MethodFromServerStream(stream)
		in := new(echo.Text)
		if err := stream.RecvMsg(in); err != nil {
			return err
		}
		return stream.SendMsg(echo.Of(fmt.Sprint(method, " ", ok, " ", in.Value)))
	}
	p := start(t, setup{server: []grpc.ServerOption{grpc.UnknownServiceHandler(handler)}})
	for _, tc := range []struct{ method, want string }{
		{"/parity.Echo/Unary", `"x"`},
		{"/parity.Echo/Missing", `"/parity.Echo/Missing true x"`},
		{"/parity.Missing/Unary", `"/parity.Missing/Unary true x"`},
		{"/a/b/c", `"/a/b/c true x"`},
		{"/a/", `"/a/ true x"`},
		{"//b", `"//b true x"`},
		{"/a", `rpc error: code = Unimplemented desc = malformed method name: "/a"`},
		{"a/b", `rpc error: code = Unimplemented desc = malformed method name: "a/b"`},
		{"", `rpc error: code = Unimplemented desc = malformed method name: ""`},
	} {
		t.Run(tc.method, func(t *testing.T) {
			out := new(echo.Text)
			err := p.cc.Invoke(within(t), tc.method, echo.Of("x"), out)
			equal(t, result(out.Value, err), tc.want)
		})
	}
}

func TestUnknownServiceHandlerRunsWithinInterceptors(t *testing.T) {
	infos := make(chan string, 1)
	p := start(t, setup{server: []grpc.ServerOption{
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(5, "handler") }),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			infos <- fmt.Sprintf("%v %+v", srv, *info)
			return next(srv, ss)
		}),
	}})
	equal(t, text(p.cc.Invoke(within(t), "/a/b", echo.Of("x"), new(echo.Text))), "rpc error: code = NotFound desc = handler")
	equal(t, wait(t, infos, "interceptor"), "<nil> {FullMethod:/a/b IsClientStream:true IsServerStream:true}")
}

func TestPackageFunctionsThatCall(t *testing.T) {
	p := start(t, setup{})
	out := new(echo.Text)
	err := grpc.Invoke(within(t), echo.Unary, echo.Of("x"), out, p.cc)
	equal(t, result(out.Value, err), `"x"`)
	stream, err := grpc.NewClientStream(within(t), echo.BidiDesc, p.cc, echo.Bidi)
	if err != nil {
		t.Fatal(err)
	}
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
}

func TestPathThatTheServerSees(t *testing.T) {
	paths := make(chan string, 1)
	p := start(t, setup{server: []grpc.ServerOption{grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.Method(stream.Context())
		paths <- method
		return nil
	})}})
	for _, method := range []string{"/a/b", "/a/b/c", "/a//b"} {
		p.cc.Invoke(within(t), method, echo.Of("x"), new(echo.Text))
		equal(t, wait(t, paths, "call"), method)
	}
}
