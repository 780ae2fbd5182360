// What a load-balancing policy is, what it gets from its channel, and the registry of policies. The channel's side is in clientconn.go,
// what policies make for RPCs in picker.go. No policy lives here: see the packages below this one.
// Source: gRPC "Load Balancing" (load-balancing.md), gRFC A24 (policy config), A61 (endpoints).

// Package balancer defines load-balancing policies: which connections a channel makes, and on which of them each RPC goes. A package
// with a policy registers a Builder; the service config of a channel names the policy that it uses, pick_first if it names none.
//
// # Who calls whom
//
// A channel makes a Balancer when it gets its first addresses, and closes it when it enters idle mode or is closed. From Build to Close:
//
//   - The channel calls UpdateClientConnState, ResolverError, UpdateSubConnState, Close, and the listeners of the Balancer's subchannels
//     (StateListener and health listeners) one at a time, in the order of events, though not always on the same goroutine.
//   - ExitIdle is the exception: it may come at any time from any goroutine, since a policy may be the child of another one whose
//     pickers call it.
//   - All methods of ClientConn and SubConn may be called at any time and from any goroutine, also before Build returns and from inside
//     the calls above. None of them waits for the network, and none of them calls the Balancer, a listener or a Picker before it
//     returns. So a policy may hold a lock while it calls them, even one that its own methods and listeners take.
//   - Pick is called on the goroutines of RPCs, by many at once, and must not block. The same goes for Done.
//
// A policy that has children stands between them and the channel, and must keep these rules towards both: calls to a child are made one at
// a time and never from inside a call that the child makes; locks that are taken on the way down, into children, are not taken on
// the way up.
//
// Experimental: the package may change.
package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc/channelz"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// ErrBadResolverState may be returned by UpdateClientConnState: the policy can do nothing with what the resolver found.
var ErrBadResolverState = errors.New("bad resolver state")

var registry struct {
	mu       sync.RWMutex // guards builders
	builders map[string]Builder
}

// foldNames makes the names of policies the same in capitals and small letters, as they were before gRPC 1.82.
var foldNames = strings.EqualFold(os.Getenv("GRPC_GO_EXPERIMENTAL_CASE_SENSITIVE_BALANCER_REGISTRIES"), "false")

// Register makes b the policy of the name b.Name(), in place of one that was registered under that name before. Names are case-sensitive.
// Register is meant to be called in init functions.
func Register(b Builder) {
	name := registryKey(b.Name())
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.builders == nil {
		registry.builders = map[string]Builder{}
	}
	registry.builders[name] = b
}

// Get returns the policy that is registered under name, nil if there is none.
func Get(name string) Builder {
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	return registry.builders[registryKey(name)]
}

func registryKey(name string) string {
	if foldNames {
		return strings.ToLower(name)
	}
	return name
}

// Builder makes the Balancers of one policy. Its methods may be called concurrently. A Builder that is a ConfigParser too takes a
// configuration from the service config.
type Builder interface {
	// Build makes a Balancer for the channel cc. It must not wait for the network.
	Build(cc ClientConn, opts BuildOptions) Balancer
	// Name returns the name of the policy in service configs.
	Name() string
}

// ConfigParser is a Builder whose policy has a configuration.
type ConfigParser interface {
	// ParseConfig parses the policy's section of a service config, a JSON value. An error makes the whole service config invalid. Fields
	// that the policy does not know should be ignored.
	ParseConfig(LoadBalancingConfigJSON json.RawMessage) (serviceconfig.LoadBalancingConfig, error)
}

// BuildOptions is what a policy learns from its channel. All but Target are for policies that make a connection of their own, to a
// balancer in the network.
type BuildOptions struct {
	// DialCreds are the transport credentials of the channel, nil if it has a bundle instead.
	DialCreds credentials.TransportCredentials
	// CredsBundle is the credentials bundle of the channel, nil if it has none.
	CredsBundle credentials.Bundle
	// Dialer is the dialer of the channel, nil if it uses the default one.
	Dialer func(context.Context, string) (net.Conn, error)
	// Authority is the name that TLS expects of servers, and the :authority of requests.
	Authority string
	// ChannelzParent is the channel in channelz.
	ChannelzParent channelz.Identifier
	// CustomUserAgent is the text that the application put before gRPC's own user agent; empty if there is none.
	CustomUserAgent string
	// Target is what the channel connects to, as its resolver got it.
	Target resolver.Target
}

// Balancer is a policy at work for one channel. It makes subchannels, watches their states, and gives the channel a state and a Picker
// whenever they change. See the package comment for who calls its methods when.
type Balancer interface {
	// UpdateClientConnState hands over new addresses and configuration, in place of those before. If it returns ErrBadResolverState, the
	// channel asks the resolver to resolve again, with backoff, until a call returns nil. Other errors have no effect.
	UpdateClientConnState(ClientConnState) error
	// ResolverError says that name resolution failed. A policy that has addresses should go on with them.
	ResolverError(error)
	// UpdateSubConnState says that the state of a subchannel without a StateListener has changed.
	//
	// Deprecated: set NewSubConnOptions.StateListener.
	UpdateSubConnState(SubConn, SubConnState)
	// Close ends the policy. It should shut its subchannels down, and stop whatever else it has begun.
	Close()
	// ExitIdle asks a policy that is idle to connect; others need do nothing. It may be called at any time, even after Close.
	ExitIdle()
}

// ExitIdler is a Balancer that can be asked to connect.
//
// Deprecated: ExitIdle is a method of all Balancers.
type ExitIdler interface {
	// ExitIdle is the method of Balancer.
	ExitIdle()
}

// ClientConnState is what a channel has to tell its policy.
type ClientConnState struct {
	// ResolverState is what the resolver found.
	ResolverState resolver.State
	// BalancerConfig is what the policy's ParseConfig returned; nil if it is no ConfigParser or there is no configuration.
	BalancerConfig serviceconfig.LoadBalancingConfig
}
