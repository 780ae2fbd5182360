// The live half of a channel: resolver, load-balancing policy, subchannels, service config. It exists while the channel is not idle.
//
// Everything here happens on one serial queue ("on the queue"), which is why there is no mutex. Calls come from outside by being
// queued; whoever needs the result waits for it elsewhere. Calls to the resolver go on a queue of their own, since a resolver may be
// waiting for this one.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	estats "google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/internal/gracefulswitch"
	"google.golang.org/grpc/internal/serial"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/resolver"
	publicconfig "google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"
)

// An activeChannel is the live half of a channel.
type activeChannel struct {
	cc      *ClientConn
	queue   *serial.Queue // everything but calls to the resolver
	resolve *serial.Queue // calls to the resolver
	closing chan struct{} // closed when the end has begun

	// Read by RPCs.
	pickers  pickers
	resolved atomic.Bool // there was a first result of name resolution
	first    chan struct{}
	config   atomic.Pointer[serviceconfig.Config] // nil is an empty one
	throttle atomic.Pointer[retryThrottle]

	// On the queue.
	policy      *gracefulswitch.Balancer
	policyName  string // what policy was told to switch to, "" at first
	hasConfig   bool   // a service config was applied
	subchannels map[*subchannel]bool

	resolver resolver.Resolver // on the queue resolve; nil until it is built
	proxied  bool              // connections go through proxies; set before the resolver is built
}

// newActiveChannel makes a live half, which start brings to life.
func newActiveChannel(cc *ClientConn) *activeChannel {
	ac := &activeChannel{
		cc: cc, queue: serial.New(), resolve: serial.New(), closing: make(chan struct{}), first: make(chan struct{}),
		subchannels: make(map[*subchannel]bool),
	}
	ac.pickers.init()
	o := &cc.opts
	ac.policy = gracefulswitch.NewBalancer(&policySide{ac: ac}, balancer.BuildOptions{
		DialCreds: o.creds, CredsBundle: o.bundle, Dialer: o.dialer, Authority: cc.authority, CustomUserAgent: o.ownUserAgent(),
		Target: cc.parsed,
	})
	return ac
}

// start builds the resolver. It is called once, by whoever made the channel leave idle mode.
func (ac *activeChannel) start() error {
	o := &ac.cc.opts
	ac.cc.setState(ac, connectivity.Connecting)
	r, err := ac.buildResolver(resolver.BuildOptions{
		DisableServiceConfig: o.disableServiceConfig, DialCreds: o.creds, CredsBundle: o.bundle, Dialer: o.dialer, Authority: ac.cc.authority,
		MetricsRecorder: noMetrics{},
	})
	if err != nil {
		logWarning(ac.cc.name(), "there is no resolver: %v", err)
		ac.queue.Run(func() { ac.fail(err) })
		return fmt.Errorf("failed to exit idle mode: failed to start resolver: %w", err)
	}
	if !ac.resolve.Do(func() { ac.resolver = r }) { // the channel was closed meanwhile
		r.Close()
	}
	return nil
}

// close ends the live half and waits until nothing of it runs. Calls under way end with err, unless it is nil: then there are none.
func (ac *activeChannel) close(err error) {
	close(ac.closing)
	ac.pickers.close()
	ac.resolve.Run(func() {
		if ac.resolver != nil {
			ac.resolver.Close()
		}
		ac.resolve.Close()
	})
	<-ac.resolve.Done()
	ac.queue.Run(func() {
		ac.policy.Close()
		for sc := range ac.subchannels {
			sc.close(err)
		}
		ac.queue.Close()
	})
	<-ac.queue.Done()
}

// exitIdle makes an idle policy connect.
func (ac *activeChannel) exitIdle() { ac.queue.Run(ac.policy.ExitIdle) }

// resolveNow asks for name resolution.
func (ac *activeChannel) resolveNow(o resolver.ResolveNowOptions) {
	ac.resolve.Run(func() {
		if ac.resolver != nil {
			ac.resolver.ResolveNow(o)
		}
	})
}

