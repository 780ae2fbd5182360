// Which compressed answers a call accepts.

package behaviour

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestAcceptCompressorsInRequests(t *testing.T) {
	for _, tc := range []struct {
		names []string
		use   string
		want  string
	}{
		{nil, "", `grpc-encoding="" grpc-accept-encoding="gzip,shout" flag 0 ok`},
		{[]string{"gzip"}, "", `grpc-encoding="" grpc-accept-encoding="gzip" flag 0 ok`},
		{[]string{"gzip"}, "shout", `grpc-encoding="shout" grpc-accept-encoding="gzip" flag 1 ok`},
		{[]string{"gzip"}, "identity", `grpc-encoding="identity" grpc-accept-encoding="gzip,identity" flag 0 ok`},
		{[]string{"shout", "gzip"}, "", `grpc-encoding="" grpc-accept-encoding="shout,gzip" flag 0 ok`},
		{[]string{"gzip", "gzip"}, "", `grpc-encoding="" grpc-accept-encoding="gzip" flag 0 ok`},
		{[]string{" gzip"}, "", `grpc-encoding="" grpc-accept-encoding="gzip" flag 0 ok`},
		{[]string{"identity", "gzip"}, "", `grpc-encoding="" grpc-accept-encoding="gzip" flag 0 ok`},
		{[]string{"identity"}, "", `grpc-encoding="" grpc-accept-encoding="gzip,shout" flag 0 ok`},
		{[]string{""}, "", `grpc-encoding="" grpc-accept-encoding="gzip,shout" flag 0 ok`},
	} {
		t.Run(fmt.Sprintf("%q using %q", tc.names, tc.use), func(t *testing.T) {
			equal(t, requestEncoding(t, nil, experimental.AcceptCompressors(tc.names...), grpc.UseCompressor(tc.use)), tc.want)
		})
	}
}

func TestAcceptCompressorsThatAreNotRegistered(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{[]string{"none"}, `rpc error: code = InvalidArgument desc = grpc: compressor "none" is not registered`},
		{[]string{"gzip", "none"}, `rpc error: code = InvalidArgument desc = grpc: compressor "none" is not registered`},
		{[]string{"GZIP"}, `rpc error: code = InvalidArgument desc = grpc: compressor "GZIP" is not registered`},
		{[]string{"gzip,shout"}, `rpc error: code = InvalidArgument desc = grpc: compressor "gzip,shout" is not registered`},
	} {
		t.Run(fmt.Sprintf("%q", tc.names), func(t *testing.T) {
			equal(t, result(unary(within(t), p.cc, "x", experimental.AcceptCompressors(tc.names...))), tc.want)
		})
	}
}

func TestLastAcceptCompressorsCounts(t *testing.T) {
	equal(t, requestEncoding(t, []grpc.DialOption{grpc.WithDefaultCallOptions(experimental.AcceptCompressors("gzip"))}, experimental.AcceptCompressors("shout")),
		`grpc-encoding="" grpc-accept-encoding="shout" flag 0 ok`)
	equal(t, requestEncoding(t, nil, experimental.AcceptCompressors("gzip"), experimental.AcceptCompressors()),
		`grpc-encoding="" grpc-accept-encoding="gzip,shout" flag 0 ok`)
}

func TestAcceptCompressorsInAnswers(t *testing.T) {
	quiet := raw.Message(0, raw.Text("x"))
	shouted := raw.Message(1, flip(raw.Text("x")))
	const refused = `rpc error: code = Internal desc = grpc: peer compressed the response with "shout" which is not allowed by AcceptCompressors`
	for _, tc := range []struct {
		name, encoding string
		message        []byte
		names          []string
		want           string
	}{
		{"accepted", "shout", shouted, []string{"gzip", "shout"}, `"x"`},
		{"not accepted", "shout", shouted, []string{"gzip"}, refused},
		{"not accepted, but not compressed either", "shout", quiet, []string{"gzip"}, refused},
		{"identity", "identity", quiet, []string{"gzip"}, `"x"`},
		{"all", "shout", shouted, nil, `"x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			said := make(chan bool, 1)
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				id, _ := c.Request()
				if id == 0 || !c.Until(id) {
					return
				}
				c.Headers(id, false, response("grpc-encoding", tc.encoding)...)
				c.Data(id, false, tc.message)
				c.Headers(id, true, "grpc-status", "0")
				said <- true
				c.Drain()
			})
			got := result(unary(within(t), plain(t, addr), "x", experimental.AcceptCompressors(tc.names...)))
			wait(t, said, "end of the answer")
			equal(t, got, tc.want)
		})
	}
}
