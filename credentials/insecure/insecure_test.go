// Tests that nothing is done, and that it is said so.

package insecure

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc/credentials"
)

func TestHandshakesReturnTheConnection(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := NewCredentials()
	client, clientInfo, err := c.ClientHandshake(context.Background(), "a.test", a)
	if client != a || err != nil {
		t.Errorf("ClientHandshake: got %v, %v, want the connection and no error", client, err)
	}
	server, serverInfo, err := c.ServerHandshake(b)
	if server != b || err != nil {
		t.Errorf("ServerHandshake: got %v, %v, want the connection and no error", server, err)
	}
	for _, info := range []credentials.AuthInfo{clientInfo, serverInfo} {
		if got := info.AuthType(); got != "insecure" {
			t.Errorf("AuthType: got %q, want %q", got, "insecure")
		}
		if err := credentials.CheckSecurityLevel(info, credentials.NoSecurity); err != nil {
			t.Errorf("NoSecurity: got %v, want no error", err)
		}
		want := "requires SecurityLevel PrivacyAndIntegrity; connection has NoSecurity"
		if err := credentials.CheckSecurityLevel(info, credentials.PrivacyAndIntegrity); err == nil || err.Error() != want {
			t.Errorf("PrivacyAndIntegrity: got %v, want %q", err, want)
		}
		if err := info.(credentials.AuthorityValidator).ValidateAuthority("other.test"); err != nil {
			t.Errorf("ValidateAuthority: got %v, want no error", err)
		}
	}
}

func TestInfoIsAlwaysTheSame(t *testing.T) {
	c := NewCredentials()
	if err := c.OverrideServerName("a.test"); err != nil {
		t.Errorf("OverrideServerName: got %v, want nil", err)
	}
	want := credentials.ProtocolInfo{SecurityProtocol: "insecure"}
	for _, c := range []credentials.TransportCredentials{c, c.Clone()} {
		if got := c.Info(); got != want {
			t.Errorf("Info: got %+v, want %+v", got, want)
		}
	}
}

func TestBundle(t *testing.T) {
	b := NewBundle()
	other, err := b.NewWithMode("any")
	if err != nil || other == nil {
		t.Fatalf("NewWithMode: got %v, %v, want a bundle and no error", other, err)
	}
	for _, b := range []credentials.Bundle{b, other} {
		if got := b.TransportCredentials().Info().SecurityProtocol; got != "insecure" {
			t.Errorf("TransportCredentials: got %q, want %q", got, "insecure")
		}
		if got := b.PerRPCCredentials(); got != nil {
			t.Errorf("PerRPCCredentials: got %v, want nil", got)
		}
	}
}
