// ClientConn: a channel. What is here is what does not change while it lives: target, options, authority. What comes and goes with idle
// mode is its activeChannel.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/internal/defaultscheme"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	_ "google.golang.org/grpc/balancer/roundrobin"   // every channel may use round_robin
	_ "google.golang.org/grpc/encoding/proto"        // the codec by default
	_ "google.golang.org/grpc/internal/unixresolver" // targets "unix:" and "unix-abstract:"
	_ "google.golang.org/grpc/resolver/dns"          // targets "dns:"
	_ "google.golang.org/grpc/resolver/passthrough"  // targets "passthrough:"
)

var logger = grpclog.Component("core")

var (
	// ErrClientConnClosing says that the channel is closed. It carries a status.
	//
	// Deprecated: look for the code Canceled.
	ErrClientConnClosing = status.Error(codes.Canceled, "grpc: the client connection is closing")

	// ErrClientConnTimeout is not returned any more.
	//
	// Deprecated: there is context.DeadlineExceeded.
	ErrClientConnTimeout = errors.New("grpc: timed out when dialing")
)

// A ClientConn is a channel: the way to a service, over as many connections as its load-balancing policy makes. Its methods may be
// called concurrently.
type ClientConn struct {
	target         string
	opts           dialOptions
	parsed         resolver.Target
	builder        resolver.Builder
	authority      string
	defaultConfig  *serviceconfig.Config // nil if there is none
	acceptEncoding string

	state channelState
	idle  idleness
	live  atomic.Pointer[activeChannel] // nil while the channel is idle; changed under mu
	gone  sync.WaitGroup                // live halves that idle mode is ending; none is added once closed is set

	pingSpace atomic.Int64 // nanoseconds that keepalive pings have to be apart because a server said so; 0 if none did

	mu        sync.Mutex // guards the fields below
	closed    bool
	idleTimer *time.Timer
	lastError error // why connecting failed last
}

// NewClient makes a channel to target. It is idle: it does nothing before the first call, or Connect.
//
// The target is "scheme://authority/endpoint" as resolvers understand it, such as "dns:///example.com:443" or "unix:///run/a.sock". A
// target without a scheme, or with one that is not registered, is an endpoint for the scheme "dns", unless resolver.SetDefaultScheme
// named another one.
//
// Transport credentials must be given: see WithTransportCredentials.
func NewClient(target string, opts ...DialOption) (*ClientConn, error) {
	return newClientConn(target, "dns", opts)
}

// newClientConn makes a channel. A target without a scheme has the one that is given.
func newClientConn(target, scheme string, opts []DialOption) (*ClientConn, error) {
	cc := &ClientConn{target: target, opts: defaultDialOptions(), acceptEncoding: encoding.CompressorNames()}
	for _, o := range opts {
		cc.opts.use(o)
	}
	cc.opts.finish()
	if err := cc.opts.checkCredentials(); err != nil {
		return nil, err
	}
	if cc.opts.serviceConfig != nil {
		c, err := parseServiceConfig(*cc.opts.serviceConfig, cc.opts.maxCallAttempts)
		if err != nil {
			return nil, fmt.Errorf("grpc: the provided default service config is invalid: %w", err)
		}
		cc.defaultConfig = c
	}
	if err := cc.parseTarget(defaultscheme.Or(scheme)); err != nil {
		return nil, err
	}
	if err := cc.chooseAuthority(); err != nil {
		return nil, err
	}
	cc.idle.timeout = max(cc.opts.idleTimeout, 0)
	logInfo(cc.name(), "created; target %v, authority %q", &cc.parsed, cc.authority)
	return cc, nil
}

// DialContext makes a channel to target and connects it. A target without a scheme is handed to the dialer as it is. With WithBlock, it
// waits until the channel is connected or ctx ends.
//
// Deprecated: use NewClient.
func DialContext(ctx context.Context, target string, opts ...DialOption) (*ClientConn, error) {
	cc, err := newClientConn(target, "passthrough", slices.Concat([]DialOption{WithLocalDNSResolution()}, opts))
	if err != nil {
		return nil, err
	}
	if cc.opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cc.opts.timeout)
		defer cancel()
	}
	if _, err = cc.leaveIdle(); err == nil && cc.opts.block {
		err = cc.waitReady(ctx)
	}
	if err != nil {
		cc.Close()
		return nil, err
	}
	return cc, nil
}

// waitReady waits until the channel is connected.
func (cc *ClientConn) waitReady(ctx context.Context) error {
	for {
		s := cc.state.get()
		switch s {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			cc.Connect()
		case connectivity.TransientFailure:
			if t, ok := cc.connectError().(interface{ Temporary() bool }); ok && cc.opts.failOnPermanentError && !t.Temporary() {
				return cc.connectError()
			}
		}
		if !cc.state.wait(ctx, s) {
			if err := cc.connectError(); err != nil && cc.opts.returnLastError {
				return fmt.Errorf("%w: %w", ctx.Err(), err)
			}
			return ctx.Err()
		}
	}
}

// noteConnectError keeps why connecting failed.
func (cc *ClientConn) noteConnectError(err error) {
	cc.mu.Lock()
	cc.lastError = err
	cc.mu.Unlock()
}

func (cc *ClientConn) connectError() error {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	return cc.lastError
}

