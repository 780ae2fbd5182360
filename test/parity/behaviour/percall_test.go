// Per-RPC credentials: what they are asked, where their answer goes, and how their errors end a call.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestPerRPCMetadataArrives(t *testing.T) {
	one := secret{md: map[string]string{"token": "one", "UPPER": "Case"}}
	two := secret{md: map[string]string{"token": "two", "t-bin": "\x00\xff"}}
	for _, tc := range []struct {
		name string
		dial []grpc.DialOption
		opts []grpc.CallOption
		want string
	}{
		{"of the channel", []grpc.DialOption{grpc.WithPerRPCCredentials(one)}, nil, `token=["one" "outgoing"] upper=["Case"]`},
		{"of the call", nil, []grpc.CallOption{grpc.PerRPCCredentials(two)}, `t-bin=["\x00\xff"] token=["two" "outgoing"]`},
		{"of both", []grpc.DialOption{grpc.WithPerRPCCredentials(one)}, []grpc.CallOption{grpc.PerRPCCredentials(two)},
			`t-bin=["\x00\xff"] token=["one" "two" "outgoing"] upper=["Case"]`},
		{"two of the channel", []grpc.DialOption{grpc.WithPerRPCCredentials(one), grpc.WithPerRPCCredentials(two)}, nil,
			`t-bin=["\x00\xff"] token=["two" "outgoing"] upper=["Case"]`},
		{"two of the call", nil, []grpc.CallOption{grpc.PerRPCCredentials(one), grpc.PerRPCCredentials(two)},
			`t-bin=["\x00\xff"] token=["two" "outgoing"]`},
		{"of a bundle", []grpc.DialOption{grpc.WithTransportCredentials(nil),
			grpc.WithCredentialsBundle(halfBundle{insecure.NewCredentials(), one})}, nil, `token=["one" "outgoing"] upper=["Case"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seen := make(chan metadata.MD, 1)
			p := start(t, setup{service: witness(seen), client: tc.dial})
			ctx := metadata.AppendToOutgoingContext(within(t), "token", "outgoing")
			if _, err := unary(ctx, p.cc, "x", tc.opts...); err != nil {
				equal(t, text(err), tc.want)
				return
			}
			equal(t, show(extras(wait(t, seen, "call"))), tc.want)
		})
	}
}

func TestPerRPCErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		creds   secret
		channel string // if the channel has the credentials
		call    string // if the call has
	}{
		{"plain", secret{err: errors.New("no token")},
			"rpc error: code = Unauthenticated desc = transport: per-RPC creds failed due to error: no token",
			"rpc error: code = Internal desc = transport: per-RPC creds failed due to error: no token"},
		{"context", secret{err: context.DeadlineExceeded},
			"rpc error: code = Unauthenticated desc = transport: per-RPC creds failed due to error: context deadline exceeded",
			"rpc error: code = Internal desc = transport: per-RPC creds failed due to error: context deadline exceeded"},
		{"status", secret{err: status.Error(codes.PermissionDenied, "denied")}, "rpc error: code = PermissionDenied desc = denied",
			"rpc error: code = PermissionDenied desc = denied"},
		{"status of unavailable", secret{err: status.Error(codes.Unavailable, "later")}, "rpc error: code = Unavailable desc = later",
			"rpc error: code = Unavailable desc = later"},
		{"illegal status", secret{err: status.Error(codes.NotFound, "gone")},
			"rpc error: code = Internal desc = transport: received per-RPC creds error with illegal status: rpc error: code = NotFound desc = gone",
			"rpc error: code = Internal desc = transport: received per-RPC creds error with illegal status: rpc error: code = NotFound desc = gone"},
		{"bad key", secret{md: map[string]string{"a b": "v"}},
			`rpc error: code = Internal desc = header key "a b" contains illegal characters not in [0-9a-z-_.]`,
			`rpc error: code = Internal desc = header key "a b" contains illegal characters not in [0-9a-z-_.]`},
		{"bad value", secret{md: map[string]string{"k": "a\nb"}},
			`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
			`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`},
		{"empty key", secret{md: map[string]string{"": "v"}}, "rpc error: code = Internal desc = there is an empty key in the header",
			"rpc error: code = Internal desc = there is an empty key in the header"},
		{"secure", secret{secure: true}, "",
			"rpc error: code = Unauthenticated desc = transport: cannot send secure credentials on an insecure connection"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{})
			equal(t, result(unary(within(t), p.cc, "x", grpc.PerRPCCredentials(tc.creds))), tc.call)
			_, err := p.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi, grpc.PerRPCCredentials(tc.creds))
			if err != nil {
				equal(t, text(err), tc.call)
			}
			if !tc.creds.secure {
				equal(t, result(unary(within(t), p.dial(t, grpc.WithPerRPCCredentials(tc.creds)), "x")), tc.channel)
			}
		})
	}
}

