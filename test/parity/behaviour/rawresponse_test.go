// What a client makes of responses that no well-behaved server sends.

package behaviour

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/raw"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// answered calls Unary on a server that answers every call as do says, and shows header, trailer, details and error;
// and what else the client then said about the stream.
func answered(t *testing.T, do func(c *raw.Conn, id uint32)) string {
	t.Helper()
	said := make(chan string, 1)
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		id, _ := c.Request()
		if id == 0 || !c.Until(id) {
			return
		}
		do(c, id)
		c.Framer.WritePing(false, [8]byte{'o', 'v', 'e', 'r'})
		for {
			f, err := c.Next()
			if err != nil {
				said <- "; closed"
				return
			}
			switch f := f.(type) {
			case *http2.RSTStreamFrame:
				if f.ErrCode != http2.ErrCodeCancel { // CANCEL: the caller has gone, before or after the end
					said <- "; RST_STREAM " + f.ErrCode.String()
					return
				}
			case *http2.PingFrame:
				if f.IsAck() {
					said <- ""
					return
				}
			}
		}
	})
	var header, trailer metadata.MD
	out, err := unary(within(t), plain(t, addr), "x", grpc.Header(&header), grpc.Trailer(&trailer))
	outcome := strings.ReplaceAll(result(out, err), "  ", " ") // protobuf's text has one blank or two
	return fmt.Sprintf("%s; header %s; trailer %s; %d details%s", outcome, show(header), show(trailer),
		len(status.Convert(err).Details()), wait(t, said, "end of the script"))
}

// reply answers with a header, a message and a trailer.
func reply(header, trailer []string) func(*raw.Conn, uint32) {
	return func(c *raw.Conn, id uint32) {
		c.Headers(id, false, header...)
		c.Data(id, false, raw.Message(0, raw.Text("m")))
		c.Headers(id, true, trailer...)
	}
}

// only answers with one HEADERS frame that ends the stream.
func only(header ...string) func(*raw.Conn, uint32) {
	return func(c *raw.Conn, id uint32) { c.Headers(id, true, header...) }
}

// page answers with a header and a body that ends the stream.
func page(body string, header ...string) func(*raw.Conn, uint32) {
	return func(c *raw.Conn, id uint32) {
		c.Headers(id, false, header...)
		c.Data(id, true, []byte(body))
	}
}

func TestResponsesOfServersThatDoNotSpeakGRPC(t *testing.T) {
	html := func(code string) []string { return []string{":status", code, "content-type", "text/html"} }
	for _, tc := range []struct {
		name string
		do   func(*raw.Conn, uint32)
		want string
	}{
		{"404 page", page("<html>not found</html>", html("404")...), `rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type "text/html"
data: "<html>not found</html>"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"404 without a page", only(html("404")...),
			`rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"200 page", page("<html>hello</html>", html("200")...), `rpc error: code = Unknown desc = unexpected HTTP status code received from server: 200 (OK); transport: received unexpected content-type "text/html"
data: "<html>hello</html>"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"400", only(html("400")...),
			`rpc error: code = Internal desc = unexpected HTTP status code received from server: 400 (Bad Request); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"401", only(html("401")...),
			`rpc error: code = Unauthenticated desc = unexpected HTTP status code received from server: 401 (Unauthorized); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"403", only(html("403")...),
			`rpc error: code = PermissionDenied desc = unexpected HTTP status code received from server: 403 (Forbidden); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"429", only(html("429")...),
			`rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 429 (Too Many Requests); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"500", only(html("500")...),
			`rpc error: code = Unknown desc = unexpected HTTP status code received from server: 500 (Internal Server Error); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"502", only(html("502")...),
			`rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 502 (Bad Gateway); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"503", only(html("503")...),
			`rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"504", only(html("504")...),
			`rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 504 (Gateway Timeout); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"302", only(html("302")...),
			`rpc error: code = Unknown desc = unexpected HTTP status code received from server: 302 (Found); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"503 with bad binary", page("busy", append(html("503"), "x-bin", "*")...), `rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable); transport: received unexpected content-type "text/html"
data: "busy"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"503 without a page, with bad binary", only(append(html("503"), "x-bin", "*")...),
			`rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"no content-type", only(":status", "200"),
			"rpc error: code = Unknown desc = unexpected HTTP status code received from server: 200 (OK); malformed header: missing HTTP content-type; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
		{"no content-type, 503", page("busy", ":status", "503"), `rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable); malformed header: missing HTTP content-type
data: "busy"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"no status", only("content-type", "application/grpc"),
			`rpc error: code = Unknown desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"status that is no number", only(":status", "two hundred", "content-type", "application/grpc"),
			`rpc error: code = Unknown desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"gRPC content-type with 503", only(":status", "503", "content-type", "application/grpc"),
			`rpc error: code = Unknown desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"gRPC content-type with 503 and grpc-status", only(":status", "503", "content-type", "application/grpc", "grpc-status", "5"),
			`rpc error: code = NotFound desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"html with grpc-status", only(":status", "200", "content-type", "text/html", "grpc-status", "5", "grpc-message", "m"),
			`rpc error: code = Unknown desc = unexpected HTTP status code received from server: 200 (OK); transport: received unexpected content-type "text/html"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"html with grpc-status, page", page("body", ":status", "200", "content-type", "text/html", "grpc-status", "5"), `rpc error: code = Unknown desc = unexpected HTTP status code received from server: 200 (OK); transport: received unexpected content-type "text/html"
data: "body"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"long page", page(strings.Repeat("x", 2000), html("404")...), `rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type "text/html"
data: "` + strings.Repeat("x", 1024) + `"; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, answered(t, tc.do), foreignWant(t, tc.want)) })
	}
}

