// The resolvers for Unix sockets: "unix:path", "unix:///absolute/path" and "unix-abstract:name".
// The address is the socket; an attribute of the address tells the dialer that its network is "unix".
// Source: gRPC "Name Resolution" (naming.md).

// Package unixresolver registers resolvers for the schemes "unix" and "unix-abstract". grpc imports it.
package unixresolver

import (
	"fmt"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

func init() {
	resolver.Register(builder{scheme: "unix"})
	resolver.Register(builder{scheme: "unix-abstract", prefix: "@"}) // package net takes a first "@" for the abstract namespace
}

// networkKey is the key of the attribute that holds the network of an address.
type networkKey struct{}

// Network returns the network of a, as net.Dial names it: "unix" for an address of this package's resolvers, else "tcp".
func Network(a resolver.Address) string {
	if network, ok := a.Attributes.Value(networkKey{}).(string); ok {
		return network
	}
	return "tcp"
}

type builder struct {
	scheme string
	prefix string // of all addresses
}

func (b builder) Scheme() string { return b.scheme }

// OverrideAuthority returns "localhost": a path would be no proper authority.
func (builder) OverrideAuthority(resolver.Target) string { return "localhost" }

// Build reports the socket that target names.
func (b builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	if host := target.URL.Host; host != "" {
		return nil, fmt.Errorf("invalid (non-empty) authority: %s", host)
	}
	socket := target.URL.Path // Endpoint would drop the slash of an absolute path
	if socket == "" {
		socket = target.URL.Opaque
	}
	address := resolver.Address{Addr: b.prefix + socket, Attributes: attributes.New(networkKey{}, "unix")}
	cc.UpdateState(resolver.State{Addresses: []resolver.Address{address}}) // the channel reports errors itself
	return idle{}, nil
}

// idle is a resolver that has reported all it ever will.
type idle struct{}

func (idle) ResolveNow(resolver.ResolveNowOptions) {}
func (idle) Close()                                {}
