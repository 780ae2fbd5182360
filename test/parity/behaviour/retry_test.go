// Retries: by service config (gRFC A6), and transparent ones.

package behaviour

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// retrying is a service config that retries codes UNAVAILABLE and ABORTED at once.
func retrying(attempts int, more string) string {
	return fmt.Sprintf(`{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": %d, "initialBackoff": "0.001s", "maxBackoff": "0.001s",
		"backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE", "ABORTED"]}}]%s}`, attempts, more)
}

// flaky fails the first n calls, each after do, and notes the attempt header of every call.
func flaky(n int, code codes.Code, attempts *journal, do func(ctx context.Context)) *echo.Service {
	var calls atomic.Int64
	attempt := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		attempts.note("%q", md["grpc-previous-rpc-attempts"])
		if calls.Add(1) > int64(n) {
			return nil
		}
		if do != nil {
			do(ctx)
		}
		return status.Error(code, "flaky")
	}
	return &echo.Service{
		OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) { return in, attempt(ctx) },
		OnBidi: func(stream grpc.ServerStream) error {
			if err := attempt(stream.Context()); err != nil {
				return err
			}
			for {
				in := new(echo.Text)
				if stream.RecvMsg(in) != nil {
					return nil
				}
				stream.SendMsg(in)
			}
		},
		OnServerStream: func(in *echo.Text, stream grpc.ServerStream) error {
			if err := attempt(stream.Context()); err != nil {
				return err
			}
			return stream.SendMsg(in)
		},
	}
}

func TestRetriedCalls(t *testing.T) {
	trailer := func(v ...string) func(context.Context) {
		return func(ctx context.Context) {
			md := metadata.MD{}
			md.Set("grpc-retry-pushback-ms", v...)
			grpc.SetTrailer(ctx, md)
		}
	}
	for _, tc := range []struct {
		name     string
		config   string
		failures int
		code     codes.Code
		do       func(context.Context)
		opts     []grpc.DialOption
		want     string
		attempts string
	}{
		{"succeeds at the third", retrying(4, ""), 2, codes.Unavailable, nil, nil, `"x"`, `[] ["1"] ["2"]`},
		{"second code", retrying(4, ""), 1, codes.Aborted, nil, nil, `"x"`, `[] ["1"]`},
		{"other code", retrying(4, ""), 1, codes.Internal, nil, nil, "rpc error: code = Internal desc = flaky", "[]"},
		{"all attempts fail", retrying(3, ""), 9, codes.Unavailable, nil, nil,
			"max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = flaky", `[] ["1"] ["2"]`},
		{"more than five attempts", retrying(9, ""), 9, codes.Unavailable, nil, nil,
			"max retries exhausted: failed after 5 attempts: rpc error: code = Unavailable desc = flaky", `[] ["1"] ["2"] ["3"] ["4"]`},
		{"more attempts allowed", retrying(9, ""), 6, codes.Unavailable, nil, []grpc.DialOption{grpc.WithMaxCallAttempts(8)}, `"x"`,
			`[] ["1"] ["2"] ["3"] ["4"] ["5"] ["6"]`},
		{"fewer attempts allowed", retrying(9, ""), 6, codes.Unavailable, nil, []grpc.DialOption{grpc.WithMaxCallAttempts(2)},
			"max retries exhausted: failed after 2 attempts: rpc error: code = Unavailable desc = flaky", `[] ["1"]`},
		{"nonsense attempts allowed", retrying(9, ""), 9, codes.Unavailable, nil, []grpc.DialOption{grpc.WithMaxCallAttempts(1)},
			"max retries exhausted: failed after 5 attempts: rpc error: code = Unavailable desc = flaky", `[] ["1"] ["2"] ["3"] ["4"]`},
		{"disabled", retrying(4, ""), 1, codes.Unavailable, nil, []grpc.DialOption{grpc.WithDisableRetry()},
			"rpc error: code = Unavailable desc = flaky", "[]"},
		{"header was sent", retrying(4, ""), 1, codes.Unavailable, func(ctx context.Context) { grpc.SendHeader(ctx, nil) }, nil,
			"rpc error: code = Unavailable desc = flaky", "[]"},
		{"header was set", retrying(4, ""), 1, codes.Unavailable, func(ctx context.Context) {
			grpc.SetHeader(ctx, metadata.Pairs("h", "1"))
		}, nil, "rpc error: code = Unavailable desc = flaky", "[]"},
		{"trailer was set", retrying(4, ""), 1, codes.Unavailable, func(ctx context.Context) {
			grpc.SetTrailer(ctx, metadata.Pairs("t", "1"))
		}, nil, `"x"`, `[] ["1"]`},
		{"pushback", retrying(4, ""), 1, codes.Unavailable, trailer("1"), nil, `"x"`, `[] ["1"]`},
		{"pushback at a code that is not retried", retrying(4, ""), 1, codes.Internal, trailer("1"), nil, "rpc error: code = Internal desc = flaky",
			"[]"},
		{"pushback that forbids", retrying(4, ""), 1, codes.Unavailable, trailer("-1"), nil, "rpc error: code = Unavailable desc = flaky", "[]"},
		{"pushback that is no number", retrying(4, ""), 1, codes.Unavailable, trailer("soon"), nil, "rpc error: code = Unavailable desc = flaky",
			"[]"},
		{"two pushbacks", retrying(4, ""), 1, codes.Unavailable, trailer("1", "1"), nil, "rpc error: code = Unavailable desc = flaky", "[]"},
		{"throttled", retrying(5, `, "retryThrottling": {"maxTokens": 3, "tokenRatio": 0.1}`), 9, codes.Unavailable, nil, nil,
			"rpc error: code = Unavailable desc = flaky", `[] ["1"]`},
		{"no policy", "{}", 1, codes.Unavailable, nil, nil, "rpc error: code = Unavailable desc = flaky", "[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var attempts journal
			p := configured(t, tc.config, flaky(tc.failures, tc.code, &attempts, tc.do), tc.opts...)
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
			equal(t, strings.ReplaceAll(attempts.String(), "\n", " "), tc.attempts)
			attempts.reset()
			again := configured(t, tc.config, flaky(tc.failures, tc.code, &attempts, tc.do), tc.opts...)
			want := tc.want
			if want == `"x"` {
				want = "x, EOF"
			}
			equal(t, converse(t, again.cc, echo.ServerStreamDesc, echo.ServerStream, "x"), want)
			equal(t, strings.ReplaceAll(attempts.String(), "\n", " "), tc.attempts)
		})
	}
}

