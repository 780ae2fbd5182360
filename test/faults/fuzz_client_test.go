// FuzzClientConn: a server that sends what a script says, to a channel with calls of all kinds. The channel never panics, says only what
// HTTP/2 lets it say, ends each call by its deadline, and well only if the server said so, and keeps no goroutine and no buffer.

package faults

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/faultconn"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
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
	{"grpc-status", "14", "grpc-retry-pushback-ms", "-1"}, {"grpc-status", "14", "grpc-retry-pushback-ms", "99999999999999999999"},
	{"grpc-status", "14", "grpc-retry-pushback-ms", "x", "grpc-retry-pushback-ms", "5"}, {"grpc-status", "0", "grpc-status-details-bin", "CAA"},
}

// hedge is a service config that has calls hedged.
const hedge = `{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.2s", "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}`

// clientWays are options of channels, one for each bit of a number.
var clientWays = []grpc.DialOption{
	grpc.WithDefaultServiceConfig(retry), grpc.WithDefaultServiceConfig(hedge), grpc.WithMaxHeaderListSize(300),
	grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1000)), grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)),
	grpc.WithDefaultCallOptions(grpc.WaitForReady(true)), grpc.WithReadBufferSize(0), grpc.WithWriteBufferSize(0),
	grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true}),
	grpc.WithStaticStreamWindowSize(64 << 10), grpc.WithUserAgent(strings.Repeat("agent", 4_000)),
}

// Bits of that number above clientWays.
const (
	pipelined   = 1 << (11 + iota) // calls do not wait for answers before they send on
	narrowAgain                    // hardly anything is on its way before the client waits
	silent                         // there are no SETTINGS first
)

func FuzzClientConn(f *testing.F) {
	f.Add([]byte{0, 1, 0, 3, 0, 150, 1, 5, 0, 0, 1, 0, 5, 0, 3, 0, 150, 5, 5, 0, 0, 5, 0, 4, 0, 4, 0, 15, 4, 7, 3, 1, 150, 4, 5, 0, 0, 4, 0, 3, 0, 3, 0, 150, 3, 17, 2, 5, 0, 0, 3}, uint16(0))
	f.Add([]byte{5, 6, 1, 1, 17, 3, 0, 9, 8, 3, 0, 1, 9, 5, 0, 0, 9, 5, 7, 1, 5, 17, 3, 5, 13, 1, 11, 10, 3, 7, 17, 3}, uint16(pipelined|1))
	f.Add([]byte{10, 1, 7, 13, 5, 0, 2, 'h', 'i', 0, 1, 0, 3, 0, 1, 1, 5, 1, 0, 1, 17, 4}, uint16(0b10_0000))
	f.Add([]byte{2, 1, 0, 1, 3, 4, 100, 1, 5, 0, 0, 1, 0, 4, 0, 4, 0, 255, 4, 10, 4, 1, 255, 4, 200, 5, 0, 0, 4}, uint16(0b1_0000|narrowAgain))
	f.Add([]byte{11, 4, 0, 0, 3, 0, 9, 3, 2, 17, 2, 9, 3, 4, 9, 0, 4, 11, 4, 6, 17, 3, 3, 0, 1, 3, 11, 3, 0, 6, 17, 3}, uint16(pipelined|0b1100_1000))
	f.Add([]byte{17, 3, 5, 6, 1, 1, 17, 3, 5, 1, 1, 9, 17, 3, 0, 17, 0, 3, 0, 1, 17, 5, 0, 0, 17, 17, 4}, uint16(0b10))
	f.Add([]byte{2, 1, 0, 5, 18, 76, 1, 1, 2, 3, 2, 5, 2, 6, 2, 4, 0, 14, 0, 3, 0, 4, 3, 8, 0, 12, 4, 17, 3}, uint16(0b100))
	f.Add([]byte{6, 6, 7, 0, 17, 3, 11, 3, 1, 6, 19, 9, 0, 3, 17, 5, 19, 7, 4, 8, 0, 17, 3}, uint16(narrowAgain|0b100_0000_0000))
	f.Add([]byte{17, 2, 11, 3, 2, 0, 1, 0, 3, 0, 1, 1, 5, 0, 0, 1, 12, 0, 17, 4}, uint16(silent|0b1_0000_0000))
	f.Fuzz(func(t *testing.T, rest []byte, how uint16) {
		testkit.LimitTime(t)
		synctest.Test(t, func(t *testing.T) { callScript(t, rest, how) })
		if out := loans.Out(); len(out) > 0 {
			t.Errorf("%d buffers did not come back, want 0; one: %s", len(out), out[0])
		}
	})
}

// What calls send and want.
const (
	callMessages = 2
	callSize     = 3000
)

// A caller makes calls, which scripts answer.
type caller struct {
	t     *testing.T
	cc    *grpc.ClientConn
	how   uint16
	ends  []context.CancelFunc // one for each call
	calls sync.WaitGroup
	well  atomic.Int32 // calls that have ended well
}

