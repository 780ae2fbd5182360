// Metadata from the caller to the handler.

package behaviour

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// witness is a service that notes the metadata each call came with.
func witness(seen chan<- metadata.MD) *echo.Service {
	note := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
	}
	return &echo.Service{
		OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
			note(ctx)
			return in, nil
		},
		OnBidi: func(stream grpc.ServerStream) error {
			note(stream.Context())
			return nil
		},
	}
}

func TestIncomingMetadataOfACallThatSetsNone(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	if _, err := unary(within(t), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, show(wait(t, seen, "call")),
		`:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`)
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), "EOF")
	equal(t, show(wait(t, seen, "call")),
		`:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`)
}

// extras is what is in md beyond what every call has.
func extras(md metadata.MD) metadata.MD {
	md = md.Copy()
	if slices.Equal(md["grpc-accept-encoding"], []string{"gzip,shout"}) {
		delete(md, "grpc-accept-encoding")
	}
	for _, k := range []string{":authority", "content-type", "user-agent"} {
		delete(md, k)
	}
	return md
}

func TestOutgoingMetadataArrives(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	for _, tc := range []struct {
		name string
		md   metadata.MD
		want string
	}{
		{"one value", metadata.Pairs("k", "v"), `k=["v"]`},
		{"several values keep their order", metadata.Pairs("k", "b", "k", "a", "k", "b"), `k=["b" "a" "b"]`},
		{"comma is not split", metadata.Pairs("k", "a,b"), `k=["a,b"]`},
		{"empty value", metadata.Pairs("k", ""), `k=[""]`},
		{"no values", metadata.MD{"k": nil}, ""},
		{"blanks around a value", metadata.Pairs("k", "  v  "), `k=["  v  "]`},
		{"upper case key is made lower case", metadata.MD{"Upper-Key": {"v"}},
			`rpc error: code = Internal desc = header key "Upper-Key" contains illegal characters not in [0-9a-z-_.]`},
		{"same key in two cases", metadata.MD{"Key": {"v"}, "key": {"v"}},
			`rpc error: code = Internal desc = header key "Key" contains illegal characters not in [0-9a-z-_.]`},
		{"all characters of a key", metadata.Pairs("0-9_a.z", "v"), `0-9_a.z=["v"]`},
		{"binary", metadata.Pairs("k-bin", "\x00\x01\xff\xfe"), `k-bin=["\x00\x01\xff\xfe"]`},
		{"binary, several", metadata.Pairs("k-bin", "a", "k-bin", "", "k-bin", "ccc"), `k-bin=["a" "" "ccc"]`},
		{"binary with commas", metadata.Pairs("k-bin", "a,b"), `k-bin=["a,b"]`},
		{"binary, upper case", metadata.MD{"K-Bin": {"\xff"}},
			`rpc error: code = Internal desc = header key "K-Bin" contains illegal characters not in [0-9a-z-_.]`},
		{"reserved: content-type", metadata.Pairs("content-type", "text/html"), ""},
		{"reserved: user-agent", metadata.Pairs("user-agent", "me"), ""},
		{"reserved: te", metadata.Pairs("te", "deflate"), ""},
		{"reserved: grpc-timeout", metadata.Pairs("grpc-timeout", "1n"), ""},
		{"reserved: grpc-encoding", metadata.Pairs("grpc-encoding", "snappy"), ""},
		{"reserved: grpc-status", metadata.Pairs("grpc-status", "5"), ""},
		{"reserved: grpc-message", metadata.Pairs("grpc-message", "m"), ""},
		{"reserved: grpc-message-type", metadata.Pairs("grpc-message-type", "m"), ""},
		{"not reserved: grpc-accept-encoding", metadata.Pairs("grpc-accept-encoding", "snappy"), `grpc-accept-encoding=["gzip,shout" "snappy"]`},
		{"not reserved: grpc-previous-rpc-attempts", metadata.Pairs("grpc-previous-rpc-attempts", "7"), `grpc-previous-rpc-attempts=["7"]`},
		{"not reserved: grpc-retry-pushback-ms", metadata.Pairs("grpc-retry-pushback-ms", "7"), `grpc-retry-pushback-ms=["7"]`},
		{"not reserved: grpc-tags-bin", metadata.Pairs("grpc-tags-bin", "t", "grpc-trace-bin", "u"), `grpc-tags-bin=["t"] grpc-trace-bin=["u"]`},
		{"not reserved: grpc-status-details-bin", metadata.Pairs("grpc-status-details-bin", "t"), `grpc-status-details-bin=["t"]`},
		{"not reserved: host", metadata.Pairs("host", "other.example"), ""},
		{"not reserved: authorization", metadata.Pairs("authorization", "Bearer x", "cookie", "a=b; c=d"),
			`authorization=["Bearer x"] cookie=["a=b; c=d"]`},
		{"pseudo-header", metadata.Pairs(":authority", "other.example", ":path", "/x/y"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := unary(metadata.NewOutgoingContext(within(t), tc.md), p.cc, "x")
			got := text(err)
			if err == nil {
				got = show(extras(wait(t, seen, "call")))
			}
			equal(t, got, tc.want)
		})
	}
}

