// The life of a server: Serve, Stop and GracefulStop, and what they mean for calls.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestServeReturns(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(p *pair)
		want string
	}{
		{"after Stop", func(p *pair) { p.server.Stop() }, "<nil>"},
		{"after GracefulStop", func(p *pair) { p.server.GracefulStop() }, "<nil>"},
		{"after its listener was closed", func(p *pair) { p.lis.Close() }, "closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{})
			if _, err := unary(within(t), p.cc, "x"); err != nil {
				t.Fatal(err)
			}
			tc.do(p)
			equal(t, text(wait(t, p.served, "end of Serve")), tc.want)
		})
	}
}

func TestServeAfterStop(t *testing.T) {
	for _, tc := range []struct {
		name string
		stop func(*grpc.Server)
	}{
		{"Stop", (*grpc.Server).Stop},
		{"GracefulStop", (*grpc.Server).GracefulStop},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := grpc.NewServer()
			tc.stop(server)
			lis := bufconn.Listen(1)
			equal(t, text(server.Serve(lis)), "grpc: the server has been stopped")
			_, err := lis.DialContext(within(t))
			equal(t, text(err), "closed")
			tc.stop(server)
		})
	}
	equal(t, text(grpc.ErrServerStopped), "grpc: the server has been stopped")
}

func TestServeOnAClosedListener(t *testing.T) {
	lis := listen(t)
	lis.Close()
	equal(t, text(grpc.NewServer().Serve(lis)), "accept tcp ADDR: use of closed network connection")
}

func TestServeOnSeveralListeners(t *testing.T) {
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, &echo.Service{})
	served := make(chan error, 2)
	var listeners []*bufconn.Listener
	for range 2 {
		lis := bufconn.Listen(1 << 10)
		listeners = append(listeners, lis)
		go func() { served <- server.Serve(lis) }()
	}
	for _, lis := range listeners {
		p := &pair{server: server, lis: lis}
		equal(t, result(unary(within(t), p.dial(t), "x")), `"x"`)
	}
	server.Stop()
	for range 2 {
		equal(t, text(wait(t, served, "end of Serve")), "<nil>")
	}
}

func TestStopEndsRunningCalls(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 1), make(chan error, 1)
			p := start(t, setup{service: hanging(entered, ended)})
			stream, err := p.cc.NewStream(within(t), kind.desc, kind.method)
			if err != nil {
				t.Fatal(err)
			}
			stream.SendMsg(echo.Of("x"))
			wait(t, entered, "call")
			p.server.Stop()
			equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
			equal(t, result(receive(stream)), "rpc error: code = Unavailable desc = error reading from server: EOF")
		})
	}
}

func TestStopEndsRunningCallsOverTCP(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, hanging(entered, ended))
	lis := listen(t)
	go server.Serve(lis)
	cc := plain(t, lis.Addr().String())
	stream := open(t, within(t), cc)
	wait(t, entered, "call")
	server.Stop()
	_, err := receive(stream)
	oneOf(t, text(err), "rpc error: code = Unavailable desc = error reading from server: EOF",
		"rpc error: code = Unavailable desc = error reading from server: read tcp ADDR->ADDR: read: connection reset by peer")
}

