// The round_robin policy: a connection to each endpoint, and turns for those that are up. All of it is done by endpointsharding and
// pick_first (gRFC A61); the health of connections counts (A17).

// Package roundrobin is the load-balancing policy that spreads RPCs evenly. Importing it registers it.
package roundrobin

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
)

// Name is the name of the policy in service configs. It has no configuration.
const Name = "round_robin"

func init() {
	balancer.Register(builder{})
}

type builder struct{}

func (builder) Name() string { return Name }

func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	child := balancer.Get(pickfirst.Name).Build
	return roundRobin{endpointsharding.NewBalancer(cc, opts, child, endpointsharding.Options{})}
}

type roundRobin struct {
	balancer.Balancer
}

// UpdateClientConnState makes the children watch the health of their connections. A configuration is none of theirs.
func (b roundRobin) UpdateClientConnState(s balancer.ClientConnState) error {
	return b.Balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(s.ResolverState)})
}
