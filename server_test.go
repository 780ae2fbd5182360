// Tests of the server: accepting, registration, and connections that are being set up. How it stops is in server_stop_test.go.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/test/bufconn"
)

// acceptError is an error of Accept.
type acceptError struct{ temporary bool }

func (e acceptError) Error() string   { return fmt.Sprintf("accept failed, temporary = %v", e.temporary) }
func (e acceptError) Temporary() bool { return e.temporary }

// A failingListener fails as often as it has errors, and then blocks until it is closed. It notes when it was asked.
type failingListener struct {
	*bufconn.Listener
	errs  []error
	asked []time.Duration // since the beginning
	begun time.Time
}

func newFailingListener(errs ...error) *failingListener {
	return &failingListener{Listener: bufconn.Listen(1), errs: errs, begun: time.Now()}
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.asked = append(l.asked, time.Since(l.begun))
	if len(l.errs) == 0 {
		return l.Listener.Accept()
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// isShut reports whether a listener at which nobody accepts is closed.
func isShut(l *bufconn.Listener) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := l.DialContext(ctx)
	return err != nil && !errors.Is(err, context.DeadlineExceeded)
}

func TestServePausesLongerAfterEachTemporaryError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporary := slices.Repeat([]error{acceptError{true}}, 10)
		lis := newFailingListener(append(temporary, acceptError{false})...)
		wantEqual(t, "Serve", NewServer().Serve(lis), error(acceptError{false}))
		var want []time.Duration
		at := time.Duration(0)
		for _, ms := range []int{0, 5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000} {
			at += time.Duration(ms) * time.Millisecond
			want = append(want, at)
		}
		if !slices.Equal(lis.asked, want) {
			t.Errorf("times of Accept: got %v, want %v", lis.asked, want)
		}
		wantEqual(t, "listener closed", isShut(lis.Listener), true)
	})
}

func TestServeReturnsErrorsThatSayNothingOfPassing(t *testing.T) {
	wantEqual(t, "Serve", NewServer().Serve(newFailingListener(errEnd)), errEnd)
}

func TestStopEndsThePauseAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		served := make(chan error)
		go func() { served <- srv.Serve(newFailingListener(slices.Repeat([]error{acceptError{true}}, 20)...)) }()
		pass(2 * time.Second)
		begun := time.Now()
		srv.Stop()
		must(t, <-served)
		wantEqual(t, "time until Serve returned", time.Since(begun), 0)
	})
}

func TestServerServesSeveralListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		testService{}.register(srv)
		first, second := serve(t, srv), serve(t, srv)
		for _, lis := range []*bufconn.Listener{first, second} {
			got, err := echo(t.Context(), connect(t, lis), "x")
			must(t, err)
			wantEqual(t, "reply", got, "x")
		}
		first.Close() // whose Serve returns
		synctest.Wait()
		_, err := echo(t.Context(), connect(t, second), "x")
		must(t, err)
	})
}

func TestServiceInfo(t *testing.T) {
	srv := NewServer()
	testService{}.register(srv)
	want := map[string]ServiceInfo{"test.S": {
		Methods: []MethodInfo{{Name: "Unary"}, {Name: "Stream", IsClientStream: true, IsServerStream: true}}, Metadata: "test.proto",
	}}
	wantEqual(t, "service info", fmt.Sprint(srv.GetServiceInfo()), fmt.Sprint(want))
}

// A wide interface is one that testService does not implement.
type wide interface{ Missing() }

