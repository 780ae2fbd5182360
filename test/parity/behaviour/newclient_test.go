// Making channels: what NewClient refuses, and what each kind of target becomes.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// secret are per-RPC credentials that ask for a secure connection, or not.
type secret struct {
	secure bool
	md     map[string]string
	err    error
	uris   chan []string
}

func (s secret) RequireTransportSecurity() bool { return s.secure }
func (s secret) GetRequestMetadata(_ context.Context, uri ...string) (map[string]string, error) {
	if s.uris != nil {
		s.uris <- uri
	}
	return s.md, s.err
}

// halfBundle is a credentials bundle of chosen parts.
type halfBundle struct {
	transport credentials.TransportCredentials
	perRPC    credentials.PerRPCCredentials
}

func (b halfBundle) TransportCredentials() credentials.TransportCredentials { return b.transport }
func (b halfBundle) PerRPCCredentials() credentials.PerRPCCredentials       { return b.perRPC }
func (b halfBundle) NewWithMode(string) (credentials.Bundle, error)         { return b, nil }

func TestNewClientErrors(t *testing.T) {
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	for _, tc := range []struct {
		name   string
		target string
		opts   []grpc.DialOption
		want   string
	}{
		{"no credentials", "x", nil,
			"grpc: no transport security set (use grpc.WithTransportCredentials(insecure.NewCredentials()) explicitly or set credentials)"},
		{"both kinds of credentials", "x", []grpc.DialOption{plaintext, grpc.WithCredentialsBundle(insecure.NewBundle())},
			"grpc: credentials.Bundle may not be used with individual TransportCredentials"},
		{"bundle", "x", []grpc.DialOption{grpc.WithCredentialsBundle(insecure.NewBundle())}, "<nil>"},
		{"bundle without transport credentials", "x", []grpc.DialOption{grpc.WithCredentialsBundle(halfBundle{})},
			"grpc: credentials.Bundle must return non-nil transport credentials"},
		{"secret on plain text", "x", []grpc.DialOption{plaintext, grpc.WithPerRPCCredentials(secret{secure: true})},
			"grpc: the credentials require transport level security (use grpc.WithTransportCredentials() to set)"},
		{"open secret on plain text", "x", []grpc.DialOption{plaintext, grpc.WithPerRPCCredentials(secret{})}, "<nil>"},
		{"secret in a bundle on plain text", "x", []grpc.DialOption{
			grpc.WithCredentialsBundle(halfBundle{insecure.NewCredentials(), secret{secure: true}})}, "<nil>"},
		{"secret on TLS", "x", []grpc.DialOption{
			grpc.WithTransportCredentials(credentials.NewTLS(nil)), grpc.WithPerRPCCredentials(secret{secure: true})}, "<nil>"},
		{"service config that is no JSON", "x", []grpc.DialOption{plaintext, grpc.WithDefaultServiceConfig("{")},
			"grpc: the provided default service config is invalid: unexpected end of JSON input"},
		{"service config of a wrong type", "x", []grpc.DialOption{plaintext, grpc.WithDefaultServiceConfig(`{"methodConfig": 5}`)},
			"grpc: the provided default service config is invalid: json: cannot unmarshal number into Go struct field …"},
		{"service config that is empty", "x", []grpc.DialOption{plaintext, grpc.WithDefaultServiceConfig("")},
			"grpc: the provided default service config is invalid: no JSON service config provided"},
		{"service config with an unknown policy", "x", []grpc.DialOption{plaintext,
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"none_such": {}}]}`)},
			`grpc: the provided default service config is invalid: no supported policies found in config: [{"none_such": {}}]`},
		{"authority that the credentials contradict", "x", []grpc.DialOption{
			grpc.WithTransportCredentials(claiming("a.example")), grpc.WithAuthority("b.example")},
			`ClientConn's authority from transport creds "a.example" and dial option "b.example" don't match`},
		{"authority that the credentials repeat", "x", []grpc.DialOption{
			grpc.WithTransportCredentials(claiming("a.example")), grpc.WithAuthority("a.example")}, "<nil>"},
		{"target with a bad escape", "passthrough:///%zz", []grpc.DialOption{plaintext},
			`parse "dns:///passthrough:///%zz": invalid URL escape "%zz"`},
		{"target that is no URL", "127.0.0.1:80\x7f", []grpc.DialOption{plaintext},
			`parse "dns:///ADDR\x7f": net/url: invalid control character in URL`},
		{"empty target", "", []grpc.DialOption{plaintext}, "<nil>"},
		{"dns without a host", "dns:///", []grpc.DialOption{plaintext}, "<nil>"},
		{"dns with a bad port", "dns:///a:b:c", []grpc.DialOption{plaintext}, "<nil>"},
		{"dns with an empty port", "dns:///a:", []grpc.DialOption{plaintext}, "<nil>"},
		{"unix with an authority", "unix://host/path", []grpc.DialOption{plaintext}, "<nil>"},
		{"passthrough without an endpoint", "passthrough:///", []grpc.DialOption{plaintext}, "<nil>"},
		{"idle timeout", "x", []grpc.DialOption{plaintext, grpc.WithIdleTimeout(0)}, "<nil>"},
		{"block is ignored", "x", []grpc.DialOption{plaintext, grpc.WithBlock()}, "<nil>"},
		{"insecure", "x", []grpc.DialOption{grpc.WithInsecure()}, "<nil>"},
		{"nil credentials", "x", []grpc.DialOption{grpc.WithTransportCredentials(nil)},
			"grpc: no transport security set (use grpc.WithTransportCredentials(insecure.NewCredentials()) explicitly or set credentials)"},
		{"max header list size", "x", []grpc.DialOption{plaintext, grpc.WithMaxHeaderListSize(10)}, "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cc, err := grpc.NewClient(tc.target, tc.opts...)
			if err == nil {
				cc.Close()
			}
			equal(t, goTypes.ReplaceAllString(text(err), "$1 …"), tc.want)
		})
	}
}

// claiming is insecure transport that claims a server name.
func claiming(name string) credentials.TransportCredentials {
	return claimed{insecure.NewCredentials(), name}
}

type claimed struct {
	credentials.TransportCredentials
	name string
}

func (c claimed) Info() credentials.ProtocolInfo {
	info := c.TransportCredentials.Info()
	info.ServerName = c.name
	return info
}
func (c claimed) Clone() credentials.TransportCredentials { return c }

func TestTargetsKeepTheirText(t *testing.T) {
	for _, tc := range []struct{ target, want string }{
		{"host", "host | dns:///host"},
		{"host:50", "host:50 | dns:///host:50"},
		{"127.0.0.1:80", "127.0.0.1:80 | dns:///127.0.0.1:80"},
		{"[::1]:80", "[::1]:80 | dns:///[::1]:80"},
		{"::1", "::1 | dns:///::1"},
		{":80", ":80 | dns:///:80"},
		{"dns:host", "dns:host | dns:///host"},
		{"dns:/host", "dns:/host | dns:///host"},
		{"dns:///host", "dns:///host | dns:///host"},
		{"dns://server/host:80", "dns://server/host:80 | dns://server/host:80"},
		{"DNS:///host", "DNS:///host | dns:///host"},
		{"passthrough:host", "passthrough:host | passthrough:///host"},
		{"passthrough:///host/with/path", "passthrough:///host/with/path | passthrough:///host/with/path"},
		{"passthrough://a/b", "passthrough://a/b | passthrough://a/b"},
		{"unix:path", "unix:path | unix:///path"},
		{"unix:/abs", "unix:/abs | unix:///abs"},
		{"unix:///abs", "unix:///abs | unix:///abs"},
		{"unix-abstract:name", "unix-abstract:name | unix-abstract:///name"},
		{"unknown:///host", "unknown:///host | dns:///unknown:///host"},
		{"a/b:c", "a/b:c | dns:///a/b:c"},
		{"a%20b", "a%20b | dns:///a b"},
		{"dns:///a%20b", "dns:///a%20b | dns:///a b"},
		{"host:80/path?q=1#f", "host:80/path?q=1#f | dns:///host:80/path"},
		{"dns:///host?q=1#f", "dns:///host?q=1#f | dns:///host"},
	} {
		t.Run(tc.target, func(t *testing.T) {
			cc := client(t, tc.target, grpc.WithTransportCredentials(insecure.NewCredentials()))
			equal(t, cc.Target()+" | "+cc.CanonicalTarget(), tc.want)
		})
	}
}

// refuse is a dialer of a network on which nobody is.
func refuse(context.Context, string) (net.Conn, error) { return nil, errors.New("nobody there") }

func TestDialKeepsPassthrough(t *testing.T) {
	for _, tc := range []struct{ target, want string }{
		{"host", "passthrough:///host"},
		{"host:50", "passthrough:///host:50"},
		{"127.0.0.1:80", "passthrough:///127.0.0.1:80"},
		{"a%20b", "passthrough:///a b"},
		{"unknown:///host", "passthrough:///unknown:///host"},
	} {
		t.Run(tc.target, func(t *testing.T) {
			cc, err := grpc.Dial(tc.target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(refuse))
			if err != nil {
				t.Fatal(err)
			}
			defer cc.Close()
			equal(t, cc.Target()+" | "+cc.CanonicalTarget(), tc.target+" | "+tc.want)
		})
	}
}

// authorityAndAddress calls a server that any address leads to, and shows the authority it saw and the address dialled.
func authorityAndAddress(t *testing.T, target string, opts ...grpc.DialOption) string {
	t.Helper()
	seen, dialled := make(chan metadata.MD, 1), make(chan string, 1)
	p := start(t, setup{service: witness(seen)})
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			select {
			case dialled <- addr:
			default:
			}
			return p.lis.DialContext(ctx)
		}),
	}, opts...)
	cc, err := grpc.NewClient(target, opts...)
	if err != nil {
		return text(err)
	}
	defer cc.Close()
	if _, err := unary(within(t), cc, "x"); err != nil {
		return text(err)
	}
	return fmt.Sprintf("%q, dialled %q", wait(t, seen, "call")[":authority"], wait(t, dialled, "address"))
}

func TestAuthorityOfTargets(t *testing.T) {
	for _, tc := range []struct{ target, want string }{
		{"passthrough:///host", `["host"], dialled "host"`},
		{"passthrough:///host:80", `["host:80"], dialled "host:80"`},
		{"passthrough:///:80", `["localhost:80"], dialled ":80"`},
		{"passthrough:host", `["host"], dialled "host"`},
		{"passthrough://server/host", `["host"], dialled "host"`},
		{"passthrough:///a/b", `["a%2Fb"], dialled "a/b"`},
		{"passthrough:///a b", `["a%20b"], dialled "a b"`},
		{"passthrough:///a%20b", `["a%20b"], dialled "a b"`},
		{"passthrough:///héllo", "[\"h%C3%A9llo\"], dialled \"héllo\""},
		{"passthrough:///a@b", `["a@b"], dialled "a@b"`},
		{"passthrough:///a!$&'()*+,;=b", `["a!$&'()*+,;=b"], dialled "a!$&'()*+,;=b"`},
		{"passthrough:///[::1]:80", `["[::1]:80"], dialled "[::1]:80"`},
		{"127.0.0.1:80", `["127.0.0.1:80"], dialled "127.0.0.1:80"`},
		{"127.0.0.1", `["127.0.0.1"], dialled "127.0.0.1:443"`},
		{"[::1]:80", `["[::1]:80"], dialled "[::1]:80"`},
		{"[::1]", `["[::1]"], dialled "[::1]:443"`},
		{"::1", `["localhost::1"], dialled "[::1]:443"`},
		{"dns:127.0.0.1:80", `["127.0.0.1:80"], dialled "127.0.0.1:80"`},
		{"dns:///127.0.0.1", `["127.0.0.1"], dialled "127.0.0.1:443"`},
		{"dns:///[fe80::1%25eth0]:80", `["[fe80::1%25eth0]:80"], dialled "[fe80::1%eth0]:80"`},
		{"unix:relative/path", `["localhost"], dialled "unix:relative/path"`},
		{"unix:/abs/path", `["localhost"], dialled "unix:///abs/path"`},
		{"unix:///abs/path", `["localhost"], dialled "unix:///abs/path"`},
		{"unix-abstract:name", `["localhost"], dialled "unix:@name"`},
		{"unix-abstract:///name", `["localhost"], dialled "unix:@/name"`},
	} {
		t.Run(tc.target, func(t *testing.T) { equal(t, authorityAndAddress(t, tc.target), tc.want) })
	}
}

func TestAuthorityThatIsSet(t *testing.T) {
	for _, tc := range []struct{ authority, want string }{
		{"other.example", `["other.example"], dialled "host"`},
		{"other.example:443", `["other.example:443"], dialled "host"`},
		{"a b", `["a b"], dialled "host"`},
		{"", `["host"], dialled "host"`},
	} {
		t.Run(tc.authority, func(t *testing.T) {
			equal(t, authorityAndAddress(t, "passthrough:///host", grpc.WithAuthority(tc.authority)), tc.want)
		})
	}
	equal(t, authorityAndAddress(t, "passthrough:///host", grpc.WithTransportCredentials(claiming("claimed.example"))),
		`["claimed.example"], dialled "host"`)
}

// pinned is a resolver builder that overrides the authority.
type pinned struct{ *manual.Resolver }

func (pinned) OverrideAuthority(resolver.Target) string { return "overridden.example" }

func TestAuthorityOfAResolverAndAnAddress(t *testing.T) {
	builder := func() *manual.Resolver {
		r := manual.NewBuilderWithScheme("parity")
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "addr", ServerName: "named.example"}}})
		return r
	}
	plainly := manual.NewBuilderWithScheme("parity")
	plainly.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "addr"}}})
	equal(t, authorityAndAddress(t, "parity:///host", grpc.WithResolvers(plainly)), `["host"], dialled "addr"`)
	equal(t, authorityAndAddress(t, "parity:///host", grpc.WithResolvers(builder())), `["named.example"], dialled "addr"`)
	equal(t, authorityAndAddress(t, "parity:///host", grpc.WithResolvers(pinned{plainly})), `["overridden.example"], dialled "addr"`)
	equal(t, authorityAndAddress(t, "parity:///host", grpc.WithResolvers(builder()), grpc.WithAuthority("set.example")),
		`["set.example"], dialled "addr"`)
	equal(t, authorityAndAddress(t, "PARITY:///host", grpc.WithResolvers(plainly)), `["host"], dialled "addr"`)
}

// Programs write passthrough://name for passthrough:///name, and with a dialer of their own it makes no difference: the authority is empty.
func TestCallsOfTargetsWithoutEndpoint(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	for _, target := range []string{"passthrough://bufnet", "passthrough:///", "passthrough:"} {
		t.Run(target, func(t *testing.T) {
			equal(t, result(unary(within(t), client(t, target, grpc.WithTransportCredentials(insecure.NewCredentials()), memory(p)), "x")), `"x"`)
			equal(t, fmt.Sprintf("%q", wait(t, seen, "call")[":authority"]), `[""]`)
		})
	}
}

func TestUnixSockets(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	path := filepath.Join(t.TempDir(), "socket")
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, witness(seen))
	go server.Serve(lis)
	t.Cleanup(server.Stop)
	for _, target := range []string{"unix:" + path, "unix://" + path, "passthrough:///unix:" + path, "passthrough:///unix://" + path} {
		cc := client(t, target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if _, err := unary(within(t), cc, "x"); err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		got := fmt.Sprint(wait(t, seen, "call")[":authority"])
		if want := fmt.Sprint([]string{"localhost"}); target[0] == 'u' && got != want {
			t.Errorf("%s: got authority %v, want %v", target, got, want)
		}
	}
}

func TestAbstractUnixSocket(t *testing.T) {
	name := fmt.Sprint("parity-", os.Getpid())
	lis, err := net.Listen("unix", "@"+name)
	if err != nil {
		t.Skip("no abstract sockets here:", err)
	}
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, &echo.Service{})
	go server.Serve(lis)
	t.Cleanup(server.Stop)
	cc := client(t, "unix-abstract:"+name, grpc.WithTransportCredentials(insecure.NewCredentials()))
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
}
