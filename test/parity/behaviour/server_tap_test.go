// What a tap makes of the calls that it refuses: statuses, the answer on the wire, what handlers of statistics hear, and calls after it.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// tapping is the option of a tap that refuses every call with an error.
func tapping(err error) grpc.ServerOption {
	return grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, err })
}

func TestStatusOfACallThatTheTapRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("no"), "rpc error: code = PermissionDenied desc = no"},
		{"status", status.Error(codes.Unavailable, "later"), "rpc error: code = Unavailable desc = later"},
		{"wrapped status", fmt.Errorf("tap: %w", status.Error(codes.Unavailable, "later")),
			"rpc error: code = Unavailable desc = tap: rpc error: code = Unavailable desc = later"},
		{"end of a context", context.DeadlineExceeded, "rpc error: code = PermissionDenied desc = context deadline exceeded"},
		{"EOF", io.EOF, "rpc error: code = PermissionDenied desc = EOF"},
		{"text that needs encoding", errors.New("nö\n"), "rpc error: code = PermissionDenied desc = nö\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{server: []grpc.ServerOption{tapping(tc.err)}})
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
			stream := open(t, within(t), p.cc)
			equal(t, result(receive(stream)), tc.want)
		})
	}
}

// okError is an error whose status is OK.
type okError struct{}

func (okError) Error() string              { return "fine" }
func (okError) GRPCStatus() *status.Status { return status.New(codes.OK, "fine") }

func TestAnswerToACallThatTheTapRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("no"), `HEADERS :status=200 content-type=application/grpc grpc-status=7 grpc-message=no END_STREAM`},
		{"details", withDetails(), `HEADERS :status=200 content-type=application/grpc grpc-status=8 grpc-message=busy ` +
			`grpc-status-details-bin=CAgSBGJ1c3kaOwovdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucHJvdG9idWYuU3RyaW5nVmFsdWUSCAoGZGV0YWls END_STREAM`},
		{"status OK", okError{}, `HEADERS :status=200 content-type=application/grpc grpc-status=0 grpc-message=fine END_STREAM`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{server: []grpc.ServerOption{tapping(tc.err)}})
			conn := rawClient(t, p)
			conn.Headers(1, false, request(echo.Bidi)...)
			equal(t, conn.Transcript(1), tc.want+" | RST_STREAM NO_ERROR")
			conn.Headers(3, true, request(echo.Bidi)...)
			equal(t, conn.Transcript(3), tc.want)
		})
	}
}

func withDetails() error {
	st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(echo.Of("detail"))
	if err != nil {
		panic(err)
	}
	return st.Err()
}

func TestTapSeesUnknownMethodsAndRunsBeforeInterceptors(t *testing.T) {
	seen := make(chan string, 10)
	p := start(t, setup{server: []grpc.ServerOption{
		grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			_, deadline := ctx.Deadline()
			seen <- fmt.Sprint("tap ", info.FullMethodName, " deadline=", deadline)
			return ctx, nil
		}),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			seen <- "interceptor"
			return next(ctx, req)
		}),
	}})
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	equal(t, wait(t, seen, "first"), "tap /parity.Echo/Unary deadline=true")
	equal(t, wait(t, seen, "second"), "interceptor")
	out := new(echo.Text)
	equal(t, text(p.cc.Invoke(within(t), "/no.Such/Method", echo.Of("x"), out)), "rpc error: code = Unimplemented desc = unknown service no.Such")
	equal(t, wait(t, seen, "third"), "tap /no.Such/Method deadline=true")
	conn := rawClient(t, p)
	conn.Headers(1, false, request("malformed")...)
	conn.Data(1, true, raw.Message(0, raw.Text("x")))
	conn.Transcript(1)
	conn.Headers(3, true, request(echo.Unary, "grpc-timeout", "bad")...)
	conn.Transcript(3)
	close(seen)
	rest := ""
	for s := range seen {
		rest += s + ";"
	}
	equal(t, rest, "tap malformed deadline=false;")
}

func TestStatsOfACallThatTheTapRefuses(t *testing.T) {
	server := newRecorder()
	p := start(t, setup{server: []grpc.ServerOption{tapping(errors.New("no")), grpc.StatsHandler(server)}})
	equal(t, result(unary(within(t), p.cc, "x")), "rpc error: code = PermissionDenied desc = no")
	p.server.GracefulStop()
	equal(t, server.events(), "")
}

// A refused call takes no place among the concurrent ones.
func TestRefusedCallsTakeNoSlot(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{tapping(errors.New("no")), grpc.MaxConcurrentStreams(1)}})
	conn := rawClient(t, p)
	for id := uint32(1); id < 8; id += 2 {
		conn.Headers(id, true, request(echo.Bidi)...)
		equal(t, conn.Transcript(id), "HEADERS :status=200 content-type=application/grpc grpc-status=7 grpc-message=no END_STREAM")
	}
}
