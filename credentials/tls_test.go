// Tests of handshakes, both ends over loopback TCP or a net.Pipe; the other end is plain crypto/tls where ours would not misbehave.

package credentials

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/internal/testkit"
)

// result is what one end of a handshake has come to.
type result struct {
	conn net.Conn
	info TLSInfo
	err  error
}

func resultOf(conn net.Conn, info AuthInfo, err error) result {
	t, _ := info.(TLSInfo)
	return result{conn, t, err}
}

// clientEnd and serverEnd return functions that do one side of a handshake with the given credentials.
func clientEnd(c TransportCredentials, authority string) func(net.Conn) result {
	return func(conn net.Conn) result { return resultOf(c.ClientHandshake(context.Background(), authority, conn)) }
}

func serverEnd(c TransportCredentials) func(net.Conn) result {
	return func(conn net.Conn) result { return resultOf(c.ServerHandshake(conn)) }
}

// plainEnd is an end that is not ours. It reads until the other end closes, so that nothing that ours sends gets lost.
func plainEnd(wrap func(net.Conn, *tls.Config) *tls.Conn, config *tls.Config) func(net.Conn) result {
	return func(conn net.Conn) result {
		c := wrap(conn, config)
		if err := c.Handshake(); err != nil {
			conn.Close()
			return result{err: err}
		}
		go io.Copy(io.Discard, c) // ends when the test closes the connections
		return result{conn: c, info: TLSInfo{State: c.ConnectionState()}}
	}
}

// closeWatch is a connection that knows whether it was closed. It is not a syscall.Conn.
type closeWatch struct {
	net.Conn
	closed bool
}

func (c *closeWatch) Close() error {
	c.closed = true
	return c.Conn.Close()
}

// shake runs both ends over TCP and returns their results.
func shake(t *testing.T, client, server func(net.Conn) result) (c, s result) {
	t.Helper()
	clientConn, serverConn := tcpPair(t)
	done := make(chan result)
	go func() { done <- server(serverConn) }() // ends with the handshake; waited for below
	c = client(clientConn)
	if c.err != nil {
		clientConn.Close()
	}
	s = <-done
	return c, s
}

func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func wantError(t *testing.T, who string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: got error %q, want none", who, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got error %v, want one with %q", who, err, want)
	}
}

const alpnError = "credentials: cannot check peer: missing selected ALPN property. If you upgraded from a grpc-go version earlier than 1.67, " +
	"your TLS connections may have stopped working due to ALPN enforcement. For more details, see: https://github.com/grpc/grpc-go/issues/434"

func TestHandshakeByAuthority(t *testing.T) {
	ca := testkit.NewCA(t)
	server := NewTLS(&tls.Config{Certificates: []tls.Certificate{ca.Server(t, "a.test", "*.w.test", "127.0.0.1", "::1")}})
	client := NewClientTLSFromCert(ca.Pool, "")
	const noName = "tls: either ServerName or InsecureSkipVerify must be specified in the tls.Config"
	for _, tt := range []struct{ authority, serverName, err string }{
		{"a.test", "a.test", ""},
		{"a.test:443", "a.test", ""},
		{"A.TEST:443", "A.TEST", ""},
		{"x.w.test", "x.w.test", ""},
		{"x.y.w.test", "", "certificate is valid for a.test, *.w.test, not x.y.w.test"},
		{"w.test", "", "not w.test"},
		{"b.test:443", "", "tls: failed to verify certificate: x509: certificate is valid for a.test, *.w.test, not b.test"},
		{"127.0.0.1:1", "127.0.0.1", ""},
		{"127.0.0.2:1", "", "x509: certificate is valid for 127.0.0.1, ::1, not 127.0.0.2"},
		{"[::1]:1", "::1", ""},
		{"[::1]", "[::1]", ""},
		{"::1", "::1", ""},
		{"", "", noName},
		{":443", "", noName},
	} {
		t.Run(tt.authority, func(t *testing.T) {
			c, s := shake(t, clientEnd(client, tt.authority), serverEnd(server))
			wantError(t, "client", c.err, tt.err)
			if (s.err == nil) != (tt.err == "") {
				t.Errorf("server: got error %v, want one exactly if the client has one", s.err)
			}
			if tt.err != "" {
				return
			}
			if got, want := c.info.State.NegotiatedProtocol, "h2"; got != want {
				t.Errorf("protocol: got %q, want %q", got, want)
			}
			for who, info := range map[string]TLSInfo{"client": c.info, "server": s.info} {
				if info.SecurityLevel != PrivacyAndIntegrity || info.AuthType() != "tls" {
					t.Errorf("%s: got %v, %q, want PrivacyAndIntegrity, tls", who, info.SecurityLevel, info.AuthType())
				}
			}
		})
	}
}

