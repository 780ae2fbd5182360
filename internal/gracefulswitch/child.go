// A policy under Balancer, and the channel as this policy sees it. It knows the policy's subchannels, to shut them down when the policy
// goes.

package gracefulswitch

import (
	"errors"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

var errRetired = errors.New("gracefulswitch: new subchannel for a policy that is closed")

// child is a policy and its ClientConn.
type child struct {
	balancer.ClientConn // the channel
	b                   *Balancer
	name                string

	calls  sync.Mutex        // guards policy; held during calls into it
	policy balancer.Balancer // nil before it is made, and when it is closed

	state   balancer.State                // guarded by b.mu: as reported last
	subs    map[balancer.SubConn]struct{} // guarded by b.mu: those that are not shut down
	retired bool                          // guarded by b.mu: it is neither the current nor the pending policy any more
}

func newChild(b *Balancer, name string) *child {
	return &child{ClientConn: b.cc, b: b, name: name, state: waiting(), subs: map[balancer.SubConn]struct{}{}}
}

// build makes the policy, and reports whether it could.
func (c *child) build(builder balancer.Builder) bool {
	c.calls.Lock()
	defer c.calls.Unlock()
	c.policy = builder.Build(c, c.b.opts)
	return c.policy != nil
}

func (c *child) exitIdle() {
	c.calls.Lock()
	defer c.calls.Unlock()
	if c.policy != nil {
		c.policy.ExitIdle()
	}
}

// retireLocked makes the child deaf and dumb. A nil child is none.
func (c *child) retireLocked() {
	if c != nil {
		c.retired = true
	}
}

// close closes the policy of a retired child and shuts its subchannels down. A nil child is none.
func (c *child) close() {
	if c == nil {
		return
	}
	c.calls.Lock()
	defer c.calls.Unlock()
	if c.policy != nil {
		c.policy.Close()
		c.policy = nil
	}
	c.b.mu.Lock()
	subs := c.subs
	c.subs = nil
	c.b.mu.Unlock()
	for sc := range subs {
		sc.Shutdown()
	}
}

// UpdateState is called by the policy.
func (c *child) UpdateState(s balancer.State) {
	c.b.stateChanged(c, s)
}

// NewSubConn is called by the policy. It keeps count of the subchannel.
func (c *child) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	var sc balancer.SubConn
	listener := opts.StateListener
	if listener == nil {
		listener = func(s balancer.SubConnState) { c.policy.UpdateSubConnState(sc, s) }
	}
	opts.StateListener = func(s balancer.SubConnState) { c.subchannelState(sc, s, listener) }
	sc, err := c.ClientConn.NewSubConn(addrs, opts)
	if err != nil {
		return nil, err
	}
	if !c.adopt(sc) {
		sc.Shutdown()
		return nil, errRetired
	}
	return sc, nil
}

func (c *child) adopt(sc balancer.SubConn) bool {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if !c.retired {
		c.subs[sc] = struct{}{}
	}
	return !c.retired
}

// subchannelState passes a state of sc on to listener, unless the policy is closed.
func (c *child) subchannelState(sc balancer.SubConn, s balancer.SubConnState, listener func(balancer.SubConnState)) {
	c.calls.Lock()
	defer c.calls.Unlock()
	if c.knows(sc, s) {
		listener(s)
	}
}

// knows reports whether sc is one of the policy's. With its last state it ceases to be.
func (c *child) knows(sc balancer.SubConn, s balancer.SubConnState) bool {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	_, ok := c.subs[sc]
	if s.ConnectivityState == connectivity.Shutdown {
		delete(c.subs, sc)
	}
	return ok && !c.retired
}

// ResolveNow is called by the policy. What an older policy thinks of the addresses does not matter.
func (c *child) ResolveNow(opts resolver.ResolveNowOptions) {
	if c.b.latest() == c {
		c.ClientConn.ResolveNow(opts)
	}
}
