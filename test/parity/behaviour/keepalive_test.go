// Keepalive, and how servers end connections: when, and what the other end gets to know. The clock is that of a bubble of synctest, so that
// hours pass at once and times are exact.

package behaviour

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/parity"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// deafServer serves connections that the channel makes: it reads, answers nothing, and hands each PING to pings.
func deafServer(t *testing.T, pings chan<- time.Duration, script func(n int, c *raw.Conn), opts ...grpc.DialOption) *grpc.ClientConn {
	return scripted(t, func(n int, c *raw.Conn) {
		start := time.Now()
		for {
			f, err := c.Framer.ReadFrame()
			if err != nil {
				return
			}
			switch f.(type) {
			case *http2.PingFrame:
				pings <- time.Since(start)
			case *http2.MetaHeadersFrame:
				if script != nil {
					script(n, c)
				}
			}
		}
	}, opts...)
}

func TestKeepaliveOfAClient(t *testing.T) {
	for _, tc := range []struct {
		name        string
		params      keepalive.ClientParameters
		ping, close time.Duration
	}{
		{"by default", keepalive.ClientParameters{Time: 10 * time.Second}, 10 * time.Second, 30 * time.Second},
		{"raised", keepalive.ClientParameters{Time: time.Second, Timeout: time.Second}, 10 * time.Second, 11 * time.Second},
		{"own", keepalive.ClientParameters{Time: time.Minute, Timeout: 7 * time.Second}, time.Minute, 67 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pings := make(chan time.Duration, 10)
				cc := deafServer(t, pings, nil, grpc.WithKeepaliveParams(tc.params))
				start := time.Now()
				_, err := unary(t.Context(), cc, "x")
				equal(t, text(err), "rpc error: code = Unavailable desc = keepalive ping failed to receive ACK within timeout")
				equal(t, fmt.Sprint(<-pings, " ", time.Since(start)), fmt.Sprint(tc.ping, " ", tc.close))
			})
		})
	}
}

func TestKeepaliveTimeoutAfterAGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := make(chan time.Duration, 10)
		params := keepalive.ClientParameters{Time: 10 * time.Second}
		cc := deafServer(t, pings, func(_ int, c *raw.Conn) { c.GoAway(1, http2.ErrCodeNo, "bye") }, grpc.WithKeepaliveParams(params))
		_, err := unary(t.Context(), cc, "x")
		equal(t, text(err), `rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "keepalive ping failed to receive ACK within timeout", received prior goaway: code: NO_ERROR, debug data: "bye"`)
	})
}

func TestKeepaliveWithoutCalls(t *testing.T) {
	for _, permit := range []bool{false, true} {
		t.Run(fmt.Sprint(permit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pings := make(chan time.Duration, 10)
				params := keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: permit}
				cc := deafServer(t, pings, nil, grpc.WithKeepaliveParams(params))
				cc.Connect()
				<-time.After(15 * time.Second)
				want := "0 pings"
				if permit {
					want = "1 pings"
				}
				equal(t, fmt.Sprint(len(pings), " pings"), want)
			})
		})
	}
}

func TestKeepaliveAfterTooManyPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := make(chan time.Duration, 10)
		tooMany := func(n int, c *raw.Conn) {
			if n < 2 {
				c.GoAway(1, http2.ErrCodeEnhanceYourCalm, "too_many_pings")
				c.Close()
			}
		}
		params := keepalive.ClientParameters{Time: 20 * time.Second, Timeout: time.Second}
		cc := deafServer(t, pings, tooMany, grpc.WithKeepaliveParams(params))
		for range 2 {
			_, err := unary(t.Context(), cc, "x", grpc.WaitForReady(true))
			equal(t, text(err), `rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: ENHANCE_YOUR_CALM, debug data: "too_many_pings"`)
		}
		_, err := unary(t.Context(), cc, "x", grpc.WaitForReady(true))
		equal(t, text(err), "rpc error: code = Unavailable desc = keepalive ping failed to receive ACK within timeout")
		equal(t, fmt.Sprint(<-pings), "1m20s")
	})
}

// startInBubble makes a pair whose connections have no bounds of real time.
func startInBubble(t *testing.T, service *echo.Service, opts ...grpc.ServerOption) *pair {
	return start(t, setup{service: service, server: opts})
}

func TestKeepaliveEnforcement(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy keepalive.EnforcementPolicy
		stream bool
		every  time.Duration
		want   string
	}{
		{"at once", keepalive.EnforcementPolicy{}, true, time.Millisecond, "3 pings"},
		{"default with a stream", keepalive.EnforcementPolicy{}, true, 5 * time.Minute, "no end"},
		{"default without streams", keepalive.EnforcementPolicy{}, false, 5 * time.Minute, "3 pings"},
		{"two hours without streams", keepalive.EnforcementPolicy{}, false, 2 * time.Hour, "no end"},
		{"less than two hours without streams", keepalive.EnforcementPolicy{MinTime: time.Second}, false, 2*time.Hour - time.Second, "3 pings"},
		{"permitted", keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}, false, time.Second, "no end"},
		{"permitted but too often", keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}, false, time.Second / 2, "3 pings"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := startInBubble(t, hanging(nil, make(chan error, 1)), grpc.KeepaliveEnforcementPolicy(tc.policy))
				nc, err := p.lis.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c := raw.Client(t, nc)
				nc.SetDeadline(time.Time{})
				if tc.stream {
					c.Headers(1, false, request(echo.Bidi)...)
				}
				end := make(chan string, 1)
				go func() { end <- goAway(c) }() // ends with the connection
				got := "no end"
				pings := http2.NewFramer(nc, nil) // its own, because goAway answers SETTINGS by that of c
				for n := range 10 {
					pings.WritePing(false, [8]byte{1})
					<-time.After(tc.every)
					if len(end) > 0 {
						got = fmt.Sprintf("%d pings", n)
						equal(t, <-end, `ENHANCE_YOUR_CALM "too_many_pings"`)
						break
					}
				}
				nc.Close()
				equal(t, got, tc.want)
			})
		})
	}
}

