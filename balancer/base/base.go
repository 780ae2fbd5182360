// Custom policies that need only a picker: a subchannel for each address, all of them connected, and a new picker whenever the set of
// ready ones changes. The channel makes all calls one at a time, so nothing here needs a lock.

// Package base helps to build simple load-balancing policies: it does all but pick. It knows addresses only, not endpoints with several
// addresses; see package endpointsharding for those.
//
// Experimental: the package may change.
package base

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
)

var logger = grpclog.Component("balancer")

// PickerBuilder makes the pickers of a policy.
type PickerBuilder interface {
	// Build returns a picker for the subchannels in info, which may be none: then RPCs should wait, by ErrNoSubConnAvailable. It is not
	// called while no server can be reached. Calls of one channel come one at a time.
	Build(info PickerBuildInfo) balancer.Picker
}

// PickerBuildInfo is what a picker is made of.
type PickerBuildInfo struct {
	// ReadySCs are the subchannels that are ready. The map belongs to the picker.
	ReadySCs map[balancer.SubConn]SubConnInfo
}

// SubConnInfo is what is known of a subchannel.
type SubConnInfo struct {
	// Address is the one for which the subchannel was made.
	Address resolver.Address
}

// Config says how a policy is to be. The zero value is that of a plain one.
type Config struct {
	// HealthCheck makes subchannels check the health of their servers, if the service config asks for it (gRFC A17).
	HealthCheck bool
}

// NewBalancerBuilder returns the builder of a policy that picks as pb's pickers do. It is to be registered with balancer.Register.
func NewBalancerBuilder(name string, pb PickerBuilder, config Config) balancer.Builder {
	return &builder{name: name, pickers: pb, config: config}
}

// NewErrPicker returns a picker that returns err for every RPC.
func NewErrPicker(err error) balancer.Picker {
	return errPicker{err}
}

// NewErrPickerV2 is NewErrPicker.
//
// Deprecated: use NewErrPicker.
var NewErrPickerV2 = NewErrPicker

type errPicker struct{ err error }

func (p errPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, p.err
}

type builder struct {
	name    string
	pickers PickerBuilder
	config  Config
}

func (b *builder) Name() string { return b.name }

func (b *builder) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	return &policy{builder: b, cc: cc, subs: resolver.NewAddressMapV2[*subchannel]()}
}

// policy is a policy at work.
type policy struct {
	*builder
	cc balancer.ClientConn

	subs        *resolver.AddressMapV2[*subchannel]
	states      balancer.ConnectivityStateEvaluator // of subs
	resolverErr error                               // since the last good update
	connErr     error                               // of the last attempt that failed
	state       connectivity.State                  // as reported last
	picker      balancer.Picker                     // as reported last; nil if it is out of date
}

// subchannel is a subchannel with one address. After a failure it counts as failed until it is ready, whatever it does.
type subchannel struct {
	sc    balancer.SubConn
	addr  resolver.Address
	state connectivity.State // Shutdown: it is not in subs any more
}

// UpdateClientConnState takes over a new list of addresses.
func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	p.resolverErr = nil
	wanted := resolver.NewAddressMapV2[bool]()
	for _, a := range s.ResolverState.Addresses {
		wanted.Set(a, true)
		if _, ok := p.subs.Get(a); !ok {
			p.add(a)
		}
	}
	for _, sub := range p.subs.Values() {
		if _, ok := wanted.Get(sub.addr); !ok {
			p.drop(sub)
		}
	}
	if wanted.Len() == 0 {
		p.ResolverError(errors.New("produced zero addresses"))
		return balancer.ErrBadResolverState
	}
	p.picker = nil // it may have to do with the addresses, or with an error that is gone
	p.report()
	return nil
}

func (p *policy) add(a resolver.Address) {
	sub := &subchannel{addr: a, state: connectivity.Shutdown}
	sc, err := p.cc.NewSubConn([]resolver.Address{a}, balancer.NewSubConnOptions{
		HealthCheckEnabled: p.config.HealthCheck,
		StateListener:      func(s balancer.SubConnState) { p.subchannelState(sub, s) },
	})
	if err != nil {
		logger.Warningf("no subchannel for %v: %v", a, err)
		p.connErr = err
		return
	}
	sub.sc = sc
	p.subs.Set(a, sub)
	p.transition(sub, connectivity.Connecting)
	sc.Connect()
}

func (p *policy) drop(sub *subchannel) {
	p.subs.Delete(sub.addr)
	p.transition(sub, connectivity.Shutdown)
	sub.sc.Shutdown()
}

func (p *policy) transition(sub *subchannel, to connectivity.State) {
	p.states.RecordTransition(sub.state, to)
	sub.state = to
}

// subchannelState is the listener of sub.
func (p *policy) subchannelState(sub *subchannel, s balancer.SubConnState) {
	if sub.state == connectivity.Shutdown || s.ConnectivityState == connectivity.Shutdown {
		return
	}
	before := sub.state
	switch s.ConnectivityState {
	case connectivity.Idle:
		sub.sc.Connect()
		if before == connectivity.TransientFailure {
			return
		}
	case connectivity.Connecting:
		if before == connectivity.TransientFailure {
			return
		}
	case connectivity.TransientFailure:
		p.connErr = s.ConnectionError
	}
	p.transition(sub, s.ConnectivityState)
	if before == connectivity.Ready || sub.state == connectivity.Ready {
		p.picker = nil
	}
	p.report()
}

// ResolverError is shown to RPCs if they fail anyway.
func (p *policy) ResolverError(err error) {
	p.resolverErr = err
	if p.states.CurrentState() == connectivity.TransientFailure {
		p.report()
	}
}

// UpdateSubConnState is not called: all subchannels have a listener.
func (p *policy) UpdateSubConnState(_ balancer.SubConn, s balancer.SubConnState) {
	logger.Errorf("unexpected call of UpdateSubConnState with state %v", s.ConnectivityState)
}

// ExitIdle does nothing: the policy is never idle.
func (p *policy) ExitIdle() {}

// Close shuts all subchannels down.
func (p *policy) Close() {
	for _, sub := range p.subs.Values() {
		p.drop(sub)
	}
}

// report gives the channel state and picker, if one of them has changed.
func (p *policy) report() {
	before := p.state
	p.state = p.states.CurrentState()
	switch {
	case p.state == connectivity.TransientFailure:
		p.picker = NewErrPicker(p.failure())
	case p.picker == nil || before == connectivity.TransientFailure:
		p.picker = p.pickers.Build(PickerBuildInfo{ReadySCs: p.ready()})
	case p.state == before:
		return
	}
	p.cc.UpdateState(balancer.State{ConnectivityState: p.state, Picker: p.picker})
}

func (p *policy) ready() map[balancer.SubConn]SubConnInfo {
	ready := make(map[balancer.SubConn]SubConnInfo)
	for addr, sub := range p.subs.All() {
		if sub.state == connectivity.Ready {
			ready[sub.sc] = SubConnInfo{Address: addr}
		}
	}
	return ready
}

// failure returns why no server can be reached.
func (p *policy) failure() error {
	switch {
	case p.connErr == nil:
		return fmt.Errorf("last resolver error: %v", p.resolverErr)
	case p.resolverErr == nil:
		return fmt.Errorf("last connection error: %v", p.connErr)
	default:
		return fmt.Errorf("last connection error: %v; last resolver error: %v", p.connErr, p.resolverErr)
	}
}