func TestCallsAfterStop(t *testing.T) {
	p := start(t, setup{})
	if _, err := unary(within(t), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	reach(t, p.cc, connectivity.Ready)
	p.server.Stop()
	drained(t, p)
	equal(t, result(unary(within(t), p.cc, "x")),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: closed"`)
}

// drained waits until the channel has noticed that its connection takes no more calls.
func drained(t *testing.T, p *pair) {
	t.Helper()
	if !p.cc.WaitForStateChange(within(t), connectivity.Ready) {
		t.Fatal("the channel never noticed that its server stops")
	}
}

// running fails the test if something has ended.
func running[T any](t *testing.T, event <-chan T, name string) {
	t.Helper()
	select {
	case <-event:
		t.Errorf("%s returned while a call was running", name)
	default:
	}
}

func TestGracefulStopWaitsForRunningCalls(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	stream.SendMsg(echo.Of("a"))
	equal(t, result(receive(stream)), `"a"`)
	reach(t, p.cc, connectivity.Ready)
	stopped := make(chan struct{})
	go func() {
		p.server.GracefulStop()
		close(stopped)
	}()
	drained(t, p)
	stream.SendMsg(echo.Of("b"))
	equal(t, result(receive(stream)), `"b"`)
	running(t, stopped, "GracefulStop")
	running(t, p.served, "Serve")
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
	wait(t, stopped, "end of GracefulStop")
	equal(t, text(wait(t, p.served, "end of Serve")), "<nil>")
}

func TestNewCallsDuringGracefulStop(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	stream.SendMsg(echo.Of("a"))
	equal(t, result(receive(stream)), `"a"`)
	reach(t, p.cc, connectivity.Ready)
	go p.server.GracefulStop()
	drained(t, p)
	equal(t, result(unary(within(t), p.cc, "x")),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: closed"`)
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
}

func TestStopInterruptsGracefulStop(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	p := start(t, setup{service: hanging(entered, ended)})
	stream := open(t, within(t), p.cc)
	wait(t, entered, "call")
	reach(t, p.cc, connectivity.Ready)
	stopped := make(chan struct{})
	go func() {
		p.server.GracefulStop()
		close(stopped)
	}()
	drained(t, p)
	p.server.Stop()
	wait(t, stopped, "end of GracefulStop")
	wait(t, ended, "end of the handler")
	_, err := receive(stream)
	equal(t, text(err),
		`rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR, debug data: "graceful_stop"`)
}

func TestStopWaitsForHandlersOnRequest(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	p := start(t, setup{
		service: answering(func(context.Context) error {
			close(entered)
			<-release
			return nil
		}),
		server: []grpc.ServerOption{grpc.WaitForHandlers(true)},
	})
	failed := make(chan error, 1)
	go func() {
		_, err := unary(within(t), p.cc, "x")
		failed <- err
	}()
	wait(t, entered, "call")
	stopped := make(chan struct{})
	go func() {
		p.server.Stop()
		close(stopped)
	}()
	equal(t, text(wait(t, failed, "end of the call")), "rpc error: code = Unavailable desc = error reading from server: EOF")
	running(t, stopped, "Stop")
	running(t, p.served, "Serve")
	close(release)
	wait(t, stopped, "end of Stop")
}

func TestChannelCloseEndsRunningCalls(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 1), make(chan error, 1)
			p := start(t, setup{service: hanging(entered, ended)})
			finished := make(chan error, 1)
			stream, err := p.cc.NewStream(within(t), kind.desc, kind.method, grpc.OnFinish(func(err error) { finished <- err }))
			if err != nil {
				t.Fatal(err)
			}
			stream.SendMsg(echo.Of("x"))
			wait(t, entered, "call")
			equal(t, text(p.cc.Close()), "<nil>")
			equal(t, result(receive(stream)), "rpc error: code = Canceled desc = grpc: the client connection is closing")
			equal(t, text(wait(t, finished, "OnFinish")), "rpc error: code = Canceled desc = grpc: the client connection is closing")
			equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
		})
	}
}

func TestChannelAfterClose(t *testing.T) {
	p := start(t, setup{})
	equal(t, text(p.cc.Close()), "<nil>")
	equal(t, text(p.cc.Close()), "rpc error: code = Canceled desc = grpc: the client connection is closing")
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = Canceled desc = grpc: the client connection is closing")
	equal(t, result(unary(within(t), p.cc, "x", grpc.WaitForReady(true))), "rpc error: code = Canceled desc = grpc: the client connection is closing")
	_, err := p.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi)
	equal(t, text(err), "rpc error: code = Canceled desc = grpc: the client connection is closing")
	equal(t, fmt.Sprint(err == grpc.ErrClientConnClosing), "true")
	equal(t, p.cc.GetState().String(), "SHUTDOWN")
	p.cc.Connect()
	p.cc.ResetConnectBackoff()
	equal(t, p.cc.GetState().String(), "SHUTDOWN")
	equal(t, text(grpc.ErrClientConnClosing), "rpc error: code = Canceled desc = grpc: the client connection is closing")
	equal(t, text(grpc.ErrClientConnTimeout), "grpc: timed out when dialing")
}

func TestChannelCloseWhileACallWaits(t *testing.T) {
	dialling := make(chan struct{})
	cc := plain(t, "nowhere", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		close(dialling)
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	failed := make(chan error, 1)
	go func() {
		_, err := unary(within(t), cc, "x", grpc.WaitForReady(true))
		failed <- err
	}()
	wait(t, dialling, "attempt to connect")
	cc.Close()
	equal(t, text(wait(t, failed, "end of the call")), "rpc error: code = Canceled desc = grpc: the client connection is closing")
}

func TestCloseBeforeAnything(t *testing.T) {
	cc := plain(t, "nowhere")
	equal(t, cc.GetState().String(), "IDLE")
	equal(t, text(cc.Close()), "<nil>")
	equal(t, cc.GetState().String(), "SHUTDOWN")
}