func TestErrorOfACallWhoseRetriesAreExhausted(t *testing.T) {
	var attempts journal
	p := configured(t, retrying(2, ""), flaky(9, codes.Unavailable, &attempts, nil))
	_, err := unary(within(t), p.cc, "x")
	s, ok := status.FromError(err)
	equal(t, fmt.Sprintf("%v %v %q; %v", ok, s.Code(), s.Message(), status.Code(err)),
		`true Unavailable "max retries exhausted: failed after 2 attempts: rpc error: code = Unavailable desc = flaky"; Unavailable`)
}

func TestRetriedStreamSendsItsMessagesAgain(t *testing.T) {
	var attempts journal
	p := configured(t, retrying(4, ""), flaky(2, codes.Unavailable, &attempts, nil))
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi, "a", "b", "c"), "a, b, c, EOF")
	equal(t, strings.ReplaceAll(attempts.String(), "\n", " "), `[] ["1"] ["2"]`)
}

func TestRetryBufferThatIsTooSmallCommits(t *testing.T) {
	var attempts journal
	p := configured(t, retrying(4, ""), flaky(1, codes.Unavailable, &attempts, nil))
	equal(t, result(unary(within(t), p.cc, strings.Repeat("x", 1000), grpc.MaxRetryRPCBufferSize(100))), "rpc error: code = Unavailable desc = flaky")
	equal(t, strings.ReplaceAll(attempts.String(), "\n", " "), "[]")
}

func TestThrottledChannelRecoversWithSuccess(t *testing.T) {
	var attempts journal
	fail := atomic.Bool{}
	fail.Store(true)
	p := configured(t, retrying(2, `, "retryThrottling": {"maxTokens": 4, "tokenRatio": 1}`), answering(func(context.Context) error {
		attempts.note("attempt")
		if fail.Load() {
			return status.Error(codes.Unavailable, "flaky")
		}
		return nil
	}))
	counts := func() int {
		attempts.reset()
		unary(within(t), p.cc, "x")
		return len(attempts.notes)
	}
	var got []int
	got = append(got, counts(), counts())
	fail.Store(false)
	got = append(got, counts(), counts(), counts(), counts())
	fail.Store(true)
	got = append(got, counts(), counts())
	equal(t, fmt.Sprint(got), "[2 1 1 1 1 1 2 1]")
}

