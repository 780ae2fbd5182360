// Tests of what a channel makes of its target: resolver, authority; and of the credentials that it refuses.

package grpc

import (
	"context"
	"net/url"
	"testing"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

func TestTargets(t *testing.T) {
	for _, tt := range []struct{ target, canonical, authority string }{
		{"example.com", "dns:///example.com", "example.com"},
		{"example.com:443", "dns:///example.com:443", "example.com:443"},
		{"dns:///example.com", "dns:///example.com", "example.com"},
		{"dns:example.com", "dns:///example.com", "example.com"},
		{"dns://8.8.8.8/example.com", "dns://8.8.8.8/example.com", "example.com"},
		{"passthrough:///a b", "passthrough:///a b", "a%20b"},
		{"other:///example.com", "dns:///other:///example.com", "other:%2F%2F%2Fexample.com"},
		{"unix:///run/a.sock", "unix:///run/a.sock", "localhost"},
		{"unix:a.sock", "unix:///a.sock", "localhost"},
		{"unix-abstract:a", "unix-abstract:///a", "localhost"},
		{":8080", "dns:///:8080", "localhost:8080"},
		{"passthrough:///:8080", "passthrough:///:8080", "localhost:8080"},
		{"[::1]:8080", "dns:///[::1]:8080", "[::1]:8080"},
		{"mine:///x", "mine:///x", "x"},
		{"MINE:///x", "mine:///x", "x"},
		{"example.com:80/%", "", ""},
	} {
		r := manual.NewBuilderWithScheme("mine")
		cc, err := NewClient(tt.target, WithTransportCredentials(insecure.NewCredentials()), WithResolvers(r))
		if tt.canonical == "" {
			if err == nil {
				t.Errorf("%s: got no error, want one", tt.target)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.target, err)
			continue
		}
		wantEqual(t, "Target of "+tt.target, cc.Target(), tt.target)
		wantEqual(t, "CanonicalTarget of "+tt.target, cc.CanonicalTarget(), tt.canonical)
		wantEqual(t, "authority of "+tt.target, cc.authority, tt.authority)
		cc.Close()
	}
}

func TestDialLeavesTargetsWithoutSchemeToTheDialer(t *testing.T) {
	cc, err := Dial("example.com:80", WithInsecure(), WithContextDialer(nil))
	must(t, err)
	defer cc.Close()
	wantEqual(t, "CanonicalTarget", cc.CanonicalTarget(), "passthrough:///example.com:80")
}

func TestUnknownDefaultSchemeIsRefused(t *testing.T) {
	_, err := newClientConn("x", "nobody", []DialOption{WithInsecure()})
	if err == nil || err.Error() != `could not get resolver for default scheme: "nobody"` {
		t.Errorf("got %v, want that the scheme is unknown", err)
	}
}

func TestResolversOfTheChannelGoBeforeTheRegisteredOnes(t *testing.T) {
	own := manual.NewBuilderWithScheme("dns")
	cc := newChannel(t, "dns:///x", WithResolvers(own))
	wantEqual(t, "builder", cc.builder, resolver.Builder(own))
}

// named are insecure credentials for a server of a name.
type named struct {
	credentials.TransportCredentials
	name string
}

func newNamed(name string) named { return named{insecure.NewCredentials(), name} }

func (c named) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "insecure", ServerName: c.name}
}

// bundle is a credentials.Bundle of transport credentials, which may be nil.
type bundle struct {
	credentials.Bundle
	creds credentials.TransportCredentials
}

func (b bundle) TransportCredentials() credentials.TransportCredentials { return b.creds }
func (b bundle) PerRPCCredentials() credentials.PerRPCCredentials       { return nil }

// overriding is a resolver builder that knows the authority.
type overriding struct{ *manual.Resolver }

func (overriding) OverrideAuthority(target resolver.Target) string {
	return "over-" + target.Endpoint()
}

