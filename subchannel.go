// A subchannel: one address (or, in the old way, a list of alternatives) and at most one connection to it that takes calls. It is where
// the channel meets the transport: connection.go makes the connections.
//
//	          Connect                    connected
//	  Idle ───────────▶ Connecting ──────────────────▶ Ready
//	   ▲                    │                            │
//	   │                    │ all addresses failed       │ connection lost or draining
//	   │  backoff over      ▼                            │
//	   ├──────────── TransientFailure                    │
//	   └──────────────────────────────────────────────── ┘      Shutdown, from any state, is final.
//
// State changes happen on the queue of the active channel. Connecting runs beside it and posts its result.

package grpc

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	internalbackoff "google.golang.org/grpc/internal/backoff"
	"google.golang.org/grpc/resolver"
)

// A subchannel is a balancer.SubConn.
type subchannel struct {
	balancer.SubConn // for the method that nobody else can have
	ac               *activeChannel
	opts             balancer.NewSubConnOptions

	ready atomic.Pointer[connection] // where calls go; nil unless Ready

	// On the queue.
	addresses []resolver.Address
	state     connectivity.State
	failures  int                         // attempts that failed since the last success
	attempt   *connectAttempt             // the one under way, nil if there is none
	retry     *time.Timer                 // ends the backoff; nil if there is none
	live      map[*connection]bool        // connections that are not closed, drained ones too
	health    func(balancer.SubConnState) // nil if nobody wants to know

	producers producers
}

func newSubchannel(ac *activeChannel, addresses []resolver.Address, o balancer.NewSubConnOptions) *subchannel {
	sc := &subchannel{ac: ac, opts: o, addresses: slices.Clone(addresses), live: make(map[*connection]bool)}
	sc.producers.calls.init(sc)
	return sc
}

// Connect implements balancer.SubConn.
func (sc *subchannel) Connect() { sc.ac.queue.Run(sc.connect) }

// Shutdown implements balancer.SubConn: calls that run on the subchannel may finish.
func (sc *subchannel) Shutdown() { sc.ac.queue.Run(func() { sc.close(nil) }) }

// UpdateAddresses implements balancer.SubConn.
func (sc *subchannel) UpdateAddresses(addresses []resolver.Address) {
	addresses = slices.Clone(addresses)
	sc.ac.queue.Run(func() { sc.setAddresses(addresses) })
}

// RegisterHealthListener implements balancer.SubConn. Without health checking, a connection is healthy as long as it is there.
func (sc *subchannel) RegisterHealthListener(listener func(balancer.SubConnState)) {
	sc.ac.queue.Run(func() {
		sc.health = listener
		if listener != nil && sc.state == connectivity.Ready {
			listener(balancer.SubConnState{ConnectivityState: connectivity.Ready})
		}
	})
}

// GetOrBuildProducer implements balancer.SubConn.
func (sc *subchannel) GetOrBuildProducer(b balancer.ProducerBuilder) (balancer.Producer, func()) {
	return sc.producers.get(b)
}

// enter changes the state and tells the policy. On the queue, as all of the following.
func (sc *subchannel) enter(s connectivity.State, err error) {
	if sc.state == s || sc.state == connectivity.Shutdown {
		return
	}
	if sc.state == connectivity.Ready {
		sc.health = nil
		sc.producers.close()
	}
	sc.state = s
	if err != nil {
		logInfo(sc.name(), "%v: %v", s, err)
	} else {
		logInfo(sc.name(), "%v", s)
	}
	state := balancer.SubConnState{ConnectivityState: s, ConnectionError: err}
	if sc.opts.StateListener != nil {
		sc.opts.StateListener(state)
	} else {
		sc.ac.policy.UpdateSubConnState(sc, state)
	}
}

