// Tests of hedged calls: when attempts begin, which one is the call's, and what becomes of the others. The clock is synctest's, so that
// times are exact.

package grpc

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
)

// hedging returns a service config that hedges calls with up to so many attempts, with that delay, in which Unavailable is not fatal.
func hedging(attempts int, delay, more string) string {
	return fmt.Sprintf(`{"methodConfig":[{"name":[{}],"hedgingPolicy":{"maxAttempts":%d,"hedgingDelay":%q,"nonFatalStatusCodes":["UNAVAILABLE"]}}]%s}`,
		attempts, delay, more)
}

// A hedgeStep is what the server makes of an attempt.
type hedgeStep struct {
	after    time.Duration // 0 for never
	code     codes.Code
	pushback string
}

// A hedgeServer makes of attempts what its steps say, and notes what it sees of them.
type hedgeServer struct {
	steps []hedgeStep
	begun time.Time

	mu  sync.Mutex
	log map[time.Duration][]string
}

// note notes what happens, and when.
func (h *hedgeServer) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.log == nil {
		h.log = make(map[time.Duration][]string)
	}
	now := time.Since(h.begun)
	h.log[now] = append(h.log[now], fmt.Sprintf(format, args...))
}

// seen returns what was noted, in the order of time. What happened at the same time is in alphabetic order.
func (h *hedgeServer) seen() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, at := range slices.Sorted(maps.Keys(h.log)) {
		slices.Sort(h.log[at])
		all = append(all, fmt.Sprintf("%v: %s", at, strings.Join(h.log[at], ", ")))
	}
	return strings.Join(all, "; ")
}

// attempt does the next step.
func (h *hedgeServer) attempt(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	name := strings.Join(append(md["grpc-previous-rpc-attempts"], "0")[:1], "")
	n, err := strconv.Atoi(name)
	if err != nil {
		return err
	}
	h.note("%s", name)
	if n >= len(h.steps) || h.steps[n].after == 0 {
		<-ctx.Done()
		h.note("%s canceled", name)
		return ctx.Err()
	}
	s := h.steps[n]
	select {
	case <-time.After(s.after):
	case <-ctx.Done():
		h.note("%s canceled", name)
		return ctx.Err()
	}
	if s.pushback != "" {
		if err := SetTrailer(ctx, metadata.Pairs(pushbackKey, s.pushback)); err != nil {
			return err
		}
	}
	if s.code != codes.OK {
		return Errorf(s.code, "step %d", n)
	}
	return nil
}

// service answers unary calls and streams as the steps say. A stream is echoed if its step is OK.
func (h *hedgeServer) service() testService {
	return testService{
		unary: func(ctx context.Context, req string) (string, error) { return req, h.attempt(ctx) },
		stream: func(ss ServerStream) error {
			if err := h.attempt(ss.Context()); err != nil {
				return err
			}
			return testService{}.handleStream(nil, ss)
		},
	}
}

// start begins to count the time.
func (h *hedgeServer) start(t *testing.T, config string, opts ...DialOption) *ClientConn {
	t.Helper()
	cc := connect(t, startServer(t, h.service()), append(opts, WithDefaultServiceConfig(config))...)
	cc.Connect()
	synctest.Wait()
	h.begun = time.Now()
	return cc
}

const s = time.Second

