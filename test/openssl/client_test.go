// A client of ours, and OpenSSL's server: what they agree on, calls that go through it, and the ways in which it ends connections.

package openssl

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/peer"
)

// theirs is a server of openssl, which speaks TLS for a server of ours behind it.
type theirs struct {
	*pipe
	socket string
}

// serveTheirs starts openssl, which serves as many connections as come, one after another, until the end of the test. Its standard input
// and output is what they say and hear.
func (s *site) serveTheirs(t *testing.T, args ...string) *theirs {
	t.Helper()
	s.servers++
	short := fmt.Sprint("socket", s.servers) // openssl has no place for more than 31 bytes
	o := &theirs{socket: s.path(short)}
	all := append([]string{"s_server", "-unix", short, "-cert", s.path("server"), "-key", s.path("server"), "-CAfile", s.path("ca")}, args...)
	cmd := openssl(t, all...)
	cmd.Dir = s.dir
	var err error
	if o.pipe, err = connect(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// dial connects once openssl listens.
func (o *theirs) dial(ctx context.Context, _ string) (net.Conn, error) {
	for {
		nc, err := net.Dial("unix", o.socket)
		if err == nil || ctx.Err() != nil {
			return nc, err
		}
		<-time.After(10 * time.Millisecond)
	}
}

// channel makes a channel to the server.
func (s *site) channel(t *testing.T, o *theirs, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	config.RootCAs, config.ServerName = s.ca.Pool, name
	cc, err := grpc.NewClient("passthrough:///openssl", grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithContextDialer(o.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// once is a listener with one connection.
type once struct {
	conns chan net.Conn
	close sync.Once
}

func listenOnce(nc net.Conn) *once {
	l := &once{conns: make(chan net.Conn, 1)}
	l.conns <- nc
	return l
}

func (l *once) Accept() (net.Conn, error) {
	if nc, ok := <-l.conns; ok {
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (l *once) Close() error   { l.close.Do(func() { close(l.conns) }); return nil }
func (l *once) Addr() net.Addr { return pipeAddr{} }

// behind serves calls behind openssl.
func behind(t *testing.T, o *theirs) {
	t.Helper()
	srv := grpc.NewServer()
	grpc162.RegisterEchoServer(srv, echo{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listenOnce(o.pipe)) }() // ends at Stop
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
}

func TestCallsOfServers(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"1.2", []string{"-tls1_2"}, "TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 h2"},
		{"1.2 with their choice", []string{"-tls1_2", "-serverpref"}, "TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 h2"},
		{"1.2 ChaCha", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, "TLS 1.2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 h2"},
		{"1.3", []string{"-tls1_3"}, "TLS 1.3 TLS_AES_128_GCM_SHA256 h2"},
		{"1.3 AES-256", []string{"-ciphersuites", "TLS_AES_256_GCM_SHA384"}, "TLS 1.3 TLS_AES_256_GCM_SHA384 h2"},
		{"records of 512 bytes", []string{"-max_send_frag", "512"}, "TLS 1.3 TLS_AES_128_GCM_SHA256 h2"},
		{"early data for whoever wants it", []string{"-early_data"}, "TLS 1.3 TLS_AES_128_GCM_SHA256 h2"},
		{"another hello after the first", []string{"-groups", "P-521"}, "TLS 1.3 TLS_AES_128_GCM_SHA256 h2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.serveTheirs(t, append(tt.args, "-quiet", "-alpn", "h2")...)
			behind(t, o)
			cc := s.channel(t, o, &tls.Config{})
			if err := talk(within(t), cc); err != nil {
				t.Errorf("calls: got %v, want none", err)
			}
			var p peer.Peer
			if _, err := grpc162.NewEchoClient(cc).Unary(within(t), &grpc162.Request{}, grpc.Peer(&p)); err != nil {
				t.Fatal(err)
			}
			state := p.AuthInfo.(credentials.TLSInfo).State
			equal(t, "peer", fmt.Sprint(tls.VersionName(state.Version), " ", tls.CipherSuiteName(state.CipherSuite), " ", state.NegotiatedProtocol), tt.want)
		})
	}
}

// refused is what a client says of a handshake that failed.
func refused(why string) string {
	return `rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: ` + why
}

func TestHandshakesOfServers(t *testing.T) {
	s := newSite(t)
	s.keep(t, "expired", s.ca.Issue(t, testkit.Leaf{Names: []string{name}, NotAfter: time.Now().Add(-time.Hour)}))
	s.keep(t, "stranger", testkit.NewCA(t).Server(t, name))
	s.keep(t, "other", s.ca.Server(t, "other.test"))
	with := func(cert string) []string {
		return []string{"-alpn", "h2", "-cert", s.path(cert), "-key", s.path(cert)}
	}
	const handshakeFailure, unknown = "remote error: tls: handshake failure\"", "tls: failed to verify certificate: x509: "
	for _, tt := range []struct {
		name string
		args []string
		want string // its beginning
	}{
		{"1.0", []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0", "-alpn", "h2"}, refused("remote error: tls: protocol version not supported\"")},
		{"1.1", []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-alpn", "h2"}, refused("remote error: tls: protocol version not supported\"")},
		{"1.2 CBC", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA", "-alpn", "h2"}, refused(handshakeFailure)},
		{"1.2 CCM", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM", "-alpn", "h2"}, refused(handshakeFailure)},
		{"1.2 anonymous", []string{"-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", "-alpn", "h2"}, refused(handshakeFailure)},
		{"no ALPN", nil, refused("credentials: cannot check peer: missing selected ALPN property. ")},
		{"ALPN http/1.1", []string{"-alpn", "http/1.1"}, refused("remote error: tls: no application protocol\"")},
		{"expired", with("expired"), refused(unknown + "certificate has expired or is not yet valid: ")},
		{"stranger", with("stranger"), refused(unknown + "certificate signed by unknown authority")},
		{"another name", with("other"), refused(unknown + "certificate is valid for other.test, not server.test\"")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.serveTheirs(t, append(tt.args, "-quiet")...)
			_, err := grpc162.NewEchoClient(s.channel(t, o, &tls.Config{})).Unary(within(t), &grpc162.Request{})
			if got := fmt.Sprint(err); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s and more", got, tt.want)
			}
		})
	}
}

func TestCertificatesForServers(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		name string
		cert *tls.Certificate
		want string // "" for calls that work
	}{
		{"right", pointer(s.ca.Client(t)), ""},
		{"stranger", pointer(testkit.NewCA(t).Client(t)), "unknown certificate authority"},
		{"expired", pointer(s.ca.Issue(t, testkit.Leaf{NotAfter: time.Now().Add(-time.Hour)})), "expired certificate"},
		{"none", new(tls.Certificate), "certificate required"},
	} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			t.Run(tt.name+version, func(t *testing.T) {
				o := s.serveTheirs(t, "-quiet", "-alpn", "h2", "-Verify", "1", "-verify_return_error", version)
				behind(t, o)
				cc := s.channel(t, o, &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }})
				want := "<nil>"
				switch {
				case tt.want == "":
				case version == "-tls1_3": // the client hears of it behind its handshake
					want = `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: remote error: tls: ` + tt.want + `"`
				case tt.want == "certificate required": // which 1.2 does not have
					want = refused(`remote error: tls: handshake failure"`)
				default:
					want = refused(`remote error: tls: ` + tt.want + `"`)
				}
				equal(t, "calls", fmt.Sprint(talk(within(t), cc)), want)
			})
		}
	}
}

