// What a server answers to requests that no well-behaved client sends.

package behaviour

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// without is a request without one field, or with another value if one is given.
func without(name string, instead ...string) []string {
	var out []string
	pairs := request(echo.Unary)
	for i := 0; i < len(pairs); i += 2 {
		switch {
		case pairs[i] != name:
			out = append(out, pairs[i], pairs[i+1])
		case len(instead) > 0:
			out = append(out, name, instead[0])
		}
	}
	return out
}

// requestCase is a request header and what the server answers to it and one message.
type requestCase struct {
	name   string
	header []string
	want   string
}

func TestRequestPseudoHeaders(t *testing.T) {
	with := func(pairs ...string) []string { return request(echo.Unary, pairs...) }
	answersTo(t, []requestCase{
		{"well formed", with(),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"content-type of another protocol", without("content-type", "application/json"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "application/json" END_STREAM`},
		{"content-type that only begins like gRPC", without("content-type", "application/grpcx"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "application/grpcx" END_STREAM`},
		{"content-type of gRPC-Web", without("content-type", "application/grpc-web"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "application/grpc-web" END_STREAM`},
		{"content-type in capitals", without("content-type", "Application/GRPC"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "Application/GRPC" END_STREAM`},
		{"no content-type", without("content-type"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "" END_STREAM`},
		{"two content-types", with("content-type", "text/html"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"method GET", without(":method", "GET"),
			`HEADERS :status=405 content-type=application/grpc grpc-status=13 grpc-message=Received a HEADERS frame with :method "GET" which should be POST END_STREAM`},
		{"method PUT", without(":method", "PUT"),
			`HEADERS :status=405 content-type=application/grpc grpc-status=13 grpc-message=Received a HEADERS frame with :method "PUT" which should be POST END_STREAM`},
		{"method in lower case", without(":method", "post"),
			`HEADERS :status=405 content-type=application/grpc grpc-status=13 grpc-message=Received a HEADERS frame with :method "post" which should be POST END_STREAM`},
		{"no method", without(":method"),
			`HEADERS :status=405 content-type=application/grpc grpc-status=13 grpc-message=Received a HEADERS frame with :method "" which should be POST END_STREAM`},
		{"no path", without(":path"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "" END_STREAM`},
		{"empty path", without(":path", ""),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "" END_STREAM`},
		{"path without a slash", without(":path", "parity.Echo/Unary"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "parity.Echo/Unary" END_STREAM`},
		{"path with one slash", without(":path", "/parity.Echo"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "/parity.Echo" END_STREAM`},
		{"absolute path", without(":path", "http://a.example/parity.Echo/Unary"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "http://a.example/parity.Echo/Unary" END_STREAM`},
		{"no scheme", without(":scheme"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"other scheme", without(":scheme", "ftp"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"no authority", without(":authority"),
			"HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=no host or :authority header present END_STREAM"},
		{"empty authority", without(":authority", ""),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"empty authority and an empty host", append(without(":authority", ""), "host", ""),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"no authority but an empty host", append(without(":authority"), "host", ""),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"no authority but a host", append(without(":authority"), "host", "h.example"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"authority and host", with("host", "h.example"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"empty authority and two hosts", append(without(":authority", ""), "host", "h.example", "host", ""),
			"HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=num values of :authority: 1, num values of host: 2, both must only have 1 value as per HTTP/2 spec END_STREAM"},
		{"two hosts", append(without(":authority"), "host", "h.example", "host", "i.example"),
			"HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=num values of :authority: 0, num values of host: 2, both must only have 1 value as per HTTP/2 spec END_STREAM"},
	})
}

func TestRequestHeaders(t *testing.T) {
	with := func(pairs ...string) []string { return request(echo.Unary, pairs...) }
	answersTo(t, []requestCase{
		{"no te", without("te"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"other te", without("te", "gzip"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"connection", with("connection", "close"), "RST_STREAM PROTOCOL_ERROR"},
		{"keep-alive", with("keep-alive", "5"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"transfer-encoding", with("transfer-encoding", "chunked"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"upgrade", with("upgrade", "h2c"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"proxy-connection", with("proxy-connection", "close"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"pseudo-header after a field", with(":path", "/x/y"), "RST_STREAM PROTOCOL_ERROR"},
		{"unknown pseudo-header", append([]string{":protocol", "websocket"}, with()...),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"capitals in a name", with("Upper", "v"), "RST_STREAM PROTOCOL_ERROR"},
		{"newline in a value", with("k", "a\nb"), "RST_STREAM PROTOCOL_ERROR"},
		{"bad base64", with("k-bin", "*"),
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed binary metadata "*" in header "k-bin": illegal base64 data at input byte 0 END_STREAM`},
		{"padded base64", with("k-bin", base64.StdEncoding.EncodeToString([]byte("a"))),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"unpadded base64", with("k-bin", base64.RawStdEncoding.EncodeToString([]byte("a"))),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"URL-safe base64", with("k-bin", "_-8"),
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed binary metadata "_-8" in header "k-bin": illegal base64 data at input byte 0 END_STREAM`},
		{"comma-joined base64", with("k-bin", "YQ,Yg"),
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed binary metadata "YQ,Yg" in header "k-bin": illegal base64 data at input byte 2 END_STREAM`},
		{"bad base64 in a reserved name", with("grpc-status-details-bin", "*"),
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed binary metadata "*" in header "grpc-status-details-bin": illegal base64 data at input byte 0 END_STREAM`},
		{"unknown encoding", with("grpc-encoding", "snappy"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "snappy" END_STREAM`},
		{"two encodings", with("grpc-encoding", "gzip", "grpc-encoding", "shout"),
			`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"content-length", with("content-length", "100"),
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
	})
}

// answersTo sends each request on a connection of its own, which must serve a well-formed one afterwards.
func answersTo(t *testing.T, cases []requestCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{}))
			conn.Headers(1, false, tc.header...)
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			equal(t, conn.Transcript(1), requestDifferences[tc.name].or(t, tc.want))
			conn.Headers(3, false, request(echo.Unary)...)
			conn.Data(3, true, raw.Message(0, raw.Text("y")))
			equal(t, conn.Transcript(3), wellFormed)
		})
	}
}

var requestDifferences = map[string]differ{
	"no method":             {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"no path":               {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"empty path":            {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"no scheme":             {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"unknown pseudo-header": {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"content-length":        {"malformed-request", "RST_STREAM PROTOCOL_ERROR"},
	"other te":              {"connection-fields", "RST_STREAM PROTOCOL_ERROR"},
	"keep-alive":            {"connection-fields", "RST_STREAM PROTOCOL_ERROR"},
	"transfer-encoding":     {"connection-fields", "RST_STREAM PROTOCOL_ERROR"},
	"upgrade":               {"connection-fields", "RST_STREAM PROTOCOL_ERROR"},
	"proxy-connection":      {"connection-fields", "RST_STREAM PROTOCOL_ERROR"},
	"comma-joined base64":   {"binary-metadata-lists", strings.Replace(wellFormed, "x01y", "x01x", 1)},
}

const wellFormed = `HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01y" | HEADERS grpc-status=0 grpc-message= END_STREAM`

func TestRefusedRequestThatIsLeftOpen(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header []string
		want   string
	}{
		{"content-type", without("content-type", "application/json"),
			`HEADERS :status=415 content-type=application/grpc grpc-status=3 grpc-message=invalid gRPC request content-type "application/json" END_STREAM | RST_STREAM NO_ERROR`},
		{"method", without(":method", "GET"),
			`HEADERS :status=405 content-type=application/grpc grpc-status=13 grpc-message=Received a HEADERS frame with :method "GET" which should be POST END_STREAM | RST_STREAM NO_ERROR`},
		{"timeout", request(echo.Unary, "grpc-timeout", "1x"),
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout unit is not recognized: "1x" END_STREAM | RST_STREAM NO_ERROR`},
		{"unknown method", request("/a/b"),
			"HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=unknown service a END_STREAM | RST_STREAM NO_ERROR"},
		{"malformed method", request("x"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=malformed method name: "x" END_STREAM | RST_STREAM NO_ERROR`},
		{"unknown encoding", request(echo.Unary, "grpc-encoding", "snappy"),
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "snappy" END_STREAM | RST_STREAM NO_ERROR`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{}))
			conn.Headers(1, false, tc.header...)
			equal(t, conn.Transcript(1), tc.want)
		})
	}
}

func TestHandlerThatReturnsWhileTheRequestIsOpen(t *testing.T) {
	conn := rawClient(t, start(t, setup{service: &echo.Service{OnBidi: func(grpc.ServerStream) error { return nil }}}))
	conn.Headers(1, false, request(echo.Bidi)...)
	equal(t, conn.Transcript(1), "HEADERS :status=200 content-type=application/grpc grpc-status=0 grpc-message= END_STREAM | RST_STREAM NO_ERROR")
}

func TestTimeoutHeaders(t *testing.T) {
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		_, ok := ctx.Deadline()
		return grpc.SetHeader(ctx, metadata.Pairs("deadline", fmt.Sprint(ok)))
	})})
	for _, tc := range []struct{ timeout, want string }{
		{"1H",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"99999999H",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"100000000H",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout string is too long: "100000000H" END_STREAM`},
		{"1M",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"60S",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"60000m",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"99999999u",
			`HEADERS :status=200 content-type=application/grpc deadline=true | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"0n", "HEADERS :status=200 content-type=application/grpc grpc-status=4 grpc-message=context deadline exceeded END_STREAM"},
		{"0H", "HEADERS :status=200 content-type=application/grpc grpc-status=4 grpc-message=context deadline exceeded END_STREAM"},
		{"1",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout string is too short: "1" END_STREAM`},
		{"H",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout string is too short: "H" END_STREAM`},
		{"",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout string is too short: "" END_STREAM`},
		{"1x",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout unit is not recognized: "1x" END_STREAM`},
		{"1h",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: transport: timeout unit is not recognized: "1h" END_STREAM`},
		{"-1S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing "-1": invalid syntax END_STREAM`},
		{"+1S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing "+1": invalid syntax END_STREAM`},
		{"1.5S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing "1.5": invalid syntax END_STREAM`},
		{" 1S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing " 1": invalid syntax END_STREAM`},
		{"0x1S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing "0x1": invalid syntax END_STREAM`},
		{"1_0S",
			`HEADERS :status=400 content-type=application/grpc grpc-status=13 grpc-message=malformed grpc-timeout: strconv.ParseUint: parsing "1_0": invalid syntax END_STREAM`},
	} {
		t.Run(tc.timeout, func(t *testing.T) {
			conn := rawClient(t, p)
			conn.Headers(1, false, request(echo.Unary, "grpc-timeout", tc.timeout)...)
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			equal(t, conn.Transcript(1), tc.want)
		})
	}
}

func TestRequestMessages(t *testing.T) {
	limited := []grpc.ServerOption{grpc.MaxRecvMsgSize(10)}
	for _, tc := range []struct {
		name   string
		data   string
		server []grpc.ServerOption
		unary  string
		bidi   string
	}{
		{"flag 2", string(raw.Message(2, raw.Text("x"))), nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: received unexpected payload format 2 END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: received unexpected payload format 2 END_STREAM"},
		{"flag 255", string(raw.Message(255, raw.Text("x"))), nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: received unexpected payload format 255 END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: received unexpected payload format 255 END_STREAM"},
		{"nothing", "", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=cardinality violation: received no request message from non-client-streaming RPC END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=0 grpc-message= END_STREAM"},
		{"part of the prefix", "\x00\x00", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM"},
		{"prefix alone", "\x00\x00\x00\x00\x05", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM"},
		{"part of the message", "\x00\x00\x00\x00\x05\x0a\x03", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM"},
		{"bytes after the message", string(raw.Message(0, raw.Text("x"))) + "z", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=unexpected EOF END_STREAM",
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=13 grpc-message=unexpected EOF END_STREAM`},
		{"message over the limit", string(raw.Message(0, raw.Text("01234567890"))), limited,
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (13 vs. 10) END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (13 vs. 10) END_STREAM"},
		{"length over the limit, few bytes", "\x00\xff\xff\xff\xff\x05", limited,
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 10) END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 10) END_STREAM"},
		{"length over the limit, no bytes", "\x00\xff\xff\xff\xff", nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 4194304) END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 4194304) END_STREAM"},
		{"over the limit and a bad flag", "\x02\xff\xff\xff\xff", limited,
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 10) END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 10) END_STREAM"},
		{"message that is no protobuf", string(raw.Message(0, []byte{0x0a, 0x05, 'x'})), nil,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data END_STREAM",
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data END_STREAM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, method := range []string{echo.Unary, echo.Bidi} {
				conn := rawClient(t, start(t, setup{server: tc.server}))
				conn.Headers(1, false, request(method)...)
				conn.Data(1, true, []byte(tc.data))
				got := strings.ReplaceAll(conn.Transcript(1), "%C2%A0", " ")
				if method == echo.Unary {
					equal(t, got, tc.unary)
				} else {
					equal(t, got, tc.bidi)
				}
			}
		})
	}
}

func TestHeaderListSizes(t *testing.T) {
	long := strings.Repeat("x", 250)
	p := start(t, setup{server: []grpc.ServerOption{grpc.MaxHeaderListSize(500)}})
	conn := rawClient(t, p)
	conn.Headers(1, true, request(echo.Unary, "k", long)...)
	equal(t, conn.Transcript(1), "RST_STREAM FRAME_SIZE_ERROR")
	conn.Headers(3, false, request(echo.Unary)...)
	conn.Data(3, true, raw.Message(0, raw.Text("y")))
	equal(t, conn.Transcript(3), wellFormed)
	equal(t, result(unary(metadata.AppendToOutgoingContext(within(t), "k", long), p.cc, "x")),
		"rpc error: code = Internal desc = header list size to send violates the maximum size (500 bytes) set by server")
}

func TestResponseHeaderOverThePeersLimit(t *testing.T) {
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		return grpc.SetHeader(ctx, metadata.Pairs("k", strings.Repeat("x", 600)))
	})})
	nc, err := p.lis.DialContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	conn := raw.Client(t, nc, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 500})
	conn.Headers(1, false, request(echo.Unary)...)
	conn.Data(1, true, raw.Message(0, raw.Text("x")))
	equal(t, conn.Transcript(1), "RST_STREAM INTERNAL_ERROR")
	limited := p.dial(t, grpc.WithMaxHeaderListSize(500))
	equal(t, result(unary(within(t), limited, "x")),
		"rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: INTERNAL_ERROR")
}

func TestConcurrentStreamLimit(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	p := start(t, setup{service: hanging(entered, ended), server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi)...)
	wait(t, entered, "call")
	conn.Headers(3, false, request(echo.Bidi)...)
	equal(t, conn.Transcript(3), "RST_STREAM REFUSED_STREAM")
	conn.Reset(1, http2.ErrCodeCancel)
	equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
}

func TestResetByTheClient(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeCancel, http2.ErrCodeNo, http2.ErrCodeProtocol} {
		entered, ended := make(chan struct{}, 1), make(chan error, 1)
		conn := rawClient(t, start(t, setup{service: hanging(entered, ended)}))
		conn.Headers(1, false, request(echo.Bidi)...)
		wait(t, entered, "call")
		conn.Reset(1, code)
		equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
	}
}

func TestConnectionLossEndsHandlers(t *testing.T) {
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	conn := rawClient(t, start(t, setup{service: hanging(entered, ended)}))
	conn.Headers(1, false, request(echo.Bidi)...)
	wait(t, entered, "call")
	conn.Close()
	equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
}
