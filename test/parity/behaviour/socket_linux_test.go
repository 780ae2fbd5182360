// The options of TCP sockets that depend on keepalive (gRFC A18).

package behaviour

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// keepingListener hands over the connections that it accepts.
type keepingListener struct {
	net.Listener
	accepted chan net.Conn
}

func (l *keepingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- nc
	}
	return nc, err
}

// userTimeout returns the TCP_USER_TIMEOUT of a socket.
func userTimeout(t *testing.T, nc net.Conn) string {
	t.Helper()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var d time.Duration
	raw.Control(func(fd uintptr) {
		ms, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, 18) // TCP_USER_TIMEOUT
		if err != nil {
			t.Error(err)
		}
		d = time.Duration(ms) * time.Millisecond
	})
	return fmt.Sprint(d)
}

func TestUserTimeoutOfSockets(t *testing.T) {
	for _, tc := range []struct {
		name           string
		server         []grpc.ServerOption
		client         []grpc.DialOption
		ofServer, ofUs string
	}{
		{"by default", nil, nil, "20s", "0s"},
		{"keepalive", []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{Timeout: 3 * time.Second})},
			[]grpc.DialOption{grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Hour, Timeout: 4 * time.Second})}, "3s", "4s"},
		{"default timeout", nil, []grpc.DialOption{grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Hour})}, "20s", "20s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lis := &keepingListener{Listener: listen(t), accepted: make(chan net.Conn, 10)}
			s := grpc.NewServer(tc.server...)
			s.RegisterService(&echo.Desc, &echo.Service{})
			go s.Serve(lis) // ends with the server
			t.Cleanup(s.Stop)
			dialled := make(chan net.Conn, 10)
			dial := grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
				dialled <- nc
				return nc, err
			})
			cc := plain(t, lis.Addr().String(), append(tc.client, dial)...)
			equal(t, result(unary(within(t), cc, "x")), `"x"`)
			equal(t, userTimeout(t, wait(t, lis.accepted, "connection")), tc.ofServer)
			equal(t, userTimeout(t, wait(t, dialled, "connection")), tc.ofUs)
		})
	}
}
