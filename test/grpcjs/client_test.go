// Our client calls a server of grpc-js.

package grpcjs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// call makes a unary call with metadata.
func call(ctx context.Context, cc *grpc.ClientConn, md []string, opts ...grpc.CallOption) (string, error) {
	var reply wrapperspb.StringValue
	err := cc.Invoke(metadata.AppendToOutgoingContext(ctx, md...), unary, text("x"), &reply, opts...)
	return reply.Value, err
}

func TestClientMakesCallsOfEachKind(t *testing.T) {
	address, _ := serveJS(t)
	cc := dial(t, address, "")
	got, err := call(within(t), cc, nil)
	must(t, err)
	wantEqual(t, "Unary", got, "x")
	for _, tt := range []struct {
		desc grpc.StreamDesc
		send []string
		want string
	}{
		{grpc.StreamDesc{StreamName: "ClientStream", ClientStreams: true}, []string{"a", "", "b"}, `["ab"]`},
		{grpc.StreamDesc{StreamName: "ServerStream", ServerStreams: true}, []string{"abc"}, `["a" "b" "c"]`},
		{grpc.StreamDesc{StreamName: "Bidi", ClientStreams: true, ServerStreams: true}, []string{"a", "", "b"}, `["a" "" "b"]`},
	} {
		s, err := cc.NewStream(within(t), &tt.desc, "/grpcjs.Echo/"+tt.desc.StreamName)
		must(t, err)
		for _, m := range tt.send {
			must(t, s.SendMsg(text(m)))
		}
		must(t, s.CloseSend())
		got, err := receiveAll(s)
		must(t, err)
		wantEqual(t, tt.desc.StreamName, fmt.Sprintf("%q", got), tt.want)
	}
}

func TestClientSendsAndReceivesMetadata(t *testing.T) {
	address, _ := serveJS(t)
	var header, trailer metadata.MD
	_, err := call(within(t), dial(t, address, ""), []string{"echo-text", "a b", "echo-bytes-bin", "\x00\x01\xfe\xff"},
		grpc.Header(&header), grpc.Trailer(&trailer))
	must(t, err)
	for what, md := range map[string]metadata.MD{"header": header, "trailer": trailer} {
		wantEqual(t, what, fmt.Sprintf("%q %q", md["echo-text"], md["echo-bytes-bin"]), `["a b"] ["\x00\x01\xfe\xff"]`)
	}
}

func TestClientsDeadlineReachesTheServer(t *testing.T) {
	address, seen := serveJS(t)
	cc := dial(t, address, "")
	_, err := call(within(t), cc, nil) // so that the next one needs no time to connect
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = call(ctx, cc, []string{"steps", "hang", "name", "deadline"})
	wantEqual(t, "code", status.Code(err), codes.DeadlineExceeded)
	seen.want(t, "deadline", "begin 0, cancelled 0")
}

func TestClientReceivesDetailsOfAStatus(t *testing.T) {
	address, _ := serveJS(t)
	st, err := status.New(codes.Aborted, "detailed").WithDetails(text("detail"))
	must(t, err)
	b, err := proto.Marshal(st.Proto())
	must(t, err)
	_, err = call(within(t), dial(t, address, ""), []string{"details-bin", string(b)})
	got := status.Convert(err)
	wantEqual(t, "status", fmt.Sprint(got.Code(), got.Message()), "Aborteddetailed")
	if d := got.Details(); len(d) != 1 || !proto.Equal(d[0].(proto.Message), text("detail")) {
		t.Errorf("details: got %v, want one", d)
	}
}

// compressed notes how payloads are compressed.
type compressed struct {
	mu      sync.Mutex
	in, out bool
}

func (c *compressed) HandleRPC(_ context.Context, s stats.RPCStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := s.(type) {
	case *stats.InPayload:
		c.in = c.in || s.CompressedLength < s.Length/10
	case *stats.OutPayload:
		c.out = c.out || s.CompressedLength < s.Length/10
	}
}
func (*compressed) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*compressed) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*compressed) HandleConn(context.Context, stats.ConnStats)                       {}

