// OpenSSL's client, and a server of ours: what they agree on, and calls that go through it.

package openssl

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/peer"
)

// listened are credentials of a server that tell how handshakes have ended.
type listened struct {
	credentials.TransportCredentials
	ended chan error
}

func (l listened) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	nc, info, err := l.TransportCredentials.ServerHandshake(nc)
	l.ended <- err
	return nc, info, err
}

// ours is a server of ours.
type ours struct {
	address   string
	handshake chan error
	calls     chan string // what the handler knows of the client
}

// serve serves until the end of the test.
func (s *site) serve(t *testing.T, config *tls.Config) *ours {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{s.server}
	o := &ours{lis.Addr().String(), make(chan error, 10), make(chan string, 10)}
	srv := grpc.NewServer(grpc.Creds(listened{credentials.NewTLS(config), o.handshake}))
	grpc162.RegisterEchoServer(srv, echo{unary: func(ctx context.Context) {
		p, _ := peer.FromContext(ctx)
		state := p.AuthInfo.(credentials.TLSInfo).State
		select {
		case o.calls <- fmt.Sprintf("%s %s %s %q resumed=%v certificates=%d", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite),
			state.NegotiatedProtocol, state.ServerName, state.DidResume, len(state.PeerCertificates)):
		default:
		}
	}})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }() // ends at Stop
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return o
}

// client returns the arguments of a client of a server of ours.
func (s *site) client(address string, more ...string) []string {
	return append([]string{"s_client", "-connect", address, "-CAfile", s.path("ca"), "-verify_return_error", "-verify_hostname", name,
		"-servername", name}, more...)
}

var (
	agreedSuite = regexp.MustCompile(`(New|Reused), (\S+), Cipher is (\S+)`)
	agreedALPN  = regexp.MustCompile(`ALPN protocol: (\S+)`)
	alert       = regexp.MustCompile(`SSL alert number (\d+)`)
)

// shake has openssl make a handshake and nothing else, and returns what it agreed on or was told, and what the server says.
func (o *ours) shake(t *testing.T, args []string) (client, server string) {
	t.Helper()
	out, _ := openssl(t, args...).CombinedOutput()
	select {
	case err := <-o.handshake:
		server = fmt.Sprint(err)
	case <-time.After(patience):
		t.Fatalf("no handshake; openssl says:\n%s", out)
	}
	if m := alert.FindSubmatch(out); m != nil {
		return "alert " + string(m[1]), server
	}
	suite, alpn := agreedSuite.FindSubmatch(out), agreedALPN.FindSubmatch(out)
	if suite == nil {
		t.Fatalf("openssl says neither what was agreed on nor an alert:\n%s", out)
	}
	if alpn == nil {
		alpn = [][]byte{nil, []byte("no ALPN")}
	}
	return fmt.Sprintf("%s %s %s", suite[2], suite[3], alpn[1]), server
}

