// Deadlines: who notices, what the server is told, and the texts.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// hanging is a service whose handlers wait for the end of their context and report what it was.
func hanging(entered chan<- struct{}, ended chan<- error) *echo.Service {
	hang := func(ctx context.Context) error {
		if entered != nil {
			entered <- struct{}{}
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	return &echo.Service{
		OnUnary:        func(ctx context.Context, _ *echo.Text) (*echo.Text, error) { return nil, hang(ctx) },
		OnClientStream: func(s grpc.ServerStream) error { return hang(s.Context()) },
		OnServerStream: func(_ *echo.Text, s grpc.ServerStream) error { return hang(s.Context()) },
		OnBidi:         func(s grpc.ServerStream) error { return hang(s.Context()) },
	}
}

// kinds are the four kinds of calls.
var kinds = []struct {
	name   string
	desc   *grpc.StreamDesc
	method string
}{
	{"unary", &grpc.StreamDesc{}, echo.Unary},
	{"client stream", echo.ClientStreamDesc, echo.ClientStream},
	{"server stream", echo.ServerStreamDesc, echo.ServerStream},
	{"bidi", echo.BidiDesc, echo.Bidi},
}

func TestDeadlineThatPassesDuringACall(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where the deadline cannot pass before the handler waits for it
				ended := make(chan error, 1)
				p := start(t, setup{service: hanging(nil, ended)})
				ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
				defer cancel()
				stream, err := p.cc.NewStream(ctx, kind.desc, kind.method)
				if err != nil {
					t.Fatal(err)
				}
				stream.SendMsg(echo.Of("x"))
				stream.CloseSend()
				deadlinePassed(t, result(receive(stream)))
				if s := wait(t, ended, "end of the handler"); s != context.DeadlineExceeded && s != context.Canceled {
					t.Errorf("got %v at the server, want a context error", s)
				}
			})
		})
	}
}

// deadlinePassed is the error of a call whose deadline passed while it ran: client and server race to notice.
func deadlinePassed(t *testing.T, got string) {
	t.Helper()
	oneOf(t, got, "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
		"rpc error: code = DeadlineExceeded desc = stream terminated by RST_STREAM with error code: CANCEL")
}

func TestDeadlineThatPassedBeforeTheCall(t *testing.T) {
	p := start(t, setup{})
	if _, err := unary(within(t), p.cc, "connect"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
	_, err := p.cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
	equal(t, text(err), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
}

func TestDeadlineThatPassedBeforeTheChannelConnected(t *testing.T) {
	p := start(t, setup{})
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
}

func TestServerSeesTheDeadline(t *testing.T) {
	left := make(chan time.Duration, 1)
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if !ok {
			left <- -1
			return nil
		}
		left <- time.Until(deadline)
		return nil
	})})
	for _, timeout := range []time.Duration{time.Minute, time.Hour, 1000 * time.Hour} {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		if _, err := unary(ctx, p.cc, "x"); err != nil {
			t.Fatal(err)
		}
		cancel()
		if got := wait(t, left, "call"); got > timeout || got < timeout-patience {
			t.Errorf("got %v left at the server, want a little less than %v", got, timeout)
		}
	}
	if _, err := unary(context.Background(), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, left, "call"); got != -1 {
		t.Errorf("got %v left at the server, want no deadline", got)
	}
}

func TestDeadlineWhileWaitingForAServerThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := plain(t, "nowhere", dialError(temporary{true}))
		reach(t, cc, connectivity.TransientFailure)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		equal(t, result(unary(ctx, cc, "x", grpc.WaitForReady(true))),
			`rpc error: code = DeadlineExceeded desc = latest balancer error: connection error: desc = "transport: Error while dialing: dialer says no"`)
		_, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi, grpc.WaitForReady(true))
		equal(t, text(err), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
	})
}

func TestDeadlineWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := plain(t, "nowhere", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		reach(t, cc, connectivity.Connecting)
		for _, waitForReady := range []bool{true, false} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			equal(t, result(unary(ctx, cc, "x", grpc.WaitForReady(waitForReady))),
				"rpc error: code = DeadlineExceeded desc = context deadline exceeded while waiting for connections to become ready")
			_, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi, grpc.WaitForReady(waitForReady))
			equal(t, text(err), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
		}
	})
}

func TestDeadlineWhileResolving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := manual.NewBuilderWithScheme("silent")
		cc := client(t, "silent:///x", grpc.WithResolvers(silent), grpc.WithTransportCredentials(insecure.NewCredentials()))
		for _, waitForReady := range []bool{true, false} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			equal(t, result(unary(ctx, cc, "x", grpc.WaitForReady(waitForReady))), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
			_, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi, grpc.WaitForReady(waitForReady))
			equal(t, text(err), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
		}
	})
}

func TestHandlerOutlivesTheDeadlineAndAnswersAnyway(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
	}{
		{"an answer", nil},
		{"an error", status.Error(codes.NotFound, "late")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			release := make(chan struct{})
			p := start(t, setup{service: answering(func(context.Context) error {
				<-release
				return tc.err
			})})
			reach(t, p.cc, connectivity.Ready)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			deadlinePassed(t, result(unary(ctx, p.cc, "x")))
			close(release)
		})
	}
}

func TestDeadlineErrorsAreStatusesNotContextErrors(t *testing.T) {
	ended := make(chan error, 1)
	p := start(t, setup{service: hanging(nil, ended)})
	reach(t, p.cc, connectivity.Ready)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := unary(ctx, p.cc, "x")
	s, ok := status.FromError(err)
	equal(t, fmt.Sprint(ok, s.Code(), " ", err == context.DeadlineExceeded), "true DeadlineExceeded false")
}

func TestContextsThatEndForAReason(t *testing.T) {
	p := start(t, setup{})
	if _, err := unary(within(t), p.cc, "connect"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(fmt.Errorf("the reason"))
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = Canceled desc = context canceled")
	ctx, stop := context.WithTimeoutCause(context.Background(), -1, fmt.Errorf("the reason"))
	defer stop()
	equal(t, result(unary(ctx, p.cc, "x")), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
}

func TestServerContextOfADeadlineThatTheServerNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		p := start(t, setup{service: hanging(nil, ended)})
		conn := rawClient(t, p)
		conn.Headers(1, false, request(echo.Unary, "grpc-timeout", "20m")...)
		conn.Data(1, true, raw.Message(0, raw.Text("x")))
		trailers := "HEADERS :status=200 content-type=application/grpc grpc-status=4 grpc-message=context deadline exceeded END_STREAM"
		oneOf(t, conn.Transcript(1), trailers, trailers+" | RST_STREAM CANCEL", "RST_STREAM CANCEL")
		oneOf(t, text(wait(t, ended, "end of the handler")), "context deadline exceeded", "context canceled")
	})
}
