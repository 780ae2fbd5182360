// Calls that a server of net/http hands over by ServeHTTP: what handlers see of them, what clients see, and what is no call.

package behaviour

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/parity"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// startHTTP makes a pair whose server gets its calls from net/http, without TLS.
func startHTTP(t testing.TB, s setup) *pair {
	t.Helper()
	if s.service == nil {
		s.service = &echo.Service{}
	}
	p := &pair{server: grpc.NewServer(s.server...), lis: bufconn.Listen(1 << 16)}
	p.server.RegisterService(&echo.Desc, s.service)
	web := &http.Server{Handler: p.server, Protocols: new(http.Protocols)}
	web.Protocols.SetUnencryptedHTTP2(true)
	web.Protocols.SetHTTP1(true)
	go web.Serve(p.lis)
	t.Cleanup(p.server.Stop)
	t.Cleanup(func() { web.Close() })
	p.cc = p.dial(t, s.client...)
	return p
}

func TestEachKindOfCallOverHTTP(t *testing.T) {
	p := startHTTP(t, setup{})
	for _, in := range []string{"", "x", "héllo\n%41\x00", strings.Repeat("a", 3<<20)} {
		out, err := unary(within(t), p.cc, in)
		if err != nil || out != in {
			t.Errorf("unary call with %d bytes: got %d bytes and %v", len(in), len(out), err)
		}
	}
	for _, tc := range []struct {
		desc   *grpc.StreamDesc
		method string
		in     []string
		want   string
	}{
		{echo.ClientStreamDesc, echo.ClientStream, []string{"a", "b", "c"}, "abc, EOF"},
		{echo.ClientStreamDesc, echo.ClientStream, nil, ", EOF"},
		{echo.ServerStreamDesc, echo.ServerStream, []string{"abc"}, "a, b, c, EOF"},
		{echo.ServerStreamDesc, echo.ServerStream, []string{""}, "EOF"},
		{echo.BidiDesc, echo.Bidi, []string{"a", "", "c"}, "a, , c, EOF"},
		{echo.BidiDesc, echo.Bidi, nil, "EOF"},
	} {
		equal(t, converse(t, p.cc, tc.desc, tc.method, tc.in...), tc.want)
	}
	stream := open(t, within(t), p.cc)
	for _, in := range []string{"a", "b", "c"} { // each answered before the next is sent
		stream.SendMsg(echo.Of(in))
		equal(t, result(receive(stream)), fmt.Sprintf("%q", in))
	}
}

func TestContextOfAHandlerOverHTTP(t *testing.T) {
	var seen string
	p := startHTTP(t, setup{service: answering(func(ctx context.Context) error {
		pr, _ := peer.FromContext(ctx)
		md, _ := metadata.FromIncomingContext(ctx)
		method, _ := grpc.Method(ctx)
		_, deadline := ctx.Deadline()
		seen = fmt.Sprint(pr, " ", pr.Addr.Network(), " ", show(md), " ", method, " ", deadline, " ", ctx.Value(http.ServerContextKey) != nil)
		return nil
	})})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Unary, "k", "v", "k", "w", "k-bin", "AAE", "user-agent", "ua", "grpc-timeout", "1H")...)
	conn.Data(1, true, raw.Message(0, raw.Text("x")))
	conn.Transcript(1)
	equal(t, seen, `Peer{Addr: 'bufconn', LocalAddr: 'bufconn', AuthInfo: <nil>} tcp :authority=["a.example"] content-type=["application/grpc"] `+
		`k=["v" "w"] k-bin=["\x00\x01"] user-agent=["ua"] /parity.Echo/Unary true true`)
}

func TestHeadersAndTrailersOverHTTP(t *testing.T) {
	var said []string
	p := startHTTP(t, setup{service: answering(func(ctx context.Context) error {
		grpc.SetHeader(ctx, metadata.Pairs("a", "b", "x-bin", "\x00\x01"))
		said = append(said, text(grpc.SendHeader(ctx, metadata.Pairs("c", "d"))))
		said = append(said, text(grpc.SendHeader(ctx, metadata.Pairs("c", "d"))), text(grpc.SetHeader(ctx, metadata.Pairs("c", "d"))))
		grpc.SetTrailer(ctx, metadata.Pairs("t", "1", "t", "2", "t-bin", "\xff", "Cap", "x"))
		return nil
	})})
	var header, trailer metadata.MD
	equal(t, result(unary(within(t), p.cc, "x", grpc.Header(&header), grpc.Trailer(&trailer))), `"x"`)
	equal(t, show(header), `a=["b"] c=["d"] content-type=["application/grpc"] trailer=["Grpc-Status" "Grpc-Message" "Grpc-Status-Details-Bin"] x-bin=["\x00\x01"]`)
	equal(t, show(trailer), `cap=["x"] t=["1" "2"] t-bin=["\xff"]`)
	equal(t, strings.Join(said, " | "), "<nil> | rpc error: code = Internal desc = transport: SendHeader called multiple times | "+
		"rpc error: code = Internal desc = transport: SendHeader called multiple times")
}

