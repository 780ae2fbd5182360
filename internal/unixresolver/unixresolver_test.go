// The sockets that targets name.

package unixresolver

import (
	"net/url"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

// channel keeps the last state that it gets.
type channel struct {
	resolver.ClientConn
	got *resolver.State
}

func (c *channel) UpdateState(s resolver.State) error {
	c.got = &s
	return nil
}

func TestSocket(t *testing.T) {
	tests := []struct{ target, address, err string }{
		{target: "unix:a", address: "a"},
		{target: "unix:a/b", address: "a/b"},
		{target: "unix:/a/b", address: "/a/b"},
		{target: "unix:///a/b", address: "/a/b"},
		{target: "unix:///a%20b", address: "/a b"},
		{target: "unix:", address: ""},
		{target: "unix://host/a", err: "invalid (non-empty) authority: host"},
		{target: "unix-abstract:a", address: "@a"},
		{target: "unix-abstract:/a", address: "@/a"},
		{target: "unix-abstract:///a/b", address: "@/a/b"},
		{target: "unix-abstract://host/a", err: "invalid (non-empty) authority: host"},
	}
	for _, test := range tests {
		u, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		target, builder := resolver.Target{URL: *u}, resolver.Get(u.Scheme)
		if got := builder.(resolver.AuthorityOverrider).OverrideAuthority(target); got != "localhost" {
			t.Errorf("%s: got authority %q, want localhost", test.target, got)
		}
		var c channel
		r, err := builder.Build(target, &c, resolver.BuildOptions{})
		if test.err != "" {
			if err == nil || err.Error() != test.err || c.got != nil {
				t.Errorf("%s: got error %v and state %v, want error %s", test.target, err, c.got, test.err)
			}
			continue
		}
		if err != nil || len(c.got.Addresses) != 1 {
			t.Errorf("%s: got error %v and state %v, want one address", test.target, err, c.got)
			continue
		}
		if a := c.got.Addresses[0]; a.Addr != test.address || Network(a) != "unix" {
			t.Errorf("%s: got address %q of network %q, want %q of unix", test.target, a.Addr, Network(a), test.address)
		}
		c.got = nil
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close()
		if c.got != nil {
			t.Errorf("%s: got a second state", test.target)
		}
	}
}

func TestNetworkOfOtherAddresses(t *testing.T) {
	for _, a := range []resolver.Address{{}, {Attributes: attributes.New("network", "unix")}} {
		if got := Network(a); got != "tcp" {
			t.Errorf("%v: got network %q, want tcp", a, got)
		}
	}
}