func TestHandshakeIgnoresTheConfiguredNameOfTheServer(t *testing.T) {
	ca := testkit.NewCA(t)
	server := NewTLS(&tls.Config{Certificates: []tls.Certificate{ca.Server(t, "a.test")}})
	c, _ := shake(t, clientEnd(NewClientTLSFromCert(ca.Pool, "a.test"), "b.test"), serverEnd(server))
	wantError(t, "client", c.err, "x509: certificate is valid for a.test, not b.test")
}

func TestHandshakeRefusesBadCertificates(t *testing.T) {
	ca := testkit.NewCA(t)
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"expired", ca.Issue(t, testkit.Leaf{Names: []string{"a.test"}, NotAfter: time.Now().Add(-time.Hour)}),
			"x509: certificate has expired or is not yet valid"},
		{"other authority", testkit.NewCA(t).Server(t, "a.test"), "x509: certificate signed by unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := shake(t, clientEnd(NewClientTLSFromCert(ca.Pool, ""), "a.test"), serverEnd(NewServerTLSFromCert(&tt.cert)))
			wantError(t, "client", c.err, "tls: failed to verify certificate: "+tt.want)
			wantError(t, "server", s.err, "remote error: tls: bad certificate")
		})
	}
}

func TestALPN(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := []tls.Certificate{ca.Server(t, "a.test")}
	ourServer := func(protos ...string) func(net.Conn) result {
		return serverEnd(NewTLS(&tls.Config{Certificates: cert, NextProtos: protos}))
	}
	ourClient := func(protos ...string) func(net.Conn) result {
		return clientEnd(NewTLS(&tls.Config{RootCAs: ca.Pool, NextProtos: protos}), "a.test")
	}
	plainServer := func(protos ...string) func(net.Conn) result {
		return plainEnd(tls.Server, &tls.Config{Certificates: cert, NextProtos: protos})
	}
	plainClient := func(protos ...string) func(net.Conn) result {
		return plainEnd(tls.Client, &tls.Config{RootCAs: ca.Pool, ServerName: "a.test", NextProtos: protos})
	}
	const noProtocol, noSuchProtocol = "tls: no application protocol", "tls: client requested unsupported application protocols"
	for _, tt := range []struct {
		name                 string
		client, server       func(net.Conn) result
		clientErr, serverErr string
		proto                string
	}{
		{"plain server without", ourClient(), plainServer(), alpnError, "", ""},
		{"plain server http/1.1", ourClient(), plainServer("http/1.1"), noProtocol, noSuchProtocol, ""},
		{"plain server both", ourClient(), plainServer("http/1.1", "h2"), "", "", "h2"},
		{"plain client without", plainClient(), ourServer(), "", alpnError, ""},
		{"plain client http/1.1", plainClient("http/1.1"), ourServer(), "", alpnError, ""},
		{"plain client other", plainClient("other"), ourServer(), noProtocol, noSuchProtocol, ""},
		{"our client with http/1.1", ourClient("http/1.1"), ourServer(), "", "", "h2"},
		{"our server with http/1.1", ourClient(), ourServer("http/1.1"), "", "", "h2"},
		{"both with http/1.1", ourClient("http/1.1"), ourServer("http/1.1"), "", "", "http/1.1"},
		{"our client with h2", ourClient("h2"), ourServer("h2"), "", "", "h2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := shake(t, tt.client, tt.server)
			wantError(t, "client", c.err, tt.clientErr)
			wantError(t, "server", s.err, tt.serverErr)
			if c.err == nil && c.info.State.NegotiatedProtocol != tt.proto {
				t.Errorf("protocol: got %q, want %q", c.info.State.NegotiatedProtocol, tt.proto)
			}
		})
	}
}

