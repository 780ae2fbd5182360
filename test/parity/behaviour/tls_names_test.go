// Names: which one a client asks for with SNI, and which certificates it takes for the authority of a channel and of a call.

package behaviour

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// namesCert is a certificate with names of each kind, whose issuer has a name of its own and is in the chain.
func (id identity) namesCert(t *testing.T) tls.Certificate {
	t.Helper()
	cert := id.issued(t, claim{names: []string{"a.test", "*.w.test", "under_score.test", "xn--bcher-kva.test"}, usage: x509.ExtKeyUsageServerAuth,
		ips: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}})
	cert.Certificate = append(cert.Certificate, id.cert.Certificate[0])
	return cert
}

func TestNamesOfServers(t *testing.T) {
	id := serverIdentity(t)
	cert := id.namesCert(t)
	const foreign = "x509: certificate is valid for a.test, *.w.test, under_score.test, xn--bcher-kva.test, not "
	for _, tc := range []struct{ authority, sni, refusal string }{
		{"a.test", "a.test", ""},
		{"a.test:443", "a.test", ""},
		{"A.Test", "A.Test", ""},
		{"a.test.", "a.test", ""},
		{"x.w.test:1", "x.w.test", ""},
		{"x.y.w.test", "x.y.w.test", foreign + "x.y.w.test"},
		{"w.test", "w.test", foreign + "w.test"},
		{"*.w.test", "*.w.test", ""},
		{"b.test", "b.test", foreign + "b.test"},
		{"common.example", "common.example", foreign + "common.example"},
		{"server.example", "server.example", foreign + "server.example"},
		{"under_score.test", "under_score.test", ""},
		{"xn--bcher-kva.test", "xn--bcher-kva.test", ""},
		{"b\u00fccher.test", "b\u00fccher.test", foreign + "b\u00fccher.test"},
		{"127.0.0.1", "", ""},
		{"127.0.0.1:443", "", ""},
		{"127.0.0.2", "", "x509: certificate is valid for 127.0.0.1, ::1, not 127.0.0.2"},
		{"[::1]:443", "", ""},
		{"[::1]", "", ""},
		{"::1", "", ""},
		{"[::1%25lo]:443", "", foreign + "::1%25lo"},
		{"0x7f.1", "0x7f.1", foreign + "0x7f.1"},
		{"a.test:443:2", "a.test:443:2", foreign + "a.test:443:2"},
		{"user@a.test", "user@a.test", foreign + "user@a.test"},
	} {
		t.Run(tc.authority, func(t *testing.T) {
			sni := make(chan string, 1)
			server := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				select {
				case sni <- h.ServerName:
				default:
				}
				return &cert, nil
			}}
			p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(server))}})
			creds := credentials.NewTLS(&tls.Config{RootCAs: id.pool})
			cc := p.dial(t, grpc.WithTransportCredentials(creds), grpc.WithAuthority(tc.authority))
			channel, call := `"x"`, `"x"`
			if tc.refusal != "" {
				channel = refused("tls: failed to verify certificate: " + tc.refusal)
				call = fmt.Sprintf("rpc error: code = Unavailable desc = failed to validate authority %q : %s", tc.authority, tc.refusal)
			}
			equal(t, result(unary(within(t), cc, "x")), channel)
			equal(t, wait(t, sni, "name"), tc.sni)
			cc = p.dial(t, grpc.WithTransportCredentials(creds), grpc.WithAuthority("a.test"))
			equal(t, result(unary(within(t), cc, "x", grpc.CallAuthority(tc.authority))), call)
		})
	}
}

// Without a name there is nothing to compare a certificate with, and nobody is believed.
func TestServersWithoutAName(t *testing.T) {
	id := serverIdentity(t)
	p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}})
	creds := credentials.NewTLS(&tls.Config{RootCAs: id.pool})
	equal(t, result(unary(within(t), p.dial(t, grpc.WithTransportCredentials(creds), grpc.WithAuthority(":443")), "x")),
		refused("tls: either ServerName or InsecureSkipVerify must be specified in the tls.Config"))
}
