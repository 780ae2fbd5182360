// Edges of retries: attempts that never leave the client, refusals in the middle, values of pushback, what streams tell.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestRetriedCallOfAChannelThatCannotConnect(t *testing.T) {
	cc := client(t, "passthrough:///nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(retrying(3, "")),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("no way") }))
	reach(t, cc, connectivity.TransientFailure)
	const want = "max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: no way\""
	equal(t, result(unary(within(t), cc, "x")), want)
	equal(t, converse(t, cc, echo.BidiDesc, echo.Bidi, "x"), "NewStream: "+want)
}

// failingCreds fails with an error the first n times.
type failingCreds struct {
	n     int64
	code  codes.Code
	asked atomic.Int64
}

func (c *failingCreds) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if c.asked.Add(1) <= c.n {
		return nil, status.Error(c.code, "no credentials")
	}
	return nil, nil
}

func (*failingCreds) RequireTransportSecurity() bool { return false }

func TestRetriedCallWhoseCredentialsFail(t *testing.T) {
	for _, tc := range []struct {
		n            int64
		code         codes.Code
		want, stream string
	}{
		{1, codes.Unavailable, `"x", asked 2, ["1"]`, `x, EOF, asked 2, ["1"]`},
		{9, codes.Unavailable, "max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = no credentials, asked 3, ",
			"NewStream: max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = no credentials, asked 3, "},
		{1, codes.Internal, "rpc error: code = Internal desc = no credentials, asked 1, ", "NewStream: rpc error: code = Internal desc = no credentials, asked 1, "},
	} {
		t.Run(fmt.Sprint(tc.n, tc.code), func(t *testing.T) {
			var attempts journal
			c := failingCreds{n: tc.n, code: tc.code}
			p := configured(t, retrying(3, ""), flaky(0, codes.Unavailable, &attempts, nil), grpc.WithPerRPCCredentials(&c))
			equal(t, fmt.Sprintf("%s, asked %d, %v", result(unary(within(t), p.cc, "x")), c.asked.Load(), &attempts), tc.want)
			attempts.reset()
			c.asked.Store(0)
			equal(t, fmt.Sprintf("%s, asked %d, %v", converse(t, p.cc, echo.BidiDesc, echo.Bidi, "x"), c.asked.Load(), &attempts), tc.stream)
		})
	}
}

// dropping is a policy that drops all calls, and counts them.
type dropping struct{ picks atomic.Int64 }

func (d *dropping) Build(base.PickerBuildInfo) balancer.Picker { return d }
func (d *dropping) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	d.picks.Add(1)
	return balancer.PickResult{}, status.Error(codes.Unavailable, "dropped")
}

func TestRetriedCallThatThePolicyDrops(t *testing.T) {
	d := new(dropping)
	balancer.Register(base.NewBalancerBuilder("dropping", d, base.Config{}))
	p := configured(t, retrying(3, `, "loadBalancingConfig": [{"dropping": {}}]`), nil)
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = Unavailable desc = dropped")
	equal(t, fmt.Sprint(d.picks.Load()), "1")
}