// foreignWant is what to expect where the released library does want.
func foreignWant(t *testing.T, want string) string {
	if ours, ok := strings.CutSuffix(want, "; RST_STREAM PROTOCOL_ERROR"); ok {
		return differ{"reset-of-closed-streams", ours}.or(t, want)
	}
	return statusWant(t, want)
}

// statusWant is foreignWant for responses that are gRPC.
func statusWant(t *testing.T, want string) string {
	if rest, ok := strings.CutPrefix(want, "rpc error: code = Unknown desc = ;"); ok {
		return differ{"missing-grpc-status", "rpc error: code = Unknown desc = no grpc-status in trailers;" + rest}.or(t, want)
	}
	return want
}

func TestStatusesOfResponses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trailer []string
		want    string
	}{
		{"OK", []string{"grpc-status", "0"}, `"m"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"OK with a message", []string{"grpc-status", "0", "grpc-message", "fine"},
			`"m"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"none", []string{"k", "v"}, `rpc error: code = Unknown desc = ; header content-type=["application/grpc"]; trailer k=["v"]; 0 details`},
		{"empty", []string{"grpc-status", ""},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "": invalid syntax; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"no number", []string{"grpc-status", "five"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "five": invalid syntax; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"negative", []string{"grpc-status", "-1"},
			`rpc error: code = Code(4294967295) desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"plus sign", []string{"grpc-status", "+5"},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"leading zero", []string{"grpc-status", "05"},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"large", []string{"grpc-status", "99"}, `rpc error: code = Code(99) desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"leading zeros", []string{"grpc-status", "007"},
			`rpc error: code = PermissionDenied desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"the largest", []string{"grpc-status", "2147483647"},
			`rpc error: code = Code(2147483647) desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"beyond the largest", []string{"grpc-status", "2147483648"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "2147483648": value out of range; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"the largest of 32 bits", []string{"grpc-status", "4294967295"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "4294967295": value out of range; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"beyond 32 bits", []string{"grpc-status", "4294967296"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "4294967296": value out of range; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"the least", []string{"grpc-status", "-2147483648"},
			`rpc error: code = Code(2147483648) desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"less than the least", []string{"grpc-status", "-2147483649"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "-2147483649": value out of range; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"blank", []string{"grpc-status", "5 "},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "5 ": invalid syntax; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"too large", []string{"grpc-status", "99999999999"},
			`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "99999999999": value out of range; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"twice", []string{"grpc-status", "5", "grpc-status", "6"},
			`rpc error: code = AlreadyExists desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"message with escapes", []string{"grpc-status", "5", "grpc-message", "a%20b%zz%e4%bd%a0%"},
			"rpc error: code = NotFound desc = a b%zz你%; header content-type=[\"application/grpc\"]; trailer ; 0 details"},
		{"message that is no UTF-8", []string{"grpc-status", "5", "grpc-message", "a%ff"},
			"rpc error: code = NotFound desc = a\xff; header content-type=[\"application/grpc\"]; trailer ; 0 details"},
		{"with trailer metadata", []string{"grpc-status", "5", "k", "v", "b-bin", "AQI"},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer b-bin=["\x01\x02"] k=["v"]; 0 details`},
		{"padded binary", []string{"grpc-status", "5", "b-bin", "AQ=="},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer b-bin=["\x01"]; 0 details`},
		{"bad binary", []string{"grpc-status", "5", "b-bin", "*"},
			`rpc error: code = Internal desc = transport: malformed b-bin: illegal base64 data at input byte 0; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"content-type in the trailer", []string{"content-type", "text/html", "grpc-status", "5"},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{":status in the trailer", []string{":status", "500", "grpc-status", "5"},
			`rpc error: code = NotFound desc = ; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"capitals in a name", []string{"Upper", "v", "grpc-status", "5"},
			`rpc error: code = Internal desc = invalid header field name "Upper"; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, answered(t, reply(response(), tc.trailer)), trailerDifferences[tc.name].or(t, statusWant(t, tc.want)))
		})
	}
}

var trailerDifferences = map[string]differ{
	":status in the trailer": {"trailer-pseudo-header", "rpc error: code = Internal desc = malformed header: pseudo-header field that does not belong there; " +
		`header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
}

func TestTrailersOnlyResponses(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*raw.Conn, uint32)
		want string
	}{
		{"error", only(response("grpc-status", "5", "grpc-message", "m", "k", "v")...),
			`rpc error: code = NotFound desc = m; header nil; trailer content-type=["application/grpc"] k=["v"]; 0 details`},
		{"OK", only(response("grpc-status", "0")...),
			`rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"no status", only(response()...), `rpc error: code = Unknown desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"encoding", only(response("grpc-status", "5", "grpc-encoding", "snappy")...),
			`rpc error: code = NotFound desc = ; header nil; trailer content-type=["application/grpc"]; 0 details`},
		{"bad binary", only(response("grpc-status", "5", "x-bin", "*")...),
			"rpc error: code = Internal desc = transport: malformed x-bin: illegal base64 data at input byte 0; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
		{"bad binary in the header", func(c *raw.Conn, id uint32) { c.Headers(id, false, response("x-bin", "*")...) },
			"rpc error: code = Internal desc = transport: malformed x-bin: illegal base64 data at input byte 0; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
		{"content-subtype", only(":status", "200", "content-type", "application/grpc+json", "grpc-status", "5"),
			`rpc error: code = NotFound desc = ; header nil; trailer content-type=["application/grpc+json"]; 0 details`},
		{"DATA instead of trailers", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, true, raw.Message(0, raw.Text("m")))
		},
			`rpc error: code = Internal desc = server closed the stream without sending trailers; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"DATA before the header", func(c *raw.Conn, id uint32) { c.Data(id, true, raw.Message(0, raw.Text("m"))) },
			"rpc error: code = Internal desc = server closed the stream without sending trailers; header nil; trailer ; 0 details"},
		{"header twice", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Headers(id, false, response()...)
		},
			`rpc error: code = Internal desc = a HEADERS frame cannot appear in the middle of a stream; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"message in pieces", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			for _, b := range raw.Message(0, raw.Text("m")) {
				c.Data(id, false, []byte{b})
			}
			c.Headers(id, true, "grpc-status", "0")
		}, `"m"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"unfinished message, OK", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, raw.Text("m"))[:6])
			c.Headers(id, true, "grpc-status", "0")
		}, `rpc error: code = Internal desc = unexpected EOF; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"unfinished message, error", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, raw.Text("m"))[:6])
			c.Headers(id, true, "grpc-status", "5", "grpc-message", "m")
		}, `rpc error: code = Internal desc = unexpected EOF; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"bad flag", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(2, raw.Text("m")))
			c.Headers(id, true, "grpc-status", "0")
		},
			`rpc error: code = Internal desc = grpc: received unexpected payload format 2; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"message that is no protobuf", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, []byte{0x0a, 5, 'x'}))
			c.Headers(id, true, "grpc-status", "0")
		},
			`rpc error: code = Internal desc = grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"length over the limit", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, []byte{0, 0xff, 0xff, 0xff, 0xff})
			c.Headers(id, true, "grpc-status", "0")
		},
			`rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4294967295 vs. 4194304); header content-type=["application/grpc"]; trailer ; 0 details`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, answered(t, tc.do), trailersOnlyDifferences[tc.name].or(t, statusWant(t, tc.want)))
		})
	}
}

