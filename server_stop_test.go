// Tests of the ends of a server: Stop and GracefulStop, alone and together, before and after Serve, with calls and connections under way.

package grpc

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/bufconn"
)

// A servedServer is a server that serves one listener, and answers calls when the test lets it.
type servedServer struct {
	*Server
	lis     *bufconn.Listener
	served  chan error
	called  chan struct{} // a value for each call that has begun
	release chan struct{} // closed to let calls go
}

func newServedServer(t *testing.T, opts ...ServerOption) *servedServer {
	s := &servedServer{
		Server: NewServer(opts...), lis: bufconn.Listen(64 << 10), served: make(chan error, 1), called: make(chan struct{}, 10),
		release: make(chan struct{}),
	}
	testService{unary: func(_ context.Context, req string) (string, error) {
		s.called <- struct{}{}
		<-s.release
		return req, nil
	}}.register(s)
	go func() { s.served <- s.Serve(s.lis) }()
	t.Cleanup(s.Stop)
	synctest.Wait()
	return s
}

// goCall makes a call and waits until it has begun.
func (s *servedServer) goCall(t *testing.T) (*ClientConn, <-chan error) {
	cc := connect(t, s.lis)
	result := make(chan error, 1)
	go func() {
		_, err := echo(t.Context(), cc, "x")
		result <- err
	}()
	<-s.called
	return cc, result
}

// begin runs f, and returns a channel that is closed when it returns.
func begin(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	synctest.Wait()
	return done
}

func TestServeAfterAStopIsRefused(t *testing.T) {
	for name, stop := range map[string]func(*Server){"Stop": (*Server).Stop, "GracefulStop": (*Server).GracefulStop} {
		synctest.Test(t, func(t *testing.T) {
			srv, lis := NewServer(), bufconn.Listen(1)
			stop(srv)
			wantEqual(t, "Serve after "+name, srv.Serve(lis), ErrServerStopped)
			wantEqual(t, "listener closed", isShut(lis), true)
		})
	}
}

func TestStopsInAllOrdersEndServe(t *testing.T) {
	stop, graceful := (*Server).Stop, (*Server).GracefulStop
	for i, order := range [][]func(*Server){{stop}, {graceful}, {stop, stop}, {graceful, graceful}, {stop, graceful}, {graceful, stop}} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("order %d, together = %v", i, together), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServedServer(t)
					close(s.release)
					_, err := echo(t.Context(), connect(t, s.lis), "x")
					must(t, err)
					var all sync.WaitGroup
					for _, f := range order {
						if together {
							all.Go(func() { f(s.Server) })
						} else {
							f(s.Server)
						}
					}
					all.Wait()
					must(t, <-s.served)
					wantEqual(t, "listener closed", isShut(s.lis), true)
					wantEqual(t, "connections", len(s.conns), 0)
				})
			})
		}
	}
}

func TestGracefulStopWaitsForCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		_, result := s.goCall(t)
		stopped := begin(s.GracefulStop)
		wantEqual(t, "stopped during the call", isClosed(stopped), false)
		wantEqual(t, "Serve returned during the call", len(s.served), 0)
		if _, err := s.lis.Dial(); err == nil {
			t.Error("the listener is still open")
		}
		pass(time.Hour)
		wantEqual(t, "stopped an hour later", isClosed(stopped), false)
		close(s.release)
		must(t, <-result)
		<-stopped
		must(t, <-s.served)
	})
}

func TestStopEndsCallsAndAGracefulStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		_, result := s.goCall(t)
		stopped := begin(s.GracefulStop)
		s.Stop()
		must(t, <-s.served)
		wantEqual(t, "GracefulStop returned before the handler", isClosed(stopped), false)
		wantStatus(t, "call", <-result, `Unavailable: closing transport due to: connection error: desc = "error reading from server: EOF", `+
			`received prior goaway: code: NO_ERROR, debug data: "graceful_stop"`)
		close(s.release)
		<-stopped
	})
}

func TestStopWaitsForHandlersIfItShall(t *testing.T) {
	for _, wait := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServedServer(t, WaitForHandlers(wait))
			s.goCall(t)
			stopped := begin(s.Stop)
			wantEqual(t, "stopped before the handler", isClosed(stopped), !wait)
			close(s.release)
			<-stopped
		})
	}
}

func TestGracefulStopWaitsForHandlersWhoseClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		cc, _ := s.goCall(t)
		must(t, cc.Close())
		stopped := begin(s.GracefulStop)
		wantEqual(t, "stopped before the handler", isClosed(stopped), false)
		close(s.release)
		<-stopped
	})
}

func TestNoHandlerBeginsAfterAStopThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tapped, release := make(chan struct{}), make(chan struct{})
		s := newServedServer(t, WaitForHandlers(true), InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
			close(tapped)
			<-release
			return ctx, nil
		}))
		go echo(t.Context(), connect(t, s.lis), "x")
		<-tapped
		stopped := begin(s.Stop)
		close(release)
		close(s.release)
		<-stopped
		begun := len(s.called)
		synctest.Wait()
		wantEqual(t, "handlers that began after Stop", len(s.called)-begun, 0)
	})
}

func TestGracefulStopDoesNotWaitForAConnectionThatFailsItsSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		nc, err := s.lis.Dial()
		must(t, err)
		synctest.Wait() // the setup has begun
		stopped := begin(s.GracefulStop)
		wantEqual(t, "stopped during the setup", isClosed(stopped), false)
		nc.Close()
		<-stopped
	})
}

func TestConnectionThatIsSetUpDuringAGracefulStopIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		nc, err := s.lis.Dial()
		must(t, err)
		synctest.Wait() // the setup has begun
		stopped := begin(s.GracefulStop)
		cc := newChannel(t, "passthrough:///test", WithContextDialer(func(context.Context, string) (net.Conn, error) { return nc, nil }))
		cc.Connect() // and find out that the server is about to go
		<-stopped
	})
}

func TestStopClosesConnectionsInSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		nc, err := s.lis.Dial()
		must(t, err)
		synctest.Wait()
		s.Stop()
		must(t, <-s.served)
		synctest.Wait()
		if _, err := nc.Write([]byte("x")); err == nil {
			t.Error("the connection is still open")
		}
	})
}

func TestConnectionThatArrivesAfterStopIsClosed(t *testing.T) {
	srv := NewServer()
	srv.Stop()
	c := newBrokenConn()
	srv.handleRaw(c)
	wantEqual(t, "closed", isClosed(c.closed), true)
}

func TestConnectionThatArrivesWhileOnlyHandlersAreLeftIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		cc, _ := s.goCall(t)
		must(t, cc.Close())
		stopped := begin(s.GracefulStop)
		c := newBrokenConn()
		s.handleRaw(c)
		wantEqual(t, "closed", isClosed(c.closed), true)
		wantEqual(t, "connections", len(s.conns)+len(s.raw), 0)
		close(s.release)
		<-stopped
	})
}

func TestStopMayBeCalledByAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		testService{unary: func(context.Context, string) (string, error) { srv.Stop(); return "", nil }}.register(srv)
		_, err := echo(t.Context(), connect(t, serve(t, srv)), "x")
		wantStatus(t, "call", err, "Unavailable: error reading from server: EOF")
	})
}
