// The channel and its subchannels as a load-balancing policy sees them: what it may ask of them, and what they tell it.
// The root package implements both; subchannel states are those of gRPC "Connectivity Semantics and API".

package balancer

import (
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/resolver"
)

// ClientConn is the channel as its policy sees it. Its methods may be called concurrently, and return before any call that they lead to
// is made to the policy.
//
// gRPC implements it. A policy that has children gives them a ClientConn of its own, which must embed the one it got itself:
// methods may be added to the interface.
type ClientConn interface {
	// NewSubConn makes a subchannel, which does not connect until it is told to. It returns an error if the channel or the policy is closed.
	// There should be one address: with several, the subchannel tries one after the other, which is deprecated.
	NewSubConn([]resolver.Address, NewSubConnOptions) (SubConn, error)
	// RemoveSubConn shuts the subchannel down.
	//
	// Deprecated: use SubConn.Shutdown.
	RemoveSubConn(SubConn)
	// UpdateAddresses replaces the addresses of the subchannel.
	//
	// Deprecated: make a new subchannel.
	UpdateAddresses(SubConn, []resolver.Address)
	// UpdateState gives the channel the policy's state and picker, in place of those before. RPCs that wait are picked for again.
	UpdateState(State)
	// ResolveNow asks for name resolution. It is a hint.
	ResolveNow(resolver.ResolveNowOptions)
	// Target returns the target of the channel as the application gave it.
	//
	// Deprecated: use BuildOptions.Target.
	Target() string
	// MetricsRecorder returns where the policy records its metrics, never nil.
	MetricsRecorder() stats.MetricsRecorder

	enforceClientConnEmbedding()
}

// State is the state of a policy.
type State struct {
	// ConnectivityState becomes the state of the channel.
	ConnectivityState connectivity.State
	// Picker is asked for each RPC from now on. It must not be nil.
	Picker Picker
}

// SubConn is a subchannel: one server of the channel, with or without a connection. Its methods may be called concurrently, and return
// before any call that they lead to is made to the policy.
//
// It starts in state Idle and stays there until Connect is called. Then it is Connecting, and after that Ready or TransientFailure. After a
// failure it waits for the backoff to pass, and is Idle again; so it is when a connection is lost. It never connects without being told.
//
// gRPC implements it. A policy that hands out subchannels of its own must embed those which it got: methods may be added to the
// interface.
type SubConn interface {
	// UpdateAddresses replaces the addresses. A connection to an address that stays is kept.
	//
	// Deprecated: make a new subchannel.
	UpdateAddresses([]resolver.Address)
	// Connect makes an idle subchannel connect. In other states it does nothing.
	Connect()
	// GetOrBuildProducer returns what this builder has built for the subchannel, and builds it if there is nothing yet. The function that
	// it returns gives the producer back; the last of them ends it, and so does the end of the connection. It is meant for
	// subchannels that are Ready: in other states the producer can make no streams.
	GetOrBuildProducer(ProducerBuilder) (p Producer, close func())
	// Shutdown ends the subchannel; RPCs that run on it may finish. The listener gets one last state, Shutdown. Nothing may be called on
	// the subchannel any more, but further calls of Shutdown have no effect.
	Shutdown()
	// RegisterHealthListener makes listener receive the health of the connection, in place of a listener before it; nil ends that. It is
	// meant to be called whenever the subchannel becomes Ready, and not from inside a health listener. Without health checking the
	// health is that of the connection. The listener is not called any more when the connection has ended.
	RegisterHealthListener(listener func(SubConnState))

	enforceSubConnEmbedding()
}

// SubConnState is the state of a subchannel.
type SubConnState struct {
	// ConnectivityState is the state.
	ConnectivityState connectivity.State
	// ConnectionError is why the last attempt to connect failed; nil unless the state is TransientFailure.
	ConnectionError error
}

// NewSubConnOptions says how a subchannel is to be. The zero value is that of a plain one.
type NewSubConnOptions struct {
	// CredsBundle takes the place of the channel's credentials, unless it is nil.
	//
	// Deprecated: put what the credentials need into the Attributes of the address.
	CredsBundle credentials.Bundle
	// HealthCheckEnabled makes the subchannel check the health of its server if the service config asks for it (gRFC A17): it is not Ready
	// before the server is healthy.
	HealthCheckEnabled bool
	// StateListener receives the states of the subchannel, from the first call of Connect on. If it is nil, the policy's UpdateSubConnState
	// does.
	StateListener func(SubConnState)
}

// Producer is something that works on the connection of a subchannel and is shared by all who are interested, for example a stream of
// load reports. Its builder knows its methods.
type Producer any

// ProducerBuilder makes Producers. It must be comparable: a subchannel has at most one Producer of each.
type ProducerBuilder interface {
	// Build makes a producer. The parameter is a grpc.ClientConnInterface whose RPCs go to the subchannel; its type is any because this package
	// cannot import that of the interface. The function that it returns is called when nobody needs the producer any more or the
	// connection has ended. It must wait for everything that the producer has begun.
	Build(grpcClientConnInterface any) (p Producer, close func())
}
