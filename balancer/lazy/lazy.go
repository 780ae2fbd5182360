// A policy that is idle until somebody needs it: it makes its only child when the first RPC comes or ExitIdle is called.
//
// Its mutex is taken on the way down, and held during calls into the child, so that the child gets them one at a time. Reports of the child go
// to the channel past this policy.

// Package lazy helps to build load-balancing policies that make connections only when they are needed.
//
// Experimental: the package may change.
package lazy

import (
	"errors"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// ChildBuilderFunc makes the child. It is a balancer.Builder's Build.
type ChildBuilderFunc func(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer

// NewBalancer makes a policy for the channel cc that reports to be idle, and has childBuilder make its child when it is needed. From then on it
// is as if the child were there alone.
func NewBalancer(cc balancer.ClientConn, bOpts balancer.BuildOptions, childBuilder ChildBuilderFunc) balancer.Balancer {
	b := &lazy{cc: cc, opts: bOpts, build: childBuilder}
	cc.UpdateState(balancer.State{ConnectivityState: connectivity.Idle, Picker: &idlePicker{policy: b}})
	return b
}

type lazy struct {
	cc    balancer.ClientConn
	opts  balancer.BuildOptions
	build ChildBuilderFunc

	mu     sync.Mutex                // guards the fields below; held during calls into child
	child  balancer.Balancer         // nil until it is needed
	state  *balancer.ClientConnState // what the child has to get first; nil if nothing came yet
	err    error                     // resolver error that came after state; nil if none did
	closed bool
}

// UpdateClientConnState keeps s for the child, or hands it over if there is one.
func (b *lazy) UpdateClientConnState(s balancer.ClientConnState) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child != nil {
		return b.child.UpdateClientConnState(s)
	}
	b.state, b.err = &s, nil
	return nil
}

// ResolverError keeps err for the child, or hands it over if there is one.
func (b *lazy) ResolverError(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child != nil {
		b.child.ResolverError(err)
		return
	}
	b.err = err
}

// UpdateSubConnState hands over to the child, which alone has subchannels.
func (b *lazy) UpdateSubConnState(sc balancer.SubConn, s balancer.SubConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child != nil {
		b.child.UpdateSubConnState(sc, s)
	}
}

// ExitIdle makes the child, which gets what has come so far; if it is there already, it is told to exit idle.
func (b *lazy) ExitIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
	case b.child != nil:
		b.child.ExitIdle()
	default:
		b.startLocked()
	}
}

func (b *lazy) startLocked() {
	b.child = b.build(b.cc, b.opts)
	if b.state != nil {
		if err := b.child.UpdateClientConnState(*b.state); errors.Is(err, balancer.ErrBadResolverState) {
			b.cc.ResolveNow(resolver.ResolveNowOptions{}) // the channel, which would have asked, took the state for good
		}
	}
	if b.err != nil {
		b.child.ResolverError(b.err)
	}
	b.state, b.err = nil, nil
}

// Close closes the child. None is made afterwards.
func (b *lazy) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.child != nil {
		b.child.Close()
		b.child = nil
	}
}

// idlePicker lets RPCs wait, and has the child made when the first one comes.
type idlePicker struct {
	policy *lazy
	asked  atomic.Bool // an RPC has come
}

func (p *idlePicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if !p.asked.Swap(true) {
		go p.policy.start() // ends when the child is made; nobody waits for it, since a pick must not
	}
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}

// start makes the child unless it is there.
func (b *lazy) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child == nil && !b.closed {
		b.startLocked()
	}
}
