// Credentials that rely on a connection not leaving the machine. They accept Unix sockets and loopback addresses and nothing else.

// Package local provides transport credentials for connections within one machine. Those over Unix sockets count as private and
// unforgeable, so that per-RPC credentials may be sent there; those over loopback TCP count as insecure.
//
// The API is experimental and may change in a later release.
package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"google.golang.org/grpc/credentials"
)

// NewCredentials returns credentials that exchange nothing, and refuse connections with other machines.
func NewCredentials() credentials.TransportCredentials { return &local{} }

type local struct {
	serverName string // set by OverrideServerName
}

func (l *local) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return handshake(conn)
}

func (l *local) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return handshake(conn)
}

// handshake leaves conn open if it fails: the caller closes it.
func handshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	level, err := levelOf(conn.RemoteAddr())
	if err != nil {
		return nil, nil, err
	}
	return conn, info{credentials.CommonAuthInfo{SecurityLevel: level}}, nil
}

func levelOf(peer net.Addr) (credentials.SecurityLevel, error) {
	if peer.Network() == "unix" {
		return credentials.PrivacyAndIntegrity, nil
	}
	if ip, err := netip.ParseAddrPort(peer.String()); err == nil && ip.Addr().IsLoopback() {
		return credentials.NoSecurity, nil
	}
	return credentials.InvalidSecurityLevel, fmt.Errorf("local credentials rejected connection to non-local address %q", peer)
}

func (l *local) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "local", ServerName: l.serverName}
}

func (l *local) Clone() credentials.TransportCredentials { return &local{serverName: l.serverName} }

func (l *local) OverrideServerName(name string) error {
	l.serverName = name
	return nil
}

// info is the AuthInfo of a connection within the machine.
type info struct {
	credentials.CommonAuthInfo
}

func (info) AuthType() string { return "local" }

// ValidateAuthority accepts every name, since all of them are this machine.
func (info) ValidateAuthority(string) error { return nil }