func TestClientSendsCompressed(t *testing.T) { // grpc-js compresses no responses
	address, _ := serveJS(t)
	var seen compressed
	cc := dial(t, address, "", grpc.WithStatsHandler(&seen))
	var reply wrapperspb.StringValue
	long := strings.Repeat("x", 100_000)
	must(t, cc.Invoke(within(t), unary, text(long), &reply, grpc.UseCompressor(gzip.Name)))
	wantEqual(t, "reply", reply.Value, long)
	wantEqual(t, "sent compressed", seen.out, true)
}

// hedging is a hedging policy in which Unavailable is not fatal.
func hedging(attempts int, delay string) string {
	return fmt.Sprintf(`,"hedgingPolicy":{"maxAttempts":%d,"hedgingDelay":%q,"nonFatalStatusCodes":["UNAVAILABLE"]}`, attempts, delay)
}

func TestClientHedgesCalls(t *testing.T) {
	address, seen := serveJS(t)
	for _, tt := range []struct {
		steps, policy, want, seen string
		atLeast                   time.Duration
	}{
		{"ok,ok", hedging(3, "10s"), "x", "begin 0", 0},
		{"hang,ok,ok", hedging(2, "0.1s"), "x", "begin 0, begin 1, cancelled 0", 100 * time.Millisecond},
		{"hang,after:2,hang", hedging(3, "0s"), "x", "begin 0, begin 1, begin 2, cancelled 0, cancelled 2", 0},
		{"fail:14,fail:14,ok", hedging(3, "10s"), "x", "begin 0, begin 1, begin 2", 0},
		{"fail:14:-1,ok", hedging(3, "10s"), "14: attempt 0", "begin 0", 0},
		{"fail:14:300,ok", hedging(3, "10s"), "x", "begin 0, begin 1", 300 * time.Millisecond},
		{"hang,fail:5", hedging(2, "0.1s"), "5: attempt 1", "begin 0, begin 1, cancelled 0", 100 * time.Millisecond},
		{"fail:14,fail:14", hedging(2, "10s"),
			"14: max retries exhausted: failed after 2 attempts: rpc error: code = Unavailable desc = attempt 1", "begin 0, begin 1", 0},
	} {
		t.Run(tt.steps, func(t *testing.T) {
			cc := dial(t, address, tt.policy)
			start := time.Now()
			got, err := call(within(t), cc, []string{"steps", tt.steps, "name", tt.steps})
			if err != nil {
				st := status.Convert(err)
				got = fmt.Sprintf("%d: %s", st.Code(), st.Message())
			}
			wantEqual(t, "result", got, tt.want)
			if took := time.Since(start); took < tt.atLeast {
				t.Errorf("time: got %v, want at least %v", took, tt.atLeast)
			}
			seen.want(t, tt.steps, tt.seen)
		})
	}
}

func TestClientHedgesStreams(t *testing.T) {
	address, seen := serveJS(t)
	ctx := metadata.AppendToOutgoingContext(within(t), "steps", "hang,fail:14,ok", "name", "stream")
	desc := &grpc.StreamDesc{StreamName: "Bidi", ClientStreams: true, ServerStreams: true}
	s, err := dial(t, address, hedging(3, "0.1s")).NewStream(ctx, desc, "/grpcjs.Echo/Bidi")
	must(t, err)
	for _, m := range []string{"a", "b"} {
		must(t, s.SendMsg(text(m)))
	}
	must(t, s.CloseSend())
	got, err := receiveAll(s)
	must(t, err)
	wantEqual(t, "messages", fmt.Sprint(got), "[a b]")
	seen.want(t, "stream", "begin 0, begin 1, begin 2, cancelled 0")
}