func TestPerRPCMetadataWithReservedNames(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{":path", "/x", "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"},
		{"grpc-timeout", "0n", "rpc error: code = DeadlineExceeded desc = context deadline exceeded"},
		{"connection", "close", "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{})
			got := result(unary(within(t), p.cc, "x", grpc.PerRPCCredentials(secret{md: map[string]string{tc.name: tc.value}})))
			equal(t, got, differ{"credentials-reserved-names", `"x"`}.or(t, tc.want))
		})
	}
}

func TestAudienceOfPerRPCCredentials(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		name, target string
		opts         []grpc.DialOption
		method       string
		want         string
	}{
		{"host", "passthrough:///server.example", nil, echo.Unary, `["https://server.example/parity.Echo"] ["https://server.example/parity.Echo"]`},
		{"default port", "passthrough:///server.example:443", nil, echo.Unary,
			`["https://server.example/parity.Echo"] ["https://server.example/parity.Echo"]`},
		{"other port", "passthrough:///server.example:8443", nil, echo.Unary,
			`["https://server.example:8443/parity.Echo"] ["https://server.example:8443/parity.Echo"]`},
		{"authority", "passthrough:///server.example", []grpc.DialOption{grpc.WithAuthority("other.example")}, echo.Unary,
			`["https://other.example/parity.Echo"] ["https://other.example/parity.Echo"]`},
		{"method of an unknown service", "passthrough:///server.example", nil, "/a/b/c",
			`["https://server.example/a/b"] ["https://server.example/a/b"]`},
		{"malformed method", "passthrough:///server.example", nil, "malformed",
			`["https://server.examplemalformed"] ["https://server.examplemalformed"]`},
		{"short method", "passthrough:///server.example", nil, "/malformed", `["https://server.example"] ["https://server.example"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			uris := make(chan []string, 2)
			p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(id.server()))}})
			nameless := id.client()
			nameless.ServerName = ""
			cc := client(t, tc.target, append(tc.opts, memory(p), grpc.WithTransportCredentials(credentials.NewTLS(nameless)),
				grpc.WithPerRPCCredentials(secret{secure: true, uris: uris}))...)
			cc.Invoke(within(t), tc.method, echo.Of("x"), new(echo.Text), grpc.PerRPCCredentials(secret{uris: uris}))
			equal(t, fmt.Sprintf("%q %q", wait(t, uris, "channel's request"), wait(t, uris, "call's request")), tc.want)
		})
	}
}

// curious are per-RPC credentials that note the RequestInfo.
type curious struct{ seen chan string }

func (c curious) RequireTransportSecurity() bool { return false }
func (c curious) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	info, ok := credentials.RequestInfoFromContext(ctx)
	auth := "no AuthInfo"
	if info.AuthInfo != nil {
		auth = info.AuthInfo.AuthType() + " " + text(credentials.CheckSecurityLevel(info.AuthInfo, credentials.PrivacyAndIntegrity))
	}
	c.seen <- fmt.Sprint(ok, " ", info.Method, " ", auth)
	return nil, nil
}

func TestRequestInfoOfPerRPCCredentials(t *testing.T) {
	seen := make(chan string, 1)
	p := start(t, setup{})
	unary(within(t), p.cc, "x", grpc.PerRPCCredentials(curious{seen}))
	equal(t, wait(t, seen, "request"), "true /parity.Echo/Unary insecure requires SecurityLevel PrivacyAndIntegrity; connection has NoSecurity")
	id := serverIdentity(t)
	q := secured(t, nil, id.server(), credentials.NewTLS(id.client()))
	unary(within(t), q.cc, "x", grpc.PerRPCCredentials(curious{seen}))
	equal(t, wait(t, seen, "request"), "true /parity.Echo/Unary tls <nil>")
}