func TestStatsOfARetriedCall(t *testing.T) {
	var attempts journal
	r := newRecorder()
	p := configured(t, retrying(3, ""), flaky(1, codes.Unavailable, &attempts, nil), grpc.WithStatsHandler(r))
	reach(t, p.cc, connectivity.Ready)
	unary(within(t), p.cc, "x")
	equal(t, r.events(), `client InTrailer content-type=["application/grpc"]
client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/Unary failfast=true delayed=false
client Begin failfast=true streams=false,false retry=false
client OutHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "x" 3 3 8 time=true
client End rpc error: code = Unavailable desc = flaky trailer: content-type=["application/grpc"] ordered=true
TagRPC /parity.Echo/Unary failfast=true delayed=false
client Begin failfast=true streams=false,false retry=false
client OutHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "x" 3 3 8 time=true
client InPayload "x" 3 3 8 time=true
client End <nil> trailer:  ordered=true`)
}

func TestTransparentRetries(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(n int, c *raw.Conn, id uint32)
		opts []grpc.DialOption
		want string
	}{
		{"refused once", func(n int, c *raw.Conn, id uint32) {
			if n == 0 {
				c.Reset(id, http2.ErrCodeRefusedStream)
				return
			}
			good(c, id)
		}, nil, `"ok" after 2`},
		{"refused always", func(_ int, c *raw.Conn, id uint32) { c.Reset(id, http2.ErrCodeRefusedStream) }, nil,
			"rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM after 2"},
		{"refused once, retries disabled", func(n int, c *raw.Conn, id uint32) {
			if n == 0 {
				c.Reset(id, http2.ErrCodeRefusedStream)
				return
			}
			good(c, id)
		}, []grpc.DialOption{grpc.WithDisableRetry()}, `"ok" after 2`},
		{"refused after the header", func(n int, c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Reset(id, http2.ErrCodeRefusedStream)
		}, nil, "rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM after 2"},
		{"reset with another code", func(n int, c *raw.Conn, id uint32) { c.Reset(id, http2.ErrCodeInternal) }, nil,
			"rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: INTERNAL_ERROR after 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				for {
					id, _ := c.Request()
					if id == 0 || !c.Until(id) {
						return
					}
					tc.do(int(calls.Add(1))-1, c, id)
				}
			})
			got := result(unary(within(t), plain(t, addr, tc.opts...), "x"))
			equal(t, fmt.Sprintf("%s after %d", got, calls.Load()), tc.want)
		})
	}
}

// good answers a unary call with "ok".
func good(c *raw.Conn, id uint32) {
	c.Headers(id, false, response()...)
	c.Data(id, false, raw.Message(0, raw.Text("ok")))
	c.Headers(id, true, "grpc-status", "0")
}

func TestGoAway(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(c *raw.Conn, id uint32) // on the first connection
		want string
	}{
		{"covers the call", func(c *raw.Conn, id uint32) {
			c.GoAway(id, http2.ErrCodeNo, "")
			good(c, id)
		}, `"ok"`},
		{"does not cover the call", func(c *raw.Conn, id uint32) { c.GoAway(0, http2.ErrCodeNo, "") }, `"ok"`},
		{"maximum, then nothing", func(c *raw.Conn, id uint32) {
			c.GoAway(1<<31-1, http2.ErrCodeNo, "soon")
			c.GoAway(0, http2.ErrCodeNo, "now")
		}, `"ok"`},
		{"even id", func(c *raw.Conn, id uint32) {
			c.GoAway(2, http2.ErrCodeNo, "")
			good(c, id)
		}, `"ok"`},
		{"growing id", func(c *raw.Conn, id uint32) {
			c.GoAway(1, http2.ErrCodeNo, "")
			c.GoAway(3, http2.ErrCodeNo, "")
			good(c, id)
		}, `"ok"`},
		{"error code, does not cover", func(c *raw.Conn, id uint32) { c.GoAway(0, http2.ErrCodeProtocol, "bad") }, `"ok"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := raw.Listen(t, func(n int, c *raw.Conn) {
				for first := true; ; first = false {
					id, _ := c.Request()
					if id == 0 || !c.Until(id) {
						return
					}
					if n == 0 && first {
						tc.do(c, id)
					} else {
						good(c, id)
					}
				}
			})
			cc := plain(t, addr)
			got, _, _ := strings.Cut(result(unary(within(t), cc, "x")), " desc = ") // the text names the fault
			equal(t, got, goAwayDifferences[tc.name].or(t, tc.want))
			equal(t, result(unary(within(t), cc, "x")), `"ok"`)
		})
	}
}

var goAwayDifferences = map[string]differ{
	"even id":    {"goaway-last-stream", "rpc error: code = Unavailable"},
	"growing id": {"goaway-last-stream", "rpc error: code = Unavailable"},
}
