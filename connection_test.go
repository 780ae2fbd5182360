// Tests of what a connection is made from, and of what its credentials allow.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

func TestAddressesAsDialersGetThem(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"passthrough:///a:1", "a:1"}, {"passthrough:///unix:/run/a", "unix:/run/a"}, {"unix:///run/a.sock", "unix:///run/a.sock"},
		{"unix:a.sock", "unix:a.sock"}, {"unix-abstract:a", "unix:@a"}, {"unix-abstract:///a", "unix:@/a"},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := ""
			newChannel(t, tt.target, WithContextDialer(func(_ context.Context, addr string) (net.Conn, error) { got = addr; return nil, errRefused })).Connect()
			synctest.Wait()
			wantEqual(t, tt.target, got, tt.want)
		})
	}
}

// typedAuth is what is known of a server.
type typedAuth struct {
	credentials.CommonAuthInfo
	kind string
}

func (a typedAuth) AuthType() string { return a.kind }

// validating is a typedAuth that approves of one authority.
type validating struct {
	typedAuth
	good string
}

func (v validating) ValidateAuthority(a string) error {
	if a != v.good {
		return errors.New("not mine")
	}
	return nil
}

func TestAuthorityOfACallMustBeApprovedOf(t *testing.T) {
	for _, tt := range []struct {
		auth credentials.AuthInfo
		want string
	}{
		{nil, `Unavailable: credentials type "" does not implement the AuthorityValidator interface, but authority override specified with CallAuthority call option`},
		{typedAuth{kind: "mine"}, `Unavailable: credentials type "mine" does not implement the AuthorityValidator interface, but authority override specified ` +
			`with CallAuthority call option`},
		{validating{good: "other"}, `Unavailable: failed to validate authority "x" : not mine`},
		{validating{good: "x"}, "OK: "},
	} {
		c := connection{auth: tt.auth}
		wantStatus(t, fmt.Sprintf("%T", tt.auth), c.checkAuthority("x"), tt.want)
	}
}

// leveled are insecure credentials that claim a security level.
type leveled struct {
	credentials.TransportCredentials
	level credentials.SecurityLevel
	seen  *credentials.ClientHandshakeInfo
}

func (l leveled) ClientHandshake(ctx context.Context, _ string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if l.seen != nil {
		*l.seen = credentials.ClientHandshakeInfoFromContext(ctx)
	}
	return nc, typedAuth{credentials.CommonAuthInfo{SecurityLevel: l.level}, "leveled"}, nil
}

func (l leveled) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "leveled"}
}

func TestConnectionMustBeAsSecureAsTheCredentialsOfTheChannelNeed(t *testing.T) {
	for _, tt := range []struct {
		level credentials.SecurityLevel
		want  string
	}{
		{credentials.NoSecurity, "Unavailable: connection error: desc = \"transport: cannot send secure credentials on an insecure connection\""},
		{credentials.IntegrityOnly, "Unavailable: connection error: desc = \"transport: cannot send secure credentials on an insecure connection\""},
		{credentials.PrivacyAndIntegrity, "OK: "},
	} {
		synctest.Test(t, func(t *testing.T) {
			cc, err := NewClient("passthrough:///test", dialTo(startServer(t, testService{})), WithPerRPCCredentials(token{secure: true}),
				WithTransportCredentials(leveled{insecure.NewCredentials(), tt.level, nil}))
			must(t, err)
			defer cc.Close()
			_, err = echo(t.Context(), cc, "x")
			wantStatus(t, tt.level.String(), err, tt.want)
		})
	}
}

func TestCredentialsSeeTheAttributesOfTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newManual()
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "a", Attributes: attributes.New("k", "v")}}})
		var seen credentials.ClientHandshakeInfo
		cc, err := NewClient("manual:///test", WithResolvers(r), dialTo(startServer(t, testService{})),
			WithTransportCredentials(leveled{insecure.NewCredentials(), credentials.PrivacyAndIntegrity, &seen}))
		must(t, err)
		defer cc.Close()
		_, err = echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "attribute", seen.Attributes.Value("k"), any("v"))
	})
}

// sayingBundle is a bundle with per-RPC credentials.
type sayingBundle struct {
	bundle
	token
}

func (b sayingBundle) PerRPCCredentials() credentials.PerRPCCredentials { return b.token }

func TestBundleOfASubchannelGoesBeforeThatOfTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) { return whoSays(ctx), nil }})
		of := func(who string) sayingBundle {
			return sayingBundle{bundle{creds: insecure.NewCredentials()}, saying("who", who)}
		}
		policy := newFakePolicy(t)
		cc, err := NewClient("passthrough:///test", dialTo(lis), policy.option(), WithCredentialsBundle(of("channel")))
		must(t, err)
		defer cc.Close()
		cc.Connect()
		synctest.Wait()
		for _, tt := range []struct {
			opts balancer.NewSubConnOptions
			want string
		}{{balancer.NewSubConnOptions{}, "channel"}, {balancer.NewSubConnOptions{CredsBundle: of("subchannel")}, "subchannel"}} {
			b := policy.current()
			sc, err := b.cc.NewSubConn(addressList("a"), tt.opts)
			must(t, err)
			sc.Connect()
			b.report(connectivity.Ready, picks(sc))
			synctest.Wait()
			got, err := echo(t.Context(), cc, "x")
			must(t, err)
			wantEqual(t, "credentials", got, tt.want)
		}
	})
}

func TestConnectionsOfAChannelAreToldToItsStatsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := &serverConns{events: make(chan string, 10)}
		raw := serveRaw(t, nil)
		cc := newChannel(t, "manual:///test", dialTo(raw.lis), WithStatsHandler(events), WithResolvers(func() *manual.Resolver {
			r := newManual()
			r.InitialState(resolver.State{Addresses: addressList("a")})
			return r
		}()))
		cc.Connect()
		wantEqual(t, "event", <-events.events, "ConnBegin")
		(<-raw.conns).nc.Close()
		wantEqual(t, "event", <-events.events, "ConnEnd")
		synctest.Wait()
		wantEqual(t, "further events", len(events.events), 0)
	})
}

func TestKeepaliveOfLaterConnections(t *testing.T) {
	for _, tt := range []struct {
		given   time.Duration
		tooMany []time.Duration // intervals that were too short for the server
		want    time.Duration
	}{
		{0, nil, 0},
		{0, []time.Duration{0}, 0},
		{time.Second, nil, 10 * time.Second},
		{time.Minute, nil, time.Minute},
		{time.Minute, []time.Duration{time.Minute}, 2 * time.Minute},
		{time.Minute, []time.Duration{time.Minute, time.Minute}, 2 * time.Minute},
		{time.Minute, []time.Duration{time.Minute, 2 * time.Minute, time.Minute}, 4 * time.Minute},
		{math.MaxInt64, []time.Duration{math.MaxInt64}, math.MaxInt64},
	} {
		cc := newChannel(t, "passthrough:///a:1", WithKeepaliveParams(keepalive.ClientParameters{Time: tt.given, Timeout: 7}))
		for _, d := range tt.tooMany {
			cc.spacePings(d)
		}
		want := keepalive.ClientParameters{Time: tt.want, Timeout: 7}
		wantEqual(t, fmt.Sprintf("%v after %v", tt.given, tt.tooMany), cc.keepaliveParameters(), want)
	}
}