// connect begins an attempt if the subchannel is idle.
func (sc *subchannel) connect() {
	if sc.state != connectivity.Idle {
		return
	}
	sc.enter(connectivity.Connecting, nil)
	o := &sc.ac.cc.opts
	backoff := internalbackoff.Delay(o.backoff, sc.failures, rand.Float64())
	ctx, cancel := context.WithTimeout(context.Background(), max(o.minConnectTimeout, backoff))
	a := &connectAttempt{sc: sc, addresses: sc.addresses, cancel: cancel, retryAt: time.Now().Add(backoff)}
	sc.attempt = a
	go a.run(ctx) // owned by the subchannel, which cancels it; ends with ctx at the latest; posts its result
}

// connected takes the result of a successful attempt.
func (sc *subchannel) connected(a *connectAttempt, c *connection) {
	if sc.attempt != a {
		c.t.Drain()
		return
	}
	sc.attempt, sc.failures = nil, 0
	sc.live[c] = true
	sc.ready.Store(c)
	if c.gone.Load() { // it was lost before anybody could see it
		sc.ready.Store(nil)
		sc.forget(c)
		sc.enter(connectivity.Idle, nil)
		return
	}
	sc.enter(connectivity.Ready, nil)
}

// failed takes the result of an attempt in vain: the subchannel is idle again when the backoff is over.
func (sc *subchannel) failed(a *connectAttempt, err error) {
	if sc.attempt != a {
		return
	}
	sc.attempt = nil
	sc.failures++
	sc.ac.cc.noteConnectError(err)
	sc.ac.resolveNow(resolver.ResolveNowOptions{})
	sc.enter(connectivity.TransientFailure, err)
	sc.retry = time.AfterFunc(time.Until(a.retryAt), func() { sc.ac.queue.Run(sc.backoffOver) })
}

// backoffOver makes a failed subchannel idle.
func (sc *subchannel) backoffOver() {
	if sc.state != connectivity.TransientFailure {
		return
	}
	sc.retry.Stop()
	sc.retry = nil
	sc.enter(connectivity.Idle, nil)
}

// resetBackoff makes a failed subchannel idle at once, and forgets its failures.
func (sc *subchannel) resetBackoff() {
	sc.failures = 0
	sc.backoffOver()
}

// lost takes that a connection takes no more calls.
func (sc *subchannel) lost(c *connection) {
	if !sc.live[c] { // connected will see it, or has seen it
		return
	}
	sc.forget(c)
	if sc.state != connectivity.Ready || sc.ready.Load() != nil {
		return
	}
	sc.ac.resolveNow(resolver.ResolveNowOptions{})
	sc.enter(connectivity.Idle, nil)
}

// forget drops a connection that is closed.
func (sc *subchannel) forget(c *connection) {
	if c.t.Err() != nil {
		delete(sc.live, c)
	}
	sc.release()
}

// release makes the channel forget the subchannel when nothing is left of it.
func (sc *subchannel) release() {
	if sc.state == connectivity.Shutdown && len(sc.live) == 0 {
		delete(sc.ac.subchannels, sc)
	}
}

// setAddresses replaces the addresses. A connection to one of them stays.
func (sc *subchannel) setAddresses(addresses []resolver.Address) {
	if slices.EqualFunc(sc.addresses, addresses, resolver.Address.Equal) {
		return
	}
	sc.addresses = addresses
	switch c := sc.ready.Load(); {
	case sc.state == connectivity.Ready && c != nil && slices.ContainsFunc(addresses, c.address.Equal):
		return
	case sc.state == connectivity.Ready && c != nil:
		sc.ready.Store(nil)
		c.t.Drain()
	case sc.state == connectivity.Connecting:
		sc.attempt.cancel()
		sc.attempt = nil
	default:
		return
	}
	sc.enter(connectivity.Idle, nil)
	sc.connect()
}

// close ends the subchannel. Calls end with err, or may finish if it is nil.
func (sc *subchannel) close(err error) {
	sc.ready.Store(nil)
	if sc.attempt != nil {
		sc.attempt.cancel()
		sc.attempt = nil
	}
	if sc.retry != nil {
		sc.retry.Stop()
	}
	sc.enter(connectivity.Shutdown, nil)
	for c := range sc.live {
		if err != nil {
			c.t.Close(err)
		} else {
			c.t.Drain()
		}
		sc.forget(c)
	}
	sc.release()
}
