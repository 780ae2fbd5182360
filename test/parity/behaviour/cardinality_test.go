// A server that answers with too few or too many messages, and a client that asks with too few or too many.

package behaviour

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestAnswersOfTheWrongNumber(t *testing.T) {
	for _, tc := range []struct {
		answers int
		status  string
		unary   string
		client  string // of a client stream
		server  string // of a server stream
	}{
		{0, "0", "rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC",
			"rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC", "EOF"},
		{1, "0", `"m"`, "m, EOF", "m, EOF"},
		{2, "0",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"m, m, EOF"},
		{3, "0",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"m, m, m, EOF"},
		{0, "10", "rpc error: code = Aborted desc = why", "rpc error: code = Aborted desc = why", "rpc error: code = Aborted desc = why"},
		{1, "10", "rpc error: code = Aborted desc = why", "rpc error: code = Aborted desc = why", "m, rpc error: code = Aborted desc = why"},
		{2, "10",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message",
			"m, m, rpc error: code = Aborted desc = why"},
	} {
		t.Run(strings.Repeat("m", tc.answers)+" "+tc.status, func(t *testing.T) {
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				for {
					id, _ := c.Request()
					if id == 0 {
						return
					}
					c.Headers(id, false, response()...)
					for range tc.answers {
						c.Data(id, false, raw.Message(0, raw.Text("m")))
					}
					c.Headers(id, true, "grpc-status", tc.status, "grpc-message", "why")
				}
			})
			cc := plain(t, addr)
			equal(t, result(unary(within(t), cc, "x")), tc.unary)
			equal(t, converse(t, cc, echo.ClientStreamDesc, echo.ClientStream), tc.client)
			equal(t, converse(t, cc, echo.ServerStreamDesc, echo.ServerStream), tc.server)
		})
	}
}

func TestRequestsOfTheWrongNumber(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		requests     int
		want         string
	}{
		{"unary, none", echo.Unary, 0,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=cardinality violation: received no request message from non-client-streaming RPC END_STREAM"},
		{"unary, two", echo.Unary, 2,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=cardinality violation: received multiple request messages for non-client-streaming RPC END_STREAM"},
		{"server stream, none", echo.ServerStream, 0,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=cardinality violation: received no request message from non-client-streaming RPC END_STREAM"},
		{"server stream, two", echo.ServerStream, 2,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=cardinality violation: received multiple request messages for non-client-streaming RPC END_STREAM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{})
			conn := rawClient(t, p)
			conn.Headers(1, tc.requests == 0, request(tc.method)...)
			for i := range tc.requests {
				conn.Data(1, i+1 == tc.requests, raw.Message(0, raw.Text("x")))
			}
			equal(t, conn.Transcript(1), tc.want)
		})
	}
}

func TestHandlerThatReadsASecondRequestOfAServerStream(t *testing.T) {
	seen := make(chan string, 1)
	p := start(t, setup{service: &echo.Service{OnServerStream: func(_ *echo.Text, stream grpc.ServerStream) error {
		seen <- result(receive(stream))
		return nil
	}}})
	equal(t, converse(t, p.cc, echo.ServerStreamDesc, echo.ServerStream, "x"), "EOF")
	equal(t, wait(t, seen, "call"), "EOF")
}

func TestHandlerThatAnswersTwiceOnAClientStream(t *testing.T) {
	seen := make(chan string, 2)
	p := start(t, setup{service: &echo.Service{OnClientStream: func(stream grpc.ServerStream) error {
		seen <- text(stream.SendMsg(echo.Of("a")))
		seen <- text(stream.SendMsg(echo.Of("b")))
		return nil
	}}})
	equal(t, converse(t, p.cc, echo.ClientStreamDesc, echo.ClientStream, "x"),
		"rpc error: code = Internal desc = cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message")
	equal(t, wait(t, seen, "SendMsg")+" "+wait(t, seen, "SendMsg"), "<nil> <nil>")
}

func TestHandlerThatNeverAnswersAClientStream(t *testing.T) {
	p := start(t, setup{service: &echo.Service{OnClientStream: func(grpc.ServerStream) error { return nil }}})
	equal(t, converse(t, p.cc, echo.ClientStreamDesc, echo.ClientStream, "x"),
		"rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC")
}
