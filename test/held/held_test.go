// What an idle connection and a stream that waits cost each end, without the race detector, which has memory of its own.

//go:build !race && !poison

package held

import (
	"fmt"
	"testing"
)

// What each of many things may cost an end.
var (
	serverConnection = cost{bytes: 10 << 10, goroutines: 1}
	serverStream     = cost{bytes: 8 << 10, goroutines: 1} // with its handler
	earlyStream      = cost{bytes: 2 << 10}                // of the server, whose handler has not begun
	clientStream     = cost{bytes: 4 << 10}
)

// count returns n, or less of it where not all is asked for.
func count(n int) int {
	if full {
		return n
	}
	return n / 10
}

func TestIdleConnections(t *testing.T) {
	for _, call := range []bool{false, true} {
		t.Run(fmt.Sprintf("after a call %v", call), func(t *testing.T) {
			t.Parallel()
			n := count(10000)
			server, client := start(t, "server"), start(t, "client")
			address := server.ask("address")
			if got := client.ask("connect %s 10 %v", address, call); got != "ok" { // what there is but once
				t.Fatal(got)
			}
			before := server.measure()
			if got := client.ask("connect %s %d %v", address, n, call); got != "ok" {
				t.Fatal(got)
			}
			server.settle("idle connections", n, before, serverConnection)
		})
	}
}

func TestOpenStreams(t *testing.T) {
	t.Parallel()
	n := count(100000)
	server, client := start(t, "server"), start(t, "client")
	address := server.ask("address")
	if got := client.ask("open %s 10 Hold", address); got != "ok" {
		t.Fatal(got)
	}
	server.await("holding", "10")
	serverBefore, clientBefore := server.measure(), client.measure()
	if got := client.ask("open %s %d Hold", address, n); got != "ok" {
		t.Fatal(got)
	}
	server.await("holding", fmt.Sprint(n+10))
	server.settle("streams at the server", n, serverBefore, serverStream)
	client.settle("streams at the client", n, clientBefore, clientStream)
}
