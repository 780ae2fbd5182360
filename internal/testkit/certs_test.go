// Tests that the certificates are what their users rely on.

package testkit

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestIssuedCertificateIsValidForItsNamesAlone(t *testing.T) {
	ca := NewCA(t)
	leaf := ca.Server(t, "a.test", "127.0.0.1").Leaf
	for _, tt := range []struct {
		name string
		ok   bool
	}{{"a.test", true}, {"127.0.0.1", true}, {"b.test", false}} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool, DNSName: tt.name})
		if ok := err == nil; ok != tt.ok {
			t.Errorf("Verify(%q): got %v, want valid = %v", tt.name, err, tt.ok)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: NewCA(t).Pool}); err == nil {
		t.Error("Verify by another authority: got no error, want one")
	}
}

func TestCertificatesAreValidUnderASyntheticClock(t *testing.T) {
	ca := NewCA(t)
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := ca.Server(t, "a.test").Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool, CurrentTime: at}); err != nil {
		t.Errorf("Verify in 2000: got %v, want no error", err)
	}
	late := ca.Issue(t, Leaf{NotAfter: at.Add(-time.Hour)}).Leaf
	if _, err := late.Verify(x509.VerifyOptions{Roots: ca.Pool, CurrentTime: at}); err == nil {
		t.Error("Verify after NotAfter: got no error, want one")
	}
}

func TestPEMCanBeReadBack(t *testing.T) {
	ca := NewCA(t)
	leaf := ca.Client(t, "spiffe://a.test/b")
	pair, err := tls.X509KeyPair(PEM(t, leaf))
	if err != nil {
		t.Fatalf("X509KeyPair: got %v, want no error", err)
	}
	if got, want := pair.Leaf.URIs[0].String(), "spiffe://a.test/b"; got != want {
		t.Errorf("URI: got %q, want %q", got, want)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.PEM()) || !roots.Equal(ca.Pool) {
		t.Error("roots from PEM: got others, want the authority's pool")
	}
}