// await waits for the first result of name resolution. waited reports whether that took time.
func (ac *activeChannel) await(ctx context.Context) (waited bool, err error) {
	if ac.resolved.Load() {
		return false, nil
	}
	select {
	case <-ac.first:
		return true, nil
	case <-ac.closing:
		return true, ErrClientConnClosing
	case <-ctx.Done():
		return true, statusOf(ctx.Err()).Err()
	}
}

// gotResult notes the first result of name resolution. On the queue.
func (ac *activeChannel) gotResult() {
	if !ac.resolved.Swap(true) {
		close(ac.first)
	}
}

// update applies a result of name resolution. On the queue. The error says that the resolver should try again.
func (ac *activeChannel) update(s resolver.State) error {
	defer ac.gotResult()
	if len(s.Endpoints) == 0 {
		s.Endpoints = endpointsOf(s.Addresses)
	} else if len(s.Addresses) == 0 {
		for _, e := range s.Endpoints {
			s.Addresses = append(s.Addresses, e.Addresses...)
		}
	}
	logInfo(ac.cc.name(), "name resolution has found %d endpoints, %d addresses: %v", len(s.Endpoints), len(s.Addresses), addressNames(s.Addresses))
	invalid := ac.takeConfig(s.ServiceConfig)
	if invalid != nil {
		logWarning(ac.cc.name(), "service config is not used: %v", invalid)
	}
	if invalid != nil && !ac.hasConfig { // there is none before to go on with
		ac.fail(invalid)
		return balancer.ErrBadResolverState
	}
	if err := ac.switchPolicy(ac.config.Load()); err != nil {
		return err
	}
	var config publicconfig.LoadBalancingConfig
	if c := ac.config.Load(); c != nil {
		config = c.Policy.Config
	}
	err := ac.policy.UpdateClientConnState(balancer.ClientConnState{ResolverState: s, BalancerConfig: config})
	if invalid != nil {
		return balancer.ErrBadResolverState
	}
	return err
}

// endpointsOf makes each address an endpoint of its own. What the address says to the policy alone, the endpoint says.
func endpointsOf(addresses []resolver.Address) []resolver.Endpoint {
	endpoints := make([]resolver.Endpoint, len(addresses))
	for i, a := range addresses {
		endpoints[i] = resolver.Endpoint{Addresses: []resolver.Address{a}, Attributes: a.BalancerAttributes}
		endpoints[i].Addresses[0].BalancerAttributes = nil
	}
	return endpoints
}

// takeConfig makes a service config the current one (gRFC A21). If it is invalid, nothing changes, and the error is the status that says why.
func (ac *activeChannel) takeConfig(result *publicconfig.ParseResult) error {
	config := ac.cc.defaultConfig
	if result != nil && !ac.cc.opts.disableServiceConfig {
		c, ok := result.Config.(*serviceconfig.Config)
		switch {
		case result.Err != nil:
			return status.Errorf(codes.Unavailable, "error parsing service config: %v", result.Err)
		case !ok:
			return status.Errorf(codes.Unavailable, "illegal service config type: %T", result.Config)
		}
		config = c
	}
	ac.hasConfig = true
	ac.setConfig(config)
	return nil
}

// setConfig makes calls use a service config.
func (ac *activeChannel) setConfig(c *serviceconfig.Config) {
	if c == ac.config.Load() {
		return
	}
	ac.config.Store(c)
	if c == nil {
		ac.throttle.Store(nil)
	} else {
		ac.throttle.Store(newRetryThrottle(c.RetryThrottling))
	}
}

// switchPolicy makes the policy that the config names the current one, pick_first if it names none that is known.
func (ac *activeChannel) switchPolicy(c *serviceconfig.Config) error {
	name := pickfirst.Name
	if c != nil && c.Policy.Name != "" && balancer.Get(c.Policy.Name) != nil {
		name = c.Policy.Name
	}
	if name == ac.policyName {
		return nil
	}
	ac.policyName = name
	logInfo(ac.cc.name(), "load-balancing policy %q", name)
	return ac.policy.SwitchTo(balancer.Get(name))
}

