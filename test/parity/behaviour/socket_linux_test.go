// The options of TCP sockets: those that depend on keepalive (gRFC A18), and the keepalive of TCP itself.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
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

// sockets returns the descriptors of this process's sockets that are connected to addr.
func sockets(t *testing.T, addr *net.TCPAddr) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if peer, err := syscall.Getpeername(fd); err == nil {
			if p, ok := peer.(*syscall.SockaddrInet4); ok && p.Port == addr.Port {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// tcpKeepalive shows whether a socket's TCP keepalive is on, and after how many seconds of silence it begins.
func tcpKeepalive(t *testing.T, fd int) string {
	t.Helper()
	on, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("on ", on == 1, ", idle ", idle)
}

func TestKeepaliveOfTCPHasTheTimingOfTheSystem(t *testing.T) {
	system, err := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time")
	if err != nil {
		t.Skip(err)
	}
	lis := listen(t)
	s := grpc.NewServer()
	s.RegisterService(&echo.Desc, &echo.Service{})
	go s.Serve(lis) // ends with the server
	t.Cleanup(s.Stop)
	cc := plain(t, lis.Addr().String())
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
	fds := sockets(t, lis.Addr().(*net.TCPAddr))
	if len(fds) != 1 {
		t.Fatalf("got %d sockets that are connected to the server, want 1", len(fds))
	}
	equal(t, tcpKeepalive(t, fds[0]), "on true, idle "+strings.TrimSpace(string(system)))
}
