// FuzzServerConn: a client that sends what a script says, to a whole server. The server never panics, says only what HTTP/2 lets it say,
// ends the connection when the client does, and keeps no goroutine and no buffer.

package faults

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/faultconn"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
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

func FuzzServerConn(f *testing.F) {
	f.Add([]byte{0, 0, 2, 0, 0, 30, 5, 0, 1, 8, 1, 1, 3, 8, 2})
	f.Add([]byte{0, 3, 0, 1, 30, 5, 1, 1, 30, 5, 2, 12, 1, 8, 2, 9, 0, 0, 2, 30, 20, 11, 4})
	f.Add([]byte{0, 2, 0, 0, 200, 200, 7, 11, 3, 11, 2, 12, 3, 11, 2, 5, 3, 5, 8, 3, 11, 2, 12, 3})
	f.Add([]byte{1, 0, 4, 0, 1, 0, 6, 2, 1, 0, 9, 0, 1, 0, 20, 2, 9, 1, 6, 0, 10, 0, 4, 7, 30, 200, 3, 100, 11})
	f.Add([]byte{0, 0, 0, 0, 2, 2, 0, 2, 0, 4, 3, 4, 3, 4, 3, 3, 0, 3, 5, 11, 4, 6, 1, 0})
	f.Fuzz(func(t *testing.T, rest []byte) {
		testkit.LimitTime(t)
		synctest.Test(t, func(t *testing.T) { serveScript(t, rest) })
		if out := loans.Out(); len(out) > 0 {
			t.Errorf("%d buffers did not come back, want 0; one: %s", len(out), out[0])
		}
	})
}

// serveScript has a server take what a script sends.
func serveScript(t *testing.T, rest []byte) {
	lis := faultconn.Listen(0, func(int) (up, down faultconn.Plan) { return up, down })
	srv := grpc.NewServer(grpc.MaxConcurrentStreams(5), grpc.MaxRecvMsgSize(100_000))
	grpc162.RegisterEchoServer(srv, echo{})
	go srv.Serve(lis) // ends with Stop
	nc, err := lis.Dial(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	p := newScript(t, nc, rest)
	p.reading.Go(p.read)
	_, _ = nc.Write([]byte(http2.ClientPreface))
	_ = p.framer.WriteSettings()
	p.last = 1
	for opened := false; len(p.rest) > 0; {
		switch op := p.next() % 13; op {
		case 0, 1:
			if opened {
				p.last += 2
			}
			opened = true
			p.request(op == 1)
		case 2:
			p.send()
		default:
			p.common(op - 3)
		}
	}
	<-time.After(time.Second) // what was sent is dealt with
	nc.Close()
	p.reading.Wait()
	srv.Stop()
	p.finish()
	<-time.After(lastWords)
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

// send sends a message on a stream.
func (p *script) send() {
	b := p.next()
	in := &grpc162.Request{Payload: make([]byte, 4+(b>>1&15)*100), Count: int32(b >> 5), Size: int32(p.next()) * 50}
	payload, err := proto.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = p.framer.WriteData(p.stream(), b&1 == 1, message(payload))
}