// callScript has a channel call a script.
func callScript(t *testing.T, rest []byte, how uint16) {
	rest = rest[:min(len(rest), scriptBytes)]
	line := faultconn.Plan{}
	if how&narrowAgain != 0 {
		line.Buffer = 1 << 10
	}
	lis := faultconn.Listen(0, func(int) (up, down faultconn.Plan) { return line, down })
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(lis.Dial), grpc.WithStreamInterceptor(keepStream),
	}
	for i, o := range clientWays {
		if how>>i&1 == 1 {
			opts = append(opts, o)
		}
	}
	cc, err := grpc.NewClient("passthrough:///script", opts...)
	if err != nil {
		t.Fatal(err)
	}
	a := &caller{t: t, cc: cc, how: how}
	a.call()
	nc, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	lis.Close() // there is no other connection
	p := newScript(t, nc, rest)
	p.reading.Go(p.readClient)
	said := p.answerAll(a)
	p.resume()
	p.probeClient(a)
	a.calls.Wait()
	if well := int(a.well.Load()); well > said {
		t.Errorf("got %d calls that ended well, want at most %d: so many trailers said it", well, said)
	}
	cc.Close()
	nc.Close()
	p.reading.Wait()
	if !p.astray {
		p.finish()
	}
	<-time.After(lastWords)
}

// call starts the next call: of the four kinds in turn.
func (a *caller) call() {
	id := len(a.ends)
	k := kinds[id%len(kinds)]
	var stream grpc.ClientStream
	ctx, cancel := context.WithTimeout(context.WithValue(a.t.Context(), streamKey{}, &stream), timeout)
	a.ends = append(a.ends, cancel)
	a.calls.Go(func() {
		start := time.Now()
		err := k.run(ctx, grpc162.NewEchoClient(a.cc), call{id: uint32(id), messages: callMessages, size: callSize, pipeline: a.how&pipelined != 0})
		if took := time.Since(start); took > timeout+grace {
			a.t.Errorf("%s ended after %v, want at most %v", k.name, took, timeout+grace)
		}
		if err == nil || isWrong(err) && id%len(kinds) < 2 { // what has one answer ends well before it is looked at
			a.well.Add(1)
		}
		cancel()
		for stream != nil && stream.RecvMsg(new(grpc162.Response)) == nil { // what has come of a call that was over stays until it is read
		}
	})
}

// streamKey is the key of a place for the stream of a call.
type streamKey struct{}

// keepStream is an interceptor that leaves the stream of a call in its place.
func keepStream(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, d, cc, method, opts...)
	if err == nil {
		*ctx.Value(streamKey{}).(*grpc.ClientStream) = s
	}
	return s, err
}

// answerAll follows the script. It returns how many calls it has ended well, at most.
func (p *script) answerAll(a *caller) (well int) {
	if a.how&silent == 0 {
		_ = p.framer.WriteSettings()
	}
	for synctest.Wait(); len(a.ends) < len(kinds); synctest.Wait() { // one by one, so that each has its stream
		a.call()
	}
	p.last = uint32(2*len(kinds) - 1)
	for len(p.rest) > 0 {
		switch op := p.next() % 20; op {
		case 0, 1:
			p.fields(p.stream(), p.next()&^2, headers[0])
		case 2:
			p.fields(p.stream(), p.next(), headers[p.next()%len(headers)])
		case 3:
			p.reply(20)
		case 4:
			p.reply(200)
		case 5:
			end := trailers[p.next()%len(trailers)]
			if strings.Contains(strings.Join(end, " "), "grpc-status 0") {
				well++
			}
			if op := p.next(); op&1 == 1 { // without anything before
				end = append(headers[0][:4:4], end...)
			}
			p.fields(p.stream(), 2, end)
		case 6:
			if p.last += 2; p.last < 100 {
				a.call()
			}
		case 7:
			a.ends[p.next()%len(a.ends)]()
		case 8:
			if p.next() == 0 {
				a.cc.Close()
			}
		default:
			p.common(op - 9)
		}
	}
	return well
}

// reply sends a message on a stream, in pieces if it may be large. With the size of what calls send, it is the one that the call wants.
func (p *script) reply(scale int) {
	b, n, id := p.next(), p.next()*scale, p.stream()
	out := &grpc162.Response{Index: int32(b & 3), Payload: payload(id/2, b&3, n)}
	if id/2%uint32(len(kinds)) == 1 && n == callSize {
		out.Index, out.Payload = callMessages, checksum(id/2)
	}
	data, err := proto.Marshal(out)
	if err != nil {
		p.t.Fatal(err)
	}
	m := message(data)
	m[0] = byte(b >> 2 & 1)
	m = m[:max(0, len(m)-b>>7)]
	if scale > 20 {
		p.pieces(id, b>>4 == 15, m)
	} else {
		_ = p.framer.WriteData(id, b>>4 == 15, m)
	}
}

// checksum returns what the answer to a call of Collect carries.
func checksum(call uint32) []byte {
	sum := uint32(0)
	for i := range callMessages {
		sum = crc32.Update(sum, crc32.IEEETable, payload(call, i, callSize))
	}
	return binary.BigEndian.AppendUint32(nil, sum)
}
