// What a stream costs the server whose client owes it the only message of its call, without the race detector, which has memory of its own.

//go:build !race && !poison

package held

import "testing"

func TestStreamsWithoutTheirMessage(t *testing.T) {
	for _, method := range []string{"Once", "Down"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			n := count(100000)
			server, client := start(t, "server"), start(t, "client")
			address := server.ask("address")
			if got := client.ask("open %s 10 %s", address, method); got != "ok" { // what there is but once
				t.Fatal(got)
			}
			before := server.measure()
			if got := client.ask("open %s %d %s", address, n, method); got != "ok" {
				t.Fatal(got)
			}
			server.settle("streams without their message", n, before, earlyStream)
		})
	}
}
