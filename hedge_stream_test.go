// Tests of hedged streams: what each attempt is sent, what makes a stream go on with one attempt, and what is told of attempts.

package grpc

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// collector is a service whose streams note what they receive, and answer "from n" at the message "answer n" with their own number n.
type collector struct {
	mu  sync.Mutex
	got [5][]string // by the number of the attempt
}

func (c *collector) service() testService {
	return testService{stream: func(ss ServerStream) error {
		md, _ := metadata.FromIncomingContext(ss.Context())
		n := len(md["grpc-previous-rpc-attempts"])
		if n > 0 {
			fmt.Sscan(md["grpc-previous-rpc-attempts"][0], &n)
		}
		note := func(s string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.got[n] = append(c.got[n], s)
		}
		for {
			m := new(wrapperspb.StringValue)
			if err := ss.RecvMsg(m); err != nil {
				note(strings.TrimPrefix(err.Error(), "rpc error: code = "))
				return nil
			}
			note(m.Value[:min(len(m.Value), 10)])
			if m.Value == fmt.Sprint("answer ", n) {
				if err := ss.SendMsg(text(fmt.Sprint("from ", n))); err != nil {
					return err
				}
			}
		}
	}}
}

// want fails the test unless the attempts have received this.
func (c *collector) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, got := range c.got {
		w := ""
		if n < len(want) {
			w = want[n]
		}
		wantEqual(t, fmt.Sprint("messages of attempt ", n), strings.Join(got, ", "), w)
	}
}

const canceledText = "Canceled desc = context canceled"

func TestMessagesOfAHedgedStreamGoToAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collector
		st := openStream(t, connect(t, startServer(t, c.service()), WithDefaultServiceConfig(hedging(3, "1s", ""))), bidi)
		must(t, st.SendMsg(text("a")))
		pass(1500 * time.Millisecond)
		must(t, st.SendMsg(text("b")))
		c.want(t, "a, b", "a, b")
		pass(time.Second)
		must(t, st.SendMsg(text("answer 1")))
		wantEqual(t, "response", receiveText(t, st), "from 1")
		must(t, st.SendMsg(text("c")))
		must(t, st.CloseSend())
		wantEqual(t, "end", st.RecvMsg(text("")), io.EOF)
		wantEqual(t, "RecvMsg", st.RecvMsg(text("")), io.EOF)
		c.want(t, "a, b, answer 1, "+canceledText, "a, b, answer 1, c, EOF", "a, b, answer 1, "+canceledText)
	})
}

func TestEndOfAHedgedStreamGoesToAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collector
		st := openStream(t, connect(t, startServer(t, c.service()), WithDefaultServiceConfig(hedging(2, "1s", ""))), bidi)
		must(t, st.CloseSend())
		wantEqual(t, "end", st.RecvMsg(text("")), io.EOF)
		c.want(t, "EOF")
	})
}

func TestHedgedStreamSettlesOnOneAttempt(t *testing.T) {
	for _, tt := range []struct {
		about  string
		settle func(ClientStream)
		again  bool // attempts still race afterwards
	}{
		{"Context", func(st ClientStream) { st.Context() }, false},
		{"Trailer", func(st ClientStream) { st.Trailer() }, false},
		{"more than is kept", func(st ClientStream) { _ = st.SendMsg(text(strings.Repeat("x", 200))) }, false},
		{"nothing (a control)", func(ClientStream) {}, true},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hedgeServer{steps: []hedgeStep{{after: 5 * s}, {}, {}}}
				cc := h.start(t, hedging(3, "1s", ""))
				st := openStream(t, cc, bidi, MaxRetryRPCBufferSize(100))
				pass(1500 * time.Millisecond)
				tt.settle(st)
				must(t, st.SendMsg(text("a")))
				must(t, st.CloseSend())
				for receiveText(t, st) != "a" {
				}
				want := "0s: 0; 1s: 1; 1.5s: 1 canceled"
				if tt.again {
					want = "0s: 0; 1s: 1; 2s: 2; 5s: 1 canceled, 2 canceled"
				}
				wantEqual(t, "seen by the server", h.seen(), want)
			})
		})
	}
}

func TestHedgedStreamSettlesOnTheAttemptThatHasSentMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		raw := serveRaw(t, func(c *rawConn, id uint32) { // only the second attempt gets more than the first 64 KiB of window
			if n++; n == 2 {
				c.write(func(f *http2.Framer) error { return f.WriteWindowUpdate(id, 1<<20) })
				c.write(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1<<20) })
				time.AfterFunc(s, func() { c.headers(id); c.message(id, "\x0a\x02ok") })
			}
		})
		st := openStream(t, connect(t, raw.lis, WithDefaultServiceConfig(hedging(2, "1s", ""))), bidi)
		pass(1500 * time.Millisecond)
		for range 5 { // the last one is more than is kept
			must(t, st.SendMsg(text(strings.Repeat("x", 60<<10))))
			synctest.Wait()
		}
		cs := st.(*clientStream)
		wantEqual(t, "attempt", cs.current().previous, 1)
		wantEqual(t, "response", receiveText(t, st), "ok")
	})
}

func TestStreamThatMustSettleTakesTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hedgeServer{steps: []hedgeStep{{s, codes.Unavailable, "4000"}, {after: s}, {}}}
		st := openStream(t, h.start(t, hedging(3, "9s", "")), bidi)
		st2 := make(chan context.Context, 1)
		pass(2 * time.Second)
		go func() { st2 <- st.Context() }()
		must(t, st.SendMsg(text("a"))) // may come before or after the call of Context
		if ctx := <-st2; ctx.Err() != nil {
			t.Errorf("context: got error %v, want none", ctx.Err())
		}
		wantEqual(t, "time", time.Since(h.begun), 5*s)
		wantEqual(t, "response", receiveText(t, st), "a")
		must(t, st.CloseSend())
		wantEqual(t, "end", st.RecvMsg(text("")), io.EOF)
		wantEqual(t, "seen by the server", h.seen(), "0s: 0; 5s: 1")
	})
}

func TestUnaryCallThatIsTooLargeToKeepIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hedgeServer{steps: []hedgeStep{{after: 5 * s}}}
		cc := h.start(t, hedging(3, "1s", ""))
		_, err := echo(t.Context(), cc, "more than ten bytes", MaxRetryRPCBufferSize(10))
		must(t, err)
		wantEqual(t, "seen by the server", h.seen(), "0s: 0")
	})
}

// attemptEvents notes the events of each attempt.
type attemptEvents struct {
	mu  sync.Mutex
	all []*[]string
}

type attemptEventsKey struct{}

func (e *attemptEvents) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := new([]string)
	e.all = append(e.all, events)
	return context.WithValue(ctx, attemptEventsKey{}, events)
}

func (e *attemptEvents) HandleRPC(ctx context.Context, s stats.RPCStats) {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := ctx.Value(attemptEventsKey{}).(*[]string)
	line := strings.TrimPrefix(fmt.Sprintf("%T", s), "*stats.")
	if end, ok := s.(*stats.End); ok {
		line += " " + Code(end.Error).String()
	}
	*events = append(*events, line)
}

func (*attemptEvents) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*attemptEvents) HandleConn(context.Context, stats.ConnStats)                       {}

func TestEventsOfHedgedAttempts(t *testing.T) {
	for _, tt := range []struct {
		stream bool
		want   []string
	}{
		{false, []string{
			"Begin OutHeader OutPayload InTrailer End Unavailable",
			"Begin OutHeader OutPayload InHeader InPayload InTrailer End OK",
			"Begin OutHeader OutPayload End Canceled",
		}},
		{true, []string{
			"Begin OutHeader OutPayload InTrailer End Unavailable",
			"Begin OutHeader OutPayload InHeader InPayload InTrailer End OK",
			"Begin OutHeader OutPayload End Canceled",
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := hedgeServer{steps: []hedgeStep{{s, codes.Unavailable, ""}, {after: 3 * s}, {}}}
			events := new(attemptEvents)
			must(t, hedgedCall(t, h.start(t, hedging(3, "2s", ""), WithStatsHandler(events)), tt.stream))
			synctest.Wait()
			var got []string
			for _, e := range events.all {
				got = append(got, strings.Join(*e, " "))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("events of stream %v: got %q, want %q", tt.stream, got, tt.want)
			}
		})
	}
}

func TestPolicyIsToldHowHedgedAttemptsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newHedgedTest(t)
		h := hedgeServer{steps: []hedgeStep{{s / 2, codes.Unavailable, ""}, {after: 3 * s}, {}}}
		st.dialer.set("a", startServer(t, h.service()).DialContext)
		sc := st.subchannel(t, "a")
		st.connect(sc)
		var mu sync.Mutex
		var ends []string
		st.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			return balancer.PickResult{SubConn: sc, Done: func(i balancer.DoneInfo) {
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, fmt.Sprint(Code(i.Err), i.BytesSent))
			}}, nil
		}))
		synctest.Wait()
		must(t, hedgedCall(t, st.cc, false))
		synctest.Wait() // the attempts that are not the call's end by themselves
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(ends)
		wantEqual(t, "ends", fmt.Sprint(ends), "[Canceled true OK false OK true Unavailable true]") // OK false: given back
	})
}

func TestHedgedCallsOfAChannelThatCloses(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var h hedgeServer
			cc := h.start(t, hedging(3, "1s", ""))
			time.AfterFunc(1500*time.Millisecond, func() { cc.Close() })
			wantStatus(t, fmt.Sprint("call, stream ", stream), hedgedCallIn(t.Context(), t, cc, stream), closingText)
			wantEqual(t, "seen by the server", h.seen(), "0s: 0; 1s: 1; 1.5s: 0 canceled, 1 canceled")
		})
	}
}
