// The package functions of 2016. Tests must not run in parallel: they change the one state of the package.

package stats

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"
)

type tagKey struct{}

// forget undoes all registrations when the test ends.
func forget(t *testing.T) {
	t.Cleanup(func() { current.Store(nil) })
}

func TestFunctionsDoNothingWhileNoneIsRegistered(t *testing.T) {
	ctx := context.Background()
	HandleRPC(ctx, &Begin{})
	HandleConn(ctx, &ConnBegin{})
	if got := TagRPC(ctx, &RPCTagInfo{}); got != ctx {
		t.Errorf("TagRPC: got %v, want the same context", got)
	}
	if got := TagConn(ctx, &ConnTagInfo{}); got != ctx {
		t.Errorf("TagConn: got %v, want the same context", got)
	}
	if On() {
		t.Error("On: got true, want false")
	}
}

func TestRegisteredFunctionsAreCalled(t *testing.T) {
	forget(t)
	var got []string
	note := func(ctx context.Context, event any) {
		got = append(got, fmt.Sprintf("%v %T", ctx.Value(tagKey{}), event))
	}
	RegisterRPCTagger(func(ctx context.Context, info *RPCTagInfo) context.Context {
		return context.WithValue(ctx, tagKey{}, info.FullMethodName)
	})
	RegisterRPCHandler(func(ctx context.Context, s RPCStats) { note(ctx, s) })
	RegisterConnTagger(func(ctx context.Context, _ *ConnTagInfo) context.Context {
		return context.WithValue(ctx, tagKey{}, "conn")
	})
	RegisterConnHandler(func(ctx context.Context, s ConnStats) { note(ctx, s) })

	ctx := context.Background()
	HandleRPC(TagRPC(ctx, &RPCTagInfo{FullMethodName: "/s/m"}), &Begin{})
	HandleConn(TagConn(ctx, &ConnTagInfo{}), &ConnEnd{})
	RegisterRPCHandler(nil)
	HandleRPC(ctx, &End{})
	want := "[/s/m *stats.Begin conn *stats.ConnEnd]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStartNeedsAHandler(t *testing.T) {
	rpcHandler := func() { RegisterRPCHandler(func(context.Context, RPCStats) {}) }
	connHandler := func() { RegisterConnHandler(func(context.Context, ConnStats) {}) }
	taggers := func() {
		RegisterRPCTagger(func(ctx context.Context, _ *RPCTagInfo) context.Context { return ctx })
		RegisterConnTagger(func(ctx context.Context, _ *ConnTagInfo) context.Context { return ctx })
	}
	const complaint = "rpcHandler and connHandler are both nil when starting stats. Stats is not started"
	tests := []struct {
		name     string
		register func()
		want     bool
	}{
		{"nothing", func() {}, false},
		{"taggers", taggers, false},
		{"handler of RPCs", rpcHandler, true},
		{"handler of connections", connHandler, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			forget(t)
			var log strings.Builder
			grpclog.SetLoggerV2(grpclog.NewLoggerV2(&log, &log, &log))
			defer grpclog.SetLoggerV2(grpclog.NewLoggerV2(os.Stderr, os.Stderr, os.Stderr))
			test.register()
			Start()
			if On() != test.want {
				t.Errorf("after Start: got On %v, want %v", On(), test.want)
			}
			if complained := strings.Contains(log.String(), complaint); complained == test.want {
				t.Errorf("got log %q", log.String())
			}
			Stop()
			if On() {
				t.Error("after Stop: got On true, want false")
			}
		})
	}
}

func TestOnDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { On() }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
