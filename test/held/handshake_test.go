// What a connection costs a server whose handshake has stalled: it holds that until the connection timeout, for peers that have shown nothing.

//go:build !race && !poison

package held

import "testing"

// What a connection may cost the server whose handshake is not over.
var (
	halfOpen = cost{bytes: 16 << 10, goroutines: 1} // before anything complete was said
	// From the first message of TLS on, crypto/tls has keys and a transcript, and the goroutine's stack keeps the 16 KiB that signing took.
	shaking = cost{bytes: 32 << 10, goroutines: 1}
)

func TestStalledHandshakes(t *testing.T) {
	for stage, limit := range map[string]cost{"plain": halfOpen, "silent": halfOpen, "half": halfOpen, "hello": shaking, "finished": shaking} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			n := count(10000)
			role := "secure server"
			if stage == "plain" {
				role = "server"
			}
			server, client := start(t, role), start(t, "client")
			address := server.ask("address")
			if got := client.ask("stall %s 10 %s", address, stage); got != "ok" { // what there is but once
				t.Fatal(got)
			}
			before := server.measure()
			if got := client.ask("stall %s %d %s", address, n, stage); got != "ok" {
				t.Fatal(got)
			}
			server.settle("handshakes, "+stage, n, before, limit)
		})
	}
}
