// Clients in good faith, however fast, are never taken for attackers, and nothing ever waits for itself: calls over every kind of connection,
// with buffers of the system from tiny to large.

package hostile

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// A pipeListener is a listener whose connections are net.Pipes, which buffer nothing.
type pipeListener struct {
	conns chan net.Conn // unbuffered: dial sends the server's end
	done  chan struct{} // closed by Close
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A sizedListener sets the buffers of the connections that it accepts.
type sizedListener struct {
	net.Listener
	size int // bytes; 0 leaves the system's
}

func (l sizedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		resize(c, l.size)
	}
	return c, err
}

func resize(c net.Conn, size int) {
	if s, ok := c.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok && size > 0 {
		_ = s.SetReadBuffer(size)
		_ = s.SetWriteBuffer(size)
	}
}

// connectOver starts a server and a client whose connection is of a kind.
func connectOver(t *testing.T, network string, size int) pb.EchoClient {
	t.Helper()
	var lis net.Listener
	var err error
	pipe := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	switch network {
	case "pipe":
		lis = pipe
	case "unix":
		lis, err = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	default:
		lis, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	pb.RegisterEchoServer(srv, &echo{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(sizedListener{lis, size}) }()
	cc, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if network == "pipe" {
				return pipe.dial(ctx)
			}
			c, err := (&net.Dialer{}).DialContext(ctx, network, lis.Addr().String())
			if err == nil {
				resize(c, size)
			}
			return c, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cc.Close()
		srv.Stop()
		<-served
	})
	return pb.NewEchoClient(cc)
}

// The matrix of what once made two ends wait for each other (grpc-go #9330): no call may fail, and none may stand still.
func TestHonestTrafficNeverStops(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "pipe"} {
		for _, size := range []int{4 << 10, 32 << 10, 0} {
			if network == "tcp" && size == 4<<10 {
				continue // a segment has more: TCP itself then waits for its timers, 40 ms at a time
			}
			if network == "pipe" && size > 0 {
				continue // it has none
			}
			for _, callers := range []int{1, 64, 1024} {
				for _, payload := range []int{0, 4 << 10, 1 << 20} {
					if !full() && (payload == 0 || callers == 64 || callers == 1024 && payload == 1<<20) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%d/%d/%d", network, size, callers, payload), func(t *testing.T) {
						calls := min(max(callers, times(20, 20)), 64<<20/(payload+1000))
						traffic(t, connectOver(t, network, size), callers, calls, payload)
					})
				}
			}
		}
	}
}

// traffic makes calls from many callers at once, each at least one.
func traffic(t *testing.T, client pb.EchoClient, callers, calls, payload int) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var made atomic.Int64
	var all sync.WaitGroup
	request := &pb.Request{Payload: make([]byte, payload)}
	for range callers {
		all.Go(func() {
			for first := true; first || made.Load() < int64(calls); first = false {
				begun := time.Now()
				r, err := client.Unary(ctx, request)
				if err != nil || len(r.Payload) != payload {
					t.Errorf("call %d, after %v: got %d bytes and error %v, want %d", made.Load(), time.Since(begun), len(r.GetPayload()), err, payload)
					return
				}
				made.Add(1)
			}
		})
	}
	all.Wait()
}
