// Which connections of a channel go through a proxy, and what that means for its target (gRFC A1): the proxy is asked for names as they are,
// unless the channel is to resolve them itself. The way through is in package transport.

package grpc

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/transport"
)

// A proxyFunc returns the proxy for the URL of a request, nil if there is none.
type proxyFunc func(*http.Request) (*url.URL, error)

// WithNoProxy returns an option that makes the channel connect without a proxy. By default, what HTTPS_PROXY and NO_PROXY say, in
// capitals or not, holds as net/http.ProxyFromEnvironment has it, for a channel without a dialer of its own: the target is looked up, and
// if it has a proxy, each address.
//
// Experimental: the function may change.
func WithNoProxy() DialOption { return dialOption(func(o *dialOptions) { o.noProxy = true }) }

// WithLocalDNSResolution returns an option that makes the channel resolve a target of the scheme "dns" even if it is reached through a
// proxy, which then is asked for addresses. By default, the proxy is asked for the name. Dial and DialContext have this option built in.
//
// Experimental: the function may change.
func WithLocalDNSResolution() DialOption {
	return dialOption(func(o *dialOptions) { o.localDNS = true })
}

// proxyFor returns the proxy of an address or target, nil if there is none.
func (o *dialOptions) proxyFor(address string) (*url.URL, error) {
	return o.proxyOf(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
}

// buildResolver builds the resolver of the target, unless a proxy is to be asked for its name as it is.
func (ac *activeChannel) buildResolver(o resolver.BuildOptions) (resolver.Resolver, error) {
	cc, side := ac.cc, (*resolverSide)(ac)
	if cc.opts.dialer != nil || cc.opts.noProxy {
		return cc.builder.Build(cc.parsed, side, o)
	}
	target, asName := cc.parsed.Endpoint(), cc.parsed.URL.Scheme == "dns" && !cc.opts.localDNS
	name := target
	if asName && !strings.EqualFold(os.Getenv(envDefaultPort), "false") {
		var err error
		if name, err = withPort(target); err != nil {
			return nil, fmt.Errorf("delegating_resolver: invalid target address %q: %w", target, err)
		}
	}
	proxy, err := cc.opts.proxyFor(name)
	if err != nil {
		return nil, fmt.Errorf("delegating_resolver: failed to determine proxy URL for target %q: %w", target, err)
	}
	ac.proxied = proxy != nil
	if ac.proxied && asName {
		u := url.URL{Scheme: "passthrough", Path: "/" + name}
		return resolver.Get(u.Scheme).Build(resolver.Target{URL: u}, side, o)
	}
	r, err := cc.builder.Build(cc.parsed, side, o)
	if ac.proxied && err != nil {
		return nil, fmt.Errorf("delegating_resolver: unable to build the resolver for target %s: %w", cc.parsed, err)
	}
	return r, err
}

// envDefaultPort names the environment variable that keeps dns targets as they are for proxies, without a port if they have none, if it is
// "false".
const envDefaultPort = "GRPC_EXPERIMENTAL_ENABLE_DEFAULT_PORT_FOR_PROXY_TARGET"

// withPort returns the endpoint of a dns target as host and port, which are localhost and 443 if there are none.
func withPort(endpoint string) (string, error) {
	host, port, err := net.SplitHostPort(endpoint)
	_, notIP := netip.ParseAddr(endpoint)
	switch {
	case endpoint == "":
		return "", errors.New("missing address")
	case notIP != nil && strings.HasSuffix(endpoint, ":"): // not one like "2001:db8::"
		return "", errors.New("missing port after port-separator colon")
	case notIP != nil && err == nil && host == "":
		return net.JoinHostPort("localhost", port), nil
	case notIP != nil && err == nil:
		return endpoint, nil
	}
	return net.JoinHostPort(strings.Trim(endpoint, "[]"), "443"), nil
}

// dialer returns what connects to an address: the dialer of the channel, or one that goes through the proxy of the address.
func (ac *activeChannel) dialer(a resolver.Address) (transport.Dialer, error) {
	o := &ac.cc.opts
	switch {
	case o.dialer != nil:
		return o.dialer, nil
	case !ac.proxied || strings.HasPrefix(dialString(a), "unix:"):
		return transport.NetDialer, nil
	}
	proxy, err := o.proxyFor(a.Addr)
	if proxy == nil {
		return transport.NetDialer, err
	}
	return transport.ProxyDialer(proxy, o.userAgent()), err
}
