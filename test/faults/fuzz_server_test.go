// FuzzServerConn: a client that sends what a script says, to a whole server. The server never panics, says only what HTTP/2 lets it say,
// ends the connection when the client does, and keeps no goroutine and no buffer.

package faults

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/faultconn"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// methods are paths of requests: those of the service, and others.
var methods = []string{
	grpc162.Echo_Unary_FullMethodName, grpc162.Echo_Collect_FullMethodName, grpc162.Echo_Repeat_FullMethodName, grpc162.Echo_Chat_FullMethodName,
	"/grpc.testkit.grpc162.Echo/None", "none", "/",
}

// oddRequests are fields that come on top of a request, or in place of those of the same name.
var oddRequests = [][]string{
	{"grpc-timeout", "1m"}, {"grpc-timeout", "99999999H"}, {"grpc-timeout", "x"}, {"grpc-timeout", "0n"}, {"grpc-encoding", "gzip"}, {"grpc-encoding", "none"},
	{":method", "GET"}, {":path", ""}, {":scheme", "x"}, {":status", "200"}, {"content-type", "text/html"}, {"content-type", "application/grpc+json"},
	{"te", "gzip"}, {"connection", "close"}, {"content-length", "7"}, {"host", "a"}, {"x-bin", "!"}, {"x-bin", "YQ,YQ"}, {"X", "upper"}, {"", "x"},
	{"grpc-accept-encoding", "gzip,identity"}, {"x", "a\r\nb"}, {"grpc-previous-rpc-attempts", "x"}, {"user-agent", "\xff"},
}

// serverWays are options of servers, one for each bit of a number.
var serverWays = []grpc.ServerOption{
	grpc.MaxConcurrentStreams(5), grpc.NumStreamWorkers(1), grpc.MaxRecvMsgSize(1000), grpc.MaxHeaderListSize(400), grpc.WaitForHandlers(true),
	grpc.KeepaliveParams(keepalive.ServerParameters{
		MaxConnectionAge: 500 * time.Millisecond, MaxConnectionAgeGrace: 2 * time.Second, MaxConnectionIdle: 250 * time.Millisecond, Time: time.Second, Timeout: time.Second,
	}),
	grpc.ReadBufferSize(0), grpc.WriteBufferSize(0), grpc.HeaderTableSize(100), grpc.StreamInterceptor(talkStream), grpc.UnaryInterceptor(talkUnary),
	grpc.StaticStreamWindowSize(64 << 10),
}

// Bits of that number above serverWays.
const (
	narrowLine = 1 << (12 + iota) // hardly anything is on its way before the server waits
	ungreeted                     // the preface is left out, too
	web                           // net/http has the connection
)

// talk sets metadata that needs several frames, and a compressor.
func talk(ctx context.Context) {
	_ = grpc.SetHeader(ctx, metadata.Pairs("x", strings.Repeat("v", 20_000), "x-bin", "\x00")) // the call may be over
	_ = grpc.SetTrailer(ctx, metadata.Pairs("y", strings.Repeat("w", 20_000)))
	_ = grpc.SetSendCompressor(ctx, gzip.Name) // the client may not know it
}

func talkUnary(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	talk(ctx)
	return handler(ctx, in)
}

func talkStream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	talk(s.Context())
	return handler(srv, s)
}

// requestEnds are header blocks behind the first one of a request.
var requestEnds = [][]string{{}, {"x", "y"}, {":path", "/"}, {"X", "y"}, {":method", "POST", ":scheme", "http", ":path", "/", "content-type", "application/grpc"}}

