// Dial and DialContext: blocking, and how long.

package behaviour

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// temporary is an error that says whether it will pass.
type temporary struct{ yes bool }

func (e temporary) Error() string   { return "dialer says no" }
func (e temporary) Temporary() bool { return e.yes }

func dialError(err error) grpc.DialOption {
	return grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, err })
}

func TestBlockingDialErrors(t *testing.T) {
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	never := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	const soon = 100 * time.Millisecond
	for _, tc := range []struct {
		name string
		opts []grpc.DialOption
		want string
	}{
		{"nothing set", nil,
			"grpc: no transport security set (use grpc.WithTransportCredentials(insecure.NewCredentials()) explicitly or set credentials)"},
		{"timeout without block", []grpc.DialOption{plaintext, never, grpc.WithTimeout(soon)}, "<nil>"},
		{"timeout", []grpc.DialOption{plaintext, never, grpc.WithBlock(), grpc.WithTimeout(soon)}, "context deadline exceeded"},
		{"timeout, last error", []grpc.DialOption{plaintext, dialError(temporary{true}), grpc.WithTimeout(soon),
			grpc.WithReturnConnectionError()},
			`context deadline exceeded: connection error: desc = "transport: Error while dialing: dialer says no"`},
		{"timeout, no error yet", []grpc.DialOption{plaintext, never, grpc.WithTimeout(soon), grpc.WithReturnConnectionError()},
			"context deadline exceeded"},
		{"refused, block", []grpc.DialOption{plaintext, dialError(temporary{false}), grpc.WithBlock(), grpc.WithTimeout(soon)},
			"context deadline exceeded"},
		{"permanent error", []grpc.DialOption{plaintext, dialError(temporary{false}), grpc.WithBlock(), grpc.FailOnNonTempDialError(true)},
			`connection error: desc = "transport: error while dialing: dialer says no"`},
		{"temporary error", []grpc.DialOption{plaintext, dialError(temporary{true}), grpc.WithBlock(), grpc.FailOnNonTempDialError(true),
			grpc.WithTimeout(soon)}, "context deadline exceeded"},
		{"error of neither kind", []grpc.DialOption{plaintext, dialError(errors.New("plain")), grpc.WithBlock(),
			grpc.FailOnNonTempDialError(true), grpc.WithTimeout(soon)}, "context deadline exceeded"},
		{"permanent error, last error", []grpc.DialOption{plaintext, dialError(temporary{false}), grpc.FailOnNonTempDialError(true),
			grpc.WithReturnConnectionError()}, `connection error: desc = "transport: error while dialing: dialer says no"`},
		{"permanent error without block", []grpc.DialOption{plaintext, dialError(temporary{false}), grpc.FailOnNonTempDialError(true)}, "<nil>"},
		{"old dialer", []grpc.DialOption{plaintext, grpc.WithBlock(), grpc.FailOnNonTempDialError(true),
			grpc.WithDialer(func(string, time.Duration) (net.Conn, error) { return nil, temporary{false} })},
			`connection error: desc = "transport: error while dialing: dialer says no"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc, err := grpc.Dial("passthrough:///server", tc.opts...)
				if err == nil {
					cc.Close()
				}
				equal(t, text(err), tc.want)
			})
		})
	}
}

func TestBlockingDialSucceeds(t *testing.T) {
	p := start(t, setup{})
	cc, err := grpc.DialContext(within(t), "server", grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithDialer(func(string, time.Duration) (net.Conn, error) { return p.lis.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	equal(t, cc.GetState().String(), "READY")
	equal(t, result(unary(within(t), cc, "x")), `"x"`)
}

func TestDialContextThatEnds(t *testing.T) {
	hung := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tc := range []struct {
		name string
		opts []grpc.DialOption
		want string
	}{
		{"block", []grpc.DialOption{grpc.WithBlock()}, "context canceled"},
		{"block, last error", []grpc.DialOption{grpc.WithReturnConnectionError()}, "context canceled"},
		{"no block", nil, "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cc, err := grpc.DialContext(ctx, "server", append(tc.opts, grpc.WithInsecure(), hung)...)
			if err == nil {
				cc.Close()
			}
			equal(t, text(err), tc.want)
		})
	}
}

func TestDialConnectsAtOnceAndNewClientDoesNot(t *testing.T) {
	p := start(t, setup{})
	memory := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return p.lis.DialContext(ctx) })
	cc, err := grpc.Dial("server", grpc.WithInsecure(), memory)
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	for state := cc.GetState(); state != connectivity.Ready; state = cc.GetState() {
		if !cc.WaitForStateChange(within(t), state) {
			t.Fatalf("got %v for %v, want READY", state, patience)
		}
	}
	lazy := p.dial(t)
	equal(t, lazy.GetState().String(), "IDLE")
}

func TestOldDialerIsToldHowMuchTimeItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timeouts := make(chan time.Duration, 1)
		p := start(t, setup{})
		cc := plain(t, "server", grpc.WithDialer(func(addr string, timeout time.Duration) (net.Conn, error) {
			timeouts <- timeout
			return p.lis.Dial()
		}))
		equal(t, result(unary(within(t), cc, "x")), `"x"`)
		equal(t, wait(t, timeouts, "timeout").String(), "20s")
	})
}
