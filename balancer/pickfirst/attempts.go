// The attempts of pick_first to connect: one pass through the addresses in order, then all of them again and again (gRFC A61), until
// one subchannel is Ready; and what happens to that one. All of it runs under the mutex of pickFirst.

package pickfirst

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// startPassLocked begins at the first address.
func (b *pickFirst) startPassLocked() {
	for _, s := range b.list {
		s.failed = false
	}
	b.next = 0
	b.attemptLocked()
}

// attemptLocked begins the attempt whose turn it is, passing over subchannels that are in backoff: their attempt is already made.
func (b *pickFirst) attemptLocked() {
	b.stopTimerLocked()
	b.current = nil
	for b.current == nil && b.next < len(b.list) {
		s := b.list[b.next]
		b.next++
		if s.sc == nil {
			b.createLocked(s)
		}
		switch {
		case s.sc == nil || s.state == connectivity.TransientFailure:
			s.failed, b.lastErr = true, s.err
		case s.state == connectivity.Idle:
			s.failed = false
			s.sc.Connect()
			b.current = s
		default: // it has been connecting since before this pass
			b.current = s
		}
	}
	if b.current != nil && b.next < len(b.list) {
		b.startTimerLocked()
	}
	b.endPassLocked()
}

// createLocked makes the subchannel of s. If the channel refuses, which it does when it is about to end, the address counts as failed
// until the next pass.
func (b *pickFirst) createLocked(s *subchannel) {
	s.sc, s.err = b.cc.NewSubConn([]resolver.Address{s.addr}, balancer.NewSubConnOptions{
		StateListener: func(state balancer.SubConnState) { b.subchannelState(s, state) },
	})
	if s.err != nil {
		s.sc = nil
		logger.Warningf("no subchannel for %v: %v", s.addr, s.err)
	}
}

// startTimerLocked begins the next attempt after attemptDelay, on the timer's goroutine, unless the timer is stopped.
func (b *pickFirst) startTimerLocked() {
	var t *time.Timer
	t = time.AfterFunc(attemptDelay, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.timer == t { // it was not stopped while this call waited for the mutex
			b.attemptLocked()
		}
	})
	b.timer = t
}

func (b *pickFirst) stopTimerLocked() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// endPassLocked ends the pass if every address has been tried and has failed.
func (b *pickFirst) endPassLocked() {
	if b.phase != trying || b.next < len(b.list) || slices.ContainsFunc(b.list, func(s *subchannel) bool { return !s.failed }) {
		return
	}
	b.stepLocked(allFailed)
	b.current = nil
	b.fails = 0
	b.showFailureLocked(b.lastErr)
	for _, s := range b.list {
		if s.sc != nil && s.state == connectivity.Idle {
			s.sc.Connect()
		}
	}
}

// subchannelState is the listener of s.
func (b *pickFirst) subchannelState(s *subchannel, state balancer.SubConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.gone || state.ConnectivityState == connectivity.Shutdown {
		return
	}
	before := s.state
	s.state = state.ConnectivityState
	switch {
	case s.state == connectivity.Ready:
		b.chooseLocked(s)
	case before == connectivity.Ready, before == connectivity.Connecting && s.state == connectivity.Idle:
		b.loseConnectionLocked(s)
	case s.state == connectivity.TransientFailure:
		s.err, b.lastErr = state.ConnectionError, state.ConnectionError
		b.attemptFailedLocked(s)
	case s.state == connectivity.Connecting && b.phase == trying && s.err == nil:
		b.showConnectingLocked() // if all had failed before the list changed, here is something new
	case s.state == connectivity.Idle && b.phase == retrying:
		s.sc.Connect() // its backoff has passed
	}
}

func (b *pickFirst) attemptFailedLocked(s *subchannel) {
	switch b.phase {
	case trying:
		s.failed = true
		if s == b.current {
			b.attemptLocked()
		} else {
			b.endPassLocked()
		}
	case retrying:
		if b.fails++; b.fails%len(b.list) == 0 {
			b.showFailureLocked(b.lastErr)
		}
	}
}

// chooseLocked makes s the one and only.
func (b *pickFirst) chooseLocked(s *subchannel) {
	if !b.stepLocked(subchannelReady) {
		return
	}
	b.keepOnlyLocked(s)
	b.chosen = s
	s.err = nil
	if !b.checkHealth {
		b.showLocked(connectivity.Ready, picker{sc: s.sc})
		return
	}
	b.showConnectingLocked()
	s.sc.RegisterHealthListener(func(state balancer.SubConnState) { b.health(s, state) })
}

// loseConnectionLocked goes idle with s, which had a connection, as the only subchannel. It may have been lost before it was seen to be Ready.
func (b *pickFirst) loseConnectionLocked(s *subchannel) {
	if !b.stepLocked(connectionLost) {
		return
	}
	b.keepOnlyLocked(s)
	b.chosen = nil
	b.showLocked(connectivity.Idle, &idlePicker{policy: b})
}

// keepOnlyLocked ends all attempts but that of s.
func (b *pickFirst) keepOnlyLocked(s *subchannel) {
	b.stopTimerLocked()
	b.current = nil
	for i, other := range b.list {
		if other != s {
			b.dropLocked(b.list[i : i+1])
			b.list[i] = &subchannel{addr: other.addr}
		}
	}
}

// health is the health listener of s.
func (b *pickFirst) health(s *subchannel, state balancer.SubConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chosen != s || b.phase != connected {
		return // its connection is lost
	}
	switch state.ConnectivityState {
	case connectivity.Ready:
		b.showLocked(connectivity.Ready, picker{sc: s.sc})
	case connectivity.TransientFailure:
		b.showFailureLocked(fmt.Errorf("pickfirst: health check failure: %v", state.ConnectionError))
	case connectivity.Connecting:
		b.showConnectingLocked()
	default:
		logger.Errorf("unexpected health %v of %v", state.ConnectivityState, s.addr)
	}
}