// enter counts a call, makes the channel leave idle mode, and waits for the first result of name resolution, which took time if waited.
// Unless it returns an error, leave must be called.
func (cc *ClientConn) enter(ctx context.Context) (ac *activeChannel, waited bool, err error) {
	if cc.idle.begin() {
		ac = cc.live.Load()
	}
	if ac == nil {
		if ac, err = cc.leaveIdle(); ac == nil {
			cc.leave()
			return nil, false, err
		}
	}
	if waited, err = ac.await(ctx); err != nil {
		cc.leave()
		return nil, false, err
	}
	return ac, waited, nil
}

// leave counts the end of a call.
func (cc *ClientConn) leave() { cc.idle.end() }

// leaveIdle makes the channel leave idle mode and returns its live half, nil if the channel is closed. An error with a live half says that
// it will not work.
func (cc *ClientConn) leaveIdle() (*activeChannel, error) {
	cc.mu.Lock()
	if cc.closed {
		cc.mu.Unlock()
		return nil, ErrClientConnClosing
	}
	if ac := cc.live.Load(); ac != nil {
		cc.mu.Unlock()
		return ac, nil
	}
	ac := newActiveChannel(cc)
	cc.live.Store(ac)
	cc.setIdleTimerLocked()
	cc.mu.Unlock()
	logInfo(cc.name(), "leaves idle mode")
	return ac, ac.start()
}

// setIdleTimerLocked sees to it that the channel is looked at when it may have become idle.
func (cc *ClientConn) setIdleTimerLocked() {
	switch {
	case cc.idle.timeout == 0:
	case cc.idleTimer == nil:
		cc.idleTimer = time.AfterFunc(cc.idle.timeout, cc.checkIdle)
	default:
		cc.idleTimer.Reset(cc.idle.timeout)
	}
}

// checkIdle enters idle mode if there was no call since the timer was set.
func (cc *ClientConn) checkIdle() {
	cc.mu.Lock()
	ac := cc.live.Load()
	if cc.closed || ac == nil {
		cc.mu.Unlock()
		return
	}
	if !cc.idle.tryIdle() {
		cc.setIdleTimerLocked()
		cc.mu.Unlock()
		return
	}
	cc.live.Store(nil)
	cc.idle.idle()
	cc.gone.Add(1)
	cc.mu.Unlock()
	logInfo(cc.name(), "goes idle: there was no call for %v", cc.idle.timeout)
	ac.close(errIdle)
	cc.gone.Done()
	cc.setState(nil, connectivity.Idle)
}

// errIdle ends the connections of a channel that goes idle. No call gets to see it.
var errIdle = status.Error(codes.Unavailable, "grpc: the channel is going idle")

// setState changes the connectivity for a live half, nil in idle mode, unless that is not the channel's any more.
func (cc *ClientConn) setState(ac *activeChannel, s connectivity.State) {
	cc.mu.Lock()
	changed := cc.live.Load() == ac && cc.state.set(s)
	cc.mu.Unlock()
	if changed {
		logInfo(cc.name(), "%v", s)
	}
}

// Connect makes an idle channel connect, without waiting for it.
//
// Experimental: the method may change.
func (cc *ClientConn) Connect() {
	ac, _ := cc.leaveIdle() // calls get to know the error
	if ac != nil {
		ac.exitIdle()
	}
}

// GetState returns the connectivity of the channel.
func (cc *ClientConn) GetState() connectivity.State { return cc.state.get() }

// WaitForStateChange waits until the connectivity of the channel is another one than sourceState. It returns false if ctx ended first.
func (cc *ClientConn) WaitForStateChange(ctx context.Context, sourceState connectivity.State) bool {
	return cc.state.wait(ctx, sourceState)
}

// Target returns the target that the channel was made with.
func (cc *ClientConn) Target() string { return cc.target }

// CanonicalTarget returns the target in its long form, "scheme://authority/endpoint".
func (cc *ClientConn) CanonicalTarget() string { return cc.parsed.String() }

// GetMethodConfig returns what the service config says about a method, "/service/method".
//
// Experimental: the method may change.
func (cc *ClientConn) GetMethodConfig(method string) MethodConfig {
	ac := cc.live.Load()
	if ac == nil {
		return MethodConfig{}
	}
	if m := ac.config.Load().Lookup(method); m != nil {
		return m.MethodConfig
	}
	return MethodConfig{}
}

// ResetConnectBackoff makes all subchannels that are waiting to connect again do so at once.
//
// Experimental: the method may change.
func (cc *ClientConn) ResetConnectBackoff() {
	if ac := cc.live.Load(); ac != nil {
		ac.queue.Run(func() {
			for sc := range ac.subchannels {
				sc.resetBackoff()
			}
		})
	}
}

// Close ends the channel and all its calls, which fail with the code Canceled. It returns ErrClientConnClosing if the channel was closed
// before.
func (cc *ClientConn) Close() error {
	cc.mu.Lock()
	if cc.closed {
		cc.mu.Unlock()
		return ErrClientConnClosing
	}
	cc.closed = true
	if cc.idleTimer != nil {
		cc.idleTimer.Stop()
	}
	ac := cc.live.Swap(nil)
	cc.mu.Unlock()
	cc.state.set(connectivity.Shutdown)
	logInfo(cc.name(), "closed")
	if ac != nil {
		ac.close(ErrClientConnClosing)
	}
	cc.gone.Wait()
	return nil
}
