// Tests of which peers count as local, and of the level that they get.

package local

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/credentials"
)

// peerAddr is a connection of which only the peer's address is known.
type peerAddr struct {
	net.Conn
	network, text string
}

func (p peerAddr) RemoteAddr() net.Addr { return p }
func (p peerAddr) Network() string      { return p.network }
func (p peerAddr) String() string       { return p.text }

func TestLevelByAddress(t *testing.T) {
	const none = credentials.InvalidSecurityLevel // refused
	for _, tt := range []struct {
		network, addr string
		want          credentials.SecurityLevel
	}{
		{"tcp", "127.0.0.1:1", credentials.NoSecurity},
		{"tcp", "127.9.9.9:1", credentials.NoSecurity},
		{"tcp", "[::1]:1", credentials.NoSecurity},
		{"tcp", "[::ffff:127.0.0.1]:1", credentials.NoSecurity},
		{"unix", "@x", credentials.PrivacyAndIntegrity},
		{"unix", "", credentials.PrivacyAndIntegrity},
		{"tcp", "10.0.0.1:1", none},
		{"tcp", "[2001:db8::1]:1", none},
		{"tcp", "127.example.com:1", none},
		{"tcp", "localhost:1", none},
		{"tcp", "127.0.0.1", none},
		{"bufconn", "bufconn", none},
		{"pipe", "pipe", none},
		{"", "", none},
	} {
		conn := peerAddr{network: tt.network, text: tt.addr}
		c := NewCredentials()
		client, clientInfo, clientErr := c.ClientHandshake(context.Background(), "a.test", conn)
		server, serverInfo, serverErr := c.ServerHandshake(conn)
		if tt.want == none {
			want := fmt.Sprintf("local credentials rejected connection to non-local address %q", tt.addr)
			for _, err := range []error{clientErr, serverErr} {
				if err == nil || err.Error() != want {
					t.Errorf("%s %s: got error %v, want %q", tt.network, tt.addr, err, want)
				}
			}
			if client != nil || server != nil || clientInfo != nil || serverInfo != nil {
				t.Errorf("%s %s: got a connection or an AuthInfo beside the error, want none", tt.network, tt.addr)
			}
			continue
		}
		if client != net.Conn(conn) || server != net.Conn(conn) || clientErr != nil || serverErr != nil {
			t.Errorf("%s %s: got errors %v, %v, want the connection back", tt.network, tt.addr, clientErr, serverErr)
		}
		for _, ai := range []credentials.AuthInfo{clientInfo, serverInfo} {
			if got := ai.(info).SecurityLevel; got != tt.want || ai.AuthType() != "local" {
				t.Errorf("%s %s: got %v of type %q, want %v of type local", tt.network, tt.addr, got, ai.AuthType(), tt.want)
			}
			if err := ai.(credentials.AuthorityValidator).ValidateAuthority("other.test"); err != nil {
				t.Errorf("ValidateAuthority: got %v, want no error", err)
			}
		}
	}
}

func TestRealUnixSocketIsLocalAtBothEnds(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, conn := range []net.Conn{client, server} {
		if _, ai, err := handshake(conn); err != nil || ai.(info).SecurityLevel != credentials.PrivacyAndIntegrity {
			t.Errorf("peer %q: got %v, %v, want PrivacyAndIntegrity", conn.RemoteAddr(), ai, err)
		}
	}
}

func TestInfoCloneAndOverride(t *testing.T) {
	c := NewCredentials()
	if err := c.OverrideServerName("a.test"); err != nil {
		t.Errorf("OverrideServerName: got %v, want nil", err)
	}
	clone := c.Clone()
	if want := (credentials.ProtocolInfo{SecurityProtocol: "local", ServerName: "a.test"}); clone.Info() != want {
		t.Errorf("Info of the clone: got %+v, want %+v", clone.Info(), want)
	}
	clone.OverrideServerName("b.test")
	if got := c.Info().ServerName; got != "a.test" {
		t.Errorf("name after an override of the clone: got %q, want a.test", got)
	}
}
