// TLS: what both sides learn of each other, ALPN, and handshakes that fail. The certificates are made by the test.

package behaviour

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// identity is a self-signed certificate of server.example and 127.0.0.1, and a pool that trusts it.
type identity struct {
	cert tls.Certificate
	pool *x509.CertPool
}

var identityOnce sync.Once
var sharedIdentity identity

func serverIdentity(t testing.TB) identity {
	t.Helper()
	identityOnce.Do(func() {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server.example"},
			DNSNames: []string{"server.example", "other.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(leaf)
		sharedIdentity = identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool}
	})
	return sharedIdentity
}

// secured makes a pair that speaks TLS.
func secured(t *testing.T, service *echo.Service, server *tls.Config, client credentials.TransportCredentials, opts ...grpc.DialOption) *pair {
	t.Helper()
	return start(t, setup{
		service: service,
		server:  []grpc.ServerOption{grpc.Creds(credentials.NewTLS(server))},
		client:  append(opts, grpc.WithTransportCredentials(client)),
	})
}

func (id identity) server() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{id.cert}} }

func (id identity) client() *tls.Config {
	return &tls.Config{RootCAs: id.pool, ServerName: "server.example"}
}

func TestTLSCall(t *testing.T) {
	id := serverIdentity(t)
	seen := make(chan string, 1)
	service := answering(func(ctx context.Context) error {
		pr, _ := peer.FromContext(ctx)
		seen <- tlsInfo(pr)
		return nil
	})
	p := secured(t, service, id.server(), credentials.NewTLS(id.client()))
	var pr peer.Peer
	equal(t, result(unary(within(t), p.cc, "x", grpc.Peer(&pr))), `"x"`)
	equal(t, tlsInfo(&pr), `tls PrivacyAndIntegrity <nil> alpn=h2 name="server.example" certificates=1 version=304`)
	equal(t, wait(t, seen, "call"), `tls PrivacyAndIntegrity <nil> alpn=h2 name="server.example" certificates=0 version=304`)
}

// tlsInfo shows what a peer's AuthInfo says of TLS.
func tlsInfo(pr *peer.Peer) string {
	info, ok := pr.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return fmt.Sprintf("%T", pr.AuthInfo)
	}
	return fmt.Sprintf("%s %s %v alpn=%s name=%q certificates=%d version=%x", info.AuthType(), info.SecurityLevel, info.SPIFFEID,
		info.State.NegotiatedProtocol, info.State.ServerName, len(info.State.PeerCertificates), info.State.Version)
}

func TestMutualTLS(t *testing.T) {
	id := serverIdentity(t)
	seen := make(chan string, 1)
	service := answering(func(ctx context.Context) error {
		pr, _ := peer.FromContext(ctx)
		seen <- tlsInfo(pr)
		return nil
	})
	server, client := id.server(), id.client()
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, id.pool
	client.Certificates = []tls.Certificate{id.cert}
	p := secured(t, service, server, credentials.NewTLS(client))
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	equal(t, wait(t, seen, "call"), `tls PrivacyAndIntegrity <nil> alpn=h2 name="server.example" certificates=1 version=304`)
}

func TestAuthorityOverTLS(t *testing.T) {
	id := serverIdentity(t)
	nameless := id.client()
	nameless.ServerName = ""
	for _, tc := range []struct {
		name   string
		creds  credentials.TransportCredentials
		opts   []grpc.DialOption
		target string
		want   string
	}{
		{"name of the credentials", credentials.NewTLS(id.client()), nil, "passthrough:///elsewhere", `["server.example"] server.example`},
		{"name of the target", credentials.NewTLS(nameless), nil, "passthrough:///server.example", `["server.example"] server.example`},
		{"name of the target with a port", credentials.NewTLS(nameless), nil, "passthrough:///server.example:443",
			`["server.example:443"] server.example`},
		{"WithAuthority", credentials.NewTLS(nameless), []grpc.DialOption{grpc.WithAuthority("other.example")}, "passthrough:///elsewhere",
			`["other.example"] other.example`},
		{"old constructor", credentials.NewClientTLSFromCert(id.pool, "server.example"), nil, "passthrough:///elsewhere",
			`["server.example"] server.example`},
		{"address", credentials.NewTLS(nameless), nil, "passthrough:///127.0.0.1:5", `["127.0.0.1:5"] `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seen := make(chan string, 1)
			p := start(t, setup{service: answering(func(ctx context.Context) error {
				pr, _ := peer.FromContext(ctx)
				seen <- authority(ctx) + " " + pr.AuthInfo.(credentials.TLSInfo).State.ServerName
				return nil
			}), server: []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&id.cert))}})
			opts := append(tc.opts, grpc.WithTransportCredentials(tc.creds), memory(p))
			equal(t, result(unary(within(t), client(t, tc.target, opts...), "x")), `"x"`)
			equal(t, wait(t, seen, "call"), tc.want)
		})
	}
}

func TestCallAuthorityOverTLS(t *testing.T) {
	id := serverIdentity(t)
	seen := make(chan string, 1)
	service := answering(func(ctx context.Context) error {
		seen <- authority(ctx)
		return nil
	})
	p := secured(t, service, id.server(), credentials.NewTLS(id.client()))
	equal(t, result(unary(within(t), p.cc, "x", grpc.CallAuthority("other.example"))), `"x"`)
	equal(t, wait(t, seen, "call"), `["other.example"]`)
	equal(t, result(unary(within(t), p.cc, "x", grpc.CallAuthority("foreign.example"))),
		`rpc error: code = Unavailable desc = failed to validate authority "foreign.example" : x509: certificate is valid for server.example, other.example, not foreign.example`)
	bare := secured(t, nil, id.server(), opaque{credentials.NewTLS(id.client())})
	equal(t, result(unary(within(t), bare.cc, "x", grpc.CallAuthority("other.example"))),
		`rpc error: code = Unavailable desc = credentials type "opaque" does not implement the AuthorityValidator interface, but authority override specified with CallAuthority call option`)
}