func TestHedgedCalls(t *testing.T) {
	fail := func(after time.Duration) hedgeStep { return hedgeStep{after, codes.Unavailable, ""} }
	push := func(after time.Duration, ms string) hedgeStep { return hedgeStep{after, codes.Unavailable, ms} }
	good := func(after time.Duration) hedgeStep { return hedgeStep{after, codes.OK, ""} }
	for _, tt := range []struct {
		about  string
		config string
		steps  []hedgeStep
		want   string
		seen   string
		opts   []DialOption
	}{
		{"the first is answered in time", hedging(3, "2s", ""), []hedgeStep{good(s)}, "OK: ", "0s: 0", nil},
		{"the first is answered before the third begins", hedging(3, "2s", ""), []hedgeStep{good(3 * s)}, "OK: ", "0s: 0; 2s: 1; 3s: 1 canceled", nil},
		{"the second is answered", hedging(3, "2s", ""), []hedgeStep{{}, good(s)}, "OK: ", "0s: 0; 2s: 1; 3s: 0 canceled", nil},
		{"all at once", hedging(3, "0s", ""), []hedgeStep{{}, good(s), {}}, "OK: ", "0s: 0, 1, 2; 1s: 0 canceled, 2 canceled", nil},
		{"a failure that is not fatal begins the next", hedging(4, "5s", ""), []hedgeStep{fail(s), {}, good(s)}, "OK: ",
			"0s: 0; 1s: 1; 6s: 2; 7s: 1 canceled", nil},
		{"all fail", hedging(3, "5s", ""), []hedgeStep{fail(s), fail(s), fail(s)},
			"Unavailable: max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = step 2", "0s: 0; 1s: 1; 2s: 2", nil},
		{"all fail, the first one last", hedging(2, "2s", ""), []hedgeStep{fail(9 * s), fail(s)},
			"Unavailable: max retries exhausted: failed after 2 attempts: rpc error: code = Unavailable desc = step 0", "0s: 0; 2s: 1", nil},
		{"a fatal failure", hedging(3, "2s", ""), []hedgeStep{{}, {s, codes.NotFound, ""}}, "NotFound: step 1", "0s: 0; 2s: 1; 3s: 0 canceled", nil},
		{"the last failure is fatal", hedging(2, "2s", ""), []hedgeStep{fail(3 * s), {2 * s, codes.NotFound, ""}}, "NotFound: step 1", "0s: 0; 2s: 1", nil},
		{"pushback", hedging(3, "2s", ""), []hedgeStep{push(s, "7000"), {}, good(s)}, "OK: ", "0s: 0; 8s: 1; 10s: 2; 11s: 1 canceled", nil},
		{"pushback that forbids, with others", hedging(3, "2s", ""), []hedgeStep{good(9 * s), push(s, "-1")}, "OK: ", "0s: 0; 2s: 1", nil},
		{"pushback that forbids, alone", hedging(3, "2s", ""), []hedgeStep{push(s, "-1")}, "Unavailable: step 0", "0s: 0", nil},
		{"pushback that makes no sense", hedging(3, "2s", ""), []hedgeStep{push(s, "soon")}, "Unavailable: step 0", "0s: 0", nil},
		{"pushback of a fatal failure", hedging(3, "2s", ""), []hedgeStep{{s, codes.NotFound, "7000"}}, "NotFound: step 0", "0s: 0", nil},
		{"more attempts than are allowed", hedging(9, "1s", ""), []hedgeStep{{}, {}, {}, {}, good(9 * s)}, "OK: ",
			"0s: 0; 1s: 1; 2s: 2; 3s: 3; 4s: 4; 13s: 0 canceled, 1 canceled, 2 canceled, 3 canceled", nil},
		{"more attempts are allowed", hedging(9, "1s", ""), []hedgeStep{good(7500 * time.Millisecond)}, "OK: ",
			"0s: 0; 1s: 1; 2s: 2; 3s: 3; 4s: 4; 5s: 5; 6s: 6; 7.5s: 1 canceled, 2 canceled, 3 canceled, 4 canceled, 5 canceled, 6 canceled", []DialOption{WithMaxCallAttempts(7)}},
		{"fewer attempts are allowed", hedging(9, "1s", ""), []hedgeStep{good(9 * s)}, "OK: ", "0s: 0; 1s: 1; 9s: 1 canceled", []DialOption{WithMaxCallAttempts(2)}},
		{"retries are disabled", hedging(3, "1s", ""), []hedgeStep{fail(9 * s)}, "Unavailable: step 0", "0s: 0", []DialOption{WithDisableRetry()}},
		{"throttled by a failure", hedging(5, "2s", `,"retryThrottling":{"maxTokens":3,"tokenRatio":0.1}`), []hedgeStep{fail(s), fail(s)},
			"Unavailable: step 1", "0s: 0; 1s: 1", nil},
		{"throttled, with others", hedging(5, "2s", `,"retryThrottling":{"maxTokens":1,"tokenRatio":0.1}`), []hedgeStep{good(9 * s), fail(s)},
			"OK: ", "0s: 0; 2s: 1", nil},
	} {
		t.Run(tt.about, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					h := hedgeServer{steps: tt.steps}
					cc := h.start(t, tt.config, tt.opts...)
					wantStatus(t, fmt.Sprint("call, stream ", stream), hedgedCall(t, cc, stream), tt.want)
					wantEqual(t, "seen by the server", h.seen(), tt.seen)
				})
			}
		})
	}
}

// hedgedCall makes a call of either kind.
func hedgedCall(t *testing.T, cc *ClientConn, stream bool) error {
	return hedgedCallIn(t.Context(), t, cc, stream)
}

