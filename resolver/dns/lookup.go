// One resolution: the queries for addresses and service config, and the state that their answers make.

package dns

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/resolver"
)

// netResolver is the part of *net.Resolver that is used here.
type netResolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// query is what a resolver asks, time and again. It is never changed.
type query struct {
	host, port        string
	lookup            netResolver
	wantServiceConfig bool
	lot               int // 0 to 99, drawn once: the channel's place in percentages of clients
}

// run asks for the addresses and, if they could be had, for the service config.
func (q *query) run(ctx context.Context, cc resolver.ClientConn) (resolver.State, error) {
	addrs, err := q.lookup.LookupHost(ctx, q.host)
	if err = worthRetrying(err); err != nil {
		return resolver.State{}, fmt.Errorf("dns: A record lookup error: %v", err)
	}
	state := stateOf(addrs, q.port)
	if q.wantServiceConfig {
		state.ServiceConfig = q.serviceConfig(ctx, cc)
	}
	return state, nil
}

// worthRetrying returns nil for errors of which another query would not be rid: a name without records has no addresses, which is an
// answer, and the channel decides what it means.
func worthRetrying(err error) error {
	var dnsErr *net.DNSError
	if errors.As(err, &dnsErr) && !dnsErr.IsTimeout && !dnsErr.IsTemporary {
		return nil
	}
	return err
}

// stateOf returns the state of a target whose host has the given IP addresses, each of them an endpoint.
func stateOf(ips []string, port string) resolver.State {
	var state resolver.State
	for _, ip := range ips {
		address := resolver.Address{Addr: net.JoinHostPort(ip, port)}
		state.Addresses = append(state.Addresses, address)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{address}})
	}
	return state
}
