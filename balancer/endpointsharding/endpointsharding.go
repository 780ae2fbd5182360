// A policy with one child per endpoint, all of the same kind: what round_robin and its like have in common (the petiole of gRFC A61).
// The state and the picker that it makes of those of its children are in picker.go.
//
// Locks: child.mu is taken on the way down, around each call into a child, so that it gets them one at a time. sharding.mu is taken on
// the way up, when a child reports, and held while the report goes on to the channel, so that reports stay in order. Nobody takes a child's
// mutex with sharding.mu held.

// Package endpointsharding helps to build load-balancing policies that treat all endpoints alike. It gives each endpoint a policy of its
// own, as a rule pick_first, and shares RPCs out among those that are in the best state.
//
// Experimental: the package may change.
package endpointsharding

import (
	"math/rand/v2"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// ChildBuilderFunc makes the policy of one endpoint. It is a balancer.Builder's Build.
type ChildBuilderFunc func(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer

// Options say how the policy is to be. The zero value is that of round_robin.
type Options struct {
	// DisableAutoReconnect lets children that are idle stay so, until the ExitIdle of their ChildState is called. Otherwise each one is told
	// to connect as soon as it reports that it is idle.
	DisableAutoReconnect bool
}

// sharding is the policy.
type sharding struct {
	cc        balancer.ClientConn
	build     ChildBuilderFunc
	buildOpts balancer.BuildOptions
	reconnect bool // children that report to be idle

	mu       sync.Mutex // guards the fields below and those of the children that say so
	children []*child   // in the order of the endpoints
	quiet    int        // how many calls are under way that will report in the end; reports of children wait for that
	closed   bool
}

// NewBalancer makes a policy for the channel cc with one child for each endpoint, made by childBuilder. Configuration goes on to the children.
func NewBalancer(cc balancer.ClientConn, opts balancer.BuildOptions, childBuilder ChildBuilderFunc, esOpts Options) balancer.Balancer {
	return &sharding{cc: cc, build: childBuilder, buildOpts: opts, reconnect: !esOpts.DisableAutoReconnect}
}

// UpdateClientConnState gives each endpoint to its child. Endpoints with the same addresses as one before them, or with none, get none.
// It returns the error of a child if one returned any, and ErrBadResolverState if there are no children.
func (es *sharding) UpdateClientConnState(s balancer.ClientConnState) error {
	es.hush()
	children, gone := es.reshape(s.ResolverState.Endpoints)
	var err error
	start := 0 // a random one: else all clients would make their first connection to the same server
	if len(children) > 0 {
		start = rand.IntN(len(children))
	}
	for i := range children {
		c := children[(start+i)%len(children)]
		if childErr := c.update(s); childErr != nil {
			err = childErr
		}
	}
	for _, c := range gone {
		c.close()
	}
	es.report()
	if len(children) == 0 {
		return balancer.ErrBadResolverState
	}
	return err
}

// reshape makes the list of children for endpoints, and returns it and those that were in the list before only.
func (es *sharding) reshape(endpoints []resolver.Endpoint) (children, gone []*child) {
	es.mu.Lock()
	defer es.mu.Unlock()
	old := resolver.NewEndpointMap[*child]()
	for _, c := range es.children {
		old.Set(c.endpoint, c)
	}
	seen := resolver.NewEndpointMap[bool]()
	for _, e := range endpoints {
		if _, ok := seen.Get(e); ok || len(e.Addresses) == 0 {
			continue
		}
		seen.Set(e, true)
		c, ok := old.Get(e)
		if !ok {
			c = newChild(es)
		}
		old.Delete(e)
		c.endpoint = e
		children = append(children, c)
	}
	es.children = children
	gone = old.Values()
	for _, c := range gone {
		c.gone = true
	}
	return children, gone
}

// ResolverError goes on to the children.
func (es *sharding) ResolverError(err error) {
	es.hush()
	for _, c := range es.snapshot() {
		c.call(func(policy balancer.Balancer) { policy.ResolverError(err) })
	}
	es.report()
}

// UpdateSubConnState is not called if children set listeners for their subchannels, which they must: nobody knows whose subchannel it is.
func (es *sharding) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle makes all children connect.
func (es *sharding) ExitIdle() {
	es.hush()
	for _, c := range es.snapshot() {
		c.call(balancer.Balancer.ExitIdle)
	}
	es.report()
}

// Close closes the children.
func (es *sharding) Close() {
	es.mu.Lock()
	children := es.children
	es.closed, es.children = true, nil
	es.mu.Unlock()
	for _, c := range children {
		c.close()
	}
}

func (es *sharding) snapshot() []*child {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.children
}

// hush makes the reports of children wait for a call of report, of which each call of hush needs one.
func (es *sharding) hush() {
	es.mu.Lock()
	defer es.mu.Unlock()
	es.quiet++
}

func (es *sharding) report() {
	es.mu.Lock()
	defer es.mu.Unlock()
	es.quiet--
	es.reportLocked()
}

func (es *sharding) reportLocked() {
	if es.quiet == 0 && !es.closed {
		es.cc.UpdateState(aggregate(es.children))
	}
}

// child is the policy of one endpoint, and the ClientConn that this policy gets.
type child struct {
	balancer.ClientConn // the channel, for all that children do with it but reports
	es                  *sharding

	mu     sync.Mutex        // guards policy; held during calls into it
	policy balancer.Balancer // nil before the first update and after the end

	endpoint resolver.Endpoint // guarded by es.mu; changed by UpdateClientConnState only
	state    balancer.State    // guarded by es.mu
	gone     bool              // guarded by es.mu: not one of es.children any more
	exitIdle func()            // for ChildState
}

func newChild(es *sharding) *child {
	c := &child{ClientConn: es.cc, es: es}
	c.state = balancer.State{ConnectivityState: connectivity.Idle, Picker: base.NewErrPicker(balancer.ErrNoSubConnAvailable)}
	c.exitIdle = func() {
		go c.call(balancer.Balancer.ExitIdle) // ends with the call; nobody waits for it, since the child may wait for the caller
	}
	return c
}

// update gives the child its part of s.
func (c *child) update(s balancer.ClientConnState) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.policy == nil {
		c.policy = c.es.build(c, c.es.buildOpts)
	}
	return c.policy.UpdateClientConnState(balancer.ClientConnState{
		ResolverState:  resolver.State{Endpoints: []resolver.Endpoint{c.endpoint}, Attributes: s.ResolverState.Attributes},
		BalancerConfig: s.BalancerConfig,
	})
}

// call calls f with the policy, if there is one.
func (c *child) call(f func(balancer.Balancer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.policy != nil {
		f(c.policy)
	}
}

func (c *child) close() {
	c.call(balancer.Balancer.Close)
	c.mu.Lock()
	c.policy = nil
	c.mu.Unlock()
}

// UpdateState is called by the child.
func (c *child) UpdateState(s balancer.State) {
	if c.report(s) && s.ConnectivityState == connectivity.Idle && c.es.reconnect {
		c.exitIdle()
	}
}

// report passes s on as part of the state of all, unless the child is of the past.
func (c *child) report(s balancer.State) (ok bool) {
	c.es.mu.Lock()
	defer c.es.mu.Unlock()
	if c.gone {
		return false
	}
	c.state = s
	c.es.reportLocked()
	return true
}
