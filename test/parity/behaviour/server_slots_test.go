// The limit of concurrent streams as clients meet it that keep to it: calls one after the other, and calls after cancelled ones.

package behaviour

import (
	"context"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestCallsInARowAtTheStreamLimit(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}})
	for i := range 2000 {
		if got := result(unary(within(t), p.cc, "x")); got != `"x"` {
			t.Fatalf("call %d: got %s, want an echo", i, got)
		}
	}
}

// A handler that has not noticed yet that its call was cancelled makes the next call wait, and does not fail it.
func TestCallAfterACancelledOneAtTheStreamLimit(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	p := start(t, setup{server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}, service: stubborn(entered, release)})
	for range 100 {
		ctx, cancel := context.WithCancel(within(t))
		open(t, ctx, p.cc)
		wait(t, entered, "call")
		cancel()
		answered := make(chan string, 1)
		go func() { answered <- result(unary(within(t), p.cc, "x")) }()
		running(t, answered, "the second call")
		release <- struct{}{}
		equal(t, wait(t, answered, "answer"), `"x"`)
	}
}

func TestStreamAfterAResetOneAtTheStreamLimit(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	p := start(t, setup{service: stubborn(entered, release), server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Bidi)...)
	wait(t, entered, "call")
	conn.Reset(1, http2.ErrCodeCancel)
	conn.Headers(3, true, request(echo.Bidi)...)
	running(t, entered, "a second handler")
	close(release)
	equal(t, conn.Transcript(3), "HEADERS :status=200 content-type=application/grpc grpc-status=0 grpc-message= END_STREAM")
}
