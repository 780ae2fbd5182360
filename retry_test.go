// Tests of the decision to try again, and of what is kept for it; whole calls that are tried again are at the end.

package grpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/transport"
)

// noEvents is a transport.ClientEvents for connections that nobody watches.
type noEvents struct{}

func (noEvents) Draining(transport.GoAwayReason) {}
func (noEvents) Closed(error)                    {}

// endedStream returns a stream that a server has answered with how.
func endedStream(t *testing.T, how func(c *rawConn, id uint32)) *transport.ClientStream {
	t.Helper()
	lis := serveRaw(t, how).lis
	nc, err := lis.Dial()
	must(t, err)
	c, err := transport.NewClient(t.Context(), nc, transport.ClientOptions{Scheme: "http"}, noEvents{})
	must(t, err)
	t.Cleanup(func() { c.Close(ErrClientConnClosing) })
	s := new(transport.ClientStream)
	must(t, c.Open(t.Context(), s, &transport.CallHeader{Method: unaryMethod, Authority: "test", MaxMessageSize: 100}, nil, true))
	synctest.Wait()
	if s.Status() == nil {
		t.Fatal("the stream has not ended")
	}
	return s
}

// unavailable is a retry policy for calls that end with the code Unavailable.
func unavailable() *serviceconfig.RetryPolicy {
	return &serviceconfig.RetryPolicy{
		MaxAttempts: 4, InitialBackoff: time.Second, MaxBackoff: 3 * time.Second, BackoffMultiplier: 2,
		RetryableStatusCodes: map[codes.Code]bool{codes.Unavailable: true},
	}
}

func answerWith(fields ...string) func(*rawConn, uint32) {
	return func(c *rawConn, id uint32) { c.answer(id, fields...) }
}

func TestRetryVerdicts(t *testing.T) {
	withHeaders := func(c *rawConn, id uint32) {
		c.headers(id)
		c.trailers(id, "grpc-status", "14")
	}
	refuse := func(c *rawConn, id uint32) { c.reset(id, http2.ErrCodeRefusedStream) }
	goAway := func(c *rawConn, id uint32) { c.goAway(0, http2.ErrCodeNo, "") }
	empty := &retryThrottle{max: 10, tokens: 5.5}
	for _, tt := range []struct {
		about  string
		state  retryState
		ended  func(*rawConn, uint32)
		again  string // what follows
		made   int    // attempts that were made afterwards
		tokens float64
	}{
		{"refused", retryState{}, refuse, "transparent", 0, 10},
		{"refused by GOAWAY", retryState{}, goAway, "transparent", 0, 10},
		{"refused again", retryState{transparent: true}, refuse, "no", 1, 10},
		{"refused again, with a policy", retryState{transparent: true, policy: unavailable()}, refuse, "after 1s", 1, 9},
		{"no policy", retryState{}, answerWith("grpc-status", "14"), "no", 1, 10},
		{"unavailable", retryState{policy: unavailable()}, answerWith("grpc-status", "14"), "after 1s", 1, 9},
		{"another code", retryState{policy: unavailable()}, answerWith("grpc-status", "5"), "no", 1, 10},
		{"answered with headers", retryState{policy: unavailable()}, withHeaders, "no", 1, 10},
		{"the third failure", retryState{policy: unavailable(), made: 1, backoffs: 1}, answerWith("grpc-status", "14"), "after 2s", 2, 9},
		{"the longest delay", retryState{policy: unavailable(), made: 2, backoffs: 2}, answerWith("grpc-status", "14"), "after 3s", 3, 9},
		{"the last attempt", retryState{policy: unavailable(), made: 3, backoffs: 3}, answerWith("grpc-status", "14"), "no more", 4, 9},
		{"throttled", retryState{policy: unavailable(), throttle: empty}, answerWith("grpc-status", "14"), "no", 1, 4.5},
		{"pushback", retryState{policy: unavailable(), backoffs: 2}, answerWith("grpc-status", "14", pushbackKey, "1500"), "in 1.5s", 1, 9},
		{"pushback that forbids", retryState{policy: unavailable()}, answerWith("grpc-status", "14", pushbackKey, "-1"), "no", 1, 9},
		{"pushback that makes no sense", retryState{policy: unavailable()}, answerWith("grpc-status", "5", pushbackKey, "soon"), "no", 1, 9},
		{"pushback of another code", retryState{policy: unavailable()}, answerWith("grpc-status", "5", pushbackKey, "1"), "no", 1, 10},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := tt.state
				if r.throttle == nil {
					r.throttle = newRetryThrottle(&serviceconfig.RetryThrottling{MaxTokens: 10, TokenRatio: 1})
				}
				v := r.judge(endedStream(t, tt.ended))
				wantEqual(t, "verdict", describe(v, &r, tt.again), tt.again)
				wantEqual(t, "attempts", r.made, tt.made)
				wantEqual(t, "tokens", r.throttle.tokens, tt.tokens)
			})
		})
	}
}