func hedgedCallIn(ctx context.Context, t *testing.T, cc *ClientConn, stream bool) error {
	if !stream {
		_, err := echo(ctx, cc, "x")
		return err
	}
	s, err := cc.NewStream(ctx, bidi, streamMethod)
	if err != nil {
		return err
	}
	must(t, s.SendMsg(text("x")))
	must(t, s.CloseSend())
	var m wrapperspb.StringValue
	if err := s.RecvMsg(&m); err != nil {
		return err
	}
	wantEqual(t, "message", m.Value, "x")
	if err := s.RecvMsg(&m); err != io.EOF {
		return err
	}
	return nil
}

func TestEndOfTheContextEndsAllAttempts(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := hedgeServer{steps: []hedgeStep{{}, {}, {s / 2, codes.Unavailable, ""}}}
			cc := h.start(t, hedging(3, "1s", `,"x":0`))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*s, cancel)
			wantStatus(t, fmt.Sprint("call, stream ", stream), hedgedCallIn(ctx, t, cc, stream), "Canceled: context canceled")
			wantEqual(t, "seen by the server", h.seen(), "0s: 0; 1s: 1; 2s: 2; 5s: 0 canceled, 1 canceled")
			ctx, cancel = context.WithTimeout(t.Context(), s/2)
			defer cancel()
			wantEqual(t, fmt.Sprint("code, stream ", stream), Code(hedgedCallIn(ctx, t, cc, stream)), codes.DeadlineExceeded) // whoever sees it first
		})
	}
}

func TestCallEndsWhileNoAttemptIsUnderWay(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := hedgeServer{steps: []hedgeStep{{s, codes.Unavailable, "9000"}}}
			cc := h.start(t, hedging(3, "5s", ""))
			ctx, cancel := context.WithTimeout(t.Context(), 3*s)
			defer cancel()
			wantStatus(t, fmt.Sprint("call, stream ", stream), hedgedCallIn(ctx, t, cc, stream), "DeadlineExceeded: context deadline exceeded")
			wantEqual(t, "seen by the server", h.seen(), "0s: 0")
		})
	}
}

func TestAttemptIsNotBegunOnAThrottledChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hedgeServer{steps: []hedgeStep{{s, codes.Unavailable, "9000"}}}
		cc := h.start(t, hedging(3, "5s", `,"retryThrottling":{"maxTokens":10,"tokenRatio":1}`))
		throttle := cc.live.Load().throttle.Load()
		time.AfterFunc(5*s, func() {
			for range 9 {
				throttle.failed()
			}
		})
		wantStatus(t, "call", hedgedCall(t, cc, false), "Unavailable: step 0")
		wantEqual(t, "time of the end", time.Since(h.begun), 10*s)
		h.steps[0] = hedgeStep{after: s}
		must(t, hedgedCall(t, cc, false))
		wantEqual(t, "tokens", throttle.tokens, 1)
	})
}

func TestRefusedAttemptIsMadeAgainOnce(t *testing.T) {
	for _, tt := range []struct{ steps, want string }{
		{"r", "OK: "},
		{"fr", "OK: "},
		{"rr", "OK: "}, // the second refusal is a failure that is not fatal
		{"frff", "Unavailable: max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = flaky"},
		{"ffr", "OK: "},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			raw := serveRaw(t, func(c *rawConn, id uint32) {
				n++
				switch {
				case n > len(tt.steps):
					failTimes(0)(c, id)
				case tt.steps[n-1] == 'r':
					c.reset(id, http2.ErrCodeRefusedStream)
				default:
					c.answer(id, "grpc-status", "14", "grpc-message", "flaky")
				}
			})
			_, err := echo(t.Context(), connect(t, raw.lis, WithDefaultServiceConfig(hedging(3, "1s", ""))), "x")
			wantStatus(t, tt.steps, err, tt.want)
		})
	}
}

func TestAnswerWithoutHeadersThatIsOKIsTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := serveRaw(t, answerWith("grpc-status", "0"))
		s := openStream(t, connect(t, raw.lis, WithDefaultServiceConfig(hedging(3, "1s", ""))), bidi)
		wantEqual(t, "RecvMsg", s.RecvMsg(text("")), io.EOF)
	})
}