// announced is what the headers of each response say of its trailers.
const announced = "trailer=Grpc-Status trailer=Grpc-Message trailer=Grpc-Status-Details-Bin"

func TestAnswersOverHTTP(t *testing.T) {
	p := startHTTP(t, setup{service: &echo.Service{OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
		switch in.Value {
		case "details":
			grpc.SetTrailer(ctx, metadata.Pairs("t", "1"))
			return nil, withDetails()
		case "header":
			grpc.SetHeader(ctx, metadata.Pairs("a", "b"))
			return nil, status.Error(codes.Aborted, "nö %\n")
		}
		return in, nil
	}}})
	none := "HEADERS :status=200 content-type=application/grpc " + announced + " | "
	for _, tc := range []struct {
		name   string
		header []string
		body   []byte
		want   string
	}{
		{"well formed", request(echo.Unary), raw.Message(0, raw.Text("x")), none + `DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 END_STREAM`},
		{"details", request(echo.Unary), raw.Message(0, raw.Text("details")), none + "HEADERS grpc-message=busy grpc-status=8 " +
			"grpc-status-details-bin=CAgSBGJ1c3kaOwovdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucHJvdG9idWYuU3RyaW5nVmFsdWUSCAoGZGV0YWls t=1 END_STREAM"},
		{"header and error", request(echo.Unary), raw.Message(0, raw.Text("header")), "HEADERS :status=200 a=b content-type=application/grpc " +
			announced + " | HEADERS grpc-message=n%C3%B6 %25%0A grpc-status=10 END_STREAM"},
		{"no te", without("te"), raw.Message(0, raw.Text("x")), none + `DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 END_STREAM`},
		{"content-subtype", without("content-type", "application/grpc+foo"), raw.Message(0, raw.Text("x")), "HEADERS :status=200 " +
			"content-type=application/grpc+foo " + announced + ` | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 END_STREAM`},
		{"unknown service", request("/a/b"), nil, none + "HEADERS grpc-message=unknown service a grpc-status=12 END_STREAM"},
		{"malformed method", request("/a"), nil, none + `HEADERS grpc-message=malformed method name: "/a" grpc-status=12 END_STREAM`},
		{"unknown encoding", request(echo.Unary, "grpc-encoding", "zzz"), raw.Message(0, raw.Text("x")), none +
			`HEADERS grpc-message=grpc: Decompressor is not installed for grpc-encoding "zzz" grpc-status=12 END_STREAM`},
		{"half a message", request(echo.Unary), []byte{0, 0, 0, 0, 9, 1}, none + "HEADERS grpc-message=unexpected EOF grpc-status=13 END_STREAM"},
		{"half a prefix", request(echo.Bidi), []byte{0, 0}, none + "HEADERS grpc-message=unexpected EOF grpc-status=13 END_STREAM"},
		{"no message", request(echo.Unary), nil, none + "HEADERS grpc-message=cardinality violation: received no request message " +
			"from non-client-streaming RPC grpc-status=13 END_STREAM"},
		{"two messages", request(echo.Unary), append(raw.Message(0, raw.Text("x")), raw.Message(0, raw.Text("x"))...), none +
			"HEADERS grpc-message=cardinality violation: received multiple request messages for non-client-streaming RPC grpc-status=13 END_STREAM"},
		{"too large a message", request(echo.Unary), []byte{0, 0xff, 0xff, 0xff, 0xff, 1}, none +
			"HEADERS grpc-message=grpc: received message larger than max (4294967295 vs. 4194304) grpc-status=8 END_STREAM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, p)
			conn.Headers(1, tc.body == nil, tc.header...)
			if tc.body != nil {
				conn.Data(1, true, tc.body)
			}
			got := conn.Transcript(1)
			if tc.name == "unknown encoding" { // is answered without the message, which net/http may find when its stream is closed
				got = strings.TrimSuffix(got, " | RST_STREAM STREAM_CLOSED")
			}
			equal(t, got, tc.want)
		})
	}
}