// reportError passes on that name resolution has failed. On the queue.
func (ac *activeChannel) reportError(err error) {
	defer ac.gotResult()
	logWarning(ac.cc.name(), "name resolution has failed: %v", err)
	if !ac.hasConfig {
		ac.setConfig(ac.cc.defaultConfig)
	}
	ac.policy.ResolverError(err)
}

// fail makes calls fail until something better comes. On the queue.
func (ac *activeChannel) fail(err error) {
	ac.apply(balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: failingPicker{err}})
	ac.gotResult()
}

// failingPicker fails every RPC.
type failingPicker struct{ err error }

func (p failingPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, p.err
}

// apply makes the policy's state and picker those of the channel: who has seen the state finds the picker, and calls that have waited for the
// picker find the state. A call that begins just now may end by the picker before the state is told. On the queue.
func (ac *activeChannel) apply(s balancer.State) {
	before := ac.pickers.begin(s.Picker)
	ac.cc.setState(ac, s.ConnectivityState)
	before.end()
}

// resolverSide is an activeChannel as its resolver sees it.
type resolverSide activeChannel

// UpdateState implements resolver.ClientConn.
func (r *resolverSide) UpdateState(s resolver.State) error {
	if len(s.Endpoints) > 0 && resolver.ValidateEndpoints(s.Endpoints) != nil && len(s.Addresses) == 0 {
		s.Endpoints = nil
	}
	ac := (*activeChannel)(r)
	result := make(chan error, 1) // so that the queue need not wait for who does not wait any more
	ac.queue.Run(func() { result <- ac.update(s) })
	select {
	case err := <-result:
		return err
	case <-ac.closing:
		return nil
	}
}

// ReportError implements resolver.ClientConn.
func (r *resolverSide) ReportError(err error) {
	ac := (*activeChannel)(r)
	ac.queue.Run(func() { ac.reportError(err) })
}

// NewAddress implements resolver.ClientConn.
func (r *resolverSide) NewAddress(addresses []resolver.Address) {
	_ = r.UpdateState(resolver.State{Addresses: addresses}) // there is nobody to tell
}

// ParseServiceConfig implements resolver.ClientConn.
func (r *resolverSide) ParseServiceConfig(js string) *publicconfig.ParseResult {
	c, err := parseServiceConfig(js, r.cc.opts.maxCallAttempts)
	if err != nil {
		return &publicconfig.ParseResult{Err: err}
	}
	return &publicconfig.ParseResult{Config: c}
}

// policySide is an activeChannel as its load-balancing policy sees it. No method calls the policy before it returns.
type policySide struct {
	balancer.ClientConn // for the method that nobody else can have
	ac                  *activeChannel
}

// NewSubConn implements balancer.ClientConn.
func (p *policySide) NewSubConn(addresses []resolver.Address, o balancer.NewSubConnOptions) (balancer.SubConn, error) {
	if len(addresses) == 0 {
		return nil, errors.New("grpc: cannot create SubConn with empty address list")
	}
	select {
	case <-p.ac.closing:
		return nil, ErrClientConnClosing
	default:
	}
	sc := newSubchannel(p.ac, addresses, o)
	p.ac.queue.Run(func() { p.ac.subchannels[sc] = true })
	return sc, nil
}

// RemoveSubConn implements balancer.ClientConn.
func (p *policySide) RemoveSubConn(sc balancer.SubConn) { sc.Shutdown() }

// UpdateAddresses implements balancer.ClientConn.
func (p *policySide) UpdateAddresses(sc balancer.SubConn, addresses []resolver.Address) {
	sc.UpdateAddresses(addresses)
}

// UpdateState implements balancer.ClientConn.
func (p *policySide) UpdateState(s balancer.State) { p.ac.queue.Run(func() { p.ac.apply(s) }) }

// ResolveNow implements balancer.ClientConn.
func (p *policySide) ResolveNow(o resolver.ResolveNowOptions) { p.ac.resolveNow(o) }

// Target implements balancer.ClientConn.
func (p *policySide) Target() string { return p.ac.cc.target }

// MetricsRecorder implements balancer.ClientConn.
func (p *policySide) MetricsRecorder() estats.MetricsRecorder { return noMetrics{} }

// noMetrics records nothing.
type noMetrics struct {
	estats.UnimplementedMetricsRecorder
}