func TestALPNPolicies(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := ca.Server(t, "a.test")
	without := plainEnd(tls.Server, &tls.Config{Certificates: []tls.Certificate{cert}})
	strict := NewClientTLSFromCert(ca.Pool, "").(*tlsCreds)
	for _, tt := range []struct {
		name  string
		creds TransportCredentials
		want  string
	}{
		{"required", strict, alpnError},
		{"wanted", &tlsCreds{config: strict.config, alpn: alpnWanted}, ""},
		{"optional", strict.WithoutALPNEnforcement(), ""},
		{"clone of optional", strict.WithoutALPNEnforcement().Clone(), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := shake(t, clientEnd(tt.creds, "a.test"), without)
			wantError(t, "client", c.err, tt.want)
		})
	}
	for env, want := range map[string]alpnPolicy{"": alpnRequired, "true": alpnRequired, "false": alpnWanted, "False": alpnWanted, "0": alpnRequired} {
		if got := parseALPNPolicy(env); got != want {
			t.Errorf("parseALPNPolicy(%q): got %v, want %v", env, got, want)
		}
	}
}

func TestFailedHandshakeClosesTheRawConnection(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := ca.Server(t, "a.test")
	server, client := NewServerTLSFromCert(&cert), NewClientTLSFromCert(ca.Pool, "")
	for _, tt := range []struct {
		name, authority string
		closed          bool
	}{
		{"good", "a.test", false},
		{"wrong name", "b.test", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := tcpPair(t)
			cw, sw := &closeWatch{Conn: c}, &closeWatch{Conn: s}
			done := make(chan result)
			go func() { done <- serverEnd(server)(sw) }() // ends with the handshake; waited for below
			got := clientEnd(client, tt.authority)(cw)
			<-done
			if cw.closed != tt.closed || sw.closed != tt.closed {
				t.Errorf("closed: got client %v, server %v (%v), want %v", cw.closed, sw.closed, got.err, tt.closed)
			}
			if got.err == nil {
				got.conn.Close()
				if !cw.closed {
					t.Error("after Close of the returned connection: the raw one is open, want it closed")
				}
			}
		})
	}
}

func TestHandshakeReturnsAConnThatShowsTheSocket(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := ca.Server(t, "a.test")
	server, client := NewServerTLSFromCert(&cert), NewClientTLSFromCert(ca.Pool, "")
	c, s := shake(t, clientEnd(client, "a.test"), serverEnd(server))
	for who, r := range map[string]result{"client": c, "server": s} {
		sc, ok := r.conn.(syscall.Conn)
		if !ok {
			t.Fatalf("%s: got %T (%v), want a syscall.Conn", who, r.conn, r.err)
		}
		if raw, err := sc.SyscallConn(); err != nil || raw == nil {
			t.Errorf("%s: SyscallConn: got %v, %v, want a connection", who, raw, err)
		}
		if _, ok := r.conn.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn); !ok {
			t.Errorf("%s: NetConn: got no *net.TCPConn, want one", who)
		}
	}
	go s.conn.Write([]byte("hello")) // ends at once: the kernel has room
	b := make([]byte, 5)
	if _, err := io.ReadFull(c.conn, b); err != nil || string(b) != "hello" {
		t.Errorf("read: got %q, %v, want %q", b, err, "hello")
	}

	withoutSocket := func(c net.Conn) result { return clientEnd(client, "a.test")(&closeWatch{Conn: c}) }
	c, _ = shake(t, withoutSocket, serverEnd(server))
	if _, ok := c.conn.(*tls.Conn); !ok {
		t.Errorf("over a connection without a socket: got %T (%v), want *tls.Conn", c.conn, c.err)
	}
}

func TestClientHandshakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		client, server := net.Pipe()
		go io.Copy(io.Discard, server) // a server that never answers; ends when the handshake closes the pipe
		watch := &closeWatch{Conn: client}
		_, _, err := NewTLS(nil).ClientHandshake(ctx, "a.test", watch)
		if err != context.DeadlineExceeded || !watch.closed || time.Since(start) != 5*time.Second {
			t.Errorf("got %v after %v with the connection closed = %v, want DeadlineExceeded after 5s, closed", err, time.Since(start), watch.closed)
		}
	})
}

