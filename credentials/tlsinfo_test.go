// Tests of names, SPIFFE IDs and of what channelz shows.

package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

func TestValidateAuthority(t *testing.T) {
	ca := testkit.NewCA(t)
	upper := ca.Server(t, "upper.test")
	leaf := ca.Server(t, "a.test", "*.w.test", "127.0.0.1", "::1")
	info := TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf.Leaf, upper.Leaf}}}
	for _, tt := range []struct{ authority, want string }{
		{"a.test", ""},
		{"a.test:443", ""},
		{"A.Test:https", ""},
		{"a.test.", ""},
		{"x.w.test", ""},
		{"x.w.test:1", ""},
		{"*.w.test", ""},
		{"127.0.0.1", ""},
		{"127.0.0.1:80", ""},
		{"::1", ""},
		{"[::1]", ""},
		{"[::1]:80", ""},
		{"b.test", "x509: certificate is valid for a.test, *.w.test, not b.test"},
		{"x.y.w.test", "x509: certificate is valid for a.test, *.w.test, not x.y.w.test"},
		{"w.test", "x509: certificate is valid for a.test, *.w.test, not w.test"},
		{"127.0.0.2:80", "x509: certificate is valid for 127.0.0.1, ::1, not 127.0.0.2"},
		{"upper.test", "x509: certificate is valid for a.test, *.w.test, not upper.test"},
		{"test leaf", "x509: certificate is valid for a.test, *.w.test, not test leaf"},
		{"a.test:443:2", "x509: certificate is valid for a.test, *.w.test, not a.test:443:2"},
		{"", "x509: certificate is valid for a.test, *.w.test, not "},
	} {
		wantError(t, "ValidateAuthority("+tt.authority+")", info.ValidateAuthority(tt.authority), tt.want)
	}
	wantError(t, "without certificates", TLSInfo{}.ValidateAuthority("a.test"), `credentials: no peer certificates found to verify authority "a.test"`)
}

func TestSPIFFEID(t *testing.T) {
	ca := testkit.NewCA(t)
	for _, tt := range []struct {
		name string
		uris []string
		want string
	}{
		{"good", []string{"spiffe://td/a"}, "spiffe://td/a"},
		{"scheme in capitals", []string{"SPIFFE://td/a"}, "spiffe://td/a"},
		{"none", nil, ""},
		{"other scheme", []string{"https://td/a"}, ""},
		{"no path", []string{"spiffe://td"}, ""},
		{"no trust domain", []string{"spiffe:///a"}, ""},
		{"opaque", []string{"spiffe:td"}, ""},
		{"user", []string{"spiffe://u@td/a"}, ""},
		{"two", []string{"spiffe://td/a", "spiffe://td/b"}, ""},
		{"one beside another URI", []string{"spiffe://td/a", "https://x/y"}, ""},
		{"longest domain", []string{"spiffe://" + strings.Repeat("a", 255) + "/a"}, "spiffe://" + strings.Repeat("a", 255) + "/a"},
		{"domain too long", []string{"spiffe://" + strings.Repeat("a", 256) + "/a"}, ""},
		{"longest id", []string{"spiffe://td/" + strings.Repeat("a", 2036)}, "spiffe://td/" + strings.Repeat("a", 2036)},
		{"id too long", []string{"spiffe://td/" + strings.Repeat("a", 2037)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if id := spiffeID([]*x509.Certificate{ca.Client(t, tt.uris...).Leaf}); id != nil {
				got = id.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := spiffeID(nil); got != nil {
		t.Errorf("no certificate: got %v, want nil", got)
	}
}

func TestGetSecurityValue(t *testing.T) {
	leaf := testkit.NewCA(t).Server(t, "a.test").Leaf
	for _, tt := range []struct {
		suite uint16
		name  string
		chain []*x509.Certificate
	}{
		{tls.TLS_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", []*x509.Certificate{leaf}},
		{tls.TLS_RSA_WITH_RC4_128_SHA, "TLS_RSA_WITH_RC4_128_SHA", nil},
		{0x9999, "unknown ID: 39321", nil},
	} {
		v := TLSInfo{State: tls.ConnectionState{CipherSuite: tt.suite, PeerCertificates: tt.chain}}.GetSecurityValue().(*TLSChannelzSecurityValue)
		if v.StandardName != tt.name || (len(v.RemoteCertificate) > 0) != (tt.chain != nil) || v.LocalCertificate != nil {
			t.Errorf("suite %x: got %q, %d bytes of certificate, want %q, certificate = %v",
				tt.suite, v.StandardName, len(v.RemoteCertificate), tt.name, tt.chain != nil)
		}
	}
}
