// Tests of the beginning and the end of the live half of a channel: what is under way then ends, and what comes late finds nothing.

package grpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/stats"
)

const closingText = "Canceled: grpc: the client connection is closing"

// failingBuilder is a resolver builder that cannot build.
type failingBuilder struct{ built *int }

func (failingBuilder) Scheme() string { return "failing" }

func (b failingBuilder) Build(resolver.Target, resolver.ClientConn, resolver.BuildOptions) (resolver.Resolver, error) {
	*b.built++
	return nil, errors.New("cannot build")
}

func TestResolverThatCannotBeBuiltFailsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		built := 0
		cc := newChannel(t, "failing:///test", WithResolvers(failingBuilder{&built}), WithIdleTimeout(time.Minute))
		for range 2 {
			_, err := echo(t.Context(), cc, "x")
			wantStatus(t, "call", err, "Unavailable: cannot build")
		}
		wantEqual(t, "state", cc.GetState(), connectivity.TransientFailure)
		wantEqual(t, "attempts to build", built, 1)
		pass(3 * time.Minute)
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "call after idle mode", err, "Unavailable: cannot build")
		wantEqual(t, "attempts to build after idle mode", built, 2)
	})
}

func TestDialReportsThatTheResolverCannotBeBuilt(t *testing.T) {
	_, err := Dial("failing:///test", WithInsecure(), WithResolvers(failingBuilder{new(int)}))
	want := "failed to exit idle mode: failed to start resolver: cannot build"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestResolverIsClosedThatIsBuiltTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newManual()
		build, closed := make(chan struct{}), 0
		r.BuildCallback = func(resolver.Target, resolver.ClientConn, resolver.BuildOptions) { <-build }
		r.CloseCallback = func() { closed++ }
		cc := newChannel(t, "manual:///test", WithResolvers(r))
		connected := make(chan struct{})
		go func() { cc.Connect(); close(connected) }()
		synctest.Wait()
		must(t, cc.Close())
		close(build)
		<-connected
		synctest.Wait()
		wantEqual(t, "calls of the resolver's Close", closed, 1)
	})
}

func TestChannelMayBeClosedWhileItsResolverIsBuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newManual()
		var cc *ClientConn
		closed := 0
		r.BuildCallback = func(resolver.Target, resolver.ClientConn, resolver.BuildOptions) { cc.Close() }
		r.CloseCallback = func() { closed++ }
		cc = newChannel(t, "manual:///test", WithResolvers(r))
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "call", err, closingText)
		wantEqual(t, "calls of the resolver's Close", closed, 1)
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	for _, tt := range []struct {
		about string
		until func(l *liveTest) // makes the call wait for the next thing
	}{
		{"the first result", func(*liveTest) {}},
		{"a picker", func(l *liveTest) { _ = l.addresses("", "a") }},
		{"a ready picker", func(l *liveTest) {
			_ = l.addresses("", "a")
			l.policy.current().report(connectivity.TransientFailure, failingPicker{errEnd})
		}},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLiveTest(t)
				tt.until(l)
				result := make(chan error)
				go func() {
					_, err := echo(t.Context(), l.cc, "x", WaitForReady(true))
					result <- err
				}()
				synctest.Wait()
				must(t, l.cc.Close())
				wantStatus(t, "call", <-result, closingText)
				wantStatus(t, "next call", l.call(t), closingText)
			})
		})
	}
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		must(t, s.SendMsg(text("x")))
		must(t, s.RecvMsg(text("")))
		must(t, cc.Close())
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), closingText)
	})
}

func TestChannelMayBeClosedFromAnInterceptor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithUnaryInterceptor(
			func(ctx context.Context, m string, req, reply any, cc *ClientConn, next UnaryInvoker, opts ...CallOption) error {
				must(t, next(ctx, m, req, reply, cc, opts...))
				must(t, cc.Close())
				return next(ctx, m, req, reply, cc, opts...)
			}))
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "call", err, closingText)
	})
}

func TestChannelMayBeClosedFromAPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		l.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			must(t, l.cc.Close())
			return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
		}))
		synctest.Wait()
		wantStatus(t, "call", l.call(t), closingText)
	})
}

