// Credentials that do nothing: connections in plain text, between peers that trust the network.

// Package insecure provides transport credentials without any security.
package insecure

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// NewCredentials returns credentials whose handshakes do nothing. Calls with per-RPC credentials that require transport security fail
// on their connections.
func NewCredentials() credentials.TransportCredentials { return plaintext{} }

type plaintext struct{}

func (plaintext) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, newInfo(), nil
}

func (plaintext) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, newInfo(), nil
}

func (plaintext) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

func (p plaintext) Clone() credentials.TransportCredentials { return p }

// OverrideServerName does nothing: no name is verified.
func (plaintext) OverrideServerName(string) error { return nil }

// info is the AuthInfo of a connection in plain text.
type info struct {
	credentials.CommonAuthInfo
}

func newInfo() info {
	return info{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}
}

func (info) AuthType() string { return "insecure" }

// ValidateAuthority accepts every name, since the peer has proved none.
func (info) ValidateAuthority(string) error { return nil }

// NewBundle returns a bundle of NewCredentials and no per-RPC credentials. It is the same in every mode.
func NewBundle() credentials.Bundle { return bundle{} }

type bundle struct{}

func (bundle) TransportCredentials() credentials.TransportCredentials { return NewCredentials() }

func (bundle) PerRPCCredentials() credentials.PerRPCCredentials { return nil }

func (b bundle) NewWithMode(string) (credentials.Bundle, error) { return b, nil }