func TestHedgedAttemptsWithoutAStream(t *testing.T) {
	for _, tt := range []struct {
		failures int
		code     codes.Code
		want     string
	}{
		{2, codes.Unavailable, "OK: "},
		{3, codes.Unavailable, "Unavailable: max retries exhausted: failed after 3 attempts: rpc error: code = Unavailable desc = not yet"},
		{1, codes.Internal, "Internal: not yet"},
	} {
		for _, stream := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				creds := noCredentials{tt.failures, Errorf(tt.code, "not yet")}
				h := hedgeServer{steps: []hedgeStep{{after: s}, {after: s}, {after: s}}}
				cc := h.start(t, hedging(3, "2s", ""), WithPerRPCCredentials(&creds))
				wantStatus(t, fmt.Sprint("call, stream ", stream), hedgedCallIn(t.Context(), t, cc, stream), tt.want)
			})
		}
	}
}

func TestAttemptWithoutAStreamDoesNotEndTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var creds laterCredentials
		h := hedgeServer{steps: []hedgeStep{{after: 5 * s}}}
		cc := h.start(t, hedging(3, "1s", ""), WithPerRPCCredentials(&creds))
		must(t, hedgedCall(t, cc, false))
		wantEqual(t, "seen by the server", h.seen(), "0s: 0")
	})
}

// laterCredentials fail from the second time on.
type laterCredentials struct{ asked atomic.Int32 }

func (c *laterCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if c.asked.Add(1) > 1 {
		return nil, Errorf(codes.Internal, "no more")
	}
	return nil, nil
}

func (*laterCredentials) RequireTransportSecurity() bool { return false }

// newHedgedTest is newSubchannelTest with hedged calls.
func newHedgedTest(t *testing.T) *subchannelTest {
	policy := fmt.Sprintf(`,"loadBalancingConfig":[{"fake_%s":{}}]`, strings.ReplaceAll(t.Name(), "/", "_"))
	return newSubchannelTest(t, WithDefaultServiceConfig(hedging(3, "1s", policy)))
}

func TestHedgedAttemptsGoToDistinctBackends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newHedgedTest(t)
		var servers [2]hedgeServer
		var subs [2]balancer.SubConn
		for i, name := range []string{"a", "b"} {
			servers[i].steps = []hedgeStep{{after: 9 * s}, {after: 9 * s}, {after: 9 * s}}
			st.dialer.set(name, startServer(t, servers[i].service()).DialContext)
			sc := st.subchannel(t, name)
			st.connect(sc)
			subs[i] = sc
		}
		var picks, done atomic.Int32
		st.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			return balancer.PickResult{SubConn: subs[(picks.Add(1)-1)/2%2], Done: func(balancer.DoneInfo) { done.Add(1) }}, nil // a a b b a a …
		}))
		synctest.Wait()
		servers[0].begun, servers[1].begun = time.Now(), time.Now()
		_, err := echo(t.Context(), st.cc, "x")
		must(t, err)
		synctest.Wait()
		wantEqual(t, "seen by a", servers[0].seen(), "0s: 0; 2s: 2; 9s: 2 canceled") // the third finds none that is free
		wantEqual(t, "seen by b", servers[1].seen(), "1s: 1; 9s: 1 canceled")
		wantEqual(t, "picks", picks.Load(), 6)
		wantEqual(t, "calls of Done", done.Load(), 6)
	})
}

func TestCallThatEndsWhileAnAttemptWaitsForAConnection(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			st := newHedgedTest(t)
			h := hedgeServer{steps: []hedgeStep{{after: 5 * s}}}
			st.dialer.set("a", startServer(t, h.service()).DialContext)
			sc := st.subchannel(t, "a")
			st.connect(sc)
			picks := 0
			st.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
				if picks++; picks > 1 {
					return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
				}
				return balancer.PickResult{SubConn: sc}, nil
			}))
			synctest.Wait()
			h.begun = time.Now()
			must(t, hedgedCallIn(t.Context(), t, st.cc, stream))
			wantEqual(t, "picks", picks, 2)
			wantEqual(t, "time of the end", time.Since(h.begun), 5*s)
		})
	}
}

func TestDroppedAttemptIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newHedgedTest(t)
		picks := 0
		st.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			picks++
			return balancer.PickResult{}, Errorf(codes.Unavailable, "dropped")
		}))
		synctest.Wait()
		_, err := echo(t.Context(), st.cc, "x")
		wantStatus(t, "call", err, "Unavailable: dropped")
		wantEqual(t, "picks", picks, 1)
	})
}
