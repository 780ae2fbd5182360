// The text of dns targets: host and port, and the DNS server that the authority may name.

package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

const (
	defaultPort       = "443" // naming.md
	defaultServerPort = "53"  // RFC 1035 §4.2
)

var errPortMissing = errors.New("dns resolver: missing port after port-separator colon")

// parseTarget splits the endpoint of a target: "host", "host:port", ":port", or an IP address with or without a port, where IPv6 addresses
// with a port stand in brackets. Without a host it is localhost.
func parseTarget(endpoint string) (host, port string, err error) {
	if endpoint == "" {
		return "", "", errors.New("dns resolver: missing address")
	}
	host, port, err = splitHostPort(endpoint, defaultPort)
	if host == "" && err == nil {
		host = "localhost"
	}
	return host, port, err
}

// splitHostPort splits s into host and port, and puts in port if there is none.
func splitHostPort(s, port string) (string, string, error) {
	if isIP(s) {
		return s, port, nil
	}
	if strings.HasSuffix(s, ":") {
		return "", "", errPortMissing
	}
	if h, p, err := net.SplitHostPort(s); err == nil {
		return h, p, nil
	}
	h, p, err := net.SplitHostPort(s + ":" + port)
	if err != nil {
		return "", "", fmt.Errorf("invalid target address %v, error info: %v", s, err)
	}
	return h, p, nil
}

// isIP reports whether host is an IP address. IPv6 addresses may have a zone.
func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// resolverFor returns the resolver that asks the DNS server authority, "host" or "host:port"; that of the system if authority is empty.
func resolverFor(authority string) (netResolver, error) {
	if authority == "" {
		return net.DefaultResolver, nil
	}
	host, port, err := splitHostPort(authority, defaultServerPort)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	server := net.JoinHostPort(host, port)
	return &net.Resolver{
		PreferGo: true, // the C library cannot be told whom to ask
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		},
	}, nil
}
