// Certificates for tests, made in memory: an authority, and leaves for servers and clients that it signs.
// They are valid from 1990 to 2090, so that they are good under a synthetic clock, which starts in 2000, as well.

// Package testkit holds what the tests of several packages need. No production code imports it.
package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"
)

var (
	validFrom  = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CA is a certificate authority.
type CA struct {
	// Pool trusts the authority and nobody else.
	Pool *x509.CertPool

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA returns an authority that no other trusts.
func NewCA(tb testing.TB) *CA {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotBefore:             validFrom,
		NotAfter:              validUntil,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	ca := &CA{Pool: x509.NewCertPool(), cert: template, key: key}
	ca.cert = ca.sign(tb, template, key)
	ca.Pool.AddCert(ca.cert)
	return ca
}

// Leaf is what a certificate says.
type Leaf struct {
	// Names are the DNS names and IP addresses that the owner may be called by.
	Names []string
	// URIs are further names, such as a SPIFFE ID.
	URIs []string
	// NotAfter is the end of validity; zero means 2090.
	NotAfter time.Time
}

// Server returns a certificate for the given DNS names and IP addresses.
func (ca *CA) Server(tb testing.TB, names ...string) tls.Certificate {
	tb.Helper()
	return ca.Issue(tb, Leaf{Names: names})
}

// Client returns a certificate with the given URIs.
func (ca *CA) Client(tb testing.TB, uris ...string) tls.Certificate {
	tb.Helper()
	return ca.Issue(tb, Leaf{URIs: uris})
}

// Issue returns a certificate that says what l says, good for servers and clients.
func (ca *CA) Issue(tb testing.TB, l Leaf) tls.Certificate {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "test leaf"},
		NotBefore:    validFrom,
		NotAfter:     validUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if !l.NotAfter.IsZero() {
		template.NotAfter = l.NotAfter
	}
	for _, name := range l.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	for _, uri := range l.URIs {
		u, err := url.Parse(uri)
		if err != nil {
			tb.Fatalf("testkit: URI %q: %v", uri, err)
		}
		template.URIs = append(template.URIs, u)
	}
	cert := ca.sign(tb, template, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (ca *CA) sign(tb testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		tb.Fatalf("testkit: sign: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("testkit: parse what was signed: %v", err)
	}
	return cert
}

// PEM returns the authority's certificate for a file of trusted roots.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// PEM returns a certificate and its key for a pair of files.
func PEM(tb testing.TB, c tls.Certificate) (cert, key []byte) {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatalf("testkit: key: %v", err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("testkit: key: %v", err)
	}
	return key
}