func TestHandshakesOfClients(t *testing.T) {
	s := newSite(t)
	const (
		noVersion  = "tls: client offered only unsupported versions: "
		noSuite    = "tls: no cipher suite supported by both client and server; client offered: "
		noProtocol = "tls: client requested unsupported application protocols "
		noALPN     = "credentials: cannot check peer: missing selected ALPN property. "
	)
	weak := func(args ...string) []string { return append(args, "-cipher", "ALL:@SECLEVEL=0") }
	for _, tt := range []struct {
		name           string
		args           []string
		client, server string // of server, the beginning
	}{
		{"1.0", weak("-tls1", "-alpn", "h2"), "alert 70", noVersion},
		{"1.1", weak("-tls1_1", "-alpn", "h2"), "alert 70", noVersion},
		{"1.2", []string{"-tls1_2", "-alpn", "h2"}, "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 h2", "<nil>"},
		{"1.3", []string{"-tls1_3", "-alpn", "h2"}, "TLSv1.3 TLS_AES_128_GCM_SHA256 h2", "<nil>"},
		{"1.2 AES-256", []string{"-tls1_2", "-alpn", "h2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"}, "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 h2", "<nil>"},
		{"1.2 ChaCha", []string{"-tls1_2", "-alpn", "h2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305 h2", "<nil>"},
		{"1.2 CBC", []string{"-tls1_2", "-alpn", "h2", "-cipher", "ECDHE-ECDSA-AES128-SHA"}, "alert 40", noSuite},
		{"1.2 CBC with SHA-256", []string{"-tls1_2", "-alpn", "h2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"}, "alert 40", noSuite},
		{"1.2 CCM", []string{"-tls1_2", "-alpn", "h2", "-cipher", "ECDHE-ECDSA-AES128-CCM"}, "alert 40", noSuite},
		{"1.2 without forward secrecy", []string{"-tls1_2", "-alpn", "h2", "-cipher", "AES128-GCM-SHA256"}, "alert 40", noSuite},
		{"1.2 anonymous", []string{"-tls1_2", "-alpn", "h2", "-cipher", "aNULL:@SECLEVEL=0"}, "alert 40", noSuite},
		{"1.3 AES-256", []string{"-tls1_3", "-alpn", "h2", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, "TLSv1.3 TLS_AES_256_GCM_SHA384 h2", "<nil>"},
		{"1.3 ChaCha", []string{"-tls1_3", "-alpn", "h2", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 h2", "<nil>"},
		{"1.3 CCM", []string{"-tls1_3", "-alpn", "h2", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}, "alert 40", noSuite},
		{"no ALPN", nil, "TLSv1.3 TLS_AES_128_GCM_SHA256 no ALPN", noALPN},
		{"ALPN http/1.1", []string{"-alpn", "http/1.1"}, "TLSv1.3 TLS_AES_128_GCM_SHA256 no ALPN", noALPN},
		{"ALPN of both", []string{"-alpn", "http/1.1,h2"}, "TLSv1.3 TLS_AES_128_GCM_SHA256 h2", "<nil>"},
		{"ALPN of another", []string{"-alpn", "h3"}, "alert 120", noProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.serve(t, &tls.Config{})
			client, server := o.shake(t, s.client(o.address, tt.args...))
			equal(t, "openssl", client, tt.client)
			if !strings.HasPrefix(server, tt.server) {
				t.Errorf("server: got %q, want %q and more", server, tt.server)
			}
		})
	}
}

func TestCertificatesOfClients(t *testing.T) {
	s := newSite(t)
	s.keep(t, "right", s.ca.Client(t, "spiffe://td/client"))
	s.keep(t, "expired", s.ca.Issue(t, testkit.Leaf{URIs: []string{"spiffe://td/client"}, NotAfter: time.Now().Add(-time.Hour)}))
	s.keep(t, "stranger", testkit.NewCA(t).Client(t, "spiffe://td/client"))
	for _, tt := range []struct {
		cert, want string // of want, the beginning
	}{
		{"right", "<nil>"},
		{"expired", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: "},
		{"stranger", "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{"", "tls: client didn't provide a certificate"},
	} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			t.Run(tt.cert+version, func(t *testing.T) {
				o := s.serve(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Pool})
				args := []string{version, "-alpn", "h2"}
				if tt.cert != "" {
					args = append(args, "-cert", s.path(tt.cert), "-key", s.path(tt.cert))
				}
				if _, server := o.shake(t, s.client(o.address, args...)); !strings.HasPrefix(server, tt.want) {
					t.Errorf("server: got %q, want %q and more", server, tt.want)
				}
			})
		}
	}
}

// dial makes a channel whose connections go through openssl, which speaks TLS for it.
func dial(t *testing.T, args []string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///openssl", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return connect(openssl(t, append(args, "-quiet")...)) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func TestCallsOfClients(t *testing.T) {
	s := newSite(t)
	s.keep(t, "right", s.ca.Client(t, "spiffe://td/client"))
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"1.2", []string{"-tls1_2"}, `TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=0`},
		{"1.2 ChaCha", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"},
			`TLS 1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 h2 "server.test" resumed=false certificates=0`},
		{"1.3", []string{"-tls1_3"}, `TLS 1.3 TLS_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=0`},
		{"1.3 AES-256", []string{"-ciphersuites", "TLS_AES_256_GCM_SHA384"}, `TLS 1.3 TLS_AES_256_GCM_SHA384 h2 "server.test" resumed=false certificates=0`},
		{"records of 512 bytes", []string{"-max_send_frag", "512"}, `TLS 1.3 TLS_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=0`},
		{"certificate", []string{"-cert", s.path("right"), "-key", s.path("right")},
			`TLS 1.3 TLS_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=2`}, // and its issuer's
		{"curve P-256", []string{"-groups", "P-256"}, `TLS 1.3 TLS_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=0`},
		{"no tickets", []string{"-no_ticket"}, `TLS 1.3 TLS_AES_128_GCM_SHA256 h2 "server.test" resumed=false certificates=0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.serve(t, &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.ca.Pool})
			if err := talk(within(t), dial(t, s.client(o.address, append(tt.args, "-alpn", "h2")...))); err != nil {
				t.Errorf("calls: got %v, want none", err)
			}
			equal(t, "handler", <-o.calls, tt.want)
		})
	}
}

func TestSessionsOfClients(t *testing.T) {
	s := newSite(t)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			o := s.serve(t, &tls.Config{})
			session := s.path("session" + version)
			for i, use := range []string{"-sess_out", "-sess_in", "-sess_in"} {
				if err := talk(within(t), dial(t, s.client(o.address, version, "-alpn", "h2", use, session))); err != nil {
					t.Errorf("calls: got %v, want none", err)
				}
				got := ""
				for range 3 {
					got = <-o.calls
				}
				if want := fmt.Sprintf("resumed=%v", i > 0); !strings.Contains(got, want) {
					t.Errorf("connection %d: got %s, want %s", i, got, want)
				}
			}
			// There is nothing in a session that would let openssl send early data.
			early := s.path("early")
			s.write(t, "early", []byte("PRI * HTTP/2.0"))
			out, _ := openssl(t, s.client(o.address, version, "-alpn", "h2", "-sess_in", session, "-early_data", early)...).CombinedOutput()
			if !bytes.Contains(out, []byte("Reused, ")) || bytes.Contains(out, []byte("Early data was accepted")) {
				t.Errorf("got a session that lets early data be sent, or none:\n%s", out)
			}
		})
	}
}

func TestClientsThatRenegotiate(t *testing.T) {
	s := newSite(t)
	o := s.serve(t, &tls.Config{})
	p, err := connect(openssl(t, s.client(o.address, "-tls1_2", "-alpn", "h2")...))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// The server's settings must have come: openssl takes no data while it renegotiates.
	settings := []byte{4, 0, 0, 0, 0, 0} // the type, the flags and the stream of the frame
	var got []byte
	for b := make([]byte, 4096); !bytes.Contains(got, settings); {
		n, err := p.Read(b)
		if got = append(got, b[:n]...); err != nil {
			t.Fatalf("got %q and %v, want settings", got, err)
		}
	}
	io.WriteString(p, "R\n")
	io.Copy(io.Discard, p) // until the connection ends, and openssl with it
	p.cmd.Wait()
	if got := p.log.String(); !strings.Contains(got, "RENEGOTIATING") || !strings.Contains(got, "SSL alert number 10") { // unexpected_message
		t.Errorf("got %s, want an alert", got)
	}
}