func TestServersThatRenegotiate(t *testing.T) {
	s := newSite(t)
	o := s.serveTheirs(t, "-tls1_2", "-alpn", "h2") // without -quiet, it takes commands
	cc, ctx, ended := s.channel(t, o, &tls.Config{}), within(t), make(chan error, 1)
	go func() { // ends with the call
		_, err := grpc162.NewEchoClient(cc).Unary(ctx, &grpc162.Request{})
		ended <- err
	}()
	for lines := bufio.NewScanner(o); lines.Scan() && lines.Text() != "PRI * HTTP/2.0"; { // until the client's preface is there
	}
	if _, err := o.Write([]byte("r\n")); err != nil {
		t.Fatal(err)
	}
	equal(t, "call", fmt.Sprint(<-ended),
		`rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: local error: tls: no renegotiation"`)
}

// A server that is killed says no good-bye.
func TestServersThatAreCutOff(t *testing.T) {
	s := newSite(t)
	o := s.serveTheirs(t, "-quiet", "-alpn", "h2")
	behind(t, o)
	stream, err := grpc162.NewEchoClient(s.channel(t, o, &tls.Config{})).Chat(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc162.Request{Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	equal(t, "call", fmt.Sprint(err), "rpc error: code = Unavailable desc = error reading from server: EOF")
}

func pointer(c tls.Certificate) *tls.Certificate { return &c }
