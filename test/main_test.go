// The check that no test of this package leaves a goroutine behind, and what this program is when a test starts it as another process.

package test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

const (
	// allocServer is the environment variable that makes the test program a server that counts allocations.
	allocServer = "GRPC_TEST_ALLOC_SERVER"
	// askMallocs is the request that it answers with the number of its allocations so far.
	askMallocs = "mallocs"
)

func TestMain(m *testing.M) {
	if os.Getenv(allocServer) != "" {
		serveAllocations()
		return
	}
	testkit.Main(m)
}

// mallocs returns how many objects this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// allocEcho answers askMallocs, and everything else with itself.
type allocEcho struct {
	grpc162.UnimplementedEchoServer
}

func (allocEcho) Unary(_ context.Context, r *grpc162.Request) (*grpc162.Response, error) {
	if string(r.Payload) == askMallocs {
		return &grpc162.Response{Payload: fmt.Append(nil, mallocs())}, nil
	}
	return &grpc162.Response{Payload: r.Payload}, nil
}

// serveAllocations is the server: it prints its address, and serves until it is killed.
func serveAllocations() {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(lis.Addr())
	s := grpc.NewServer()
	grpc162.RegisterEchoServer(s, allocEcho{})
	panic(s.Serve(lis))
}