func TestWhatIsNoCallOverHTTP(t *testing.T) {
	p := startHTTP(t, setup{})
	for _, tc := range []struct {
		name   string
		header []string
		want   string
	}{
		{"content-type of another protocol", without("content-type", "text/html"), `415 "invalid gRPC request content-type \"text/html\"\n"`},
		{"no content-type", without("content-type"), `415 "invalid gRPC request content-type \"\"\n"`},
		{"method GET", without(":method", "GET"), `405 "invalid gRPC request method \"GET\"\n"`},
		{"bad timeout", request(echo.Unary, "grpc-timeout", "bad"), `400 "malformed grpc-timeout: transport: timeout unit is not recognized: \"bad\"\n"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, p)
			conn.Headers(1, true, tc.header...)
			equal(t, httpAnswer(conn), tc.want)
		})
	}
}

// httpAnswer is the status and the body of an answer of net/http.
func httpAnswer(conn *raw.Conn) string {
	var code string
	for {
		f, err := conn.Next()
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			code = f.PseudoValue("status")
		case *http2.DataFrame:
			return fmt.Sprintf("%s %q", code, f.Data())
		default:
			return fmt.Sprint(code, err)
		}
	}
}

func TestServeHTTPNeedsHTTP2(t *testing.T) {
	p := startHTTP(t, setup{})
	nc, err := p.lis.DialContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "POST /parity.Echo/Unary HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	b, err := io.ReadAll(nc)
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	line, _, _ := strings.Cut(head, "\r\n")
	equal(t, fmt.Sprint(line, " | ", body, err), "HTTP/1.1 505 HTTP Version Not Supported | gRPC requires HTTP/2\n<nil>")
}

func TestServeHTTPNeedsAFlusher(t *testing.T) {
	req := httptest.NewRequest("POST", "/a/b", strings.NewReader(""))
	req.ProtoMajor = 2
	req.Header.Set("Content-Type", "application/grpc")
	rec := httptest.NewRecorder()
	grpc.NewServer().ServeHTTP(struct{ http.ResponseWriter }{rec}, req)
	equal(t, fmt.Sprint(rec.Code, " ", rec.Body), "500 gRPC requires a ResponseWriter supporting http.Flusher\n")
}

func TestDeadlineOverHTTP(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				p := startHTTP(t, setup{service: hanging(nil, ended)})
				conn := rawClient(t, p)
				conn.Headers(1, false, request(kind.method, "grpc-timeout", "50m")...)
				conn.Data(1, false, raw.Message(0, raw.Text("x")))
				if kind.method == echo.Unary || kind.method == echo.ServerStream {
					conn.Data(1, true, nil)
				}
				equal(t, text(wait(t, ended, "end of the handler")), "context deadline exceeded")
				conn.Transcript(1)
			})
		})
	}
}

func TestDeadlineThatHasPassedOverHTTP(t *testing.T) {
	conn := rawClient(t, startHTTP(t, setup{}))
	conn.Headers(1, false, request(echo.Bidi, "grpc-timeout", "0S")...)
	equal(t, conn.Transcript(1), "HEADERS :status=200 content-type=application/grpc "+announced+
		" | HEADERS grpc-message=context deadline exceeded grpc-status=4 END_STREAM | RST_STREAM NO_ERROR")
}

func TestHandlerThatReceivesGetsToKnowOfTheDeadlineOverHTTP(t *testing.T) {
	got := make(chan string, 1)
	p := startHTTP(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
		_, err := receive(s)
		got <- text(err)
		return err
	}}})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi, "grpc-timeout", "50m")...)
	equal(t, wait(t, got, "end of RecvMsg"), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
	equal(t, conn.Transcript(1), "HEADERS :status=200 content-type=application/grpc "+announced+
		" | HEADERS grpc-message=context deadline exceeded grpc-status=4 END_STREAM | RST_STREAM NO_ERROR")
}

func TestClientThatGoesAwayOverHTTP(t *testing.T) {
	for name, leave := range map[string]func(conn *raw.Conn){
		"reset": func(conn *raw.Conn) { conn.Reset(1, http2.ErrCodeCancel) },
		"close": func(conn *raw.Conn) { conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 1), make(chan error, 1)
			conn := rawClient(t, startHTTP(t, setup{service: hanging(entered, ended)}))
			conn.Headers(1, false, request(echo.Bidi)...)
			wait(t, entered, "call")
			leave(conn)
			equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
		})
	}
}

func TestStopsOverHTTP(t *testing.T) {
	for name, stop := range map[string]func(*grpc.Server){"Stop": (*grpc.Server).Stop, "GracefulStop": (*grpc.Server).GracefulStop} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan struct{}, 1), make(chan error, 1)
			p := startHTTP(t, setup{service: hanging(entered, ended)})
			stream := open(t, within(t), p.cc)
			wait(t, entered, "call")
			wait(t, begin(func() { stop(p.server) }), "end of "+name)
			equal(t, text(wait(t, ended, "end of the handler")), "context canceled")
			const upstream = "rpc error: code = Unknown desc = unexpected HTTP status code received from server: 200 (OK); " +
				"malformed header: missing HTTP content-type"
			equal(t, result(receive(stream)), parity.Differs(t, "serve-http-stop", upstream,
				"rpc error: code = Unavailable desc = transport: the server is stopping"))
			equal(t, result(unary(within(t), p.cc, "x")), parity.Differs(t, "serve-http-stop", upstream,
				"rpc error: code = Unavailable desc = unexpected HTTP status code received from server: 503 (Service Unavailable); "+
					"transport: received unexpected content-type \"text/plain; charset=utf-8\"\ndata: \"grpc: the server has been stopped\\n\""))
		})
	}
}

func TestStatsOverHTTP(t *testing.T) {
	server := newRecorder()
	p := startHTTP(t, setup{server: []grpc.ServerOption{grpc.StatsHandler(server)}})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Unary)...)
	conn.Data(1, true, raw.Message(0, raw.Text("x")))
	conn.Transcript(1)
	wait(t, server.ended, "end of the call")
	outHeader := parity.Differs(t, "serve-http-out-header", "", "server OutHeader \"\" compression=\"\" remote=<nil> local=<nil> header:\n")
	equal(t, server.events(), `TagRPC /parity.Echo/Unary failfast=false delayed=false
server InHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: :authority=["a.example"] content-type=["application/grpc"]
server Begin failfast=false streams=false,false retry=false
server InPayload "x" 3 3 8 time=true
`+outHeader+`server OutPayload "x" 3 3 8 time=true
server OutTrailer
server End <nil> trailer: nil ordered=true`)
	wait(t, server.closed, "end of what stands for the connection")
	equal(t, server.conn.String(), "TagConn bufconn bufconn\nConnBegin client=false\nConnEnd client=false")
}

// The options of a server that concern connections, or come before a call, do not concern those of net/http.
func TestOptionsOverHTTP(t *testing.T) {
	p := startHTTP(t, setup{server: []grpc.ServerOption{tapping(fmt.Errorf("tap")), grpc.MaxRecvMsgSize(10), grpc.MaxSendMsgSize(6)}})
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	equal(t, result(unary(within(t), p.cc, "12345")), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (7 vs. 6)")
	equal(t, result(unary(within(t), p.cc, "123456789")), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (11 vs. 10)")
}

func TestTLSOverHTTP(t *testing.T) {
	id := serverIdentity(t)
	seen := make(chan string, 1)
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, answering(func(ctx context.Context) error {
		pr, _ := peer.FromContext(ctx)
		seen <- tlsInfo(pr)
		return nil
	}))
	web := httptest.NewUnstartedServer(server)
	web.EnableHTTP2, web.TLS = true, id.server()
	web.StartTLS()
	t.Cleanup(web.Close)
	cc := client(t, "passthrough:///"+web.Listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
	equal(t, wait(t, seen, "call"), `tls PrivacyAndIntegrity <nil> alpn=h2 name="server.example" certificates=0 version=304`)
}

// The path is compared as it was sent, so that what looks at it on the way sees what the router sees.
func TestPathsOverHTTP(t *testing.T) {
	p := startHTTP(t, setup{})
	for path, want := range map[string]string{
		"/parity.Echo/Unary?x=1": "Unimplemented desc = unknown method Unary?x=1 for service parity.Echo",
		"/parity.Echo/%55nary":   "Unimplemented desc = unknown method %55nary for service parity.Echo",
	} {
		out := new(echo.Text)
		err := p.cc.Invoke(within(t), path, echo.Of("x"), out)
		equal(t, result(out.Value, err), parity.Differs(t, "serve-http-path", `"x"`, "rpc error: code = "+want))
	}
}

func TestAddressesOverHTTP(t *testing.T) {
	for addr, want := range map[string]string{"1.2.3.4:5": "tcp 1.2.3.4:5 <nil>", "@": "tcp @ <nil>", "": "  <nil>"} {
		server, seen := grpc.NewServer(), ""
		server.RegisterService(&echo.Desc, answering(func(ctx context.Context) error {
			pr, _ := peer.FromContext(ctx)
			seen = fmt.Sprint(pr.Addr.Network(), " ", pr.Addr, " ", pr.LocalAddr)
			return nil
		}))
		req := httptest.NewRequest("POST", echo.Unary, strings.NewReader("\x00\x00\x00\x00\x00"))
		req.ProtoMajor, req.RemoteAddr = 2, addr
		req.Header.Set("Content-Type", "application/grpc")
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, req)
		equal(t, seen, want)
		equal(t, rec.Result().Trailer.Get("Grpc-Status"), "0")
	}
}