// describe puts a verdict into the words of the table. A delay that lies within the jitter around the wanted one is that one.
func describe(v verdict, r *retryState, want string) string {
	switch {
	case v.exhausted && !v.again:
		return "no more"
	case !v.again:
		return "no"
	case v.transparent && v.delay == 0 && r.transparent:
		return "transparent"
	case v.transparent:
		return fmt.Sprint(v)
	case strings.HasPrefix(want, "after "):
		d, _ := time.ParseDuration(strings.TrimPrefix(want, "after "))
		if low, high := d*8/10, d*12/10; v.delay >= low && v.delay <= high && r.backoffs > 0 {
			return want
		}
	case r.backoffs == 0:
		return fmt.Sprint("in ", v.delay)
	}
	return fmt.Sprintf("after %v with %d backoffs", v.delay, r.backoffs)
}

func TestPushback(t *testing.T) {
	for _, tt := range []struct {
		values   []string
		delay    time.Duration
		said, ok bool
	}{
		{nil, 0, false, true},
		{[]string{"0"}, 0, true, true},
		{[]string{"250"}, 250 * time.Millisecond, true, true},
		{[]string{"-1"}, 0, true, false},
		{[]string{""}, 0, true, false},
		{[]string{"1.5"}, 0, true, false},
		{[]string{"9223372036854"}, 9223372036854 * time.Millisecond, true, true},
		{[]string{"9223372036855"}, 9223372036854 * time.Millisecond, true, true},
		{[]string{"9223372036854775807"}, 9223372036854 * time.Millisecond, true, true},
		{[]string{"99999999999999999999"}, 0, true, false},
		{[]string{"1", "1"}, 0, true, false},
	} {
		delay, said, ok := pushbackOf(tt.values)
		if delay != tt.delay || said != tt.said || ok != tt.ok {
			t.Errorf("pushbackOf(%q): got %v, %v, %v, want %v, %v, %v", tt.values, delay, said, ok, tt.delay, tt.said, tt.ok)
		}
	}
}

func TestThrottleStopsRetriesAtHalfItsTokens(t *testing.T) {
	r := newRetryThrottle(&serviceconfig.RetryThrottling{MaxTokens: 4, TokenRatio: 0.5})
	for i, want := range []bool{true, false, false, false, false} { // 3, 2, 1, 0, 0 tokens
		wantEqual(t, fmt.Sprint("failure ", i), r.failed(), want)
	}
	for range 5 {
		r.succeeded() // 2.5 tokens
	}
	wantEqual(t, "failure with 2.5 tokens", r.failed(), false)
	for range 20 {
		r.succeeded()
	}
	wantEqual(t, "tokens after many successes", r.tokens, 4)
}

func TestNoThrottleStopsNothing(t *testing.T) {
	r := newRetryThrottle(nil)
	r.succeeded()
	for range 100 {
		wantEqual(t, "failure", r.failed(), true)
	}
}

// outMessage makes an encoded message of n bytes of payload.
func outMessage(n int) *transport.OutMessage {
	m := transport.NewOutMessage()
	m.SetPieces(false, mem.BufferSlice{mem.SliceBuffer(strings.Repeat("m", n))})
	return m
}

