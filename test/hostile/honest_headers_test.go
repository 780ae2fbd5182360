// A client in good faith whose metadata are larger than the server takes: that call fails, and nothing else.

package hostile

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestCallWithTooMuchMetadataFailsAlone(t *testing.T) {
	const want = "header list size to send violates the maximum size (%d bytes) set by server"
	for _, tt := range []struct {
		name  string
		size  int // bytes of metadata
		limit int
		opts  []grpc.ServerOption
	}{
		{"the limit by default", 17 << 20, 16 << 20, nil},
		{"far above it", 64 << 20, 16 << 20, nil},
		{"a limit of 1000 bytes", 2000, 1000, []grpc.ServerOption{grpc.MaxHeaderListSize(1000)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			service := new(echo)
			srv := grpc.NewServer(tt.opts...)
			pb.RegisterEchoServer(srv, service)
			served := make(chan error, 1)
			go func() { served <- srv.Serve(lis) }()
			var dials atomic.Int32
			cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
					dials.Add(1)
					return new(net.Dialer).DialContext(ctx, "tcp", addr)
				}))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				cc.Close()
				srv.Stop()
				<-served
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			defer cancel()
			client := pb.NewEchoClient(cc)
			other, err := client.Chat(ctx)
			if err != nil {
				t.Fatal(err)
			}
			turn := func() {
				t.Helper()
				if err := other.Send(&pb.Request{Payload: []byte("x")}); err != nil {
					t.Fatal(err)
				}
				if _, err := other.Recv(); err != nil {
					t.Fatalf("the call beside it: got %v, want it to go on", err)
				}
			}
			turn()
			before := service.calls.Load()
			large := metadata.AppendToOutgoingContext(ctx, "key", strings.Repeat("~", tt.size)) // which Huffman's code makes no shorter
			_, err = client.Unary(large, &pb.Request{}, grpc.WaitForReady(true))
			if got, want := status.Convert(err), fmt.Sprintf(want, tt.limit); got.Code() != codes.Internal || got.Message() != want {
				t.Errorf("got %v, want Internal: %s", got, want)
			}
			turn()
			if got := service.calls.Load() - before; got != 0 || dials.Load() != 1 {
				t.Errorf("got %d handlers that were started and %d connections, want none and 1", got, dials.Load())
			}
		})
	}
}