var trailersOnlyDifferences = map[string]differ{
	"DATA before the header": {"data-before-headers",
		"rpc error: code = Internal desc = DATA frame before the response headers; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
}

func TestInformationalResponses(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*raw.Conn, uint32)
		want string
	}{
		{"100", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, ":status", "100")
			good(c, id)
		}, `"ok"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"103 twice", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, ":status", "103", "link", "a")
			c.Headers(id, false, ":status", "103", "link", "b")
			good(c, id)
		}, `"ok"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"103 with bad binary", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, ":status", "103", "x-bin", "*")
			good(c, id)
		}, `"ok"; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"100 that ends the stream", only(":status", "100"),
			"rpc error: code = Internal desc = protocol error: informational header with status code 100 must not have END_STREAM set; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
		{"101", only(":status", "101"),
			"rpc error: code = Internal desc = protocol error: informational header with status code 101 must not have END_STREAM set; header nil; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, answered(t, tc.do), tc.want) })
	}
}

func TestResetCodes(t *testing.T) {
	want := map[http2.ErrCode]string{
		http2.ErrCodeNo:                 "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: NO_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeProtocol:           "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: PROTOCOL_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeInternal:           "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: INTERNAL_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeFlowControl:        "rpc error: code = ResourceExhausted desc = stream terminated by RST_STREAM with error code: FLOW_CONTROL_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeSettingsTimeout:    "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: SETTINGS_TIMEOUT; header nil; trailer ; 0 details",
		http2.ErrCodeStreamClosed:       "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: STREAM_CLOSED; header nil; trailer ; 0 details",
		http2.ErrCodeFrameSize:          "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: FRAME_SIZE_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeCancel:             "rpc error: code = Canceled desc = stream terminated by RST_STREAM with error code: CANCEL; header nil; trailer ; 0 details",
		http2.ErrCodeCompression:        "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: COMPRESSION_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeConnect:            "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: CONNECT_ERROR; header nil; trailer ; 0 details",
		http2.ErrCodeEnhanceYourCalm:    "rpc error: code = ResourceExhausted desc = stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM; header nil; trailer ; 0 details",
		http2.ErrCodeInadequateSecurity: "rpc error: code = PermissionDenied desc = stream terminated by RST_STREAM with error code: INADEQUATE_SECURITY; header nil; trailer ; 0 details",
		http2.ErrCodeHTTP11Required:     "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: HTTP_1_1_REQUIRED; header nil; trailer ; 0 details",
		http2.ErrCode(99):               "rpc error: code = Unknown desc = stream terminated by RST_STREAM with error code: unknown error code 0x63; header nil; trailer ; 0 details",
	}
	for code, want := range want {
		t.Run(code.String(), func(t *testing.T) {
			equal(t, answered(t, func(c *raw.Conn, id uint32) { c.Reset(id, code) }), want)
		})
	}
}

func TestResetAfterPartOfTheResponse(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*raw.Conn, uint32)
		want string
	}{
		{"after the header", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response("k", "v")...)
			c.Reset(id, http2.ErrCodeInternal)
		},
			`rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: INTERNAL_ERROR; header content-type=["application/grpc"] k=["v"]; trailer ; 0 details`},
		{"after the message", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, raw.Text("m")))
			c.Reset(id, http2.ErrCodeNo)
		},
			`rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: NO_ERROR; header content-type=["application/grpc"]; trailer ; 0 details`},
		{"after the end", func(c *raw.Conn, id uint32) {
			good(c, id)
			c.Reset(id, http2.ErrCodeNo)
		}, `"ok"; header content-type=["application/grpc"]; trailer ; 0 details`},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, answered(t, tc.do), tc.want) })
	}
}

func TestStatusDetailsOfResponses(t *testing.T) {
	encode := func(code int32, message string) string {
		detail, err := anypb.New(wrapperspb.Bool(true))
		if err != nil {
			t.Fatal(err)
		}
		p, err := proto.Marshal(&spb.Status{Code: code, Message: message, Details: []*anypb.Any{detail}})
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawStdEncoding.EncodeToString(p)
	}
	for _, tc := range []struct {
		name    string
		trailer []string
		want    string
	}{
		{"that agree", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", encode(5, "m")},
			`rpc error: code = NotFound desc = m; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\b\x05\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 1 details`},
		{"of another code", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", encode(6, "m")},
			`rpc error: code = Internal desc = grpc-status-details-bin mismatch: grpc-status=NotFound, grpc-message="m", grpc-status-details-bin=code:6 message:"m" details:{[type.googleapis.com/google.protobuf.BoolValue]:{value:true}}; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\b\x06\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 0 details`},
		{"of another message", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", encode(5, "n")},
			`rpc error: code = NotFound desc = n; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\b\x05\x12\x01n\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 1 details`},
		{"of code OK", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", encode(0, "m")},
			`rpc error: code = Internal desc = grpc-status-details-bin mismatch: grpc-status=NotFound, grpc-message="m", grpc-status-details-bin=message:"m" details:{[type.googleapis.com/google.protobuf.BoolValue]:{value:true}}; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 0 details`},
		{"with status OK", []string{"grpc-status", "0", "grpc-status-details-bin", encode(5, "m")},
			`rpc error: code = Internal desc = grpc-status-details-bin mismatch: grpc-status=OK, grpc-message="", grpc-status-details-bin=code:5 message:"m" details:{[type.googleapis.com/google.protobuf.BoolValue]:{value:true}}; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\b\x05\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 0 details`},
		{"twice", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", encode(5, "m"), "grpc-status-details-bin", encode(5,
			"m")},
			`rpc error: code = NotFound desc = m; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\b\x05\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01" "\b\x05\x12\x01m\x1a3\n-type.googleapis.com/google.protobuf.BoolValue\x12\x02\b\x01"]; 0 details`},
		{"that do not decode", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", "/////w"},
			`rpc error: code = NotFound desc = m; header content-type=["application/grpc"]; trailer grpc-status-details-bin=["\xff\xff\xff\xff"]; 0 details`},
		{"that are no base64", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", "*"},
			`rpc error: code = Internal desc = transport: malformed grpc-status-details-bin: illegal base64 data at input byte 0; header content-type=["application/grpc"]; trailer ; 0 details; RST_STREAM PROTOCOL_ERROR`},
		{"that are empty", []string{"grpc-status", "5", "grpc-message", "m", "grpc-status-details-bin", ""},
			`rpc error: code = Internal desc = grpc-status-details-bin mismatch: grpc-status=NotFound, grpc-message="m", grpc-status-details-bin=; header content-type=["application/grpc"]; trailer grpc-status-details-bin=[""]; 0 details`},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, answered(t, reply(response(), tc.trailer)), tc.want) })
	}
}

func TestRequestThatTheClientSends(t *testing.T) {
	seen := make(chan map[string]string, 1)
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		id, fields := c.Request()
		if id == 0 {
			return
		}
		seen <- fields
		good(c, id)
		c.Drain()
	})
	cc := plain(t, addr, grpc.WithAuthority("a.example"))
	if _, err := unary(context.Background(), cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, fmt.Sprint(wait(t, seen, "request")),
		"map[:authority:a.example :method:POST :path:/parity.Echo/Unary :scheme:http content-type:application/grpc grpc-accept-encoding:gzip,shout te:trailers user-agent:grpc-go/1.85.0]")
}
