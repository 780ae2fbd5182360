// The matrix of what two ends of TLS can agree on: versions, cipher suites, ALPN and certificates of clients, the library's client and server
// against ends of crypto/tls that are configured oddly. Each cell is the end of a call at the client, and of the handshake at the server.

package behaviour

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

var tlsVersions = []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}

// refused is what a client says of a handshake that failed.
func refused(why string) string {
	return fmt.Sprintf(`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: %s"`, why)
}

// An end is how a call ended at the client, and how the handshake ended at the server.
type end struct{ call, handshake string }

var (
	agreed      = end{`"x"`, "<nil>"}
	noVersion   = end{refused("remote error: tls: protocol version not supported"), "tls: client offered only unsupported versions: "}
	noSuite     = end{refused("remote error: tls: handshake failure"), "tls: no cipher suite supported by both client and server; client offered: "}
	noProtocol  = end{refused("remote error: tls: no application protocol"), "tls: client requested unsupported application protocols "}
	noALPN      = end{`rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: EOF"`, missingALPN}
	missingALPN = "credentials: cannot check peer: missing selected ALPN property. If you upgraded from a grpc-go version earlier than 1.67, " +
		"your TLS connections may have stopped working due to ALPN enforcement. For more details, see: https://github.com/grpc/grpc-go/issues/434"
)

// meet has two ends meet, and checks how that ends. Of the server's error, what follows the wanted text is a list of what there was.
func (e end) meet(t *testing.T, client, server credentials.TransportCredentials) {
	t.Helper()
	if strings.Contains(e.call, "server preface") {
		f := newSayFirst()
		client, server = f.with(client), f.with(server)
	}
	call, handshake := meeting(t, client, server)
	equal(t, call, e.call)
	if strings.HasSuffix(e.handshake, " ") && strings.HasPrefix(handshake, e.handshake) {
		return
	}
	equal(t, handshake, e.handshake)
}

func TestTLSVersions(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		version         uint16
		ordinary, named end // where the library's end says nothing of versions, and where it names 1.0 as the least
	}{
		{tls.VersionTLS10, noVersion, noSuite},
		{tls.VersionTLS11, noVersion, noSuite},
		{tls.VersionTLS12, agreed, agreed},
		{tls.VersionTLS13, agreed, agreed},
	} {
		t.Run(tls.VersionName(tc.version), func(t *testing.T) {
			only := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tc.version, tc.version }
			tc.ordinary.meet(t, id.oddClient(only), credentials.NewTLS(id.server()))
			tc.ordinary.meet(t, credentials.NewTLS(id.client()), id.oddServer(only))
			server, client := id.server(), id.client()
			server.MinVersion, client.MinVersion = tls.VersionTLS10, tls.VersionTLS10
			tc.named.meet(t, id.oddClient(only), credentials.NewTLS(server))
			tc.named.meet(t, credentials.NewTLS(client), id.oddServer(only))
		})
	}
}

func TestTLSCipherSuites(t *testing.T) {
	id := serverIdentity(t)
	certs := id.twoKeys(t)
	n := 0
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if s.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			want := noSuite
			if strings.HasPrefix(s.Name, "TLS_ECDHE_") && (strings.Contains(s.Name, "_GCM_") || strings.Contains(s.Name, "_CHACHA20_")) {
				want = agreed // RFC 9113 Appendix A prohibits all others
				n++
			}
			only := func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{s.ID} }
			server := id.server()
			server.Certificates = certs
			want.meet(t, id.oddClient(only), credentials.NewTLS(server))
			want.meet(t, credentials.NewTLS(id.client()), id.oddServer(func(c *tls.Config) { only(c); c.Certificates = certs }))
			// A suite that the config names is not taken away.
			server.CipherSuites = []uint16{s.ID}
			agreed.meet(t, id.oddClient(only), credentials.NewTLS(server))
		})
	}
	equal(t, fmt.Sprint(n), "6")
}