// keep adds messages with n bytes of payload.
func (b *sentBuffer) keep(payloads ...int) {
	for _, n := range payloads {
		m := outMessage(n)
		b.add(m)
		m.Free()
	}
}

func TestSentBufferGathersSmallMessages(t *testing.T) {
	var b sentBuffer
	b.keep(10, 20, 30)
	wantEqual(t, "parts", len(b.parts), 1)
	wantEqual(t, "bytes", b.size, 75)
	wantEqual(t, "bytes of the part", b.parts[0].Len(), 75)
	b.keep(gatheredMessage-transport.PrefixLen, gatheredMessage-transport.PrefixLen) // they do not fit with the others
	wantEqual(t, "parts", len(b.parts), 2)
	b.drop()
}

func TestSentBufferKeepsLargeMessagesAsTheyAre(t *testing.T) {
	var b sentBuffer
	large := outMessage(gatheredMessage)
	b.keep(1)
	b.add(large)
	b.keep(1, 2)
	wantEqual(t, "parts", len(b.parts), 3)
	wantEqual(t, "the large one is the same", b.parts[1], large)
	large.Free()
	wantEqual(t, "bytes", b.size, 4*transport.PrefixLen+gatheredMessage+4)
	wantEqual(t, "its bytes, which only the buffer refers to", b.parts[1].Len(), transport.PrefixLen+gatheredMessage)
	b.drop()
}

func TestSentBufferHandsOutWhatDoesNotChange(t *testing.T) {
	var b sentBuffer
	b.keep(10, gatheredMessage)
	parts := b.all()
	b.keep(10)
	wantEqual(t, "parts that were handed out", len(parts), 2)
	wantEqual(t, "bytes of the first", parts[0].Len(), 10+transport.PrefixLen)
	wantEqual(t, "parts that are kept", len(b.parts), 3)
	again := b.all()
	b.drop()
	wantEqual(t, "parts after drop", len(b.parts), 0)
	wantEqual(t, "size after drop", b.size, 0)
	for _, p := range append(parts, again...) { // their references are their own
		wantEqual(t, "payload", strings.Trim(string(p.Payload()), "m"), "")
		p.Free()
	}
}

// noCredentials are per-RPC credentials that fail the first n times.
type noCredentials struct {
	n   int
	err error
}

func (c *noCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if c.n--; c.n >= 0 {
		return nil, c.err
	}
	return nil, nil
}

func (*noCredentials) RequireTransportSecurity() bool { return false }

func TestAttemptWithoutAStreamCountsForThePolicy(t *testing.T) {
	for _, tt := range []struct {
		failures int
		code     codes.Code
		want     string
	}{
		{3, codes.Unavailable, "OK: "},
		{4, codes.Unavailable, "Unavailable: " + usedUp(4)},
		{1, codes.Internal, "Internal: not yet"},
	} {
		synctest.Test(t, func(t *testing.T) {
			creds := noCredentials{tt.failures, Errorf(tt.code, "not yet")}
			cc := connect(t, startServer(t, testService{}), WithDefaultServiceConfig(retrying), WithPerRPCCredentials(&creds))
			_, err := echo(t.Context(), cc, "x")
			wantStatus(t, "unary call", err, tt.want)
			creds.n = tt.failures
			_, err = cc.NewStream(t.Context(), bidi, streamMethod)
			wantStatus(t, "stream", err, tt.want)
		})
	}
}

// retrying is a service config that has calls tried again up to four times in all.
const retrying = `{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":4,"initialBackoff":"1s","maxBackoff":"3s","backoffMultiplier":2,
	"retryableStatusCodes":["UNAVAILABLE"]}}]}`

// failTimes answers with the code Unavailable that many times, and with a message from then on.
func failTimes(n int) func(*rawConn, uint32) {
	return func(c *rawConn, id uint32) {
		if n > 0 {
			n--
			c.answer(id, "grpc-status", "14", "grpc-message", "not yet")
			return
		}
		c.headers(id)
		c.message(id, "\x0a\x02ok")
		c.trailers(id, "grpc-status", "0")
	}
}

