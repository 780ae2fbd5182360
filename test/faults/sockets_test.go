// Sockets with small and large buffers, and everything from one caller with empty messages to many with large ones: nothing stalls. A peer
// that stops reading while its own writing is blocked would stall here, if both ends do.

package faults

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
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

const (
	// stall is how long a call may take, on a machine that may be busy, before it counts as stalled.
	stall = 20 * time.Second
)

// A sized connection or listener has socket buffers of a size in bytes.
type sized interface {
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

func resize(nc net.Conn, bytes int) error {
	s := nc.(sized)
	if err := s.SetReadBuffer(bytes); err != nil {
		return err
	}
	return s.SetWriteBuffer(bytes)
}

// A sizedListener resizes the buffers of what it accepts.
type sizedListener struct {
	net.Listener
	bytes int
}

func (l sizedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = resize(nc, l.bytes)
	}
	return nc, err
}

// A cell is one combination.
type cell struct {
	network               string
	buffer, callers, size int
}

func (c cell) String() string {
	return fmt.Sprintf("%s, buffers of %d bytes, %d callers, messages of %d bytes", c.network, c.buffer, c.callers, c.size)
}

// limit returns how many bytes the callers may send at a time for the cell to end soon: TCP on Linux carries 50 KiB/s with buffers of 4 KiB,
// and a few MiB/s with those of 16 KiB, with nothing but io.Copy above it.
func (c cell) limit() int {
	switch {
	case c.network == "tcp" && c.buffer < 16<<10:
		return 20_000
	case c.network == "tcp" && c.buffer < 64<<10:
		return 2 << 20
	}
	return 8 << 20
}

// run has the callers of the cell make calls of all kinds at the same time. It returns how many.
func (c cell) run(t *testing.T) (calls int) {
	address := "127.0.0.1:0"
	if c.network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	lis, err := net.Listen(c.network, address)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	grpc162.RegisterEchoServer(srv, echo{})
	go srv.Serve(sizedListener{lis, c.buffer}) // ends with Stop
	defer srv.Stop()
	cc, err := grpc.NewClient("passthrough:///sockets", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, c.network, lis.Addr().String())
			if err == nil {
				err = resize(nc, c.buffer)
			}
			return nc, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	messages := max(1, min(20, c.limit()/(4*c.callers*(c.size+100))))
	var wg sync.WaitGroup
	var failed atomic.Bool
	for i := range c.callers {
		for j, k := range kinds {
			calls++
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), stall)
				defer cancel()
				err := k.run(ctx, grpc162.NewEchoClient(cc), call{id: uint32(i*len(kinds) + j), messages: messages, size: c.size, pipeline: i%2 == 0})
				if err != nil && !failed.Swap(true) { // one says enough
					t.Errorf("%v: %s of %d messages: %v", c, k.name, messages, err)
				}
			})
		}
	}
	wg.Wait()
	return calls
}

func TestSocketBuffersOfAnySizeDoNotStall(t *testing.T) {
	buffers, callers, sizes := []int{4 << 10, 2 << 20}, []int{1, 64}, []int{0, 70_000}
	if full {
		buffers, callers, sizes = []int{4 << 10, 16 << 10, 256 << 10, 2 << 20}, []int{1, 8, 64, 1000}, []int{0, 4 << 10, 70_000, 1 << 20}
	}
	cells, calls, slowest, name := 0, 0, time.Duration(0), ""
	for _, network := range []string{"tcp", "unix"} {
		for _, buffer := range buffers {
			for _, n := range callers {
				for _, size := range sizes {
					c := cell{network, buffer, n, size}
					if c.callers*(c.size+100) > c.limit() {
						continue
					}
					start := time.Now()
					calls += c.run(t)
					cells++
					if took := time.Since(start); took > slowest {
						slowest, name = took, c.String()
					}
				}
			}
		}
	}
	t.Logf("%d cells, %d calls, the slowest one took %v: %s", cells, calls, slowest, name)
}
