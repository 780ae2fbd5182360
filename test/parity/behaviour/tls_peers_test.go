// Peers that speak TLS as crypto/tls is told to, without what the library adds or checks, and certificates that are right and wrong. With
// these, the tests of tls_*_test.go give the library's client and server another end than their own.

package behaviour

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// odd are credentials of either end that do what config says, and nothing else.
type odd struct {
	config *tls.Config
	wrap   func(*tls.Conn) net.Conn // what becomes of the connection after the handshake; nil for itself
}

func (o odd) shake(ctx context.Context, conn *tls.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	info := credentials.TLSInfo{State: conn.ConnectionState(), CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	if o.wrap != nil {
		return o.wrap(conn), info, nil
	}
	return conn, info, nil
}

func (o odd) ClientHandshake(ctx context.Context, _ string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return o.shake(ctx, tls.Client(nc, o.config))
}

func (o odd) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return o.shake(context.Background(), tls.Server(nc, o.config))
}

func (o odd) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", ServerName: "server.example"}
}
func (o odd) Clone() credentials.TransportCredentials { return o }
func (odd) OverrideServerName(string) error           { return nil }

// listened are credentials of a server that tell how handshakes have ended.
type listened struct {
	credentials.TransportCredentials
	ended chan error
}

func listenTo(creds credentials.TransportCredentials) listened {
	return listened{creds, make(chan error, 100)}
}

func (l listened) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	nc, info, err := l.TransportCredentials.ServerHandshake(nc)
	l.ended <- err
	return nc, info, err
}

// meeting is a call between two ends: how it ended for the client, and how the first handshake ended for the server.
func meeting(t *testing.T, client, server credentials.TransportCredentials) (call, handshake string) {
	t.Helper()
	l := listenTo(server)
	p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(l)}, client: []grpc.DialOption{grpc.WithTransportCredentials(client)}})
	call = result(unary(within(t), p.cc, "x"))
	return call, text(wait(t, l.ended, "end of the handshake"))
}

// sayFirst are two ends of which the server hears no more of the handshake, once it has answered, before the client has said its preface: so
// there is no race between that and the server's closing of the connection.
type sayFirst struct {
	credentials.TransportCredentials
	said <-chan struct{} // closed when the preface is written, on one connection or more
	say  func()          // closes said
}

func newSayFirst() *sayFirst {
	said := make(chan struct{})
	return &sayFirst{said: said, say: sync.OnceFunc(func() { close(said) })}
}

// with makes an end of the credentials.
func (f *sayFirst) with(creds credentials.TransportCredentials) *sayFirst {
	return &sayFirst{creds, f.said, f.say}
}

func (f *sayFirst) Clone() credentials.TransportCredentials {
	return f.with(f.TransportCredentials.Clone())
}

func (f *sayFirst) ClientHandshake(ctx context.Context, authority string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	nc, info, err := f.TransportCredentials.ClientHandshake(ctx, authority, nc)
	if err != nil {
		return nil, nil, err
	}
	return &speaking{Conn: nc, say: f.say}, info, nil
}

func (f *sayFirst) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return f.TransportCredentials.ServerHandshake(&listening{Conn: nc, said: f.said})
}

// speaking tells when the preface, the beginning of SETTINGS included, is written.
type speaking struct {
	net.Conn
	written int
	say     func()
}

func (s *speaking) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	const preface = 24 + 9
	if before := s.written < preface; before && s.written+n >= preface {
		s.say()
	}
	s.written += n
	return n, err
}

// listening does not read on once something was written, before the preface is there.
type listening struct {
	net.Conn
	wrote bool
	said  <-chan struct{}
}

func (l *listening) Write(p []byte) (int, error) {
	l.wrote = true
	return l.Conn.Write(p)
}

func (l *listening) Read(p []byte) (int, error) {
	if l.wrote {
		select {
		case <-l.said:
		case <-time.After(patience):
		}
	}
	return l.Conn.Read(p)
}

// A claim is what a certificate says.
type claim struct {
	names  []string
	ips    []net.IP
	usage  x509.ExtKeyUsage
	until  time.Time         // zero: for an hour
	key    crypto.Signer     // nil: a new one of ECDSA
	issuer *x509.Certificate // nil: itself
	signer crypto.Signer     // of issuer
}

// certify makes a certificate.
func certify(t testing.TB, c claim) tls.Certificate {
	t.Helper()
	if c.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.key = key
	}
	if c.until.IsZero() {
		c.until = time.Now().Add(time.Hour)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "common.example"}, DNSNames: c.names, IPAddresses: c.ips,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: c.until, ExtKeyUsage: []x509.ExtKeyUsage{c.usage},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	if c.issuer == nil {
		c.issuer, c.signer = template, c.key
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, template.KeyUsage|x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.issuer, c.key.Public(), c.signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key, Leaf: leaf}
}

// issued makes a certificate that the identity's owner, who is an authority too, has signed.
func (id identity) issued(t testing.TB, c claim) tls.Certificate {
	t.Helper()
	c.issuer, c.signer = id.cert.Leaf, id.cert.PrivateKey.(crypto.Signer)
	return certify(t, c)
}

func rsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// twoKeys are a server's certificates for suites of ECDSA and of RSA.
func (id identity) twoKeys(t testing.TB) []tls.Certificate {
	t.Helper()
	names := []string{"server.example"}
	return []tls.Certificate{id.cert, id.issued(t, claim{names: names, usage: x509.ExtKeyUsageServerAuth, key: rsaKey(t)})}
}

// oddClient and oddServer are ends that offer "h2" and whatever change says.
func (id identity) oddClient(change func(*tls.Config)) odd {
	c := id.client()
	c.NextProtos, c.MinVersion = []string{"h2"}, tls.VersionTLS10
	change(c)
	return odd{config: c}
}

func (id identity) oddServer(change func(*tls.Config)) odd {
	c := id.server()
	c.NextProtos, c.MinVersion = []string{"h2"}, tls.VersionTLS10
	change(c)
	return odd{config: c}
}