func TestALPNOffers(t *testing.T) {
	id := serverIdentity(t)
	deaf := end{refused(missingALPN), "<nil>"} // a server that selects nothing
	for _, tc := range []struct {
		protos               []string
		oddClient, oddServer end // what becomes of a client and of a server that have these protocols
		both                 end // and of a client with a server of the library that adds "h2" to them
	}{
		{nil, noALPN, deaf, noALPN},
		{[]string{"http/1.1"}, noALPN, noProtocol, agreed},
		{[]string{"h2"}, agreed, agreed, agreed},
		{[]string{"http/1.1", "h2"}, agreed, agreed, agreed},
		{[]string{"h2c"}, noProtocol, noProtocol, agreed},
		{[]string{"H2"}, noProtocol, noProtocol, agreed},
		{[]string{"grpc-exp", "h2"}, agreed, agreed, agreed},
	} {
		t.Run(strings.Join(tc.protos, ","), func(t *testing.T) {
			offer := func(c *tls.Config) { c.NextProtos = tc.protos }
			tc.oddClient.meet(t, id.oddClient(offer), credentials.NewTLS(id.server()))
			tc.oddServer.meet(t, credentials.NewTLS(id.client()), id.oddServer(offer))
			server := id.server()
			offer(server)
			tc.both.meet(t, id.oddClient(offer), credentials.NewTLS(server))
		})
	}
}

// A client that refuses the server has not sent a byte of its requests.
func TestNothingIsSentWithoutALPN(t *testing.T) {
	id := serverIdentity(t)
	heard := make(chan string, 1)
	addr := speaker(t, func(nc net.Conn) {
		server := tls.Server(nc, id.server())
		all, err := io.ReadAll(server)
		heard <- fmt.Sprintf("%q %v", all, err)
	})
	cc := client(t, "passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
	equal(t, result(unary(within(t), cc, "x")), refused(missingALPN))
	equal(t, wait(t, heard, "end of the connection"), `"" <nil>`)
}

// The environment is read once, so that this takes another process of the same test.
func TestALPNIsNotRequiredIfTheEnvironmentSaysSo(t *testing.T) {
	const variable = "GRPC_ENFORCE_ALPN_ENABLED"
	if os.Getenv(variable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"=false")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("with %s=false: %v\n%s", variable, err, out)
		}
		return
	}
	id := serverIdentity(t)
	offer := func(c *tls.Config) { c.NextProtos = nil }
	agreed.meet(t, id.oddClient(offer), credentials.NewTLS(id.server()))
	agreed.meet(t, credentials.NewTLS(id.client()), id.oddServer(offer))
	noProtocol.meet(t, id.oddClient(func(c *tls.Config) { c.NextProtos = []string{"h2c"} }), credentials.NewTLS(id.server()))
}

// With TLS 1.3 a client hears that its certificate is refused behind its handshake.
func TestClientCertificates(t *testing.T) {
	id := serverIdentity(t)
	certs := map[string]tls.Certificate{
		"none":     {},
		"right":    id.issued(t, claim{usage: x509.ExtKeyUsageClientAuth}),
		"expired":  id.issued(t, claim{usage: x509.ExtKeyUsageClientAuth, until: time.Now().Add(-time.Hour)}),
		"stranger": certify(t, claim{usage: x509.ExtKeyUsageClientAuth}),
		"server's": id.issued(t, claim{usage: x509.ExtKeyUsageServerAuth}),
	}
	given := map[string][2]string{ // what client and server say of it
		"none": {"certificate required", "tls: client didn't provide a certificate"},
	}
	verified := map[string][2]string{
		"expired":  {"expired certificate", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time "},
		"stranger": {"unknown certificate authority", "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"server's": {"bad certificate", "tls: failed to verify certificate: x509: certificate specifies an incompatible key usage"},
	}
	both := maps.Clone(verified)
	maps.Copy(both, given)
	for mode, refusals := range []map[string][2]string{
		tls.NoClientCert: nil, tls.RequestClientCert: nil, tls.RequireAnyClientCert: given,
		tls.VerifyClientCertIfGiven: verified, tls.RequireAndVerifyClientCert: both,
	} {
		for _, version := range tlsVersions[2:] {
			for name, cert := range certs {
				t.Run(fmt.Sprint(tls.ClientAuthType(mode), "/", tls.VersionName(version), "/", name), func(t *testing.T) {
					server, client := id.server(), id.client()
					server.ClientAuth, server.ClientCAs, server.MaxVersion = tls.ClientAuthType(mode), id.pool, version
					client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
					want := agreed
					if why, bad := refusals[name]; bad {
						want = end{refused("remote error: tls: " + why[0]), why[1]}
						if version == tls.VersionTLS12 && name == "none" {
							want.call = refused("remote error: tls: handshake failure") // 1.2 has no alert for it
						} else if version == tls.VersionTLS13 {
							want.call = fmt.Sprintf(`rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: remote error: tls: %s"`, why[0])
						}
					}
					want.meet(t, credentials.NewTLS(client), credentials.NewTLS(server))
				})
			}
		}
	}
}