func TestOutgoingMetadataThatHTTP2Forbids(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	for _, tc := range []struct{ name, value, want string }{
		{"connection", "close", "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"},
		{"transfer-encoding", "chunked", `transfer-encoding=["chunked"]`},
		{"content-length", "5", `content-length=["5"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := unary(metadata.AppendToOutgoingContext(within(t), tc.name, tc.value), p.cc, "x")
			got := text(err)
			if err == nil {
				got = show(extras(wait(t, seen, "call")))
			}
			equal(t, got, differ{"connection-fields", ""}.or(t, tc.want))
		})
	}
}

func TestFieldsThatHTTP2Forbids(t *testing.T) {
	const want = "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: PROTOCOL_ERROR"
	ours := func(name string) differ {
		return differ{"line-ends-stay-at-the-client", fmt.Sprintf("rpc error: code = Internal desc = invalid header field value for %q", name)}
	}
	p := start(t, setup{})
	for _, bad := range []string{"a\r\nb", "a\x00"} {
		equal(t, text(p.cc.Invoke(within(t), "/"+bad+"/c", echo.Of("x"), new(echo.Text))), ours(":path").or(t, want))
		equal(t, result(unary(within(t), p.dial(t, grpc.WithAuthority(bad)), "x")), ours(":authority").or(t, want))
		equal(t, result(unary(within(t), p.cc, "x", grpc.CallAuthority(bad))), ours(":authority").or(t, want))
		equal(t, result(unary(within(t), p.dial(t, grpc.WithUserAgent(bad)), "x")), ours("user-agent").or(t, want))
	}
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
}

func TestAppendedMetadataArrivesInOrder(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	ctx := metadata.NewOutgoingContext(within(t), metadata.Pairs("a", "1", "b", "2"))
	ctx = metadata.AppendToOutgoingContext(ctx, "a", "3", "C", "4")
	ctx = metadata.AppendToOutgoingContext(ctx, "a", "5")
	if _, err := unary(ctx, p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, show(extras(wait(t, seen, "call"))), `a=["1" "3" "5"] b=["2"] c=["4"]`)
}

// badMetadata are pairs that no entrance lets through, or that one might think so.
var badMetadata = []struct{ name, key, value string }{
	{"empty key", "", "v"},
	{"blank in key", "a b", "v"},
	{"unicode key", "ké", "v"},
	{"colon in key", "a:b", "v"},
	{"newline in value", "k", "a\nb"},
	{"control character in value", "k", "a\x01"},
	{"delete character in value", "k", "a\x7f"},
	{"unicode value", "k", "é"},
	{"tab in value", "k", "a\tb"},
	{"bad key that ends in -bin", "a b-bin", "v"},
}

func TestBadOutgoingMetadataFailsTheCall(t *testing.T) {
	p := start(t, setup{})
	for i, tc := range badMetadata {
		t.Run(tc.name, func(t *testing.T) {
			ctx := metadata.NewOutgoingContext(within(t), metadata.MD{tc.key: {tc.value}})
			_, err := unary(ctx, p.cc, "x")
			equal(t, text(err), badOutgoing[i])
			_, err = p.cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
			equal(t, text(err), badOutgoing[i])
			_, err = unary(metadata.AppendToOutgoingContext(within(t), tc.key, tc.value), p.cc, "x")
			equal(t, text(err), badOutgoing[i])
		})
	}
}

var badOutgoing = []string{
	"rpc error: code = Internal desc = there is an empty key in the header",
	`rpc error: code = Internal desc = header key "a b" contains illegal characters not in [0-9a-z-_.]`,
	"rpc error: code = Internal desc = header key \"ké\" contains illegal characters not in [0-9a-z-_.]",
	`rpc error: code = Internal desc = header key "a:b" contains illegal characters not in [0-9a-z-_.]`,
	`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
	`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
	`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
	`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
	`rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`,
	`rpc error: code = Internal desc = header key "a b-bin" contains illegal characters not in [0-9a-z-_.]`,
}

func TestBadMetadataAmongGoodFailsTheCall(t *testing.T) {
	p := start(t, setup{})
	ctx := metadata.NewOutgoingContext(within(t), metadata.Pairs("good", "x"))
	ctx = metadata.AppendToOutgoingContext(ctx, "fine", "y", "bad", "\n", "worse\n", "z")
	equal(t, result(unary(ctx, p.cc, "x")), `rpc error: code = Internal desc = header key "bad" contains value with non-printable ASCII characters`)
}

func TestOddAppendPanics(t *testing.T) {
	defer func() {
		equal(t, fmt.Sprint(recover()), "metadata: AppendToOutgoingContext got an odd number of input pairs for metadata: 1")
	}()
	metadata.AppendToOutgoingContext(context.Background(), "odd")
}

func TestIncomingMetadataIsNotSentOn(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	ctx := metadata.NewIncomingContext(within(t), metadata.Pairs("k", "v"))
	if _, err := unary(ctx, p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, show(extras(wait(t, seen, "call"))), "")
}

func TestHandlerOwnsItsMetadata(t *testing.T) {
	ok := make(chan bool, 1)
	p := start(t, setup{service: &echo.Service{OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		md["k"][0] = "changed"
		again, _ := metadata.FromIncomingContext(ctx)
		ok <- again["k"][0] == "v" && strings.Join(metadata.ValueFromIncomingContext(ctx, "K"), ",") == "v"
		return in, nil
	}}})
	if _, err := unary(metadata.AppendToOutgoingContext(within(t), "k", "v"), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	if !wait(t, ok, "call") {
		t.Errorf("got metadata that a change of a copy of it reached")
	}
}

func TestUserAgent(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []grpc.DialOption
		want string
	}{
		{"default", nil, "grpc-go/1.85.0"},
		{"set", []grpc.DialOption{grpc.WithUserAgent("me/1")}, "me/1 grpc-go/1.85.0"},
		{"set to nothing", []grpc.DialOption{grpc.WithUserAgent("")}, " grpc-go/1.85.0"},
		{"set twice", []grpc.DialOption{grpc.WithUserAgent("a"), grpc.WithUserAgent("b")}, "b grpc-go/1.85.0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seen := make(chan metadata.MD, 1)
			p := start(t, setup{service: witness(seen), client: tc.opts})
			if _, err := unary(within(t), p.cc, "x"); err != nil {
				t.Fatal(err)
			}
			equal(t, strings.Join(wait(t, seen, "call")["user-agent"], "|"), tc.want)
		})
	}
}
