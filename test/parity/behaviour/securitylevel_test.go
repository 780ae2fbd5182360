// Per-RPC credentials that ask for security, and how much of it connections have.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// levelled are transport credentials that do nothing, and claim a protocol and a security level.
type levelled struct {
	protocol string
	level    credentials.SecurityLevel
}

type levelInfo struct{ credentials.CommonAuthInfo }

func (levelInfo) AuthType() string { return "levelled" }

func (l levelled) ClientHandshake(_ context.Context, _ string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nc, levelInfo{credentials.CommonAuthInfo{SecurityLevel: l.level}}, nil
}
func (l levelled) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nc, nil, nil
}
func (l levelled) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: l.protocol}
}
func (l levelled) Clone() credentials.TransportCredentials { return l }
func (l levelled) OverrideServerName(string) error         { return nil }

func TestSecurePerRPCCredentials(t *testing.T) {
	const call = "rpc error: code = Unauthenticated desc = transport: cannot send secure credentials on an insecure connection"
	const channel = `rpc error: code = Unavailable desc = connection error: desc = "transport: cannot send secure credentials on an insecure connection"`
	for _, tc := range []struct {
		creds         levelled
		channel, call string
	}{
		{levelled{"tls", credentials.PrivacyAndIntegrity}, `"x"`, `"x"`},
		{levelled{"tls", credentials.IntegrityOnly}, channel, call},
		{levelled{"tls", credentials.NoSecurity}, channel, call},
		{levelled{"tls", 0}, `"x"`, `"x"`}, // credentials from before there were levels
		{levelled{"other", credentials.PrivacyAndIntegrity}, `"x"`, `"x"`},
		{levelled{"other", credentials.NoSecurity}, channel, call},
		{levelled{"other", 0}, `"x"`, `"x"`},
	} {
		t.Run(fmt.Sprintf("%s %v", tc.creds.protocol, tc.creds.level), func(t *testing.T) {
			p := start(t, setup{client: []grpc.DialOption{grpc.WithTransportCredentials(tc.creds)}})
			token := secret{secure: true, md: map[string]string{"token": "t"}}
			equal(t, result(unary(within(t), p.cc, "x", grpc.PerRPCCredentials(token))), tc.call)
			channel := p.dial(t, grpc.WithTransportCredentials(tc.creds), grpc.WithPerRPCCredentials(token))
			equal(t, result(unary(within(t), channel, "x")), tc.channel)
		})
	}
}