func FuzzServerConn(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 1, 0, 3, 0, 1, 0, 2, 8, 0, 3, 2, 9, 0, 3, 0, 2, 0, 2, 97, 40, 3, 0, 3, 0, 2, 4, 0, 3, 17, 3, 2, 5, 0, 3, 17, 3}, uint16(0))
	f.Add([]byte{11, 4, 0, 0, 2, 0, 2, 225, 255, 3, 17, 2, 9, 3, 2, 17, 2, 11, 4, 6, 9, 0, 4, 17, 3, 10, 3, 8, 17, 2}, uint16(narrowLine))
	f.Add([]byte{1, 0, 0, 0, 3, 0, 1, 0, 3, 1, 0, 4, 0, 3, 4, 1, 0, 3, 1, 3, 9, 0, 1, 0, 20, 2, 1, 0, 6, 0, 1, 0, 16, 2, 17, 3}, uint16(0b1_1110))
	f.Add([]byte{0, 3, 0, 2, 4, 0, 3, 17, 4, 12, 3, 0, 0, 0, 2, 1, 0, 3, 17, 3, 4, 4, 2, 1, 17, 3}, uint16(0b10_0000))
	f.Add([]byte{0, 0, 8, 2, 1, 0, 3, 19, 0, 2, 4, 3, 2, 225, 255, 3, 17, 4, 19, 17, 4, 6}, uint16(0b110_0000_0000|narrowLine))
	f.Add([]byte{0, 3, 0, 3, 1, 4, 0, 3, 0, 1, 0, 3, 3, 5, 0, 3, 5, 17, 3, 2, 1, 0, 4, 17, 4, 10, 3, 8, 17, 3}, uint16(0b1_0001))
	f.Add([]byte{0, 1, 0, 7, 30, 0, 3, 100, 8, 31, 0, 3, 255, 17, 3, 0, 3, 0, 3, 8, 30, 0, 3, 1, 18, 11, 3, 1, 2, 17, 3}, uint16(0b100_0000))
	f.Add([]byte{0, 3, 0, 12, 0, 14, 11, 0, 3, 4, 1, 2, 3, 4, 13, 3, 0, 2, 'h', 'i', 11, 1, 0, 15, 3, 1, 0, 17, 3}, uint16(0b1_0000_0010))
	f.Add([]byte("\x10\x0cPRI * HTTP/2\x10\x0c.0\r\n\r\nSM\r\n\r\n\x0b\x03\x00\x00\x00\x02"), uint16(ungreeted))
	f.Fuzz(func(t *testing.T, rest []byte, how uint16) {
		testkit.LimitTime(t)
		testScript(t, rest, how&^web)
	})
}

// FuzzServeHTTP is FuzzServerConn for calls that a server of net/http hands over.
func FuzzServeHTTP(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 1, 0, 3, 0, 1, 0, 2, 8, 0, 3, 2, 9, 0, 3, 0, 2, 0, 2, 97, 40, 3, 0, 3, 0, 2, 4, 0, 3, 17, 3, 2, 5, 0, 3, 17, 3}, uint16(0))
	f.Add([]byte{11, 4, 0, 0, 2, 0, 2, 225, 255, 3, 17, 2, 9, 3, 2, 17, 2, 11, 4, 6, 9, 0, 4, 17, 3, 10, 3, 8, 17, 2}, uint16(0b110_0000_0000|narrowLine))
	f.Add([]byte{1, 0, 0, 0, 3, 0, 1, 0, 3, 1, 0, 4, 0, 3, 4, 1, 0, 3, 1, 3, 9, 0, 1, 0, 20, 2, 1, 0, 6, 0, 1, 0, 16, 2, 17, 3}, uint16(0b1_1110))
	f.Add([]byte{0, 3, 0, 3, 1, 4, 0, 3, 0, 1, 0, 3, 3, 5, 0, 3, 5, 17, 3, 2, 1, 0, 4, 17, 4, 10, 3, 8, 17, 3, 6}, uint16(0b1_0000))
	f.Fuzz(func(t *testing.T, rest []byte, how uint16) {
		testkit.LimitTime(t)
		testScript(t, rest, how|web)
	})
}

// scriptBytes is how many bytes of a script are followed, at most. Each few of them may be a large message in small frames, and what takes
// seconds looks as if it hung.
const scriptBytes = 400

// testScript has a server take a script, and give back all that it has borrowed.
func testScript(t *testing.T, rest []byte, how uint16) {
	rest = rest[:min(len(rest), scriptBytes)]
	synctest.Test(t, func(t *testing.T) { serveScript(t, rest, how) })
	if out := loans.Out(); len(out) > 0 {
		t.Errorf("%d buffers did not come back, want 0; one: %s", len(out), out[0])
	}
}

