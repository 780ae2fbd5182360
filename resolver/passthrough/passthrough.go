// The resolver that resolves nothing: the endpoint of the target is the address, and goes to the dialer as it is.

// Package passthrough registers a resolver for the scheme "passthrough", whose targets are addresses already. grpc imports it.
package passthrough

import (
	"errors"

	"google.golang.org/grpc/resolver"
)

func init() {
	resolver.Register(builder{})
}

type builder struct{}

func (builder) Scheme() string { return "passthrough" }

// Build reports the endpoint of target as the one address. The endpoint may only be empty if the channel has a dialer of its own, which
// may need no address.
func (builder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	if target.Endpoint() == "" && opts.Dialer == nil {
		return nil, errors.New("passthrough: received empty target in Build()")
	}
	cc.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: target.Endpoint()}}}) // the channel reports errors itself
	return idle{}, nil
}

// idle is a resolver that has reported all it ever will.
type idle struct{}

func (idle) ResolveNow(resolver.ResolveNowOptions) {}
func (idle) Close()                                {}
