// Tests of panics of handlers: with the option that recovers them, and without.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// panicking is a service whose handlers panic, once they have sent something.
var panicking = testService{
	unary: func(context.Context, string) (string, error) { panic("secret") },
	stream: func(ss ServerStream) error {
		_ = ss.SendMsg(text("first"))
		panic("secret")
	},
}

// recovered returns how calls of the methods end, in the order of their names: stream, unary, unknown.
func recovered(t *testing.T, opts ...ServerOption) (ends [3]string) {
	t.Helper()
	opts = append(opts, UnknownServiceHandler(func(any, ServerStream) error { panic("secret") }))
	cc := connect(t, startServer(t, panicking, opts...))
	s, err := cc.NewStream(t.Context(), bidi, streamMethod)
	must(t, err)
	must(t, s.RecvMsg(text("")))
	ends[0] = fmt.Sprint(s.RecvMsg(text("")))
	_, err = echo(t.Context(), cc, "x")
	ends[1] = fmt.Sprint(err)
	_, err = invokeMethod(t.Context(), cc, "/unknown.S/M")
	ends[2] = fmt.Sprint(err)
	_, err = echo(t.Context(), cc, "x") // the server lives
	wantEqual(t, "a further call", fmt.Sprint(err), ends[1])
	return ends
}

func TestRecoveredPanicsEndTheirCalls(t *testing.T) {
	const internal = "rpc error: code = Internal desc = grpc: the handler of the call panicked"
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, internal},
		{"status", status.Error(codes.DataLoss, "gone"), "rpc error: code = DataLoss desc = gone"},
		{"plain error", errors.New("plain"), "rpc error: code = Unknown desc = plain"},
		{"context error", context.DeadlineExceeded, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := recovered(t, RecoverPanics(func(context.Context, string, any, []byte) error { return tt.err }))
				wantEqual(t, "ends", got, [3]string{tt.want, tt.want, tt.want})
			})
		})
	}
}

func TestPanicHandlerIsToldOfThePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		recovered(t, RecoverPanics(func(ctx context.Context, method string, value any, stack []byte) error {
			in, _ := Method(ctx)
			told = append(told, fmt.Sprint(method, " ", in, " ", value))
			if !strings.Contains(string(stack), "server_panic_test.go") {
				t.Errorf("got stack %s, want that of the handler", stack)
			}
			return nil
		}))
		wantEqual(t, "what it was told", strings.Join(told, ", "), "/test.S/Stream /test.S/Stream secret, /test.S/Unary /test.S/Unary secret, "+
			"/unknown.S/M /unknown.S/M secret, /test.S/Unary /test.S/Unary secret")
	})
}

func TestPanicsOfInterceptorsAreRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}, RecoverPanics(func(context.Context, string, any, []byte) error { return nil }),
			UnaryInterceptor(func(context.Context, any, *UnaryServerInfo, UnaryHandler) (any, error) { panic(errEnd) }),
			StreamInterceptor(func(any, ServerStream, *StreamServerInfo, StreamHandler) error { panic(errEnd) })))
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "unary call", err, "Internal: grpc: the handler of the call panicked")
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		wantStatus(t, "stream", s.RecvMsg(text("")), "Internal: grpc: the handler of the call panicked")
	})
}

func TestRecoveredPanicIsReportedAndFreesItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := new(recorder)
		recovered(t, RecoverPanics(func(context.Context, string, any, []byte) error { return nil }), MaxConcurrentStreams(1), StatsHandler(events))
		synctest.Wait()
		wantEqual(t, "ends of calls that were reported", strings.Count(events.kinds(), "End"), 4)
	})
}

// The cases run in a child: this test binary, told by an environment variable what to do.
func TestPanicWithoutAHandlerOfPanics(t *testing.T) {
	switch os.Getenv("PANIC") {
	case "crash":
		_, _ = echo(t.Context(), connect(t, startServer(t, panicking)), "x")
		return
	case "log":
		_, err := echo(t.Context(), connect(t, startServer(t, panicking, RecoverPanics(nil))), "x")
		wantStatus(t, "call", err, "Internal: grpc: the handler of the call panicked")
		return
	}
	for name, want := range map[string][]string{
		"crash": {"panic: secret", "exit status 2"},
		"log":   {"ERROR: [core] The handler of /test.S/Unary panicked: secret", "server_panic_test.go", "PASS"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPanicWithoutAHandlerOfPanics$")
		cmd.Env = append(os.Environ(), "PANIC="+name, "GRPC_GO_LOG_SEVERITY_LEVEL=error")
		out, err := cmd.CombinedOutput()
		for _, w := range want {
			if got := string(out) + fmt.Sprint(err); !strings.Contains(got, w) {
				t.Errorf("%s: got %s, want %q in it", name, got, w)
			}
		}
	}
}
