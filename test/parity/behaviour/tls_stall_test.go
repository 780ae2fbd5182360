// Handshakes of TLS that stall: what bounds them, and that nobody else waits for them.

package behaviour

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
)

// soon is a limit of handshakes for tests that wait for it.
const soon = 300 * time.Millisecond

// drip writes the first bytes of b one by one, for longer than the limit, unless the connection is closed before.
func drip(nc net.Conn, b []byte) {
	for i := range min(len(b), 60) {
		if _, err := nc.Write(b[i : i+1]); err != nil {
			return
		}
		<-time.After(soon / 20)
	}
}

func TestServerEndsHandshakesThatStall(t *testing.T) {
	id := serverIdentity(t)
	config := id.client()
	config.NextProtos = []string{"h2"}
	first := hello(t, config)
	const late = "read tcp ADDR->ADDR: i/o timeout"
	for _, tc := range []struct {
		name  string
		limit time.Duration
		say   func(net.Conn)
		want  string
	}{
		{"nothing", soon, func(net.Conn) {}, late},
		{"half a record", soon, func(nc net.Conn) { nc.Write(first[:len(first)/2]) }, late},
		{"the first message", soon, func(nc net.Conn) { nc.Write(first) }, late},
		{"byte by byte", soon, func(nc net.Conn) { drip(nc, first) }, late},
		{"no preface", 10 * soon, func(nc net.Conn) { tls.Client(nc, config).Handshake() }, "<nil>"}, // within the limit
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := listenTo(credentials.NewTLS(id.server()))
			server := grpc.NewServer(grpc.Creds(l), grpc.ConnectionTimeout(tc.limit))
			lis := listen(t)
			go server.Serve(lis)
			t.Cleanup(server.Stop)
			start := time.Now()
			nc, err := net.Dial("tcp", lis.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			go tc.say(nc)
			equal(t, text(wait(t, l.ended, "end of the handshake")), tc.want)
			nc.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, nc); err != nil && tc.name != "byte by byte" { // which ends with a reset
				t.Errorf("got %v, want the end of the connection", err)
			}
			if took := time.Since(start); took < tc.limit {
				t.Errorf("ended after %v, want not before %v", took, tc.limit)
			}
		})
	}
}

func TestClientEndsHandshakesThatStall(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		name string
		say  func(net.Conn)
	}{
		{"nothing", func(net.Conn) {}},
		{"half a record", func(nc net.Conn) { nc.Write([]byte{22, 3, 3, 0, 100, 2}) }},
		{"byte by byte", func(nc net.Conn) {
			drip(nc, append([]byte{22, 3, 3, 0, 200}, make([]byte, 200)...))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := client(t, "passthrough:///server", grpc.WithTransportCredentials(credentials.NewTLS(id.client())),
					grpc.WithContextDialer(network(t, func(_ int, nc net.Conn) {
						tc.say(nc)
						io.Copy(io.Discard, nc)
					})),
					grpc.WithConnectParams(grpc.ConnectParams{
						Backoff: backoff.Config{BaseDelay: soon / 10, Multiplier: 1, MaxDelay: soon / 10}, MinConnectTimeout: soon,
					}))
				start := time.Now()
				equal(t, result(unary(within(t), cc, "x")), refused("context deadline exceeded"))
				equal(t, time.Since(start).String(), soon.String())
				cc.Close()
				<-time.After(soon) // drip notices at its next byte
			})
		})
	}
}

// A graceful stop waits for connections that are being set up. A sudden one need not: v1.85.0 does.
func TestStopWithHandshakesThatStall(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		name string
		stop func(*grpc.Server)
		want string
	}{
		{"Stop", (*grpc.Server).Stop, differ{"stop-ends-handshakes", "at once"}.or(t, "at the limit")},
		{"GracefulStop", (*grpc.Server).GracefulStop, "at the limit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := listenTo(credentials.NewTLS(id.server()))
			limit := 10 * soon
			if tc.want == "at once" { // which nobody waits for
				limit = patience
			}
			p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(l), grpc.ConnectionTimeout(limit)}})
			// Others are served while they stall.
			cc := p.dial(t, grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
			const stalled = 20
			begun := time.Now()
			for range stalled {
				nc, err := p.lis.DialContext(within(t))
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
			}
			equal(t, result(unary(within(t), cc, "x")), `"x"`)
			cc.Close()
			wait(t, l.ended, "end of the handshake")
			tc.stop(p.server)
			got := "at the limit"
			if time.Since(begun) < limit {
				got = "at once"
			}
			equal(t, got, tc.want)
			equal(t, text(wait(t, p.served, "end of Serve")), "<nil>")
			for range stalled {
				wait(t, l.ended, "end of a handshake")
			}
		})
	}
}
