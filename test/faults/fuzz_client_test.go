// FuzzClientConn: a server that sends what a script says, to a channel with calls of all kinds. The channel never panics, says only what
// HTTP/2 lets it say, ends each call by its deadline, and well only if the server said so, and keeps no goroutine and no buffer.

package faults

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/faultconn"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/status"
)

// headers are header blocks of responses: the first ones are good.
var headers = [][]string{
	{":status", "200", "content-type", "application/grpc"}, {":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip"},
	{":status", "200", "content-type", "application/grpc", "grpc-encoding", "none"}, {":status", "100"}, {":status", "103", "x", "y"},
	{":status", "404", "content-type", "text/html"}, {":status", "503"}, {":status", "x", "content-type", "application/grpc"}, {"content-type", "application/grpc"},
	{":status", "200", "content-type", "application/grpcx"}, {":status", "200", ":status", "200"}, {":path", "/"}, {"X", "y"}, {"x", "a\r\nb"},
	{":status", "200", "content-type", "application/grpc", "x-bin", "!"}, {":status", "200", "content-type", "application/grpc", "content-length", "7"},
	{":status", "200", "content-type", "application/grpc", "connection", "close"},
}

// trailers are header blocks that end a call: some do it well.
var trailers = [][]string{
	{"grpc-status", "0"}, {"grpc-status", "5", "grpc-message", "gone%21%"}, {"grpc-status", "x"}, {"grpc-status", "99"}, {}, {"grpc-status", "0", "grpc-status", "5"},
	{"grpc-status", "14"}, {"grpc-status", "14", "grpc-retry-pushback-ms", "10"}, {"grpc-status", "5", "grpc-status-details-bin", "CAUSBGdvbmU"},
	{"grpc-status", "0", "grpc-status-details-bin", "CAUSBGdvbmU"}, {"grpc-status", "-1"}, {"grpc-status", "0", ":status", "200"}, {"grpc-message", "only"},
}

func FuzzClientConn(f *testing.F) {
	f.Add([]byte{0, 0, 3, 0, 1, 3, 4, 3, 0, 2, 3, 0, 11, 2}, false)
	f.Add([]byte{0, 0, 11, 0, 2, 3, 5, 1, 4, 11, 1, 2, 12, 0, 0, 4, 6, 3, 1, 4, 11, 3}, true)
	f.Add([]byte{0, 3, 3, 0, 0, 4, 0, 0, 3, 0, 1, 3, 200, 2, 4, 0, 6, 4, 4, 8, 1, 2, 3, 11, 4}, false)
	f.Add([]byte{7, 3, 0, 11, 2, 0, 5, 3, 0, 9, 4, 1, 8, 3, 11, 5}, false)
	f.Add([]byte{5, 4, 3, 5, 3, 5, 5, 2, 11, 2, 3, 1, 4, 3, 3, 0, 5}, true)
	f.Fuzz(func(t *testing.T, rest []byte, again bool) {
		testkit.LimitTime(t)
		synctest.Test(t, func(t *testing.T) { callScript(t, rest, again) })
		if out := loans.Out(); len(out) > 0 {
			t.Errorf("%d buffers did not come back, want 0; one: %s", len(out), out[0])
		}
	})
}

// callScript has a channel call a script, with retries if again.
func callScript(t *testing.T, rest []byte, again bool) {
	lis := faultconn.Listen(0, func(int) (up, down faultconn.Plan) { return up, down })
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(lis.Dial)}
	if again {
		opts = append(opts, grpc.WithDefaultServiceConfig(retry))
	}
	cc, err := grpc.NewClient("passthrough:///script", opts...)
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	errs := make([]error, len(kinds))
	for i, k := range kinds {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			errs[i] = k.run(ctx, grpc162.NewEchoClient(cc), call{id: uint32(i), messages: 2, size: 3000, pipeline: again})
			if took := time.Since(start); took > timeout+grace {
				t.Errorf("%s ended after %v, want at most %v", k.name, took, timeout+grace)
			}
		})
	}
	nc, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	lis.Close() // there is no other connection
	p := newScript(t, nc, rest)
	p.reading.Go(func() { p.readClient(t) })
	well := p.answerAll()
	calls.Wait()
	for i, err := range errs {
		if status.Code(err) == codes.OK && well == 0 {
			t.Errorf("%s ended well, which no trailers have said", kinds[i].name)
		}
	}
	cc.Close()
	nc.Close()
	p.reading.Wait()
	p.finish()
	<-time.After(lastWords)
}

// readClient reads the preface and then all frames.
func (p *script) readClient(t *testing.T) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(p.nc, preface); err != nil || string(preface) != http2.ClientPreface {
		t.Errorf("preface: got %q, %v", preface, err)
	}
	p.read()
}

// answerAll follows the script. It returns how many calls it has ended well, at most.
func (p *script) answerAll() (well int) {
	_ = p.framer.WriteSettings()
	synctest.Wait() // the calls are there
	p.last = 7      // as many as there are kinds
	for len(p.rest) > 0 {
		switch op := p.next() % 16; op {
		case 0, 1:
			p.fields(p.stream(), p.next()&^2, headers[0])
		case 2:
			p.fields(p.stream(), p.next(), headers[p.next()%len(headers)])
		case 3, 4:
			p.reply()
		case 5:
			end := trailers[p.next()%len(trailers)]
			if strings.Contains(strings.Join(end, " "), "grpc-status 0") {
				well++
			}
			if op := p.next(); op&1 == 1 { // without anything before
				end = append(headers[0][:4:4], end...)
			}
			p.fields(p.stream(), 2, end)
		default:
			p.common(op - 6)
		}
	}
	return well
}

// reply sends a message on a stream.
func (p *script) reply() {
	b := p.next()
	payload, err := proto.Marshal(&grpc162.Response{Index: int32(b & 3), Payload: make([]byte, p.next()*20)})
	if err != nil {
		p.t.Fatal(err)
	}
	m := message(payload)
	m[0] = byte(b >> 2 & 1)
	_ = p.framer.WriteData(p.stream(), b>>4 == 15, m[:max(0, len(m)-b>>7)])
}
