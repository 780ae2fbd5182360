// Tests of a channel as the application holds it: dialling in the old way, connectivity, and its end. Idle mode is in idle_test.go.

package grpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// permanentError is an error of a dialer that says that it will not pass.
type permanentError struct{}

func (permanentError) Error() string   { return "never" }
func (permanentError) Temporary() bool { return false }

// dialFails is the option that makes all connections fail with err.
func dialFails(err error) DialOption {
	return WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, err })
}

func TestDialThatBlocksReturnsAReadyChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 2
		lis := startServer(t, testService{})
		cc, err := Dial("test", WithInsecure(), WithBlock(), WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if fails--; fails >= 0 {
				return nil, errRefused
			}
			return lis.DialContext(ctx)
		}))
		must(t, err)
		wantEqual(t, "state", cc.GetState(), connectivity.Ready)
		must(t, cc.Close())
	})
}

func TestDialThatDoesNotBlockConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc, err := Dial("test", WithInsecure(), dialTo(startServer(t, testService{})))
		must(t, err)
		synctest.Wait()
		wantEqual(t, "state", cc.GetState(), connectivity.Ready)
		must(t, cc.Close())
	})
}

func TestDialThatBlocksGivesUp(t *testing.T) {
	refused := `connection error: desc = "transport: Error while dialing: refused for the test"`
	for _, tt := range []struct {
		about string
		opts  []DialOption
		after time.Duration
		want  string
	}{
		{"with its context", []DialOption{WithBlock(), dialFails(errRefused)}, time.Minute, "context deadline exceeded"},
		{"with its timeout", []DialOption{WithBlock(), WithTimeout(time.Second), dialFails(errRefused)}, time.Second, "context deadline exceeded"},
		{"and says why", []DialOption{WithReturnConnectionError(), dialFails(errRefused)}, time.Minute, "context deadline exceeded: " + refused},
		{"not at a permanent error", []DialOption{WithBlock(), dialFails(permanentError{})}, time.Minute, "context deadline exceeded"},
		{"at a permanent error", []DialOption{WithBlock(), FailOnNonTempDialError(true), dialFails(permanentError{})}, 0,
			`connection error: desc = "transport: error while dialing: never"`},
		{"not at an error that may pass", []DialOption{WithBlock(), FailOnNonTempDialError(true), dialFails(errRefused)}, time.Minute,
			"context deadline exceeded"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begun := time.Now()
				cc, err := DialContext(ctx, "test", append([]DialOption{WithInsecure()}, tt.opts...)...)
				if cc != nil || err == nil || err.Error() != tt.want {
					t.Errorf("got %v, %v, want error %q", cc, err, tt.want)
				}
				wantEqual(t, "time", time.Since(begun), tt.after)
			})
		})
	}
}

func TestClosedChannelRefusesEverything(t *testing.T) {
	cc := newChannel(t, "passthrough:///test")
	must(t, cc.Close())
	wantEqual(t, "second Close", cc.Close(), ErrClientConnClosing)
	cc.Connect()
	cc.ResetConnectBackoff()
	wantEqual(t, "state", cc.GetState(), connectivity.Shutdown)
	_, err := echo(t.Context(), cc, "x")
	wantEqual(t, "call", err, ErrClientConnClosing)
	_, err = cc.NewStream(t.Context(), bidi, streamMethod)
	wantEqual(t, "stream", err, ErrClientConnClosing)
	wantEqual(t, "method config", cc.GetMethodConfig(unaryMethod).Timeout, nil)
	wantEqual(t, "calls under way", cc.idle.calls.Load(), 0)
}

func TestApplicationMayWaitForStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		var seen []connectivity.State
		done := make(chan struct{})
		go func() {
			defer close(done)
			for s := cc.GetState(); s != connectivity.Shutdown; s = cc.GetState() {
				seen = append(seen, s)
				cc.WaitForStateChange(t.Context(), s)
			}
		}()
		synctest.Wait()
		cc.Connect()
		synctest.Wait()
		must(t, cc.Close())
		<-done
		if n := len(seen); seen[0] != connectivity.Idle || seen[n-1] != connectivity.Ready {
			t.Errorf("got states %v, want them to lead from IDLE to READY", seen)
		}
	})
}

func TestCallsThatDoNotWaitFailWithTheReasonWhyConnectingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newChannel(t, "passthrough:///test", dialFails(errors.New("no route")))
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "call", err, `Unavailable: connection error: desc = "transport: Error while dialing: no route"`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = echo(ctx, cc, "x", WaitForReady(true))
		wantStatus(t, "call that waits", err,
			`DeadlineExceeded: latest balancer error: connection error: desc = "transport: Error while dialing: no route"`)
	})
}

func TestDialRefusesBadOptions(t *testing.T) {
	cc, err := Dial("test")
	if cc != nil || err != errNoSecurity {
		t.Errorf("got %v, %v, want %v", cc, err, errNoSecurity)
	}
}
