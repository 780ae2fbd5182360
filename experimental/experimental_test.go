// Tests of the pools that options set; what AcceptCompressors does, test/parity has.

package experimental_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A countingPool counts what is taken from it and put back.
type countingPool struct{ got, put atomic.Int32 }

func (p *countingPool) Get(n int) *[]byte {
	p.got.Add(1)
	b := make([]byte, n)
	return &b
}

func (p *countingPool) Put(*[]byte) { p.put.Add(1) }

// echo is what the server's one method does.
func echo(_ any, _ context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	m := new(wrapperspb.StringValue)
	return m, dec(m)
}

// exchange makes a channel and a server with these options, and a call of a large message between them.
func exchange(t *testing.T, server []grpc.ServerOption, channel []grpc.DialOption) {
	t.Helper()
	s := grpc.NewServer(server...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.S", HandlerType: new(any), Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	}, nil)
	lis := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	defer func() {
		s.Stop()
		<-served
	}()
	cc, err := grpc.NewClient("passthrough:///test", append(channel, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	in, out := wrapperspb.String(strings.Repeat("x", 100_000)), new(wrapperspb.StringValue)
	if err := cc.Invoke(t.Context(), "/test.S/Echo", in, out); err != nil || out.Value != in.Value {
		t.Errorf("got %d bytes and error %v, want the request and none", len(out.Value), err)
	}
}

// wantUsed fails the test unless the pool was used, and got back what it gave.
func wantUsed(t *testing.T, what string, p *countingPool) {
	t.Helper()
	if p.got.Load() == 0 || p.put.Load() == 0 {
		t.Errorf("%s: %d buffers were taken and %d put back, want some", what, p.got.Load(), p.put.Load())
	}
}

func TestBufferPoolsOfOptionsAreUsed(t *testing.T) {
	var ofServer, ofChannel countingPool
	exchange(t, []grpc.ServerOption{experimental.BufferPool(&ofServer)}, []grpc.DialOption{experimental.WithBufferPool(&ofChannel)})
	wantUsed(t, "pool of the server", &ofServer)
	wantUsed(t, "pool of the channel", &ofChannel)
}

func TestNilBufferPoolIsTheDefaultOne(t *testing.T) {
	var unused countingPool
	exchange(t, []grpc.ServerOption{experimental.BufferPool(&unused), experimental.BufferPool(nil)},
		[]grpc.DialOption{experimental.WithBufferPool(&unused), experimental.WithBufferPool(nil)})
	if n := unused.got.Load(); n != 0 {
		t.Errorf("%d buffers were taken from a pool that a later option replaced, want none", n)
	}
}

func TestSetDefaultBufferPool(t *testing.T) {
	before := mem.DefaultBufferPool()
	defer bufpool.SetDefault(before)
	var p countingPool
	experimental.SetDefaultBufferPool(&p)
	if got := mem.DefaultBufferPool(); got != mem.BufferPool(&p) {
		t.Errorf("got default pool %v, want the one that was set", got)
	}
	exchange(t, nil, nil)
	wantUsed(t, "default pool", &p)
}