// opaque are transport credentials whose AuthInfo says nothing.
type opaque struct {
	credentials.TransportCredentials
}

type opaqueInfo struct{}

func (opaqueInfo) AuthType() string { return "opaque" }

func (o opaque) ClientHandshake(ctx context.Context, authority string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	nc, _, err := o.TransportCredentials.ClientHandshake(ctx, authority, nc)
	return nc, opaqueInfo{}, err
}
func (o opaque) Clone() credentials.TransportCredentials {
	return opaque{o.TransportCredentials.Clone()}
}

func TestTLSHandshakesThatFail(t *testing.T) {
	id := serverIdentity(t)
	wrongName, distrust := id.client(), id.client()
	wrongName.ServerName = "wrong.example"
	distrust.RootCAs = x509.NewCertPool()
	demanding := id.server()
	demanding.ClientAuth = tls.RequireAnyClientCert
	demanding.MaxVersion = tls.VersionTLS12
	old := id.server()
	old.MinVersion = tls.VersionTLS13
	oldClient := id.client()
	oldClient.MaxVersion = tls.VersionTLS12
	for _, tc := range []struct {
		name   string
		server []grpc.ServerOption
		client credentials.TransportCredentials
		want   string
	}{
		{"wrong name", []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}, credentials.NewTLS(wrongName),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate is valid for server.example, other.example, not wrong.example"`},
		{"unknown authority", []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}, credentials.NewTLS(distrust),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`},
		{"server without TLS", nil, credentials.NewTLS(id.client()),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: first record does not look like a TLS handshake"`},
		{"client without a certificate", []grpc.ServerOption{grpc.Creds(credentials.NewTLS(demanding))}, credentials.NewTLS(id.client()),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: remote error: tls: handshake failure"`},
		{"no common version", []grpc.ServerOption{grpc.Creds(credentials.NewTLS(old))}, credentials.NewTLS(oldClient),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: remote error: tls: protocol version not supported"`},
		{"local credentials of a remote network", nil, local.NewCredentials(),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: local credentials rejected connection to non-local address \"bufconn\""`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{server: tc.server})
			equal(t, failure(t, p.dial(t, grpc.WithTransportCredentials(tc.client))), tc.want)
		})
	}
}

func TestClientWithoutTLSOfAServerWithTLS(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(serverIdentity(t).server()))}})
	oneOf(t, failure(t, p.cc), `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: EOF"`,
		"rpc error: code = Unavailable desc = io: read/write on closed pipe") // it may be writing when the server gives up
}

func TestALPNIsRequired(t *testing.T) {
	id := serverIdentity(t)
	// A server of another protocol, which selects none.
	addr := speaker(t, func(nc net.Conn) {
		server := tls.Server(nc, id.server())
		server.Handshake()
		server.Read(make([]byte, 1))
	})
	cc := client(t, "passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
	equal(t, failure(t, cc),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: credentials: cannot check peer: missing selected ALPN property. If you upgraded from a grpc-go version earlier than 1.67, your TLS connections may have stopped working due to ALPN enforcement. For more details, see: https://github.com/grpc/grpc-go/issues/434"`)
	// A client that offers none.
	p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}})
	nc, err := p.lis.DialContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw := tls.Client(nc, id.client())
	err = raw.HandshakeContext(within(t))
	if err == nil {
		_, err = raw.Read(make([]byte, 1))
	}
	equal(t, text(err), "EOF")
}

func TestTLSOverTCP(t *testing.T) {
	id := serverIdentity(t)
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&id.cert)))
	server.RegisterService(&echo.Desc, &echo.Service{})
	lis := listen(t)
	go server.Serve(lis)
	t.Cleanup(server.Stop)
	cc := client(t, lis.Addr().String(), grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(id.pool, "")))
	equal(t, converse(t, cc, echo.BidiDesc, echo.Bidi, strings.Repeat("x", 100_000), "y")[100_000:], ", y, EOF")
}

func TestLocalCredentials(t *testing.T) {
	seen := make(chan string, 1)
	server := grpc.NewServer(grpc.Creds(local.NewCredentials()))
	server.RegisterService(&echo.Desc, answering(func(ctx context.Context) error {
		pr, _ := peer.FromContext(ctx)
		seen <- fmt.Sprintf("%s %+v", pr.AuthInfo.AuthType(), pr.AuthInfo)
		return nil
	}))
	lis := listen(t)
	go server.Serve(lis)
	t.Cleanup(server.Stop)
	cc := client(t, "passthrough:///"+lis.Addr().String(), grpc.WithTransportCredentials(local.NewCredentials()))
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
	equal(t, wait(t, seen, "call"), "local {CommonAuthInfo:{SecurityLevel:NoSecurity}}")
}

func TestServerHandshakeThatFailsLeavesTheServerServing(t *testing.T) {
	id := serverIdentity(t)
	p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}})
	reach(t, p.cc, connectivity.TransientFailure)
	cc := p.dial(t, grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
}