func TestRefusalInTheMiddle(t *testing.T) {
	for _, tc := range []struct {
		name, steps, want string
		differ            differ
	}{
		{"fails, refused", "fr", `"ok" "" "1" "2"`, differ{"refusal-of-later-attempts", `"ok" "" "1" "1"`}},
		{"refused, fails", "rf", `"ok" "" "" "1"`, differ{}},
		{"refused, fails, refused", "rfr", `"ok" "" "" "1" "2"`, differ{}},
		{"refused, refused", "rr", `"ok" "" "" "1"`, differ{}},
		{"fails, refused, refused", "frr", `max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM "" "1" "2"`, differ{"refusal-of-later-attempts", `"ok" "" "1" "1" "2"`}},
		{"refused, fails and fails", "rff", `"ok" "" "" "1" "2"`, differ{}},
		{"refused, fails, fails and fails", "rfff", `max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = flaky "" "" "1" "2"`, differ{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			var seen journal
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				for {
					id, fields := c.Request()
					if id == 0 || !c.Until(id) {
						return
					}
					seen.note("%q", fields["grpc-previous-rpc-attempts"])
					n := int(calls.Add(1)) - 1
					switch {
					case n >= len(tc.steps):
						good(c, id)
					case tc.steps[n] == 'r':
						c.Reset(id, http2.ErrCodeRefusedStream)
					default:
						c.Headers(id, true, append(response(), "grpc-status", "14", "grpc-message", "flaky")...)
					}
				}
			})
			cc := plain(t, addr, grpc.WithDefaultServiceConfig(retrying(3, "")))
			got := result(unary(within(t), cc, "x"))
			equal(t, got+" "+strings.ReplaceAll(seen.String(), "\n", " "), tc.differ.or(t, tc.want))
		})
	}
}

func TestPushbackValues(t *testing.T) {
	for _, tc := range []struct{ value, want string }{
		{"0", `"x"`}, {"+1", `"x"`}, {" 1", "rpc error: code = Unavailable desc = flaky"}, {"01", `"x"`}, {"1.0", "rpc error: code = Unavailable desc = flaky"}, {"", "rpc error: code = Unavailable desc = flaky"}, {"0x1", "rpc error: code = Unavailable desc = flaky"}, {"-0", `"x"`},
	} {
		t.Run(tc.value, func(t *testing.T) {
			var attempts journal
			p := configured(t, retrying(3, ""), flaky(1, codes.Unavailable, &attempts, func(ctx context.Context) {
				grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", tc.value))
			}))
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
		})
	}
}

func TestDeadlineDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "100s", "maxBackoff": "100s",
			"backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
		var attempts journal
		p := configured(t, config, flaky(2, codes.Unavailable, &attempts, nil))
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
		ctx, cancel = context.WithCancel(context.Background())
		stream := open(t, ctx, p.cc)
		time.AfterFunc(50*time.Millisecond, cancel)
		const canceled = "rpc error: code = Canceled desc = context canceled"
		equal(t, result(receive(stream)), canceled)
		equal(t, result(receive(stream)), differ{"ends-stay", canceled}.or(t, "rpc error: code = Unavailable desc = flaky"))
		equal(t, fmt.Sprint(stream.SendMsg(echo.Of("x"))), "EOF")
		equal(t, attempts.String(), "[]\n[]")
	})
}

func TestStatsOfARetriedStream(t *testing.T) {
	var attempts journal
	r := newRecorder()
	sent := make(chan struct{})
	p := configured(t, retrying(3, ""), flaky(1, codes.Unavailable, &attempts, func(context.Context) { <-sent }), grpc.WithStatsHandler(r))
	reach(t, p.cc, connectivity.Ready)
	s := open(t, within(t), p.cc)
	equal(t, fmt.Sprint(s.SendMsg(echo.Of("a")), s.SendMsg(echo.Of("b"))), "<nil> <nil>")
	close(sent)
	equal(t, result(receive(s)), `"a"`)
	equal(t, result(receive(s)), `"b"`)
	s.CloseSend()
	equal(t, result(receive(s)), "EOF")
	equal(t, r.events(), `client InTrailer content-type=["application/grpc"]
client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/Bidi failfast=true delayed=false
client Begin failfast=true streams=true,true retry=false
client OutHeader "/parity.Echo/Bidi" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client OutPayload "b" 3 3 8 time=true
client End rpc error: code = Unavailable desc = flaky trailer: content-type=["application/grpc"] ordered=true
TagRPC /parity.Echo/Bidi failfast=true delayed=false
client Begin failfast=true streams=true,true retry=false
client OutHeader "/parity.Echo/Bidi" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client OutPayload "b" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client InPayload "b" 3 3 8 time=true
client End <nil> trailer:  ordered=true`)
}