func TestWrongRegistrationsEndTheProgram(t *testing.T) {
	cases := map[string]func(){
		"found the handler of type grpc.testService that does not satisfy grpc.wide": func() {
			NewServer().RegisterService(&ServiceDesc{ServiceName: "a", HandlerType: new(wide)}, testService{})
		},
		`found duplicate service registration for "test.S"`: func() {
			srv := NewServer()
			testService{}.register(srv)
			testService{}.register(srv)
		},
		`RegisterService after Server.Serve for "test.S"`: func() {
			srv := NewServer()
			_ = srv.Serve(newFailingListener(errEnd))
			testService{}.register(srv)
		},
	}
	if f := cases[os.Getenv("WRONG_REGISTRATION")]; f != nil {
		f()
		return // which the test below notices
	}
	for want := range cases {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWrongRegistrationsEndTheProgram$")
		cmd.Env = append(os.Environ(), "WRONG_REGISTRATION="+want, "GRPC_GO_LOG_SEVERITY_LEVEL=error")
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(string(out), want) {
			t.Errorf("got %v and %q, want that the program ends and says %q", err, out, want)
		}
	}
}

func TestServiceWithoutImplementationMayBeRegistered(t *testing.T) {
	NewServer().RegisterService(&ServiceDesc{ServiceName: "a", HandlerType: new(wide)}, nil)
}

func TestSilentClientIsDroppedAfterTheConnectionTimeout(t *testing.T) {
	for _, tt := range []struct {
		opts []ServerOption
		want time.Duration
	}{
		{nil, 120 * time.Second}, {[]ServerOption{ConnectionTimeout(time.Second)}, time.Second}, {[]ServerOption{ConnectionTimeout(0)}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			nc, err := startServer(t, testService{}, tt.opts...).Dial()
			must(t, err)
			defer nc.Close()
			begun := time.Now()
			_, err = io.Copy(io.Discard, nc)
			wantEqual(t, "end", err, nil)
			wantEqual(t, "time", time.Since(begun), tt.want)
		})
	}
}

// handshaker are credentials whose handshake is the test's.
type handshaker struct {
	credentials.TransportCredentials
	server func(net.Conn) (net.Conn, credentials.AuthInfo, error)
}

func (h handshaker) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return h.server(nc)
}

func TestConnectionOfAFailedHandshakeIsClosed(t *testing.T) {
	for _, err := range []error{errEnd, nil} { // nil comes without a connection
		synctest.Test(t, func(t *testing.T) {
			lis := startServer(t, testService{}, Creds(handshaker{insecure.NewCredentials(), func(net.Conn) (net.Conn, credentials.AuthInfo, error) {
				return nil, nil, err
			}}))
			nc, err := lis.Dial()
			must(t, err)
			_, err = io.Copy(io.Discard, nc)
			wantEqual(t, "end", err, nil)
		})
	}
}

func TestDispatchedConnectionIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := make(chan net.Conn, 1)
		srv := NewServer(Creds(handshaker{insecure.NewCredentials(), func(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
			taken <- nc
			return nil, nil, credentials.ErrConnDispatched
		}}))
		nc, err := serve(t, srv).Dial()
		must(t, err)
		synctest.Wait()
		srv.Stop()
		_, err = nc.Write([]byte("still open"))
		must(t, err)
		(<-taken).Close()
	})
}

// serverConns is a stats handler that notes connections and RPCs of a server.
type serverConns struct {
	recorder
	events chan string
}

func (c *serverConns) HandleConn(_ context.Context, e stats.ConnStats) {
	c.events <- strings.TrimPrefix(fmt.Sprintf("%T", e), "*stats.")
}

func TestServerTellsOfItsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := &serverConns{events: make(chan string, 10)}
		cc := connect(t, startServer(t, testService{}, StatsHandler(events)))
		_, err := echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "event", <-events.events, "ConnBegin")
		wantEqual(t, "further events", len(events.events), 0)
		must(t, cc.Close())
		wantEqual(t, "event", <-events.events, "ConnEnd")
	})
}

func TestConnectionThatEndsDuringItsSetupIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		c := newBrokenConn()
		c.settings.Reset([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		srv.handleRaw(c) // it cannot be written to, and yet the preface arrives
		wantEqual(t, "connections", len(srv.conns), 0)
		wantEqual(t, "connections in setup", len(srv.raw), 0)
		srv.GracefulStop()
	})
}
