// The fields of requests, as the other end sees them: which, and in which order.

package behaviour

import (
	"crypto/tls"
	"regexp"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// timeLeft matches a timeout of less than ten seconds.
var timeLeft = regexp.MustCompile(`grpc-timeout=\d{1,7}u`)

// fieldsOf makes one call on a channel with the options, over TLS if id is not nil, and shows the fields of its request.
func fieldsOf(t *testing.T, id *identity, dial []grpc.DialOption, opts ...grpc.CallOption) string {
	t.Helper()
	lis := listen(t)
	seen := make(chan string, 1)
	go func() { // ends with the listener, or the connection
		nc, err := lis.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		if id != nil {
			c := id.server()
			c.NextProtos = []string{"h2"}
			nc = tls.Server(nc, c)
		}
		c := raw.Server(t, nc)
		for {
			f, err := c.Next()
			if err != nil {
				return
			}
			if h, ok := f.(*http2.MetaHeadersFrame); ok {
				seen <- raw.Fields(h)
				good(c, h.StreamID)
			}
		}
	}()
	cc := plain(t, lis.Addr().String(), append(dial, grpc.WithAuthority("server.example"))...)
	ctx := metadata.AppendToOutgoingContext(within(t), "own", "metadata")
	if _, err := unary(ctx, cc, "x", opts...); err != nil {
		t.Error(err)
	}
	return timeLeft.ReplaceAllString(wait(t, seen, "request"), "grpc-timeout=…u")
}

func TestOrderOfTheFieldsOfARequest(t *testing.T) {
	id := serverIdentity(t)
	creds := grpc.WithPerRPCCredentials(secret{md: map[string]string{"Secret": "s"}})
	for _, tc := range []struct {
		name string
		id   *identity
		dial []grpc.DialOption
		opts []grpc.CallOption
		want string
	}{
		{"plain", nil, nil, nil, "HEADERS :method=POST :scheme=http :path=/parity.Echo/Unary :authority=server.example " +
			"content-type=application/grpc user-agent=grpc-go/1.85.0 te=trailers grpc-accept-encoding=gzip,shout grpc-timeout=…u own=metadata"},
		{"all", nil, []grpc.DialOption{grpc.WithUserAgent("ua"), creds},
			[]grpc.CallOption{grpc.UseCompressor("gzip"), grpc.CallContentSubtype("proto")}, "HEADERS :method=POST :scheme=http " +
				":path=/parity.Echo/Unary :authority=server.example content-type=application/grpc+proto user-agent=ua grpc-go/1.85.0 te=trailers " +
				"grpc-encoding=gzip grpc-accept-encoding=gzip,shout grpc-timeout=…u secret=s own=metadata"},
		{"TLS", &id, []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(id.client()))}, nil, "HEADERS :method=POST :scheme=https " +
			":path=/parity.Echo/Unary :authority=server.example content-type=application/grpc user-agent=grpc-go/1.85.0 te=trailers " +
			"grpc-accept-encoding=gzip,shout grpc-timeout=…u own=metadata"},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, fieldsOf(t, tc.id, tc.dial, tc.opts...), tc.want) })
	}
}

func TestHostOfARequestInItsMetadata(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	for _, tc := range []struct {
		name   string
		header []string
		want   string
	}{
		{"beside an authority", request(echo.Unary, "host", "h.example"), `:authority=["a.example"] content-type=["application/grpc"]`},
		{"alone", append(without(":authority"), "host", "h.example"), `:authority=["h.example"] content-type=["application/grpc"]`},
		{"alone and empty", append(without(":authority"), "host", ""), `:authority=[""] content-type=["application/grpc"]`},
		{"beside an empty authority", append(without(":authority", ""), "host", "h.example"), `:authority=[""] content-type=["application/grpc"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, p)
			conn.Headers(1, false, tc.header...)
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			conn.Transcript(1)
			equal(t, show(wait(t, seen, "call")), tc.want)
		})
	}
}