func TestHandshakeWithSomethingElse(t *testing.T) {
	const want = "tls: first record does not look like a TLS handshake"
	ca := testkit.NewCA(t)
	cert := ca.Server(t, "a.test")
	say := func(c net.Conn, text string) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
	c, s := tcpPair(t)
	go say(s, "HTTP/1.1 400 Bad Request\r\n\r\n") // ends when the handshake closes the connection
	wantError(t, "client", clientEnd(NewClientTLSFromCert(ca.Pool, ""), "a.test")(c).err, want)
	c, s = tcpPair(t)
	go say(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") // ends when the handshake closes the connection
	wantError(t, "server", serverEnd(NewServerTLSFromCert(&cert))(s).err, want)
	c, s = tcpPair(t)
	c.Close()
	if _, _, err := NewServerTLSFromCert(&cert).ServerHandshake(s); err != io.EOF {
		t.Errorf("server whose client goes away: got %v, want EOF", err)
	}
}

func TestVersionsAndCipherSuites(t *testing.T) {
	ca := testkit.NewCA(t)
	cert := []tls.Certificate{ca.Server(t, "a.test")}
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	client := func(c *tls.Config) func(net.Conn) result {
		c.RootCAs, c.ServerName, c.NextProtos = ca.Pool, "a.test", []string{"h2"}
		return plainEnd(tls.Client, c)
	}
	server := func(c *tls.Config) func(net.Conn) result {
		c.Certificates = cert
		return serverEnd(NewTLS(c))
	}
	perClient := func(choose func(*tls.ClientHelloInfo) (*tls.Config, error)) func(net.Conn) result {
		return server(&tls.Config{GetConfigForClient: choose})
	}
	choice := func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{Certificates: cert}, nil }
	none := func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
	boom := func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("boom") }
	const noSuite, noVersion = "no cipher suite supported by both client and server", "client offered only unsupported versions"
	gcm, old := &tls.Config{MaxVersion: tls.VersionTLS12}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	for _, tt := range []struct {
		name           string
		client, server func(net.Conn) result
		want           string
	}{
		{"1.3", client(&tls.Config{MinVersion: tls.VersionTLS13}), server(&tls.Config{}), ""},
		{"1.2 with GCM", client(gcm), server(&tls.Config{}), ""},
		{"1.2 with CBC", client(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}), server(&tls.Config{}), noSuite},
		{"1.2 with CBC that ours names", client(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}), server(&tls.Config{CipherSuites: cbc}), ""},
		{"1.1", client(old), server(&tls.Config{}), noVersion},
		{"1.1 with a config per client", client(old), perClient(choice), noVersion},
		{"1.2 with CBC, config per client", client(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}), perClient(choice), noSuite},
		{"a config per client gets h2", client(&tls.Config{}), perClient(choice), ""},
		{"no config for this client", client(&tls.Config{}), perClient(none), ""},
		{"error instead of a config", client(&tls.Config{}), perClient(boom), "boom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := shake(t, tt.client, tt.server)
			wantError(t, "server", s.err, tt.want)
			if s.err == nil && s.info.State.NegotiatedProtocol != "h2" {
				t.Errorf("protocol: got %q, want h2", s.info.State.NegotiatedProtocol)
			}
		})
	}
}

func TestForHTTP2(t *testing.T) {
	for _, tt := range []struct {
		name         string
		in           *tls.Config
		protos       []string
		min          uint16
		keepsCiphers bool
	}{
		{"nil", nil, []string{"h2"}, tls.VersionTLS12, false},
		{"empty", &tls.Config{}, []string{"h2"}, tls.VersionTLS12, false},
		{"other protocols", &tls.Config{NextProtos: []string{"a", "b"}}, []string{"a", "b", "h2"}, tls.VersionTLS12, false},
		{"h2 among others", &tls.Config{NextProtos: []string{"h2", "b"}}, []string{"h2", "b"}, tls.VersionTLS12, false},
		{"named version", &tls.Config{MinVersion: tls.VersionTLS10}, []string{"h2"}, tls.VersionTLS10, false},
		{"named later version", &tls.Config{MinVersion: tls.VersionTLS13}, []string{"h2"}, tls.VersionTLS13, false},
		{"old maximum", &tls.Config{MaxVersion: tls.VersionTLS11}, []string{"h2"}, 0, false},
		{"named suites", &tls.Config{CipherSuites: []uint16{1}}, []string{"h2"}, tls.VersionTLS12, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := forHTTP2(tt.in)
			if !slices.Equal(got.NextProtos, tt.protos) || got.MinVersion != tt.min || slices.Equal(got.CipherSuites, goodSuites) == tt.keepsCiphers {
				t.Errorf("got protocols %v, minimum %x, suites %v, want %v, %x, suites kept = %v",
					got.NextProtos, got.MinVersion, got.CipherSuites, tt.protos, tt.min, tt.keepsCiphers)
			}
		})
	}
	protos := make([]string, 1, 2)
	protos[0] = "a"
	in := &tls.Config{NextProtos: protos}
	forHTTP2(in)
	if len(in.NextProtos) != 1 || in.MinVersion != 0 || in.CipherSuites != nil || protos[:2][1] != "" {
		t.Errorf("the caller's config: got %v and %q behind, want it untouched", in.NextProtos, protos[:2][1])
	}
}

