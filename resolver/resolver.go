// Name resolution: what a resolver is, what it gets from the channel and what it gives back, and the registry of schemes.
// No resolver lives here: see the packages dns, passthrough and manual below this one.
// Source: gRPC "Name Resolution" (naming.md), gRFC A21 (service config), A61 (endpoints).

// Package resolver defines how a channel turns its target into addresses. A package that knows a naming system registers a Builder for a
// scheme; channels with targets of that scheme use it.
//
// Experimental: the package may change.
package resolver

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/internal/defaultscheme"
	"google.golang.org/grpc/serviceconfig"
)

var registry struct {
	mu       sync.RWMutex // guards builders
	builders map[string]Builder
}

// Register makes channels use b for targets of the scheme b.Scheme(). It replaces a builder that was registered for that scheme before.
// Schemes of targets are lower case, so a scheme with capitals is never found. Register is meant to be called in init functions.
func Register(b Builder) {
	scheme := b.Scheme()
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.builders == nil {
		registry.builders = map[string]Builder{}
	}
	registry.builders[scheme] = b
}

// Get returns the builder that is registered for scheme, nil if there is none.
func Get(scheme string) Builder {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	return registry.builders[scheme]
}

// SetDefaultScheme sets the scheme for targets that have none, or one that is not registered. Without it, that is "dns" for grpc.NewClient
// and "passthrough" for grpc.Dial; with it, both use scheme. It is meant to be called before channels are made.
func SetDefaultScheme(scheme string) {
	defaultscheme.Set(scheme)
}

// GetDefaultScheme returns what SetDefaultScheme was called with last, "passthrough" if it was not called.
func GetDefaultScheme() string {
	return defaultscheme.Or("passthrough")
}

// Builder makes the resolvers of one scheme. Its methods may be called concurrently.
//
// A Builder that is an AuthorityOverrider too decides about the authority of its channels.
type Builder interface {
	// Build starts to resolve target, and reports to cc until the resolver is closed. It may call cc before it returns, must not wait
	// for the network, and is called when a channel begins to connect or leaves idle mode. If it returns an error, the channel is of no use.
	Build(target Target, cc ClientConn, opts BuildOptions) (Resolver, error)
	// Scheme returns the scheme of the targets, in lower case (RFC 3986 §3.1).
	Scheme() string
}

// AuthorityOverrider is a Builder whose targets do not name the authority of the channel: that of a socket's path would make no sense.
type AuthorityOverrider interface {
	// OverrideAuthority returns the :authority of channels to target, percent-encoded as RFC 3986 §3.2 has it. It must not block, and always
	// return the same for the same target.
	OverrideAuthority(Target) string
}

// BuildOptions is what a resolver learns from its channel beside the target. Resolvers need most of it only if they connect to a naming
// service of their own.
type BuildOptions struct {
	// DisableServiceConfig says that the channel will ignore service configs, so that there is no need to look for one.
	DisableServiceConfig bool
	// DialCreds are the transport credentials of the channel, nil if it has a bundle instead.
	DialCreds credentials.TransportCredentials
	// CredsBundle is the credentials bundle of the channel, nil if it has none.
	CredsBundle credentials.Bundle
	// Dialer is the dialer of the channel, nil if it uses the default one.
	Dialer func(context.Context, string) (net.Conn, error)
	// Authority is the :authority of the channel's requests.
	Authority string
	// MetricsRecorder receives the metrics that the resolver records.
	MetricsRecorder stats.MetricsRecorder
}

// Resolver watches one target for one channel.
type Resolver interface {
	// ResolveNow says that the addresses may be out of date. It is a hint, may be called concurrently and often, and must not block.
	ResolveNow(ResolveNowOptions)
	// Close ends the resolver. It must not call the ClientConn when Close has returned.
	Close()
}

// ResolveNowOptions is empty, so that something may be added.
type ResolveNowOptions struct{}

// ClientConn is the channel as its resolver sees it. Its methods may be called concurrently. gRPC implements it; implementations for tests
// should embed the interface, because it may get new methods.
type ClientConn interface {
	// UpdateState gives the channel a new state, which takes the place of the one before. An error says that the channel has no use for
	// it: the resolver should try again, with backoff.
	UpdateState(State) error
	// ReportError says that resolution failed. The channel goes on with the last state, if there is one; the resolver should try
	// again, with backoff.
	ReportError(error)
	// NewAddress is UpdateState with nothing but addresses.
	//
	// Deprecated: use UpdateState.
	NewAddress(addresses []Address)
	// ParseServiceConfig parses a service config in JSON, for State.ServiceConfig.
	ParseServiceConfig(serviceConfigJSON string) *serviceconfig.ParseResult
}

// State is what a resolver knows about its target.
type State struct {
	// Addresses are the addresses of the servers. If there are no Endpoints, each address is taken for an endpoint of its own.
	Addresses []Address
	// Endpoints are the servers. A resolver that sets them should set Addresses to all their addresses too, for older load-balancing policies.
	Endpoints []Endpoint
	// ServiceConfig is a service config that ParseServiceConfig returned, or an error about it. If it is nil, the naming system has none, and
	// the channel uses its default one.
	ServiceConfig *serviceconfig.ParseResult
	// Attributes are for the load-balancing policy.
	Attributes *attributes.Attributes
}

// Target is a parsed target: "scheme://authority/endpoint", the first slashes and the authority being optional.
type Target struct {
	// URL is the target as package net/url parsed it, with the default scheme if it had no usable one.
	URL url.URL
}

// Endpoint returns what is to be resolved: the path of the URL without its first slash. A query or fragment is not part of it.
func (t Target) Endpoint() string {
	endpoint := t.URL.Path
	if endpoint == "" {
		endpoint = t.URL.Opaque // "scheme:endpoint"
	}
	return strings.TrimPrefix(endpoint, "/")
}

// String returns the target in its long form, "scheme://authority/endpoint".
func (t Target) String() string {
	return t.URL.Scheme + "://" + t.URL.Host + "/" + t.Endpoint()
}

// ValidateEndpoints returns an error if there is no address in any of endpoints: a load-balancing policy could do nothing with them.
func ValidateEndpoints(endpoints []Endpoint) error {
	if len(endpoints) == 0 {
		return errors.New("endpoints list is empty")
	}
	for _, e := range endpoints {
		if len(e.Addresses) > 0 {
			return nil
		}
	}
	return errors.New("endpoints list contains no addresses")
}
