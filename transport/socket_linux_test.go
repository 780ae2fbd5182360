// Tests of what the system tells about a socket: who reads slowly and who not at all, and when it gives a connection up itself.

package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/keepalive"
)

// userTimeout returns the TCP_USER_TIMEOUT of a socket.
func userTimeout(t *testing.T, socket net.Conn) (d time.Duration) {
	t.Helper()
	withDescriptor(socket.(syscall.Conn), func(fd int) {
		ms, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, tcpUserTimeout)
		if err != nil {
			t.Fatal(err)
		}
		d = time.Duration(ms) * time.Millisecond
	})
	return d
}

func TestUserTimeoutIsThatOfKeepalive(t *testing.T) {
	client := func(p keepalive.ClientParameters) func(c *conn) {
		return func(c *conn) { c.setKeepalive(clientKeepalive(p)) }
	}
	server := func(p keepalive.ServerParameters) func(c *conn) {
		return func(c *conn) { c.setKeepalive(serverKeepalive(p)) }
	}
	for _, tt := range []struct {
		name string
		set  func(c *conn)
		want time.Duration
	}{
		{"client without pings", client(keepalive.ClientParameters{Timeout: time.Second}), 0},
		{"client by default", client(keepalive.ClientParameters{Time: time.Minute}), 20 * time.Second},
		{"client", client(keepalive.ClientParameters{Time: time.Minute, Timeout: 3 * time.Second}), 3 * time.Second},
		{"server by default", server(keepalive.ServerParameters{}), 20 * time.Second},
		{"server", server(keepalive.ServerParameters{Timeout: 3 * time.Second}), 3 * time.Second},
		{"more than the system takes", server(keepalive.ServerParameters{Timeout: never}), (1<<31 - 1) * time.Millisecond},
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", tt.name, secured), func(t *testing.T) {
				near, _ := connPair(t, "tcp")
				c := &conn{nc: near}
				if secured {
					c.nc = tls.Server(near, nil)
				}
				c.socket = socketOf(c.nc)
				tt.set(c)
				if got := userTimeout(t, near); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		}
	}
}

// A slowPair is a server connection whose client, on a real socket with small buffers, reads by hand.
type slowPair struct {
	server  *Server
	streams chan *ServerStream // the one there is
	client  net.Conn           // above TLS, if there is any
}

// HandleStream implements Handler.
func (p *slowPair) HandleStream(s *ServerStream) { p.streams <- s }

// Closed implements Handler.
func (p *slowPair) Closed(error) {}

// narrowPair returns both ends of a connection whose first end can write little that the other one has not read, beyond its own buffer.
func narrowPair(t *testing.T, sendBuffer int) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error { // before the first window is announced
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	if far, err = d.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = near.(*net.TCPConn).SetWriteBuffer(sendBuffer)
	return near, far
}

// newSlowPair makes a slowPair with one stream that has much to write.
func newSlowPair(t *testing.T, secured bool, sendBuffer int, stall time.Duration) *slowPair {
	near, far := narrowPair(t, sendBuffer)
	p := &slowPair{client: far, streams: make(chan *ServerStream, 1)}
	if secured {
		ca := testkit.NewCA(t)
		near = tls.Server(near, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, "localhost")}})
		p.client = tls.Client(far, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"})
	}
	go func() { // ends when the server has read it
		_, _ = p.client.Write([]byte(http2.ClientPreface))
		f := http2.NewFramer(p.client, nil)
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		_ = f.WriteWindowUpdate(0, 1<<30)
		(&scriptedPeer{framer: f}).request(1)
	}()
	options := ServerOptions{
		ConnOptions: ConnOptions{StallTimeout: stall, WriteBufferSize: 512 << 10}, Context: context.Background(),
		Keepalive: keepalive.ServerParameters{Timeout: time.Hour}, // which is also that of the system
	}
	var err error
	if p.server, err = NewServer(near, options, p); err != nil {
		t.Fatal(err)
	}
	go p.server.Serve() // ends with the connection
	t.Cleanup(func() {
		p.server.Close(ErrConnClosing)
		<-p.server.Done()
	})
	return p
}

// stream waits for the stream, and makes it write a large message.
func (p *slowPair) stream(t *testing.T) *ServerStream {
	s := <-p.streams
	if err := s.Write(messageOf(8 << 20)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStalledSocket(t *testing.T) {
	const stall = 3 * time.Second // while the client reads, nothing moves for up to 400 ms at a time
	for _, tt := range []struct {
		name       string
		secured    bool
		sendBuffer int
		read       int // bytes at a time: less than one write carries in the time of the timeout, but more than a record of TLS
	}{
		{"that takes a little at a time", false, 4 << 10, 1 << 10},
		{"below TLS that takes nothing before much was read", true, 1 << 20, 2 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newSlowPair(t, tt.secured, tt.sendBuffer, stall)
			s := p.stream(t)
			buf := make([]byte, tt.read)
			ticker := time.NewTicker(stall / 60)
			defer ticker.Stop()
			for range 90 {
				<-ticker.C
				if _, err := io.ReadFull(p.client, buf); err != nil {
					t.Fatalf("while the client reads slowly: got %v, want the connection to live", err)
				}
			}
			if err := s.Context().Err(); err != nil {
				t.Fatalf("while the client reads slowly: got %v, want the call to live", err)
			}
			select {
			case <-s.Context().Done():
			case <-time.After(10 * stall):
				t.Fatalf("%v after the client has stopped reading the connection lives, want it closed after %v", 10*stall, stall)
			}
			<-p.server.Done()
		})
	}
}

func TestCloseOfAFullSocket(t *testing.T) {
	const handshake = 2 << 10 // bytes, more than come before the message; they may wait up to 200 ms for their acknowledgement
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secured), func(t *testing.T) {
			t.Parallel()
			p := newSlowPair(t, secured, 4<<10, time.Hour)
			s := p.stream(t)
			start := time.Now()
			last, same := 0, 0
			for range time.Tick(time.Millisecond) {
				n := unsentBytes(p.server.socket)
				if same++; n < handshake || n != last {
					last, same = n, 0
				}
				if same == 50 { // what is on its way does not stay that long: the socket is full
					break
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Fatalf("the socket has taken all there is, or nothing, in %v", took)
				}
			}
			start = time.Now()
			p.server.Close(ErrConnClosing)
			if s.Context().Err() == nil {
				t.Error("the call lives on, want it to end at once")
			}
			select {
			case <-p.server.Done():
				if took := time.Since(start); took < closeGrace {
					t.Errorf("the connection has gone after %v, want it to go after %v", took, closeGrace)
				}
			case <-time.After(closeGrace + 2*time.Second):
				t.Errorf("the connection is there after %v, want it to go after %v", closeGrace+2*time.Second, closeGrace)
			}
		})
	}
}