func TestGoodSuitesAreThoseThatHTTP2Permits(t *testing.T) {
	for _, s := range tls.CipherSuites() {
		if slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}) {
			continue
		}
		// RFC 9113 Appendix A prohibits all without an ephemeral key exchange or without AEAD.
		good := strings.HasPrefix(s.Name, "TLS_ECDHE_") && (strings.Contains(s.Name, "_GCM_") || strings.Contains(s.Name, "_CHACHA20_"))
		if slices.Contains(goodSuites, s.ID) != good {
			t.Errorf("%s: got among the suites = %v, want %v", s.Name, !good, good)
		}
	}
}

func TestInfoCloneAndOverride(t *testing.T) {
	c := NewClientTLSFromCert(nil, "a.test")
	want := ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.2", ServerName: "a.test"}
	if got := c.Info(); got != want {
		t.Errorf("Info: got %+v, want %+v", got, want)
	}
	clone := c.Clone()
	if err := clone.OverrideServerName("b.test"); err != nil {
		t.Errorf("OverrideServerName: got %v, want nil", err)
	}
	if a, b := c.Info().ServerName, clone.Info().ServerName; a != "a.test" || b != "b.test" {
		t.Errorf("names after an override of the clone: got %q and %q, want a.test and b.test", a, b)
	}
}

func TestCredentialsFromFiles(t *testing.T) {
	ca := testkit.NewCA(t)
	cert, key := testkit.PEM(t, ca.Server(t, "a.test"))
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roots, certFile, keyFile, bad := file("roots", ca.PEM()), file("cert", cert), file("key", key), file("bad", []byte("bad"))

	client, err := NewClientTLSFromFile(roots, "")
	wantError(t, "NewClientTLSFromFile", err, "")
	server, err := NewServerTLSFromFile(certFile, keyFile)
	wantError(t, "NewServerTLSFromFile", err, "")
	c, s := shake(t, clientEnd(client, "a.test"), serverEnd(server))
	wantError(t, "client", c.err, "")
	wantError(t, "server", s.err, "")

	_, err = NewClientTLSFromFile(filepath.Join(dir, "none"), "")
	wantError(t, "no file", err, "none: no such file or directory")
	_, err = NewClientTLSFromFile(bad, "")
	wantError(t, "bad file", err, "credentials: failed to append certificates")
	if creds, err := NewServerTLSFromFile(bad, bad); creds != nil || err == nil {
		t.Errorf("bad pair: got %v, %v, want nil and an error", creds, err)
	}
}

func TestMutualTLSShowsTheClient(t *testing.T) {
	ca := testkit.NewCA(t)
	client := NewTLS(&tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{ca.Client(t, "spiffe://td/client")}})
	server := NewTLS(&tls.Config{
		Certificates: []tls.Certificate{ca.Server(t, "a.test")},
		ClientCAs:    ca.Pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	})
	_, s := shake(t, clientEnd(client, "a.test"), serverEnd(server))
	if s.err != nil || s.info.SPIFFEID == nil || s.info.SPIFFEID.String() != "spiffe://td/client" {
		t.Errorf("server: got %v, %v, want spiffe://td/client", s.info.SPIFFEID, s.err)
	}
	_, s = shake(t, clientEnd(NewClientTLSFromCert(ca.Pool, ""), "a.test"), serverEnd(server))
	wantError(t, "server of a client without certificate", s.err, "tls: client didn't provide a certificate")
}
