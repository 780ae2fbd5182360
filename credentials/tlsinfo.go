// TLSInfo: what a TLS handshake has found out about the peer, such as its SPIFFE ID.

package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// TLSInfo is the AuthInfo of a TLS connection.
type TLSInfo struct {
	State tls.ConnectionState
	CommonAuthInfo
	// SPIFFEID is the SPIFFE ID in the peer's certificate, or nil if that has none or a malformed one.
	//
	// It is experimental.
	SPIFFEID *url.URL
}

// AuthType returns "tls".
func (t TLSInfo) AuthType() string { return "tls" }

// ValidateAuthority returns an error unless the peer's own certificate is valid for the host in authority. Certificates further up the
// chain do not count: a name in them was not proved by the peer.
func (t TLSInfo) ValidateAuthority(authority string) error {
	if len(t.State.PeerCertificates) == 0 {
		return fmt.Errorf("credentials: no peer certificates found to verify authority %q", authority)
	}
	return t.State.PeerCertificates[0].VerifyHostname(hostOf(authority))
}

// GetSecurityValue describes the connection for channelz.
func (t TLSInfo) GetSecurityValue() ChannelzSecurityValue {
	v := &TLSChannelzSecurityValue{StandardName: tls.CipherSuiteName(t.State.CipherSuite)}
	if strings.HasPrefix(v.StandardName, "0x") {
		v.StandardName = fmt.Sprintf("unknown ID: %d", t.State.CipherSuite)
	}
	if certs := t.State.PeerCertificates; len(certs) > 0 {
		v.RemoteCertificate = certs[0].Raw
	}
	return v
}

const (
	maxSPIFFEIDLen     = 2048 // bytes; SPIFFE-ID §2.3
	maxSPIFFEDomainLen = 255  // bytes; SPIFFE-ID §2.1
)

// spiffeID returns the SPIFFE ID of the first certificate: its only URI (X509-SVID §2), with a trust domain and a path. It returns nil
// if there is none that can be used as an identity.
func spiffeID(chain []*x509.Certificate) *url.URL {
	if len(chain) == 0 || len(chain[0].URIs) != 1 {
		return nil
	}
	id := chain[0].URIs[0]
	switch {
	case id == nil, id.Scheme != "spiffe", id.Opaque != "", id.User != nil, id.Host == "", id.Path == "":
		return nil
	case len(id.String()) > maxSPIFFEIDLen, len(id.Host) > maxSPIFFEDomainLen:
		return nil
	}
	return id
}
