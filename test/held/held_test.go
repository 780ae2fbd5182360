// What an idle connection and a stream that waits cost each end, without the race detector, which has memory of its own.

//go:build !race && !poison

package held

import (
	"fmt"
	"testing"
	"time"
)

const (
	maxConnection   = 10 << 10 // bytes of the server for each idle connection
	maxServerStream = 8 << 10  // bytes of the server for each open stream and its handler
	maxClientStream = 4 << 10  // bytes of the client for each open stream
)

// settle is how long a connection may take to give its buffers back after the last write.
const settle = 3 * time.Second

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
			<-time.After(settle)
			after := server.measure().each(before, n)
			after.limit(t, fmt.Sprintf("%d idle connections", n), maxConnection)
			if after.goroutines > int64(n) {
				t.Errorf("got %d goroutines more for %d connections, want one each", after.goroutines, n)
			}
		})
	}
}

func TestOpenStreams(t *testing.T) {
	t.Parallel()
	n := count(100000)
	server, client := start(t, "server"), start(t, "client")
	address := server.ask("address")
	if got := client.ask("open %s 10", address); got != "ok" {
		t.Fatal(got)
	}
	server.await("holding", "10")
	serverBefore, clientBefore := server.measure(), client.measure()
	if got := client.ask("open %s %d", address, n); got != "ok" {
		t.Fatal(got)
	}
	server.await("holding", fmt.Sprint(n+10))
	<-time.After(settle)
	atServer, atClient := server.measure().each(serverBefore, n), client.measure().each(clientBefore, n)
	atServer.limit(t, fmt.Sprintf("server, %d streams", n), maxServerStream)
	atClient.limit(t, fmt.Sprintf("client, %d streams", n), maxClientStream)
	if atClient.goroutines > 100 {
		t.Errorf("client: got %d goroutines more for %d streams, want none for a stream", atClient.goroutines, n)
	}
}
