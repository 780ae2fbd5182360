// Tests of a streaming call as the application sees it: misuse, cardinality, what is tried again, and its end.

package grpc

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
)

// openStream begins a streaming call.
func openStream(t *testing.T, cc *ClientConn, desc *StreamDesc, opts ...CallOption) ClientStream {
	t.Helper()
	s, err := cc.NewStream(t.Context(), desc, streamMethod, opts...)
	must(t, err)
	return s
}

// receiveText receives a message.
func receiveText(t *testing.T, s ClientStream) string {
	t.Helper()
	var m wrapperspb.StringValue
	must(t, s.RecvMsg(&m))
	return m.Value
}

func TestSendAfterCloseSendIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStream(t, connect(t, startServer(t, testService{})), bidi)
		must(t, s.CloseSend())
		must(t, s.CloseSend())
		wantStatus(t, "SendMsg", s.SendMsg(text("x")), "Internal: SendMsg called after CloseSend")
	})
}

func TestOneResponseEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		s := openStream(t, cc, &StreamDesc{ClientStreams: true})
		must(t, s.SendMsg(text("x")))
		must(t, s.CloseSend())
		wantEqual(t, "response", receiveText(t, s), "x")
		wantEqual(t, "next", s.RecvMsg(text("")), io.EOF)
	})
}

func TestWrongNumbersOfResponses(t *testing.T) {
	for _, tt := range []struct {
		responses int
		want      string
	}{
		{0, "Internal: cardinality violation: received no response message from non-server-streaming RPC"},
		{2, "Internal: cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
				for range tt.responses {
					must(t, ss.SendMsg(text("x")))
				}
				return nil
			}}))
			wantStatus(t, "RecvMsg", openStream(t, cc, &StreamDesc{ClientStreams: true}).RecvMsg(text("")), tt.want)
			_, err := invokeMethod(t.Context(), cc, streamMethod)
			wantStatus(t, "Invoke", err, tt.want)
		})
	}
}

func TestSendOnACallThatIsOver(t *testing.T) {
	for _, tt := range []struct {
		desc *StreamDesc
		want error
	}{{bidi, io.EOF}, {&StreamDesc{ServerStreams: true}, nil}} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{stream: func(ServerStream) error { return Errorf(codes.NotFound, "lost") }}))
			s := openStream(t, cc, tt.desc)
			synctest.Wait()
			wantEqual(t, "SendMsg", s.SendMsg(text("x")), tt.want)
			wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "NotFound: lost")
		})
	}
}

func TestHeaderAndTrailerOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			must(t, ss.SetHeader(metadata.Pairs("h", "1")))
			must(t, ss.SendHeader(metadata.Pairs("h", "2")))
			ss.SetTrailer(metadata.Pairs("t", "3"))
			return nil
		}}))
		s := openStream(t, cc, bidi)
		h, err := s.Header()
		must(t, err)
		wantEqual(t, "header", fmt.Sprint(h["h"]), "[1 2]")
		h.Set("h", "changed")
		again, _ := s.Header()
		wantEqual(t, "header after a change", fmt.Sprint(again["h"]), "[1 2]")
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
		wantEqual(t, "trailer", fmt.Sprint(s.Trailer()["t"]), "[3]")
	})
}

func TestHeaderOfAnAnswerWithoutHeadersIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{stream: func(ServerStream) error { return Errorf(codes.NotFound, "lost") }}))
		s := openStream(t, cc, bidi)
		if h, err := s.Header(); h != nil || err != nil {
			t.Errorf("Header: got %v, %v, want nil, nil", h, err)
		}
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "NotFound: lost")
	})
}

func TestContextOfAStreamEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStream(t, connect(t, startServer(t, testService{})), bidi)
		ctx := s.Context()
		if p, ok := peer.FromContext(ctx); !ok || p.Addr.String() != "bufconn" {
			t.Errorf("peer: got %v, want that of the connection", p)
		}
		wantEqual(t, "name", fmt.Sprint(ctx), "grpc call "+streamMethod)
		wantEqual(t, "error during the call", ctx.Err(), nil)
		must(t, s.CloseSend())
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
		wantEqual(t, "error after the call", ctx.Err(), context.Canceled)
	})
}

func TestEndOfTheContextEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			<-ss.Context().Done()
			ended <- ss.Context().Err()
			return nil
		}}))
		ctx, cancel := context.WithCancel(t.Context())
		s, err := cc.NewStream(ctx, bidi, streamMethod)
		must(t, err)
		cancel()
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "Canceled: context canceled")
		wantEqual(t, "end on the server", <-ended, context.Canceled)
	})
}

func TestDeadlineEndsTheStreamOnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			<-ss.Context().Done()
			ended <- ss.Context().Err()
			return nil
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := cc.NewStream(ctx, bidi, streamMethod)
		must(t, err)
		wantEqual(t, "code", Code(s.RecvMsg(text(""))), codes.DeadlineExceeded) // whichever side sees it first
		if err := <-ended; err != context.DeadlineExceeded && err != context.Canceled {
			t.Errorf("end on the server: got %v, want that the context has ended", err)
		}
	})
}

// failThenEcho fails the first n streams of a method after their first message, and echoes those that follow.
func failThenEcho(n int) (s testService, got *[]string) {
	got = new([]string)
	return testService{stream: func(ss ServerStream) error {
		n--
		for {
			m := new(wrapperspb.StringValue)
			if err := ss.RecvMsg(m); err != nil {
				return nil
			}
			*got = append(*got, m.Value)
			if n >= 0 {
				return Errorf(codes.Unavailable, "not yet")
			}
			if err := ss.SendMsg(m); err != nil {
				return err
			}
		}
	}}, got
}

func TestStreamIsTriedAgainWithAllThatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, got := failThenEcho(2)
		s := openStream(t, connect(t, startServer(t, service), WithDefaultServiceConfig(retrying)), bidi)
		long := strings.Repeat("long ", 1000) // larger than what is gathered
		for _, m := range []string{"a", "b", long, "c"} {
			must(t, s.SendMsg(text(m)))
		}
		must(t, s.CloseSend())
		for _, want := range []string{"a", "b", long, "c"} {
			wantEqual(t, "message", receiveText(t, s), want)
		}
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
		wantEqual(t, "messages that reached the server", len(*got), 1+1+4)
	})
}

func TestStreamIsNotTriedAgainOnceItIsCommitted(t *testing.T) {
	for about, commit := range map[string]func(ClientStream){
		"Context":             func(s ClientStream) { s.Context() },
		"Trailer":             func(s ClientStream) { s.Trailer() },
		"more than is kept":   func(s ClientStream) { _ = s.SendMsg(text(strings.Repeat("x", 200))) },
		"nothing (a control)": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			service, got := failThenEcho(1)
			s := openStream(t, connect(t, startServer(t, service), WithDefaultServiceConfig(retrying)), bidi, MaxRetryRPCBufferSize(100))
			if commit != nil {
				commit(s)
			}
			_ = s.SendMsg(text("a"))
			err := s.RecvMsg(text(""))
			if commit == nil {
				must(t, err)
				return
			}
			wantStatus(t, about, err, "Unavailable: not yet")
			wantEqual(t, about+": messages that reached the server", len(*got), 1)
		})
	}
}

func TestSenderAndReceiverMayFindTheFailureAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, _ := failThenEcho(2)
		s := openStream(t, connect(t, startServer(t, service), WithDefaultServiceConfig(retrying)), bidi)
		const n = 20
		go func() {
			for i := range n {
				if s.SendMsg(text(fmt.Sprint(i))) != nil {
					return
				}
			}
			_ = s.CloseSend()
		}()
		for i := range n {
			wantEqual(t, "message", receiveText(t, s), fmt.Sprint(i))
		}
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
	})
}

func TestMessagesAreSentAgainWithoutWaitingForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		raw := serveRaw(t, func(c *rawConn, id uint32) { // it never gives window for more than the first 64 KiB
			if attempts++; attempts == 1 {
				time.AfterFunc(time.Second, func() { c.answer(id, "grpc-status", "14") })
				return
			}
			c.headers(id)
			c.message(id, "\x0a\x02ok")
		})
		s := openStream(t, connect(t, raw.lis, WithDefaultServiceConfig(retrying)), bidi)
		for range 3 {
			must(t, s.SendMsg(text(strings.Repeat("x", 60<<10))))
		}
		sent := make(chan error, 1)
		go func() { sent <- s.SendMsg(text(strings.Repeat("x", 60<<10))) }() // waits for room on the first attempt
		wantEqual(t, "response", receiveText(t, s), "ok")
		wantEqual(t, "SendMsg that waited on the first attempt", <-sent, nil)
		wantEqual(t, "attempts", attempts, 2)
	})
}

func TestEventsOfAStreamThatIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := new(recorder)
		service, _ := failThenEcho(1)
		cc := connect(t, startServer(t, service), WithDefaultServiceConfig(retrying), WithStatsHandler(events))
		cc.Connect()
		synctest.Wait()
		s := openStream(t, cc, bidi)
		must(t, s.SendMsg(text("a")))
		must(t, s.SendMsg(text("b")))
		wantEqual(t, "message", receiveText(t, s), "a")
		wantEqual(t, "events", events.kinds(), "Begin OutHeader OutPayload OutPayload InTrailer End "+
			"Begin OutHeader OutPayload OutPayload InHeader InPayload")
	})
}

func TestStreamEndsWhileItWaitsForItsNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, _ := failThenEcho(1)
		cc := connect(t, startServer(t, service), WithDefaultServiceConfig(retrying))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		s, err := cc.NewStream(ctx, bidi, streamMethod)
		must(t, err)
		must(t, s.SendMsg(text("a")))
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "DeadlineExceeded: context deadline exceeded")
		wantEqual(t, "SendMsg", s.SendMsg(text("b")), io.EOF)
	})
}

func TestStreamThatFindsNoConnectionForItsNextAttemptSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, _ := failThenEcho(1)
		cc := connect(t, startServer(t, service), WithDefaultServiceConfig(retrying))
		s := openStream(t, cc, bidi)
		must(t, s.SendMsg(text("a")))
		time.AfterFunc(500*time.Millisecond, func() { cc.Close() })
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), closingText)
	})
}

func TestStreamThatWasNotActedOnIsMadeAgainOnce(t *testing.T) {
	for refusals, want := range []string{"OK: ", "OK: ", "Unavailable: stream terminated by RST_STREAM with error code: REFUSED_STREAM"} {
		synctest.Test(t, func(t *testing.T) {
			n := refusals
			raw := serveRaw(t, func(c *rawConn, id uint32) {
				if n--; n >= 0 {
					c.reset(id, http2.ErrCodeRefusedStream)
					return
				}
				c.headers(id)
				c.message(id, "\x0a\x02ok")
				c.trailers(id, "grpc-status", "0")
			})
			s := openStream(t, connect(t, raw.lis, WithDisableRetry()), bidi)
			wantStatus(t, fmt.Sprint(refusals, " refusals"), s.RecvMsg(text("")), want)
		})
	}
}

// An endHandler is a stats handler that takes its time at the end of a call.
type endHandler struct {
	recorder
	release chan struct{} // closed when it may go on
}

func (h *endHandler) HandleRPC(_ context.Context, e stats.RPCStats) {
	if _, ok := e.(*stats.End); ok {
		<-h.release
	}
}

func TestCallIsOverWhenItsOptionsAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &endHandler{release: make(chan struct{})}
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			must(t, ss.SendHeader(metadata.Pairs("k", "v")))
			<-ss.Context().Done()
			return nil
		}}), WithStatsHandler(h))
		ctx, cancel := context.WithCancel(t.Context())
		var header metadata.MD
		finished := false
		s, err := cc.NewStream(ctx, bidi, streamMethod, Header(&header), OnFinish(func(error) { finished = true }))
		must(t, err)
		synctest.Wait()
		cancel()
		time.AfterFunc(time.Second, func() { close(h.release) })
		wantEqual(t, "code", Code(s.RecvMsg(text(""))), codes.Canceled)
		wantEqual(t, "header and OnFinish", fmt.Sprint(header["k"], finished), "[v] true")
	})
}

func TestTheEndOfACallWithOneResponseIsSeenFromBothSides(t *testing.T) {
	lis := serveRaw(t, func(c *rawConn, id uint32) {
		c.headers(id)
		c.message(id, "\x0a\x02ok")
		c.trailers(id, "grpc-status", "14", "grpc-message", "lost")
	}).lis
	cc := connect(t, lis)
	for range 300 { // so that the race detector sees SendMsg and RecvMsg in every order
		s := openStream(t, cc, &StreamDesc{ClientStreams: true})
		sent := make(chan error)
		go func() { sent <- s.SendMsg(text("x")) }()
		wantStatus(t, "RecvMsg", s.RecvMsg(text("")), "Unavailable: lost")
		if err := <-sent; err != nil && err != io.EOF {
			t.Errorf("SendMsg: got %v, want nil or %v", err, io.EOF)
		}
	}
}
