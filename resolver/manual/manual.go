// A resolver whose results are given by the program: for tests, and for programs that learn addresses in a way of their own.

// Package manual is a resolver that reports to its channel what the program tells it.
package manual

import (
	"sync"

	"google.golang.org/grpc/resolver"
)

// Resolver is a resolver.Builder and the resolver.Resolver that it builds. It is meant for one channel, which gets it by
// grpc.WithResolvers; if more channels use it, it reports to the newest.
//
// The callbacks must be set before the channel is made. Those that are nil are not called.
type Resolver struct {
	// BuildCallback is called when the channel builds the resolver.
	BuildCallback func(resolver.Target, resolver.ClientConn, resolver.BuildOptions)
	// UpdateStateCallback is called with what the channel has returned for a new state. It is called on a goroutine of its own for the first
	// state, that of InitialState, and else before UpdateState returns.
	UpdateStateCallback func(err error)
	// ResolveNowCallback is called when the channel asks for a new resolution. It must not block; it may call UpdateState.
	ResolveNowCallback func(resolver.ResolveNowOptions)
	// CloseCallback is called when the channel closes the resolver.
	CloseCallback func()

	scheme string

	updating sync.Mutex // held while the channel gets a state, so that it gets the newest one last

	mu    sync.Mutex // guards the fields below
	cc    resolver.ClientConn
	state *resolver.State // the newest state, nil if there is none
}

// NewBuilderWithScheme returns a resolver for targets of the given scheme.
func NewBuilderWithScheme(scheme string) *Resolver {
	return &Resolver{scheme: scheme}
}

// InitialState sets the state that the channel gets when it builds the resolver.
func (r *Resolver) InitialState(s resolver.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = &s
}

// Scheme returns the scheme of the resolver.
func (r *Resolver) Scheme() string {
	return r.scheme
}

// Build reports the newest state to cc, if there is one, and from now on all that follow. It returns r.
func (r *Resolver) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	r.mu.Lock()
	r.cc = cc
	known := r.state != nil
	r.mu.Unlock()

	if r.BuildCallback != nil {
		r.BuildCallback(target, cc, opts)
	}
	if known {
		err := r.report(cc)
		if r.UpdateStateCallback != nil {
			go r.UpdateStateCallback(err) // the application's; it may wait for something that happens after Build
		}
	}
	return r, nil
}

// UpdateState reports a new state to the channel. Before Build it is the same as InitialState.
func (r *Resolver) UpdateState(s resolver.State) {
	r.mu.Lock()
	r.state = &s
	cc := r.cc
	r.mu.Unlock()

	if cc == nil {
		return
	}
	err := r.report(cc)
	if r.UpdateStateCallback != nil {
		r.UpdateStateCallback(err)
	}
}

// report gives cc the newest state.
func (r *Resolver) report(cc resolver.ClientConn) error {
	r.updating.Lock()
	defer r.updating.Unlock()
	r.mu.Lock()
	state := *r.state
	r.mu.Unlock()
	return cc.UpdateState(state)
}

// CC returns the channel's side of the resolver, for tests that call it directly. It panics before Build.
func (r *Resolver) CC() resolver.ClientConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cc == nil {
		panic("Manual resolver instance has not yet been built.")
	}
	return r.cc
}

// ResolveNow calls ResolveNowCallback.
func (r *Resolver) ResolveNow(o resolver.ResolveNowOptions) {
	if r.ResolveNowCallback != nil {
		r.ResolveNowCallback(o)
	}
}

// Close calls CloseCallback.
func (r *Resolver) Close() {
	if r.CloseCallback != nil {
		r.CloseCallback()
	}
}