// goAway returns what the first GOAWAY says.
func goAway(c *raw.Conn) string {
	for {
		f, err := c.Next()
		if err != nil {
			return ending(err)
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			return fmt.Sprintf("%v %q", g.ErrCode, g.DebugData())
		}
	}
}

func ending(err error) string { return "end: " + text(err) }

func TestConnectionsEndWithAReason(t *testing.T) {
	for _, tc := range []struct {
		name   string
		params keepalive.ServerParameters
		want   string
	}{
		{"idle", keepalive.ServerParameters{MaxConnectionIdle: time.Minute}, `NO_ERROR "max_idle"`},
		{"old", keepalive.ServerParameters{MaxConnectionAge: time.Minute}, `NO_ERROR "max_age"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := startInBubble(t, nil, grpc.KeepaliveParams(tc.params))
				nc, err := p.lis.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				c := raw.Client(t, nc)
				nc.SetDeadline(time.Time{})
				start := time.Now()
				equal(t, goAway(c), tc.want)
				if after := time.Since(start); after < 54*time.Second || after > 66*time.Second {
					t.Errorf("got a GOAWAY after %v, want 1m ± 10 %%", after)
				}
			})
		})
	}
}

func TestCallsBeyondAgeAndGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		params := keepalive.ServerParameters{MaxConnectionAge: time.Minute, MaxConnectionAgeGrace: time.Minute}
		p := startInBubble(t, hanging(nil, ended), grpc.KeepaliveParams(params))
		start := time.Now()
		_, err := unary(t.Context(), p.cc, "x")
		equal(t, text(err), `rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR, debug data: "max_age"`)
		equal(t, fmt.Sprint(<-ended), "context canceled")
		if after := time.Since(start); after < 114*time.Second || after > 128*time.Second { // the released module takes a moment more
			t.Errorf("got the end after %v, want 2m ± 6s, and little more", after)
		}
	})
}

func TestCallsWithinTheGraceEndWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &echo.Service{OnUnary: func(_ context.Context, in *echo.Text) (*echo.Text, error) {
			<-time.After(90 * time.Second)
			return in, nil
		}}
		params := keepalive.ServerParameters{MaxConnectionAge: time.Minute, MaxConnectionAgeGrace: time.Minute}
		p := startInBubble(t, slow, grpc.KeepaliveParams(params))
		equal(t, result(unary(t.Context(), p.cc, "x")), `"x"`)
		equal(t, result(unary(t.Context(), p.cc, "y")), `"y"`)
	})
}

func TestIdleConnectionsGoAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startInBubble(t, nil, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Minute}))
		for range 3 {
			equal(t, result(unary(t.Context(), p.cc, "x")), `"x"`)
			synctest.Wait() // the state may be told later than the call goes through
			equal(t, p.cc.GetState().String(), connectivity.Ready.String())
			<-time.After(2 * time.Minute)
			synctest.Wait()
			equal(t, p.cc.GetState().String(), connectivity.Idle.String())
		}
	})
}

func TestServerKeepaliveEndsCallsOfADeadClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		p := startInBubble(t, hanging(nil, ended), grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 7 * time.Second}))
		nc, err := p.lis.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c := raw.Client(t, nc)
		nc.SetDeadline(time.Time{})
		go func() { // ends with the connection
			for err := error(nil); err == nil; {
				_, err = c.Framer.ReadFrame()
			}
		}()
		start := time.Now()
		c.Headers(1, false, request(echo.Bidi)...)
		err = <-ended
		equal(t, status.FromContextError(err).Code().String(), "Canceled")
		// What was received counts from when it was looked at, a tenth of Time later at most.
		if d := time.Since(start); d < 67*time.Second || d > 73*time.Second {
			t.Errorf("got an end after %v, want it after 67 s, or up to 6 s later", d)
		}
	})
}

func TestServerThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 16)
		defer lis.Close()
		accepted := make(chan net.Conn, 10)
		go func() { // ends with the listener
			for nc, err := lis.Accept(); err == nil; nc, err = lis.Accept() {
				accepted <- nc
			}
		}()
		cc := client(t, "passthrough:///server", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		start := time.Now()
		_, err := unary(t.Context(), cc, "x")
		const prefix = `rpc error: code = Unavailable desc = connection error: desc = `
		equal(t, text(err), prefix+parity.Differs(t, "silent-server", `"error reading server preface: io: read/write on closed pipe"`,
			`"failed to receive server preface within timeout"`))
		equal(t, time.Since(start).String(), "20s")
		cc.Close()
		for len(accepted) > 0 {
			(<-accepted).Close()
		}
	})
}

func TestClientThatSaysNothing(t *testing.T) {
	for _, says := range []string{"", http2.ClientPreface} {
		t.Run(fmt.Sprintf("%q", says), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := startInBubble(t, nil, grpc.ConnectionTimeout(time.Minute))
				nc, err := p.lis.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				nc.Write([]byte(says))
				start := time.Now()
				io.Copy(io.Discard, nc)
				equal(t, time.Since(start).String(), "1m0s")
			})
		})
	}
}
