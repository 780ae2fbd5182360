// The address is the endpoint.

package passthrough

import (
	"context"
	"net"
	"net/url"
	"reflect"
	"testing"

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

func TestEndpointIsTheAddress(t *testing.T) {
	dialer := func(context.Context, string) (net.Conn, error) { return nil, nil }
	empty := "passthrough: received empty target in Build()"
	tests := []struct {
		target  string
		opts    resolver.BuildOptions
		address string
		err     string
	}{
		{target: "passthrough:///a:1", address: "a:1"},
		{target: "passthrough:a", address: "a"},
		{target: "passthrough://authority/a/b", address: "a/b"},
		{target: "passthrough:///unix:///a", address: "unix:///a"},
		{target: "passthrough:///", err: empty},
		{target: "passthrough:", err: empty},
		{target: "passthrough:///", opts: resolver.BuildOptions{Dialer: dialer}, address: ""},
	}
	for _, test := range tests {
		u, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		var c channel
		r, err := resolver.Get("passthrough").Build(resolver.Target{URL: *u}, &c, test.opts)
		if test.err != "" {
			if err == nil || err.Error() != test.err || c.got != nil {
				t.Errorf("%s: got error %v and state %v, want error %s", test.target, err, c.got, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: got error %v", test.target, err)
			continue
		}
		want := &resolver.State{Addresses: []resolver.Address{{Addr: test.address}}}
		if !reflect.DeepEqual(c.got, want) {
			t.Errorf("%s: got %v, want %v", test.target, c.got, want)
		}
		c.got = nil
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close()
		if c.got != nil {
			t.Errorf("%s: got a second state", test.target)
		}
	}
}
