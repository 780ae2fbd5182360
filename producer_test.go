// Tests of producers: they are shared, stopped by the last user or with their connection, and their calls go to one subchannel.

package grpc

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

// A countingBuilder builds producers that are their numbers, and counts those that were stopped.
type countingBuilder struct {
	built, stopped int
	calls          ClientConnInterface
}

func (b *countingBuilder) Build(cc any) (balancer.Producer, func()) {
	b.built++
	b.calls = cc.(ClientConnInterface)
	return b.built, func() { b.stopped++ }
}

func TestProducerIsSharedAndStoppedByItsLastUser(t *testing.T) {
	var p producers
	b := new(countingBuilder)
	first, putFirst := p.get(b)
	second, putSecond := p.get(b)
	wantEqual(t, "first", first, balancer.Producer(1))
	wantEqual(t, "second", second, balancer.Producer(1))
	putFirst()
	putFirst() // counts once
	wantEqual(t, "stopped with a user left", b.stopped, 0)
	putSecond()
	wantEqual(t, "stopped", b.stopped, 1)
	third, putThird := p.get(b)
	wantEqual(t, "third", third, balancer.Producer(2))
	putThird()
}

func TestProducersOfDifferentBuildersAreDifferent(t *testing.T) {
	var p producers
	a, b := new(countingBuilder), new(countingBuilder)
	_, putA := p.get(a)
	_, putB := p.get(b)
	putA()
	wantEqual(t, "stopped a", a.stopped, 1)
	wantEqual(t, "stopped b", b.stopped, 0)
	putB()
}

func TestProducerIsStoppedOnceWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p producers
		b := new(countingBuilder)
		_, put := p.get(b)
		p.close()
		synctest.Wait()
		wantEqual(t, "stopped", b.stopped, 1)
		next, putNext := p.get(b)
		wantEqual(t, "producer of the next connection", next, balancer.Producer(2))
		put() // of the one before
		wantEqual(t, "stopped by a late user", b.stopped, 1)
		putNext()
		wantEqual(t, "stopped in the end", b.stopped, 2)
		p.close()
	})
}

func TestCallsOfAProducerGoToItsSubchannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := newFakePolicy(t)
		b := new(countingBuilder)
		cc := connect(t, startServer(t, testService{}), policy.option())
		cc.Connect()
		synctest.Wait()
		sc := policy.current().newSubchannel(t, "a")
		_, put := sc.GetOrBuildProducer(b)
		_, err := echo(t.Context(), b.calls, "x")
		wantStatus(t, "call before the connection", err, "Unavailable: SubConn state is not Ready")
		_, err = b.calls.NewStream(t.Context(), bidi, streamMethod)
		wantStatus(t, "stream before the connection", err, "Unavailable: SubConn state is not Ready")
		sc.Connect()
		synctest.Wait()
		wantEqual(t, "state of the channel, which has no picker", cc.GetState(), connectivity.Connecting)
		got, err := echo(t.Context(), b.calls, "x")
		must(t, err)
		wantEqual(t, "reply", got, "x")
		s, err := b.calls.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		must(t, s.SendMsg(text("y")))
		var reply wrapperspb.StringValue
		must(t, s.RecvMsg(&reply))
		wantEqual(t, "reply of the stream", reply.Value, "y")
		wantEqual(t, "calls that keep the channel from idle mode", cc.idle.calls.Load(), 0)
		sc.Shutdown()
		synctest.Wait()
		wantEqual(t, "stopped with its connection", b.stopped, 1)
		must(t, s.CloseSend())
		put()
		wantEqual(t, "stopped again", b.stopped, 1)
		_, err = echo(t.Context(), b.calls, "x")
		wantStatus(t, "call after the connection", err, "Unavailable: SubConn state is not Ready")
	})
}

func TestCallOfAProducerThatCannotBeginFails(t *testing.T) {
	cc := newChannel(t, "passthrough:///test")
	calls := &subchannelCalls{cc: cc}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := echo(ctx, calls, "x")
	wantStatus(t, "call", err, "Canceled: context canceled")
	_, err = calls.NewStream(ctx, bidi, streamMethod)
	wantStatus(t, "stream", err, "Canceled: context canceled")
}
