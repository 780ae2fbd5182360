// The text of targets and authorities.

package dns

import (
	"context"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"google.golang.org/grpc/resolver"
)

func TestParseTarget(t *testing.T) {
	const missingPort = "dns resolver: missing port after port-separator colon"
	tests := []struct{ endpoint, host, port, err string }{
		{"name", "name", "443", ""},
		{"name:80", "name", "80", ""},
		{"name:http", "name", "http", ""},
		{":80", "localhost", "80", ""},
		{"1.2.3.4", "1.2.3.4", "443", ""},
		{"1.2.3.4:80", "1.2.3.4", "80", ""},
		{"::1", "::1", "443", ""},
		{"[::1]", "::1", "443", ""},
		{"[::1]:80", "::1", "80", ""},
		{"fe80::1%lo", "fe80::1%lo", "443", ""},
		{"[fe80::1%lo]:80", "fe80::1%lo", "80", ""},
		{"[name]", "name", "443", ""},
		{"/name:80", "/name", "80", ""},
		{"", "", "", "dns resolver: missing address"},
		{":", "", "", missingPort},
		{"name:", "", "", missingPort},
		{"1.2.3.4:", "", "", missingPort},
		{"[::1]:", "", "", missingPort},
		{"a:1:", "", "", missingPort},
		{"a:b:c", "", "", "invalid target address a:b:c, error info: address a:b:c:443: too many colons in address"},
		{"[a", "", "", "invalid target address [a, error info: address [a:443: missing ']' in address"},
		{"[::1", "", "", "invalid target address [::1, error info: address [::1:443: missing ']' in address"},
	}
	for _, test := range tests {
		host, port, err := parseTarget(test.endpoint)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if host != test.host || port != test.port || text != test.err {
			t.Errorf("%q: got %q, %q, %q, want %q, %q, %q", test.endpoint, host, port, text, test.host, test.port, test.err)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	tests := []struct{ target, want string }{
		{"dns:", "dns resolver: missing address"},
		{"dns:///a:", "dns resolver: missing port after port-separator colon"},
		{"dns://server:/a", "dns resolver: missing port after port-separator colon"},
	}
	for _, test := range tests {
		u, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := NewBuilder().Build(resolver.Target{URL: *u}, &channel{}, resolver.BuildOptions{}); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, %v, want error %s", test.target, r, err, test.want)
		}
	}
}

func TestWithoutAuthorityTheSystemIsAsked(t *testing.T) {
	if got, err := resolverFor(""); got != net.DefaultResolver || err != nil {
		t.Errorf("got %v, %v, want net.DefaultResolver", got, err)
	}
}

func TestAuthorityWithoutHostIsLocalhost(t *testing.T) {
	got, err := resolverFor(":1")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := got.(*net.Resolver).Dial(context.Background(), "udp", "ignored:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if addr := conn.RemoteAddr().(*net.UDPAddr); !addr.IP.IsLoopback() || addr.Port != 1 {
		t.Errorf("got server %v, want port 1 of localhost", addr)
	}
}

// serveDNS answers A queries with 10.0.0.7, and all others with nothing, until the test ends. It returns its address.
func serveDNS(t *testing.T) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() { // ends when conn is closed
		defer close(ended)
		buf := make([]byte, 512)
		for {
			n, client, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var m dnsmessage.Message
			if err != nil || m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
					Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 7}},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				conn.WriteTo(answer, client)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestAuthorityIsTheServerThatIsAsked(t *testing.T) {
	lookup, err := resolverFor(serveDNS(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addrs, err := lookup.LookupHost(ctx, "some.name.test.")
	if err != nil || len(addrs) != 1 || addrs[0] != "10.0.0.7" {
		t.Errorf("got %v, %v, want 10.0.0.7", addrs, err)
	}
}
