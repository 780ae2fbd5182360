// Tests of the connectivity of a channel: changes, waiting for them, and the state that is final.

package grpc

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/connectivity"
)

func TestChannelStateBeginsIdle(t *testing.T) {
	var s channelState
	wantEqual(t, "state", s.get(), connectivity.Idle)
}

func TestChannelStateWaitReturnsAtOnceIfTheStateIsAnother(t *testing.T) {
	var s channelState
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantEqual(t, "wait for another state than READY", s.wait(ctx, connectivity.Ready), true)
}

func TestChannelStateWakesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s channelState
		woken := make(chan bool, 3)
		for range cap(woken) {
			go func() { woken <- s.wait(context.Background(), connectivity.Idle) }()
		}
		synctest.Wait()
		s.set(connectivity.Idle) // no change
		synctest.Wait()
		wantEqual(t, "woken without a change", len(woken), 0)
		s.set(connectivity.Connecting)
		for range cap(woken) {
			wantEqual(t, "wait", <-woken, true)
		}
	})
}

func TestChannelStateWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s channelState
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan bool)
		go func() { result <- s.wait(ctx, connectivity.Idle) }()
		synctest.Wait()
		cancel()
		wantEqual(t, "wait", <-result, false)
	})
}

func TestChannelStateShutdownIsFinal(t *testing.T) {
	var s channelState
	s.set(connectivity.Shutdown)
	s.set(connectivity.Ready)
	wantEqual(t, "state", s.get(), connectivity.Shutdown)
}