func TestCloseDoesNotWaitForAResolverThatReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		release := make(chan struct{})
		l.policy.onUpdate = func(*fakeBalancer, balancer.ClientConnState) error { <-release; return errEnd }
		reported := make(chan error)
		go func() { reported <- l.resolver.CC().UpdateState(resolver.State{Addresses: addressList("a")}) }()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- l.cc.Close() }()
		must(t, <-reported) // the resolver, which Close waits for, is let go first
		close(release)
		must(t, <-closed)
	})
}

func TestReportsOfAClosedChannelHaveNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		b, cc := l.policy.current(), l.resolver.CC()
		must(t, l.cc.Close())
		l.policy.wantLog(t, "build", "update a", "close")
		must(t, cc.UpdateState(resolver.State{Addresses: addressList("b")}))
		cc.ReportError(errEnd)
		cc.NewAddress(addressList("c"))
		b.report(connectivity.Ready, failingPicker{errEnd})
		b.cc.ResolveNow(resolver.ResolveNowOptions{})
		if _, err := b.cc.NewSubConn(addressList("a"), balancer.NewSubConnOptions{}); err == nil {
			t.Error("NewSubConn: got no error, want one")
		}
		synctest.Wait()
		l.policy.wantLog(t)
		wantEqual(t, "state", l.cc.GetState(), connectivity.Shutdown)
	})
}

func TestReportsOfTheTimeBeforeIdleModeHaveNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t, WithIdleTimeout(time.Minute))
		must(t, l.addresses("", "a"))
		b, cc := l.policy.current(), l.resolver.CC()
		pass(time.Minute)
		l.policy.wantLog(t, "build", "update a", "close")
		must(t, cc.UpdateState(resolver.State{Addresses: addressList("b")}))
		cc.ReportError(errEnd)
		b.report(connectivity.Ready, failingPicker{errEnd})
		synctest.Wait()
		wantEqual(t, "state", l.cc.GetState(), connectivity.Idle)
		l.cc.Connect()
		synctest.Wait()
		must(t, cc.UpdateState(resolver.State{Addresses: addressList("c")})) // of the resolver before
		synctest.Wait()
		l.policy.wantLog(t)
	})
}

func TestIdleModeClosesConnectionsAndResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := serveRaw(t, nil)
		r := newManual()
		closed := 0
		r.CloseCallback = func() { closed++ }
		r.InitialState(resolver.State{Addresses: addressList("a")})
		cc := newChannel(t, "manual:///test", WithResolvers(r), dialTo(raw.lis), WithIdleTimeout(time.Minute))
		cc.Connect()
		conn := <-raw.conns
		pass(time.Minute)
		wantEqual(t, "state", cc.GetState(), connectivity.Idle)
		wantEqual(t, "calls of the resolver's Close", closed, 1)
		if _, err := conn.nc.Write([]byte{0}); err == nil {
			t.Error("the connection is still open")
		}
	})
}

// connCounter is a stats handler that counts the connections of clients that are open.
type connCounter struct {
	recorder
	open atomic.Int32
}

func (c *connCounter) HandleConn(_ context.Context, e stats.ConnStats) {
	switch e.(type) {
	case *stats.ConnBegin:
		c.open.Add(1)
	case *stats.ConnEnd:
		c.open.Add(-1)
	}
}

func TestConnectionThatIsMadeDuringTheEndIsClosed(t *testing.T) {
	for range 300 { // the end of the attempt and that of the channel race with each other
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			r, release := slowResolver()
			r.InitialState(resolver.State{Addresses: addressList("a")})
			var conns connCounter
			cc := newChannel(t, "slow:///test", WithResolvers(r), WithStatsHandler(&conns),
				WithContextDialer(func(context.Context, string) (net.Conn, error) { return ours, nil }))
			cc.Connect()
			synctest.Wait()
			go cc.Close()
			synctest.Wait() // the attempt waits for SETTINGS, and Close for the resolver
			go release()
			_, _ = theirs.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
			synctest.Wait()
			wantEqual(t, "open connections", conns.open.Load(), 0)
			theirs.Close()
		})
	}
}
