// Replacing the load-balancing policy of a channel at work: the new policy makes its connections while the old one still serves.
//
//	SwitchTo(A)          SwitchTo(B)                   B is not CONNECTING, or A is not READY
//	───────────▶ current A ──────────▶ current A, pending B ──────────────────────────────▶ current B
//	                                        │  ▲ SwitchTo(C): C in place of B
//	                                        └──┘
//
// Calls from the channel go to the latest policy: the pending one if there is one, else the current one. Each policy hears from its own
// subchannels. Reports of the current policy go to the channel.
//
// Locks: child.calls is taken on the way down, around each call into a policy, so that it gets them one at a time. Balancer.mu is taken on
// the way up, when a policy reports, and held while the report goes on to the channel. Nobody takes child.calls with Balancer.mu held.

// Package gracefulswitch is the load-balancing policy that changes policies without a gap.
package gracefulswitch

import (
	"errors"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

var errClosed = errors.New("gracefulSwitchBalancer is closed")

// Balancer is a balancer.Balancer that works through one policy, or through two during a switch.
type Balancer struct {
	cc   balancer.ClientConn
	opts balancer.BuildOptions

	mu      sync.Mutex // guards the fields below and those of the children that say so; held while cc is told a state
	current *child     // nil before the first policy
	pending *child     // takes the place of current; nil if there is no switch under way
	closed  bool
}

// NewBalancer returns a Balancer for cc without a policy. Policies get opts.
func NewBalancer(cc balancer.ClientConn, opts balancer.BuildOptions) *Balancer {
	return &Balancer{cc: cc, opts: opts}
}

// SwitchTo makes a policy with builder. It takes the place of the current one as soon as it has something better to offer, that of a
// pending one at once. The caller goes on with UpdateClientConnState. SwitchTo and UpdateClientConnState must not be called concurrently.
func (b *Balancer) SwitchTo(builder balancer.Builder) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	c := newChild(b, builder.Name())
	old := b.pending
	if b.current == nil {
		b.current = c
	} else {
		b.pending = c
		old.retireLocked()
	}
	b.mu.Unlock()
	old.close()
	if c.build(builder) {
		return nil
	}
	b.forget(c)
	return balancer.ErrBadResolverState
}

// forget takes out a policy that could not be made.
func (b *Balancer) forget(c *child) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.retireLocked()
	if b.current == c {
		b.current = nil
	}
	if b.pending == c {
		b.pending = nil
	}
}

// UpdateClientConnState hands s to the latest policy. If its configuration comes from ParseConfig, the policy that it names is switched to
// first, unless that is the latest one already, and gets the configuration that is meant for it.
func (b *Balancer) UpdateClientConnState(s balancer.ClientConnState) error {
	c := b.latest()
	if config, ok := s.BalancerConfig.(*lbConfig); ok {
		s.BalancerConfig = config.config
		if c == nil || c.name != config.builder.Name() {
			if err := b.SwitchTo(config.builder); err != nil {
				return err
			}
			c = b.latest()
		}
	}
	if c == nil {
		return errClosed
	}
	c.calls.Lock()
	defer c.calls.Unlock()
	return c.policy.UpdateClientConnState(s)
}

// latest returns the policy that gets what comes from the channel, nil if there is none.
func (b *Balancer) latest() *child {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending != nil {
		return b.pending
	}
	return b.current
}

// ResolverError goes to the latest policy. If there is none yet, RPCs fail with err.
func (b *Balancer) ResolverError(err error) {
	if c := b.latest(); c != nil {
		c.calls.Lock()
		defer c.calls.Unlock()
		c.policy.ResolverError(err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.cc.UpdateState(balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: errPicker{err}})
	}
}

// UpdateSubConnState is not called: all subchannels have a listener.
func (b *Balancer) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle goes to the latest policy.
func (b *Balancer) ExitIdle() {
	if c := b.latest(); c != nil {
		c.exitIdle()
	}
}

// Close closes the policies and shuts down what subchannels they have left.
func (b *Balancer) Close() {
	b.mu.Lock()
	current, pending := b.current, b.pending
	b.current, b.pending, b.closed = nil, nil, true
	current.retireLocked()
	pending.retireLocked()
	b.mu.Unlock()
	current.close()
	pending.close()
}

// stateChanged takes a report of c.
func (b *Balancer) stateChanged(c *child, s balancer.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.retired {
		return
	}
	c.state = s
	switch {
	case b.pending != nil && (b.current.state.ConnectivityState != connectivity.Ready ||
		c == b.pending && s.ConnectivityState != connectivity.Connecting):
		b.switchLocked()
	case c == b.current:
		b.cc.UpdateState(s)
	}
}

// switchLocked makes the pending policy the current one.
func (b *Balancer) switchLocked() {
	old := b.current
	b.current, b.pending = b.pending, nil
	old.retireLocked()
	b.cc.UpdateState(b.current.state)
	go old.close() // ends with the call; nobody waits for it, since old may be waiting for the caller to return
}

type errPicker struct{ err error }

func (p errPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, p.err
}

// waiting is the state of a policy that has not reported.
func waiting() balancer.State {
	return balancer.State{ConnectivityState: connectivity.Connecting, Picker: errPicker{balancer.ErrNoSubConnAvailable}}
}
