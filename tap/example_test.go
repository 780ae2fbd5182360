// A hook that admits RPCs at a bounded rate would look like this one, which admits a fixed number.

package tap_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

func ExampleServerInHandle() {
	var left atomic.Int64
	left.Store(1)
	var handle tap.ServerInHandle = func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if left.Add(-1) < 0 {
			return nil, status.Error(codes.ResourceExhausted, "no room for "+info.FullMethodName)
		}
		return ctx, nil
	}

	for range 2 {
		_, err := handle(context.Background(), &tap.Info{FullMethodName: "/helloworld.Greeter/SayHello"})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// rpc error: code = ResourceExhausted desc = no room for /helloworld.Greeter/SayHello
}