// usedUp is the text of a call that failed with "not yet" as often as it may.
func usedUp(attempts int) string {
	return fmt.Sprintf("max retries exhausted: failed after %d attempts: rpc error: code = Unavailable desc = not yet", attempts)
}

func TestUnaryCallIsTriedAgain(t *testing.T) {
	for _, tt := range []struct {
		failures int
		opts     []DialOption
		want     string
	}{
		{0, nil, "OK: "}, {3, nil, "OK: "}, {4, nil, "Unavailable: " + usedUp(4)},
		{1, []DialOption{WithMaxCallAttempts(2)}, "OK: "}, {2, []DialOption{WithMaxCallAttempts(2)}, "Unavailable: " + usedUp(2)},
		{1, []DialOption{WithDisableRetry()}, "Unavailable: not yet"},
	} {
		t.Run(fmt.Sprintf("%d failures with %d options", tt.failures, len(tt.opts)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := connect(t, serveRaw(t, failTimes(tt.failures)).lis, append(tt.opts, WithDefaultServiceConfig(retrying))...)
				_, err := echo(t.Context(), cc, "x")
				wantStatus(t, "call", err, tt.want)
			})
		})
	}
}

func TestCallEndsWhileItWaitsForItsNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, serveRaw(t, failTimes(1)).lis, WithDefaultServiceConfig(retrying))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := echo(ctx, cc, "x")
		wantStatus(t, "call", err, "DeadlineExceeded: context deadline exceeded")
	})
}

func TestAttemptsOfACallAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		lis := startServer(t, testService{unary: func(ctx context.Context, req string) (string, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			got = append(got, strings.Join(md["grpc-previous-rpc-attempts"], ","))
			return "", Errorf(codes.Unavailable, "not yet")
		}})
		_, err := echo(t.Context(), connect(t, lis, WithDefaultServiceConfig(retrying)), "x")
		wantStatus(t, "call", err, "Unavailable: "+usedUp(4))
		wantEqual(t, "grpc-previous-rpc-attempts", fmt.Sprint(got), "[ 1 2 3]")
	})
}

func TestCallWithoutAPolicyIsExecutedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		executed, refused := 0, 0 // of one call: calls are made one after the other
		raw := serveRaw(t, func(c *rawConn, id uint32) {
			switch n := random.IntN(9); n {
			case 0:
				refused++
				c.reset(id, http2.ErrCodeRefusedStream)
				return
			case 1:
				refused++
				c.goAway(id-min(id, 2), http2.ErrCodeNo, "") // the stream before was the last
				return
			default:
				executed++
				how := []func(){
					func() { c.reset(id, http2.ErrCodeInternal) },
					func() { c.answer(id, "grpc-status", "14") },
					func() { c.headers(id); c.reset(id, http2.ErrCodeCancel) },
					func() { c.goAway(id, http2.ErrCodeNo, ""); c.answer(id, "grpc-status", "14") },
					func() { c.goAway(id, http2.ErrCodeNo, ""); c.nc.Close() },
					func() { c.nc.Close() },
					func() { failTimes(0)(c, id) },
				}
				how[n-2]()
			}
		})
		cc := connect(t, raw.lis, WithConnectParams(ConnectParams{Backoff: backoff.Config{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}}))
		again := 0
		for i := range 1000 {
			executed, refused = 0, 0
			var err error
			if i%2 == 0 {
				_, err = echo(t.Context(), cc, "x", WaitForReady(true))
			} else {
				s := openStream(t, cc, bidi, WaitForReady(true))
				must(t, s.CloseSend())
				err = s.RecvMsg(text(""))
			}
			synctest.Wait()
			if executed > 1 || refused > 2 || executed == 0 && refused < 2 {
				t.Fatalf("call %d: got %d executions and %d refusals (%v), want one execution, or two refusals", i, executed, refused, err)
			}
			again += refused
			for len(raw.conns) > 0 {
				<-raw.conns
			}
		}
		if again == 0 {
			t.Error("no call was refused")
		}
	})
}