func TestHeaderOfAStreamThatIsTriedAgain(t *testing.T) {
	var attempts journal
	p := configured(t, retrying(3, ""), flaky(1, codes.Unavailable, &attempts, nil))
	s := open(t, within(t), p.cc)
	s.SendMsg(echo.Of("a"))
	h, err := s.Header()
	equal(t, fmt.Sprint(show(h), err), `content-type=["application/grpc"]<nil>`)
	equal(t, result(receive(s)), `"a"`)
	equal(t, attempts.String(), "[]\n[\"1\"]")
}

func TestHedgingPolicy(t *testing.T) {
	var attempts journal
	p := configured(t, `{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "100s",
		"nonFatalStatusCodes": ["UNAVAILABLE"]}}]}`, flaky(1, codes.Unavailable, &attempts, nil))
	equal(t, result(unary(within(t), p.cc, "x")), differ{"hedging-policy", `"x"`}.or(t, "rpc error: code = Unavailable desc = flaky"))
	equal(t, strings.ReplaceAll(attempts.String(), "\n", " "), differ{"hedging-policy", `[] ["1"]`}.or(t, "[]"))
}

func TestRetryBufferBoundary(t *testing.T) {
	const wire = 5 + 2 // bytes of a message beside its text
	for _, tc := range []struct {
		limit int
		want  string
	}{
		{wire + 50, `"` + strings.Repeat("x", 50) + `"`},
		{wire + 49, "rpc error: code = Unavailable desc = flaky"},
		{0, "rpc error: code = Unavailable desc = flaky"},
	} {
		t.Run(fmt.Sprint(tc.limit), func(t *testing.T) {
			var attempts journal
			p := configured(t, retrying(3, ""), flaky(1, codes.Unavailable, &attempts, nil))
			equal(t, result(unary(within(t), p.cc, strings.Repeat("x", 50), grpc.MaxRetryRPCBufferSize(tc.limit))), tc.want)
		})
	}
}

func TestRefusedCallThatIsTooLargeForTheRetryBuffer(t *testing.T) {
	var calls atomic.Int64
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		for {
			id, _ := c.Request()
			if id == 0 || !c.Until(id) {
				return
			}
			if calls.Add(1) == 1 {
				c.Reset(id, http2.ErrCodeRefusedStream)
			} else {
				good(c, id)
			}
		}
	})
	cc := plain(t, addr)
	equal(t, result(unary(within(t), cc, "x", grpc.MaxRetryRPCBufferSize(1))),
		differ{"refusal-of-large-calls", `"ok"`}.or(t, "rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM"))
}

func TestTokensThatFailuresCost(t *testing.T) {
	// Of 4 tokens, 2 failures leave none for retries: then the third call is made once, else twice.
	for _, tc := range []struct {
		name     string
		code     codes.Code
		pushback []string
		want     string
	}{
		{"code that is retried", codes.Unavailable, []string{"-1"}, "1"},
		{"code that is retried, with nonsense", codes.Unavailable, []string{"soon"}, "1"},
		{"code that is retried, with two pushbacks", codes.Unavailable, []string{"1", "1"}, "1"},
		{"code that is not retried", codes.Internal, nil, "2"},
		{"code that is not retried, with a pushback", codes.Internal, []string{"5"}, "2"},
		{"code that is not retried, with a pushback that forbids", codes.Internal, []string{"-1"}, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			p := configured(t, retrying(2, `, "retryThrottling": {"maxTokens": 4, "tokenRatio": 0.001}`), answering(func(ctx context.Context) error {
				if calls.Add(1) > 2 {
					return status.Error(codes.Unavailable, "flaky")
				}
				grpc.SetTrailer(ctx, metadata.MD{"grpc-retry-pushback-ms": tc.pushback})
				return status.Error(tc.code, "first")
			}))
			for range 3 {
				unary(within(t), p.cc, "x")
			}
			equal(t, fmt.Sprint(calls.Load()-2), tc.want)
		})
	}
}
