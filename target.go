// What a channel makes of its target: the resolver that understands it, and the authority of its calls.

package grpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/resolver"
	publicconfig "google.golang.org/grpc/serviceconfig"
)

// parseTarget finds the resolver builder. A target that is no URL, or whose scheme nobody knows, is an endpoint of the default scheme.
func (cc *ClientConn) parseTarget(defaultScheme string) error {
	u, err := url.Parse(cc.target)
	if err == nil {
		if b := cc.builderOf(u.Scheme); b != nil {
			cc.parsed, cc.builder = resolver.Target{URL: *u}, b
			return nil
		}
	}
	u, err = url.Parse(defaultScheme + ":///" + cc.target)
	if err != nil {
		return err
	}
	b := cc.builderOf(u.Scheme)
	if b == nil {
		return fmt.Errorf("could not get resolver for default scheme: %q", u.Scheme)
	}
	cc.parsed, cc.builder = resolver.Target{URL: *u}, b
	return nil
}

// builderOf returns the resolver builder of a scheme, nil if there is none. Those of the channel go before the registered ones.
func (cc *ClientConn) builderOf(scheme string) resolver.Builder {
	for _, b := range cc.opts.resolvers {
		if b.Scheme() == scheme {
			return b
		}
	}
	return resolver.Get(scheme)
}

// chooseAuthority settles the :authority of calls: that of the option, of the credentials, of the resolver, or the endpoint.
func (cc *ClientConn) chooseAuthority() error {
	own := cc.opts.authority
	byCreds := ""
	if cc.opts.creds != nil {
		byCreds = cc.opts.creds.Info().ServerName
	} else if cc.opts.bundle != nil {
		byCreds = cc.opts.bundle.TransportCredentials().Info().ServerName
	}
	if own != "" && byCreds != "" && own != byCreds {
		return fmt.Errorf("ClientConn's authority from transport creds %q and dial option %q don't match", byCreds, own)
	}
	endpoint := cc.parsed.Endpoint()
	switch o, ok := cc.builder.(resolver.AuthorityOverrider); {
	case own != "":
		cc.authority = own
	case byCreds != "":
		cc.authority = byCreds
	case ok:
		cc.authority = o.OverrideAuthority(cc.parsed)
	case strings.HasPrefix(endpoint, ":"):
		cc.authority = "localhost" + escapeAuthority(endpoint)
	default:
		cc.authority = escapeAuthority(endpoint)
	}
	return nil
}

// serverName returns the authority of calls to an address.
func (cc *ClientConn) serverName(a resolver.Address) string {
	if cc.opts.authority == "" && a.ServerName != "" {
		return a.ServerName
	}
	return cc.authority
}

// escapeAuthority percent-encodes what may not stand in an authority (RFC 3986 §3.2).
func escapeAuthority(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plainInAuthority(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// plainInAuthority reports whether a byte stands for itself: unreserved characters, sub-delimiters, and ":@[]".
func plainInAuthority(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("-_.~!$&'()*+,;=:@[]", c) >= 0
}

// ownUserAgent returns the user agent that the application asked for, "" if it did not.
func (o *dialOptions) ownUserAgent() string {
	if o.customUserAgent == nil {
		return ""
	}
	return *o.customUserAgent + " " + userAgent
}

// userAgent returns the user agent of calls.
func (o *dialOptions) userAgent() string {
	if own := o.ownUserAgent(); own != "" {
		return own
	}
	return userAgent
}

var (
	errNoSecurity     = errors.New("grpc: no transport security set (use grpc.WithTransportCredentials(insecure.NewCredentials()) explicitly or set credentials)")
	errTwoCredentials = errors.New("grpc: credentials.Bundle may not be used with individual TransportCredentials")
	errEmptyBundle    = errors.New("grpc: credentials.Bundle must return non-nil transport credentials")
	errNeedsSecurity  = errors.New("grpc: the credentials require transport level security (use grpc.WithTransportCredentials() to set)")
)

// checkCredentials refuses credentials that contradict each other.
func (o *dialOptions) checkCredentials() error {
	switch {
	case o.creds == nil && o.bundle == nil:
		return errNoSecurity
	case o.creds != nil && o.bundle != nil:
		return errTwoCredentials
	case o.bundle != nil && o.bundle.TransportCredentials() == nil:
		return errEmptyBundle
	}
	creds := o.creds
	if creds == nil {
		creds = o.bundle.TransportCredentials()
	}
	if creds.Info().SecurityProtocol != "insecure" {
		return nil
	}
	for _, c := range o.perRPC {
		if c.RequireTransportSecurity() {
			return errNeedsSecurity
		}
	}
	return nil
}

// parseServiceConfig parses a service config in JSON.
func parseServiceConfig(js string, maxAttempts int) (*serviceconfig.Config, error) {
	return serviceconfig.Parse(js, serviceconfig.Options{Policies: registeredPolicies{}, MaxAttempts: maxAttempts})
}

// registeredPolicies knows the load-balancing policies that are registered.
type registeredPolicies struct{}

// ParsePolicy implements serviceconfig.PolicyParser.
func (registeredPolicies) ParsePolicy(name string, section json.RawMessage) (publicconfig.LoadBalancingConfig, bool, error) {
	b := balancer.Get(name)
	if b == nil {
		return nil, false, nil
	}
	p, ok := b.(balancer.ConfigParser)
	if !ok {
		return nil, true, nil
	}
	c, err := p.ParseConfig(section)
	return c, true, err
}