func TestAuthorityComesFromTheOptionTheCredentialsTheResolverOrTheEndpoint(t *testing.T) {
	r := WithResolvers(overriding{manual.NewBuilderWithScheme("over")})
	for _, tt := range []struct {
		about, want string
		opts        []DialOption
	}{
		{"the resolver", "over-x", []DialOption{WithInsecure(), r}},
		{"the credentials", "byCreds", []DialOption{WithTransportCredentials(newNamed("byCreds")), r}},
		{"the bundle", "byBundle", []DialOption{WithCredentialsBundle(bundle{creds: newNamed("byBundle")}), r}},
		{"the option", "byOption", []DialOption{WithInsecure(), WithAuthority("byOption"), r}},
		{"option and credentials that agree", "both", []DialOption{WithTransportCredentials(newNamed("both")), WithAuthority("both"), r}},
	} {
		cc, err := NewClient("over:///x", tt.opts...)
		must(t, err)
		wantEqual(t, "authority by "+tt.about, cc.authority, tt.want)
		cc.Close()
	}
}

func TestServerNameOfAnAddressGoesBeforeTheAuthorityButForTheOption(t *testing.T) {
	a := resolver.Address{Addr: "x", ServerName: "byAddress"}
	wantEqual(t, "without option", newChannel(t, "passthrough:///x").serverName(a), "byAddress")
	wantEqual(t, "without a name", newChannel(t, "passthrough:///x").serverName(resolver.Address{Addr: "y"}), "x")
	wantEqual(t, "with option", newChannel(t, "passthrough:///x", WithAuthority("o")).serverName(a), "o")
}

// token are per-RPC credentials.
type token struct {
	md     map[string]string
	err    error
	secure bool
}

func (c token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return c.md, c.err
}
func (c token) RequireTransportSecurity() bool { return c.secure }

func TestContradictoryCredentialsAreRefused(t *testing.T) {
	plain := WithTransportCredentials(insecure.NewCredentials())
	for _, tt := range []struct {
		opts []DialOption
		want string
	}{
		{nil, "grpc: no transport security set (use grpc.WithTransportCredentials(insecure.NewCredentials()) explicitly or set credentials)"},
		{[]DialOption{plain, WithCredentialsBundle(bundle{creds: insecure.NewCredentials()})},
			"grpc: credentials.Bundle may not be used with individual TransportCredentials"},
		{[]DialOption{WithCredentialsBundle(bundle{})}, "grpc: credentials.Bundle must return non-nil transport credentials"},
		{[]DialOption{plain, WithPerRPCCredentials(token{secure: true})},
			"grpc: the credentials require transport level security (use grpc.WithTransportCredentials() to set)"},
		{[]DialOption{WithCredentialsBundle(bundle{creds: insecure.NewCredentials()}), WithPerRPCCredentials(token{secure: true})},
			"grpc: the credentials require transport level security (use grpc.WithTransportCredentials() to set)"},
		{[]DialOption{WithTransportCredentials(newNamed("a")), WithAuthority("b")},
			`ClientConn's authority from transport creds "a" and dial option "b" don't match`},
		{[]DialOption{plain, WithDefaultServiceConfig("{")}, "grpc: the provided default service config is invalid: unexpected end of JSON input"},
		{[]DialOption{plain, WithPerRPCCredentials(token{})}, ""},
	} {
		cc, err := NewClient("passthrough:///x", tt.opts...)
		if err == nil {
			cc.Close()
			err = errorString("")
		}
		wantEqual(t, "error", err.Error(), tt.want)
	}
}

type errorString string

func (e errorString) Error() string { return string(e) }

func TestEscapeAuthority(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"example.com:80", "example.com:80"}, {"[::1]:80", "[::1]:80"}, {"a/b", "a%2Fb"}, {"a b%?#\"", "a%20b%25%3F%23%22"},
		{"user@host!$&'()*+,;=-._~", "user@host!$&'()*+,;=-._~"}, {"é", "%C3%A9"},
	} {
		wantEqual(t, tt.in, escapeAuthority(tt.in), tt.want)
	}
}

func TestUserAgent(t *testing.T) {
	for _, tt := range []struct {
		opts []DialOption
		want string
	}{
		{nil, userAgent},
		{[]DialOption{WithUserAgent("mine/1")}, "mine/1 " + userAgent},
		{[]DialOption{WithUserAgent("")}, " " + userAgent},
	} {
		cc := newChannel(t, "passthrough:///x", tt.opts...)
		wantEqual(t, "user agent", cc.opts.userAgent(), tt.want)
	}
}

func TestTargetOfAResolverIsTheParsedOne(t *testing.T) {
	cc := newChannel(t, "dns://8.8.8.8/example.com:1")
	want, _ := url.Parse("dns://8.8.8.8/example.com:1")
	wantEqual(t, "parsed target", cc.parsed, resolver.Target{URL: *want})
}
