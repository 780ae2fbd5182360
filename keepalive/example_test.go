// How a client and a server agree on pings.

package keepalive_test

import (
	"fmt"
	"time"

	"google.golang.org/grpc/keepalive"
)

func Example() {
	server := keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}
	client := keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}

	fmt.Println("server bears these pings:", client.Time >= server.MinTime)
	// Output: server bears these pings: true
}
