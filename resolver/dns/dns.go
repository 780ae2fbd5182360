// The resolver for the scheme "dns": a channel's view of one host name.
// What is asked and how the answers become a state is in lookup.go, the service config of TXT records in txt.go, the text of targets in
// target.go. Here is when: at once, then when the channel asks for it, but not too often, and with backoff after failures.
// Source: gRPC "Name Resolution" (naming.md).

// Package dns resolves targets such as "dns:///host:port" by DNS. Importing it registers the scheme "dns"; grpc imports it.
package dns

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/grpclog"
	delay "google.golang.org/grpc/internal/backoff"
	"google.golang.org/grpc/resolver"
)

var logger = grpclog.Component("dns")

var (
	minResolutionInterval atomic.Int64 // nanoseconds
	resolvingTimeout      atomic.Int64 // nanoseconds
)

func init() {
	SetMinResolutionInterval(30 * time.Second)
	SetResolvingTimeout(30 * time.Second)
	resolver.Register(NewBuilder())
}

// SetMinResolutionInterval sets the shortest time between two resolutions of a name, which is 30 seconds by default, for all resolvers of
// this package. It is meant to be called before channels are made.
func SetMinResolutionInterval(d time.Duration) {
	minResolutionInterval.Store(int64(d))
}

// SetResolvingTimeout sets the longest time that a resolution may take, all its queries together, which is 30 seconds by default, for all
// resolvers of this package. It is meant to be called before channels are made.
func SetResolvingTimeout(timeout time.Duration) {
	resolvingTimeout.Store(int64(timeout))
}

// NewBuilder returns the builder of dns resolvers, which is registered for the scheme "dns" already.
func NewBuilder() resolver.Builder {
	return builder{}
}

// builder makes resolvers. Those of tests ask lookup; all others ask what the target's authority says.
type builder struct {
	lookup netResolver
}

func (builder) Scheme() string { return "dns" }

// Build starts to resolve target. An IP address needs no resolution: it is reported before Build returns.
func (b builder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	host, port, err := parseTarget(target.Endpoint())
	if err != nil {
		return nil, err
	}
	if isIP(host) {
		cc.UpdateState(stateOf([]string{host}, port)) // the channel reports errors itself
		return fixed{}, nil
	}
	if b.lookup == nil {
		if b.lookup, err = resolverFor(target.URL.Host); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &dnsResolver{
		query: query{
			host: host, port: port, lookup: b.lookup,
			wantServiceConfig: !opts.DisableServiceConfig && txtEnabled(),
			lot:               rand.IntN(100),
		},
		cc:     cc,
		cancel: cancel,
		asked:  make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	go r.run(ctx) // owned by r; ends when ctx is cancelled; Close waits for it
	return r, nil
}

// fixed is a resolver that has reported all it ever will.
type fixed struct{}

func (fixed) ResolveNow(resolver.ResolveNowOptions) {}
func (fixed) Close()                                {}

// dnsResolver resolves one name for one channel, on a goroutine of its own.
type dnsResolver struct {
	query  query
	cc     resolver.ClientConn
	cancel context.CancelFunc
	asked  chan struct{} // from ResolveNow, never closed; holds one: more requests mean the same
	done   chan struct{} // closed by run when it ends
}

// ResolveNow makes the name be resolved again as soon as that is allowed.
func (r *dnsResolver) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case r.asked <- struct{}{}:
	default:
	}
}

// Close stops resolving, and waits until that is done.
func (r *dnsResolver) Close() {
	r.cancel()
	<-r.done
}

// run resolves until ctx is done. After a success it waits for ResolveNow, and for the shortest interval allowed; after a failure, its own
// or the channel's, for the backoff.
func (r *dnsResolver) run(ctx context.Context) {
	defer close(r.done)
	for failures := 0; ; {
		select {
		case <-r.asked: // what was asked for until now is answered now
		default:
		}
		err := r.resolve(ctx)
		if err == nil {
			failures = 0
			earliest := time.Now().Add(time.Duration(minResolutionInterval.Load()))
			select {
			case <-r.asked:
			case <-ctx.Done():
			}
			sleep(ctx, time.Until(earliest))
		} else {
			failures++ // the first wait is the second of the sequence, since the very first has no jitter
			sleep(ctx, delay.Delay(backoff.DefaultConfig, failures, rand.Float64()))
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// resolve asks once and tells the channel what came out, unless ctx is done. It returns an error if that should be tried again.
func (r *dnsResolver) resolve(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, time.Duration(resolvingTimeout.Load()))
	defer cancel()
	state, err := r.query.run(asking, r.cc)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.cc.ReportError(err)
		return err
	}
	return r.cc.UpdateState(state)
}
