// TransportCredentials by crypto/tls, as HTTP/2 wants it: ALPN (RFC 9113 §3.2), TLS 1.2 or later and its good cipher suites (§9.2).
// What a handshake finds out about the peer is in tlsinfo.go.

package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"google.golang.org/grpc/grpclog"
)

var logger = grpclog.Component("credentials")

// alpnPolicy is what happens to a connection whose peer has not selected a protocol by ALPN.
type alpnPolicy int

const (
	alpnRequired alpnPolicy = iota // refused
	alpnWanted                     // accepted with a warning
	alpnOptional                   // accepted
)

// envALPN is the policy of all credentials of the process but those that opt out one by one.
var envALPN = parseALPNPolicy(os.Getenv("GRPC_ENFORCE_ALPN_ENABLED"))

func parseALPNPolicy(env string) alpnPolicy {
	if strings.EqualFold(env, "false") {
		return alpnWanted
	}
	return alpnRequired
}

var errNoALPN = errors.New("credentials: cannot check peer: missing selected ALPN property. If you upgraded from a grpc-go version " +
	"earlier than 1.67, your TLS connections may have stopped working due to ALPN enforcement. For more details, see: " +
	"https://github.com/grpc/grpc-go/issues/434")

// tlsCreds is the TransportCredentials of this file. Its handshakes return a *tls.Conn, or one that is a syscall.Conn as well if the
// raw connection is.
type tlsCreds struct {
	config *tls.Config // ours alone; not changed but by OverrideServerName
	alpn   alpnPolicy
}

// NewTLS returns credentials that follow a copy of c, to which they add what HTTP/2 asks for: the protocol "h2", at least TLS 1.2, and,
// where c leaves the choice open, only cipher suites that RFC 9113 permits. The same goes for what c.GetConfigForClient returns.
// A nil c is an empty one. A peer that selects no protocol by ALPN is refused, or with GRPC_ENFORCE_ALPN_ENABLED=false in the environment
// accepted with a warning in the log.
func NewTLS(c *tls.Config) TransportCredentials {
	return &tlsCreds{config: forHTTP2(c), alpn: envALPN}
}

// NewClientTLSFromCert returns credentials of a client that trusts the certificate authorities in cp, or those of the system if cp is
// nil. A serverNameOverride, unless empty, replaces the authority of channels with these credentials; it is for tests, others use
// grpc.WithAuthority.
func NewClientTLSFromCert(cp *x509.CertPool, serverNameOverride string) TransportCredentials {
	return NewTLS(&tls.Config{ServerName: serverNameOverride, RootCAs: cp})
}

// NewClientTLSFromFile is NewClientTLSFromCert with the certificate authorities from a PEM file.
func NewClientTLSFromFile(certFile, serverNameOverride string) (TransportCredentials, error) {
	pem, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	cp := x509.NewCertPool()
	if !cp.AppendCertsFromPEM(pem) {
		return nil, errors.New("credentials: failed to append certificates")
	}
	return NewClientTLSFromCert(cp, serverNameOverride), nil
}

// NewServerTLSFromCert returns credentials of a server that shows cert.
func NewServerTLSFromCert(cert *tls.Certificate) TransportCredentials {
	return NewTLS(&tls.Config{Certificates: []tls.Certificate{*cert}})
}

// NewServerTLSFromFile is NewServerTLSFromCert with the certificate chain and its key from PEM files.
func NewServerTLSFromFile(certFile, keyFile string) (TransportCredentials, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return NewServerTLSFromCert(&cert), nil
}

func (c *tlsCreds) Info() ProtocolInfo {
	return ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.2", ServerName: c.config.ServerName}
}

func (c *tlsCreds) Clone() TransportCredentials {
	return &tlsCreds{config: c.config.Clone(), alpn: c.alpn}
}

func (c *tlsCreds) OverrideServerName(name string) error {
	c.config.ServerName = name
	return nil
}

// WithoutALPNEnforcement returns a copy of the credentials that accepts peers without ALPN. It is for package experimental/credentials,
// which finds it by the method's name.
func (c *tlsCreds) WithoutALPNEnforcement() TransportCredentials {
	return &tlsCreds{config: c.config.Clone(), alpn: alpnOptional}
}

func (c *tlsCreds) ClientHandshake(ctx context.Context, authority string, rawConn net.Conn) (net.Conn, AuthInfo, error) {
	config := c.config.Clone()
	config.ServerName = hostOf(authority)
	return c.handshake(ctx, tls.Client(rawConn, config))
}

func (c *tlsCreds) ServerHandshake(rawConn net.Conn) (net.Conn, AuthInfo, error) {
	return c.handshake(context.Background(), tls.Server(rawConn, c.config))
}

// handshake closes conn, and so the raw connection, if it fails.
func (c *tlsCreds) handshake(ctx context.Context, conn *tls.Conn) (net.Conn, AuthInfo, error) {
	err := conn.HandshakeContext(ctx)
	state := conn.ConnectionState()
	if err == nil && state.NegotiatedProtocol == "" {
		err = c.withoutALPN(conn.RemoteAddr())
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	info := TLSInfo{State: state, CommonAuthInfo: CommonAuthInfo{SecurityLevel: PrivacyAndIntegrity}, SPIFFEID: spiffeID(state.PeerCertificates)}
	if raw, ok := conn.NetConn().(syscall.Conn); ok {
		return &syscallConn{Conn: conn, raw: raw}, info, nil
	}
	return conn, info, nil
}

func (c *tlsCreds) withoutALPN(peer net.Addr) error {
	switch c.alpn {
	case alpnRequired:
		return errNoALPN
	case alpnWanted:
		logger.Warningf("TLS connection with %v accepted although the peer has selected no protocol by ALPN", peer)
	}
	return nil
}

// syscallConn is a TLS connection whose socket can be inspected. What is read from or written to the socket itself is cipher text.
type syscallConn struct {
	*tls.Conn
	raw syscall.Conn
}

func (c *syscallConn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

// hostOf returns authority without its port, if it has one.
func hostOf(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}

// goodSuites are the cipher suites of TLS 1.2 that Go has and that RFC 9113 Appendix A does not prohibit. Those of TLS 1.3 need no list.
var goodSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// forHTTP2 returns a copy of c (nil is an empty one) with what NewTLS promises. Versions and suites that c names stay as they are.
func forHTTP2(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	if !slices.Contains(c.NextProtos, "h2") {
		c.NextProtos = append(slices.Clone(c.NextProtos), "h2")
	}
	if c.MinVersion == 0 && (c.MaxVersion == 0 || c.MaxVersion >= tls.VersionTLS12) {
		c.MinVersion = tls.VersionTLS12
	}
	if c.CipherSuites == nil {
		c.CipherSuites = goodSuites
	}
	if choose := c.GetConfigForClient; choose != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			return forHTTP2(chosen), nil
		}
	}
	return c
}
