// Tests of idle mode: the count of calls, and a channel that goes idle and comes back, under a synthetic clock.

package grpc

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/bufconn"
)

func TestIdlenessIsRefusedWhileCallsAreUnderWay(t *testing.T) {
	i := idleness{timeout: 1}
	wantEqual(t, "begin", i.begin(), true)
	i.used.Store(false)
	wantEqual(t, "tryIdle during a call", i.tryIdle(), false)
	i.end()
	wantEqual(t, "tryIdle just after a call", i.tryIdle(), false)
	wantEqual(t, "tryIdle a period later", i.tryIdle(), true)
}

func TestIdlenessRefusesCallsUntilTheChannelIsIdle(t *testing.T) {
	i := idleness{timeout: 1}
	wantEqual(t, "tryIdle", i.tryIdle(), true)
	wantEqual(t, "begin while going idle", i.begin(), false)
	i.idle()
	wantEqual(t, "calls", i.calls.Load(), 1)
	wantEqual(t, "begin afterwards", i.begin(), true)
}

func TestIdlenessCountsNothingWithoutTimeout(t *testing.T) {
	var i idleness
	wantEqual(t, "begin", i.begin(), true)
	i.end()
	i.end()
	wantEqual(t, "calls", i.calls.Load(), 0)
}

// counted is a dialer to lis that counts the connections.
func counted(lis *bufconn.Listener, n *atomic.Int32) DialOption {
	return WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		n.Add(1)
		return lis.DialContext(ctx)
	})
}

func TestChannelGoesIdleAfterAPeriodWithoutCallsAndComesBackForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		lis := startServer(t, testService{})
		cc := connect(t, lis, counted(lis, &dials), WithIdleTimeout(time.Minute))
		for i := range 3 {
			if _, err := echo(t.Context(), cc, "x"); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
			wantEqual(t, "state after a call", cc.GetState(), connectivity.Ready)
			wantEqual(t, "connections", int(dials.Load()), i+1)
			pass(time.Minute)
			wantEqual(t, "state after the period with the call", cc.GetState(), connectivity.Ready)
			pass(time.Minute)
			wantEqual(t, "state after a period without calls", cc.GetState(), connectivity.Idle)
			wantEqual(t, "live half", cc.live.Load(), nil)
		}
	})
}

func TestChannelDoesNotGoIdleDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithIdleTimeout(time.Minute))
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		pass(time.Hour)
		wantEqual(t, "state during a call", cc.GetState(), connectivity.Ready)
		must(t, s.SendMsg(text("x")))
		must(t, s.RecvMsg(text("")))
		must(t, s.CloseSend())
		wantEqual(t, "end of the call", s.RecvMsg(text("")), io.EOF)
		pass(2 * time.Minute)
		wantEqual(t, "state after the call", cc.GetState(), connectivity.Idle)
	})
}

func TestChannelWithoutIdleTimeoutStaysConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithIdleTimeout(0))
		if _, err := echo(t.Context(), cc, "x"); err != nil {
			t.Fatal(err)
		}
		pass(365 * 24 * time.Hour)
		wantEqual(t, "state", cc.GetState(), connectivity.Ready)
	})
}

func TestConnectedChannelWithoutCallsGoesIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		cc.Connect()
		synctest.Wait()
		wantEqual(t, "state after Connect", cc.GetState(), connectivity.Ready)
		pass(30*time.Minute - 1)
		wantEqual(t, "state just before the default timeout", cc.GetState(), connectivity.Ready)
		pass(1)
		wantEqual(t, "state after it", cc.GetState(), connectivity.Idle)
	})
}

func TestClosedChannelStaysShutDownWhenItsTimeoutPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithIdleTimeout(time.Minute))
		cc.Connect()
		synctest.Wait()
		must(t, cc.Close())
		cc.checkIdle() // as if the timer had fired just before
		pass(time.Hour)
		wantEqual(t, "state", cc.GetState(), connectivity.Shutdown)
	})
}

// slowResolver returns a resolver whose Close waits for a call of release.
func slowResolver() (r *manual.Resolver, release func()) {
	r = manual.NewBuilderWithScheme("slow")
	released := make(chan struct{})
	r.CloseCallback = func() { <-released }
	return r, sync.OnceFunc(func() { close(released) })
}

func TestCallDuringTheWayToIdleModeGetsALiveHalfOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{})
		r, release := slowResolver()
		defer release()
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "a"}}})
		cc := newChannel(t, "slow:///test", dialTo(lis), WithResolvers(r), WithIdleTimeout(time.Minute))
		cc.Connect()
		synctest.Wait()
		old := cc.live.Load()
		pass(time.Minute) // the channel is on its way to idle mode, and waits for the resolver
		if !isClosed(old.closing) || isClosed(old.queue.Done()) {
			t.Fatal("the live half is not about to end")
		}
		got, err := echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "reply", got, "x")
		release()
		synctest.Wait()
		if !isClosed(old.queue.Done()) || cc.live.Load() == old {
			t.Error("the old live half is still there")
		}
		wantEqual(t, "state", cc.GetState(), connectivity.Ready)
	})
}

func TestLateReportsOfAnOldLiveHalfDoNotChangeTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{})
		r, release := slowResolver()
		defer release()
		policy := newFakePolicy(t)
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "a"}}})
		cc := newChannel(t, "slow:///test", dialTo(lis), WithResolvers(r), WithIdleTimeout(time.Minute), policy.option())
		cc.Connect()
		synctest.Wait()
		old := policy.current()
		pass(time.Minute)
		cc.Connect() // makes a live half of its own
		synctest.Wait()
		policy.current().cc.UpdateState(balancer.State{ConnectivityState: connectivity.Ready, Picker: failingPicker{errEnd}})
		synctest.Wait()
		old.cc.UpdateState(balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: failingPicker{errEnd}})
		synctest.Wait()
		wantEqual(t, "state", cc.GetState(), connectivity.Ready)
		release()
		synctest.Wait()
		wantEqual(t, "state when the old half has ended", cc.GetState(), connectivity.Ready)
	})
}

func TestCloseWaitsForALiveHalfThatIdleModeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := slowResolver()
		defer release()
		cc := newChannel(t, "slow:///test", WithResolvers(r), WithIdleTimeout(time.Minute))
		cc.Connect()
		synctest.Wait()
		old := cc.live.Load()
		pass(time.Minute) // the channel is on its way to idle mode, and waits for the resolver
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if err := cc.Close(); err != nil {
				t.Errorf("Close: got %v, want nil", err)
			}
		}()
		synctest.Wait()
		wantEqual(t, "Close returned before the old live half has ended", isClosed(closed), false)
		release()
		<-closed
		wantEqual(t, "the old live half has ended", isClosed(old.queue.Done()), true)
	})
}
