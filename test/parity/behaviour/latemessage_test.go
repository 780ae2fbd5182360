// Calls of which the server has the headers, while their only message is still to come: what it answers at once, what it waits for, and
// how such calls end.

package behaviour

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// oneMessage are the kinds of calls whose clients send one message.
var oneMessage = []string{echo.Unary, echo.ServerStream}

// tapped returns the option of a tap, and a channel that receives the method of each call whose headers have come.
func tapped() (grpc.ServerOption, <-chan string) {
	came := make(chan string, 100)
	return grpc.InTapHandle(func(ctx context.Context, i *tap.Info) (context.Context, error) {
		came <- i.FullMethodName
		return ctx, nil
	}), came
}

func TestMessageThatComesAfterItsHeaders(t *testing.T) {
	for _, kind := range kinds {
		option, came := tapped()
		p := start(t, setup{server: []grpc.ServerOption{option}})
		stream, err := p.cc.NewStream(within(t), kind.desc, kind.method)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, wait(t, came, "call"), kind.method)
		stream.SendMsg(echo.Of("x"))
		stream.CloseSend()
		equal(t, result(receive(stream)), `"x"`)
	}
}

func TestMessageThatComesByteByByte(t *testing.T) {
	for _, method := range oneMessage {
		p := start(t, setup{})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(method)...)
		for _, b := range raw.Message(0, raw.Text("x")) {
			conn.Data(1, false, []byte{b})
		}
		conn.Data(1, true, nil)
		equal(t, conn.Transcript(1), `HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | `+
			`HEADERS grpc-status=0 grpc-message= END_STREAM`)
	}
}

func TestAnswersThatNeedNoMessage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header []string
		want   string
	}{
		{"unknown method", request("/parity.Echo/Missing"), "grpc-status=12 grpc-message=unknown method Missing for service parity.Echo"},
		{"unknown service", request("/none/Such"), "grpc-status=12 grpc-message=unknown service none"},
		{"unary, unknown compressor", request(echo.Unary, "grpc-encoding", "none-such"),
			`grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "none-such"`},
		{"stream, unknown compressor", request(echo.ServerStream, "grpc-encoding", "none-such"),
			`grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "none-such"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{}))
			conn.Headers(1, false, tc.header...)
			equal(t, conn.Transcript(1), "HEADERS :status=200 content-type=application/grpc "+tc.want+" END_STREAM | RST_STREAM NO_ERROR")
		})
	}
}

func TestRequestThatEndsAfterItsHeaders(t *testing.T) {
	for _, method := range oneMessage {
		option, came := tapped()
		p := start(t, setup{server: []grpc.ServerOption{option}})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(method)...)
		wait(t, came, "call")
		conn.Data(1, true, nil)
		equal(t, conn.Transcript(1), "HEADERS :status=200 content-type=application/grpc grpc-status=13 "+
			"grpc-message=cardinality violation: received no request message from non-client-streaming RPC END_STREAM")
	}
}

func TestDeadlineThatPassesBeforeTheMessage(t *testing.T) {
	for _, method := range oneMessage {
		conn := rawClient(t, start(t, setup{}))
		conn.Headers(1, false, request(method, "grpc-timeout", "20m")...)
		const status = "HEADERS :status=200 content-type=application/grpc grpc-status=4 grpc-message=context deadline exceeded END_STREAM | RST_STREAM NO_ERROR"
		oneOf(t, conn.Transcript(1), "RST_STREAM CANCEL", status, status+" | RST_STREAM CANCEL")
	}
}

// nextFrame returns the next frame of a type. Others are skipped.
func nextFrame[F http2.Frame](t *testing.T, conn *raw.Conn) F {
	t.Helper()
	for {
		f, err := conn.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := f.(F); ok {
			return f
		}
	}
}

func TestGracefulStopWaitsForAMessage(t *testing.T) {
	for _, method := range oneMessage {
		option, came := tapped()
		p := start(t, setup{server: []grpc.ServerOption{option}})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(method)...)
		wait(t, came, "call")
		stopped := begin(p.server.GracefulStop)
		nextFrame[*http2.GoAwayFrame](t, conn)
		running(t, stopped, "GracefulStop")
		conn.Data(1, true, raw.Message(0, raw.Text("x")))
		equal(t, raw.Fields(nextFrame[*http2.MetaHeadersFrame](t, conn)), "HEADERS :status=200 content-type=application/grpc")
		equal(t, raw.Fields(nextFrame[*http2.MetaHeadersFrame](t, conn)), "HEADERS grpc-status=0 grpc-message= END_STREAM")
		conn.Close()
		wait(t, stopped, "end of GracefulStop")
	}
}

func TestStreamLimitCountsCallsWithoutTheirMessage(t *testing.T) {
	for _, method := range oneMessage {
		p := start(t, setup{server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(method)...)
		conn.Headers(3, false, request(method)...)
		equal(t, conn.Transcript(3), "RST_STREAM REFUSED_STREAM")
		conn.Reset(1, http2.ErrCodeCancel)
		conn.Headers(5, false, request(method)...)
		conn.Data(5, true, raw.Message(0, raw.Text("x")))
		equal(t, conn.Transcript(5), `HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | `+
			`HEADERS grpc-status=0 grpc-message= END_STREAM`)
	}
}

// cancelledStats are the events of a server whose client cancels a call before it sends the message.
const cancelledStats = `TagRPC METHOD failfast=false delayed=false
server InHeader "METHOD" compression="" remote=bufconn local=bufconn header: :authority=["a.example"] content-type=["application/grpc"]
server Begin failfast=false streams=false,STREAM retry=false
server End rpc error: code = Canceled desc = context canceled trailer: nil ordered=true`

func TestCancellationBeforeTheMessage(t *testing.T) {
	for i, method := range oneMessage {
		option, came := tapped()
		interceptors := new(journal)
		intercept := grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			interceptors.note("interceptor")
			return next(srv, ss)
		})
		p, _, server := recorded(t, setup{server: []grpc.ServerOption{option, intercept}})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(method)...)
		wait(t, came, "call")
		conn.Reset(1, http2.ErrCodeCancel)
		wait(t, server.ended, "End at the server")
		equal(t, server.events(), strings.NewReplacer("METHOD", method, "STREAM", []string{"false", "true"}[i]).Replace(cancelledStats))
		equal(t, interceptors.String(), differ{"begins-with-message", ""}.or(t, []string{"", "interceptor"}[i]))
	}
}