// serveScript has a server take what a script sends.
func serveScript(t *testing.T, rest []byte, how uint16) {
	line := faultconn.Plan{}
	if how&narrowLine != 0 {
		line.Buffer = 1 << 10
	}
	lis := faultconn.Listen(0, func(int) (up, down faultconn.Plan) { return up, line })
	srv, stop := startServer(lis, how)
	nc, err := lis.Dial(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	p := newScript(t, nc, rest)
	if how&web == 0 {
		p.reading.Go(p.readServer)
	} else {
		p.reading.Go(p.readAny)
	}
	if how&ungreeted == 0 {
		_, _ = nc.Write([]byte(http2.ClientPreface))
		_ = p.framer.WriteSettings()
	}
	p.askAll(srv)
	p.resume()
	<-time.After(time.Second) // what was sent is dealt with
	if how&(web|ungreeted) == 0 {
		p.probeServer()
	}
	nc.Close()
	p.reading.Wait()
	stop()
	if !p.astray {
		p.finish()
	}
	<-time.After(lastWords)
}

// startServer returns a server, and what stops it.
func startServer(lis net.Listener, how uint16) (srv *grpc.Server, stop func()) {
	var opts []grpc.ServerOption
	for i, o := range serverWays {
		if how>>i&1 == 1 {
			opts = append(opts, o)
		}
	}
	srv = grpc.NewServer(opts...)
	grpc162.RegisterEchoServer(srv, echo{})
	if how&web == 0 {
		go srv.Serve(lis) // ends with Stop
		return srv, srv.Stop
	}
	h := &http.Server{
		Handler: srv, Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{WriteByteTimeout: 20 * time.Second}, ErrorLog: log.New(io.Discard, "", 0),
	}
	h.Protocols.SetUnencryptedHTTP2(true)
	go h.Serve(lis) // ends with Close
	return srv, func() {
		h.Close()
		srv.Stop()
	}
}

// askAll follows the script.
func (p *script) askAll(srv *grpc.Server) {
	for opened := false; len(p.rest) > 0; {
		switch op := p.next() % 20; op {
		case 0, 1:
			if opened {
				p.last += 2
			}
			opened = true
			p.request(op == 1)
		case 2:
			p.send(0)
		case 3:
			p.send(p.next())
		case 4:
			p.fields(p.stream(), p.next(), requestEnds[p.next()%len(requestEnds)])
		case 5:
			p.reading.Go(srv.GracefulStop)
		case 6:
			srv.Stop()
		case 7, 8:
			p.send(largeMessage)
		default:
			p.common(op - 9)
		}
	}
}

// request opens the last stream.
func (p *script) request(odd bool) {
	fields := []string{
		":method", "POST", ":scheme", "http", ":path", methods[p.next()%len(methods)], ":authority", "a", "content-type", "application/grpc", "te", "trailers",
	}
	if odd {
		more := oddRequests[p.next()%len(oddRequests)]
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == more[0] {
				fields[i+1], more = more[1], nil
				break
			}
		}
		fields = append(fields, more...)
	}
	p.fields(p.last, p.next()&^1, fields)
}

// lingers are how long handlers wait before their last answer.
var lingers = []string{"", "50ms", "5s", "-"}

// What send does differently, beside lingers, which are the lowest bits.
const (
	compressed   = 1 << (2 + iota) // with gzip
	inPieces                       // in several frames
	largeMessage                   // fifty times as large
)

// send sends a message on a stream.
func (p *script) send(how int) {
	b := p.next()
	n := 4 + b>>1&15*100
	if how&largeMessage != 0 {
		n *= 50
	}
	in := &grpc162.Request{Payload: make([]byte, n), Count: int32(b >> 5), Size: int32(p.next()) * 50, Text: lingers[how&3]}
	payload, err := proto.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	m := message(payload)
	if how&compressed != 0 {
		var z bytes.Buffer
		w := stdgzip.NewWriter(&z)
		_, _ = w.Write(payload) // into memory
		_ = w.Close()
		m = message(z.Bytes())
		m[0] = 1
	}
	if how&(inPieces|largeMessage) != 0 {
		p.pieces(p.stream(), b&1 == 1, m)
	} else {
		_ = p.framer.WriteData(p.stream(), b&1 == 1, m)
	}
}
