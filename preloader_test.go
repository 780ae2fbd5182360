// Tests of messages that are encoded ahead: for either side, compressed or not, and within the limits.

package grpc

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestPreparedMessageServesManySends(t *testing.T) {
	for _, opts := range [][]CallOption{nil, {UseCompressor("gzip")}} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{}))
			long := strings.Repeat("long ", 100)
			var p PreparedMsg
			for range 2 { // of two streams
				s, err := cc.NewStream(t.Context(), bidi, streamMethod, opts...)
				must(t, err)
				if p.payload == nil {
					must(t, p.Encode(s, text(long)))
					wantEqual(t, "compressed", p.compressed, opts != nil)
				}
				for range 2 {
					must(t, s.SendMsg(&p))
					var reply wrapperspb.StringValue
					must(t, s.RecvMsg(&reply))
					wantEqual(t, "reply", reply.Value, long)
				}
				must(t, s.CloseSend())
				wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
			}
		})
	}
}

func TestServerPreparesMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			var p PreparedMsg
			if err := p.Encode(ss, text("ahead")); err != nil {
				return err
			}
			if err := ss.SendMsg(&p); err != nil {
				return err
			}
			return ss.SendMsg(&p)
		}}))
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		for range 2 {
			var reply wrapperspb.StringValue
			must(t, s.RecvMsg(&reply))
			wantEqual(t, "reply", reply.Value, "ahead")
		}
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
	})
}

func TestPreparedUnaryReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := startServer(t, testService{}, UnaryInterceptor(func(ctx context.Context, req any, _ *UnaryServerInfo, _ UnaryHandler) (any, error) {
			var p PreparedMsg
			return &p, p.Encode(contextStream{ctx}, text("ahead of "+req.(*wrapperspb.StringValue).Value))
		}))
		got, err := echo(t.Context(), connect(t, lis), "x")
		must(t, err)
		wantEqual(t, "reply", got, "ahead of x")
	})
}

// contextStream is a stream of which nothing is known but its context.
type contextStream struct{ ctx context.Context }

func (s contextStream) Context() context.Context { return s.ctx }
func (s contextStream) SendMsg(any) error        { return io.EOF }
func (s contextStream) RecvMsg(any) error        { return io.EOF }

func TestPreparedMessageNeedsTheContextOfAStream(t *testing.T) {
	var p PreparedMsg
	wantStatus(t, "Encode", p.Encode(contextStream{t.Context()}, text("x")), "Internal: grpc: unable to get rpcInfo")
}

func TestPreparedMessageReportsWhatTheCodecSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := connect(t, startServer(t, testService{})).NewStream(t.Context(), bidi, streamMethod, ForceCodec(&stringCodec{name: "s"}))
		must(t, err)
		var p PreparedMsg
		wantStatus(t, "Encode", p.Encode(s, 7), "Internal: grpc: error while marshaling: not a string")
		must(t, s.CloseSend())
	})
}

func TestPreparedMessageIsLimitedWhenItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		s, err := cc.NewStream(t.Context(), bidi, streamMethod, MaxCallSendMsgSize(6))
		must(t, err)
		var p PreparedMsg
		must(t, p.Encode(s, text("12345"))) // and two bytes of protocol buffers
		wantStatus(t, "SendMsg", s.SendMsg(&p), "ResourceExhausted: trying to send message larger than max (7 vs. 6)")
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "ResourceExhausted: trying to send message larger than max (7 vs. 6)")
	})
}
