// The types by which resolvers, balancers and channels hand parsed service configs to each other.
// No parsing here: the channel parses methods, each load-balancing policy its own section. Source: service_config.md, gRFC A21.

// Package serviceconfig defines the opaque types of a parsed service config.
//
// Experimental: the package may change.
package serviceconfig

// Config is a parsed service config. Only gRPC makes values of this type.
type Config interface {
	isServiceConfig()
}

// LoadBalancingConfig is the parsed configuration of one load-balancing policy. A policy's own type becomes one by embedding this
// interface; the policy gets it back from the channel, and asserts its own type then.
type LoadBalancingConfig interface {
	isLoadBalancingConfig()
}

// ParseResult is a service config or the reason why there is none. If Err is not nil, Config has no meaning.
type ParseResult struct {
	Config Config
	Err    error
}
