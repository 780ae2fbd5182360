// What a server does not do: offer services that nobody has registered, wait for ever for a client that does not read, fall over a drain that
// is acknowledged twice, answer with more than the client says it takes.

package behaviour

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestServerOffersNothingOfItself(t *testing.T) {
	p := start(t, setup{})
	for _, method := range []string{
		"grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch", "grpc.health.v1.Health/List",
		"grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"grpc.channelz.v1.Channelz/GetTopChannels", "grpc.channelz.v1.Channelz/GetServers", "grpc.channelz.v1.Channelz/GetServer",
		"grpc.channelz.v1.Channelz/GetServerSockets", "grpc.channelz.v1.Channelz/GetChannel", "grpc.channelz.v1.Channelz/GetSubchannel",
		"grpc.channelz.v1.Channelz/GetSocket",
		"envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus", "grpc.profiling.v1.Profiling/GetStreamStats",
	} {
		service, _, _ := strings.Cut(method, "/")
		err := p.cc.Invoke(within(t), "/"+method, echo.Of(""), new(echo.Text))
		equal(t, text(err), "rpc error: code = Unimplemented desc = unknown service "+service)
	}
}

// A client that gives no window cannot keep a handler beyond the deadline, nor beyond the end of the stream or the connection. What
// the handler gets to know depends on whether the stream or its context ends first.
func TestHandlerThatSendsToAClientThatDoesNotRead(t *testing.T) {
	for _, tc := range []struct {
		name, timeout string
		end           func(p *pair, conn *raw.Conn)
		or            string // than that the call was cancelled
	}{
		{"deadline", "50m", func(*pair, *raw.Conn) {}, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"},
		{"reset", "1H", func(_ *pair, conn *raw.Conn) { conn.Reset(1, http2.ErrCodeCancel) }, ""},
		{"loss of the connection", "1H", func(_ *pair, conn *raw.Conn) { conn.Close() }, "rpc error: code = Unavailable desc = transport is closing"},
		{"Stop", "1H", func(p *pair, _ *raw.Conn) { p.server.Stop() }, "rpc error: code = Unavailable desc = transport is closing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			entered, ended := make(chan struct{}), make(chan error, 1)
			p := start(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
				close(entered)
				m := echo.Of(strings.Repeat("x", 100_000))
				err := s.SendMsg(m)
				for err == nil {
					err = s.SendMsg(m)
				}
				ended <- err
				return err
			}}})
			nc, err := p.lis.DialContext(within(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			conn := raw.Client(t, nc, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			conn.Headers(1, false, request(echo.Bidi, "grpc-timeout", tc.timeout)...)
			wait(t, entered, "call")
			tc.end(p, conn)
			oneOf(t, text(wait(t, ended, "end of SendMsg")), "rpc error: code = Canceled desc = context canceled", tc.or)
		})
	}
}

func TestDrainThatIsAcknowledgedTwice(t *testing.T) {
	p := start(t, setup{})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi)...)
	conn.Data(1, false, raw.Message(0, raw.Text("a")))
	equal(t, frameOf(conn), "HEADERS :status=200 content-type=application/grpc")
	equal(t, frameOf(conn), "DATA")
	stopped := begin(p.server.GracefulStop)
	for acks := 0; acks < 2; {
		f, err := conn.Framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if ping, ok := f.(*http2.PingFrame); ok && !ping.IsAck() {
			for ; acks < 2; acks++ {
				conn.Framer.WritePing(true, ping.Data)
			}
		}
	}
	equal(t, frameOf(conn), `GOAWAY 1 NO_ERROR "graceful_stop"`)
	conn.Data(1, true, nil)
	equal(t, frameOf(conn), "HEADERS grpc-status=0 grpc-message= END_STREAM")
	conn.Drain()
	wait(t, stopped, "end of GracefulStop")
}

func TestRefusalThatIsLargerThanTheClientTakes(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{tapping(fmt.Errorf("%s", strings.Repeat("x", 1000)))}})
	for name, header := range map[string][]string{
		"tap": request(echo.Unary), "content-type": without("content-type", strings.Repeat("x", 1000)),
		"method": without(":method", strings.Repeat("X", 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := p.lis.DialContext(within(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			conn := raw.Client(t, nc, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 500})
			conn.Headers(1, true, header...)
			equal(t, conn.Transcript(1), "RST_STREAM INTERNAL_ERROR")
		})
	}
}
