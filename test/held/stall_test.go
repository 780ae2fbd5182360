// Clients of TLS that stop in the middle of the handshake, for the role of a client.

package held

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// serverCredentials are those of the role of a server with TLS.
func serverCredentials() credentials.TransportCredentials {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
}

// stall makes n connections that stop at a stage: "plain" and "silent" say nothing, "half" says half of the first message, "hello" all of it,
// and "finished" all that belongs to TLS, but not the preface of HTTP/2.
func stall(address string, n int, stage string) string {
	for range n {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			return err.Error()
		}
		keepAll(nc)
		if err := stallAt(nc, stage); err != nil {
			return stage + ": " + err.Error()
		}
	}
	return "ok"
}

// errStall ends a handshake where it is to stall.
var errStall = errors.New("stall")

// stopping is a connection that fails at the second flight of a client, or in the middle of the first.
type stopping struct {
	net.Conn
	half    bool
	flights int
}

func (s *stopping) Write(p []byte) (int, error) {
	if s.flights++; s.flights > 1 {
		return 0, errStall
	}
	if s.half {
		if _, err := s.Conn.Write(p[:len(p)/2]); err != nil {
			return 0, err
		}
		return 0, errStall
	}
	return s.Conn.Write(p)
}

func (s *stopping) Close() error { return nil }

func stallAt(nc net.Conn, stage string) error {
	// Trust is not what is measured here.
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS13}
	switch stage {
	case "plain", "silent":
		return nil
	case "finished":
		c := tls.Client(nc, config)
		keepAll(c)
		return c.Handshake()
	}
	err := tls.Client(&stopping{Conn: nc, half: stage == "half"}, config).Handshake()
	if err == nil || !errors.Is(err, errStall) && !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("the handshake has not stalled"), err)
	}
	return nil
}
