// What the answers make of a state.

package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/resolver"
)

func TestAnswersOfTheHostQuery(t *testing.T) {
	tests := []struct {
		name  string
		addrs []string
		err   error
		want  string
	}{
		{"addresses", []string{"10.0.0.1", "2001:db8::1", "fe80::1%eth0"}, nil, "10.0.0.1:80 [2001:db8::1]:80 [fe80::1%eth0]:80"},
		{"no addresses", nil, nil, ""},
		{"no such name", nil, notFound, ""},
		{"no such name, wrapped", nil, fmt.Errorf("wrapped: %w", notFound), ""},
		{"refused", nil, &net.DNSError{Err: "refused"}, ""},
		{"temporary", nil, temporary, "error dns: A record lookup error: lookup name: server misbehaving"},
		{"timeout", nil, &net.DNSError{Err: "i/o timeout", Name: "name", IsTimeout: true},
			"error dns: A record lookup error: lookup name: i/o timeout"},
		{"other", nil, errors.New("other"), "error dns: A record lookup error: other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{hosts: func(context.Context) ([]string, error) { return test.addrs, test.err }}
				c := &channel{}
				r := build(t, "dns:///name:80", n, c, resolver.BuildOptions{})
				defer r.Close()
				c.expect(t, test.want)
			})
		})
	}
}
