// The states of a channel, in order, through its life and that of its server.

package behaviour

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// gate is a network whose dials wait until the test lets each of them through, or refuses it.
type gate struct {
	answers chan func(ctx context.Context) (net.Conn, error)
}

func newGate() *gate { return &gate{answers: make(chan func(context.Context) (net.Conn, error))} }

func (g *gate) dial(ctx context.Context, _ string) (net.Conn, error) {
	select {
	case answer := <-g.answers:
		return answer(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// next waits until the state is no longer from and returns the new one.
func next(t *testing.T, cc *grpc.ClientConn, from connectivity.State) connectivity.State {
	t.Helper()
	if !cc.WaitForStateChange(within(t), from) {
		t.Fatalf("got no change from %v within %v", from, patience)
	}
	return cc.GetState()
}

// fastReconnect makes a channel try again at once after a failure.
var fastReconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}, MinConnectTimeout: time.Minute,
})

func TestStatesOfAChannel(t *testing.T) {
	p := start(t, setup{})
	g := newGate()
	cc := p.dial(t, grpc.WithContextDialer(g.dial), fastReconnect)
	var log []string
	state := cc.GetState()
	note := func() {
		t.Helper()
		state = next(t, cc, state)
		log = append(log, state.String())
	}
	log = append(log, state.String())
	cc.Connect()
	note() // connecting
	g.answers <- func(ctx context.Context) (net.Conn, error) { return nil, temporary{true} }
	note() // failed
	conn := make(chan net.Conn, 1)
	g.answers <- func(ctx context.Context) (net.Conn, error) {
		nc, err := p.lis.DialContext(ctx)
		conn <- nc
		return nc, err
	}
	for state != connectivity.Ready { // whether CONNECTING is seen again depends on the policy
		note()
	}
	wait(t, conn, "connection").Close()
	note() // lost
	cc.Close()
	note() // shut down
	equal(t, strings.Join(log, " "), "IDLE CONNECTING TRANSIENT_FAILURE READY IDLE SHUTDOWN")
}

func TestConnectAfterALoss(t *testing.T) {
	p := start(t, setup{})
	g := newGate()
	cc := p.dial(t, grpc.WithContextDialer(g.dial), fastReconnect)
	reached := func(ctx context.Context) (net.Conn, error) { return p.lis.DialContext(ctx) }
	cc.Connect()
	for range 2 {
		g.answers <- reached
		for state := cc.GetState(); state != connectivity.Ready; {
			state = next(t, cc, state)
		}
		p.server.Stop()
		equal(t, next(t, cc, connectivity.Ready).String(), "IDLE")
		p = start(t, setup{})
		cc.Connect()
	}
}

func TestACallLeavesIdle(t *testing.T) {
	p := start(t, setup{})
	equal(t, p.cc.GetState().String(), "IDLE")
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	reach(t, p.cc, connectivity.Ready) // the state may be told later than the call goes through
}

func TestWaitForStateChangeReturnsFalseWhenItsContextEnds(t *testing.T) {
	p := start(t, setup{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p.cc.WaitForStateChange(ctx, connectivity.Idle) {
		t.Error("got true, want false: the state is still IDLE")
	}
	if !p.cc.WaitForStateChange(ctx, connectivity.Ready) {
		t.Error("got false, want true: the state is not READY")
	}
}

func TestChannelGoesIdle(t *testing.T) {
	p := start(t, setup{client: []grpc.DialOption{grpc.WithIdleTimeout(50 * time.Millisecond)}})
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	for state := p.cc.GetState(); state != connectivity.Idle; {
		state = next(t, p.cc, state)
	}
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
}

func TestChannelIsNotIdleWhileACallRuns(t *testing.T) {
	p := start(t, setup{client: []grpc.DialOption{grpc.WithIdleTimeout(20 * time.Millisecond)}})
	stream := open(t, within(t), p.cc)
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if p.cc.GetState() == connectivity.Ready && p.cc.WaitForStateChange(short, connectivity.Ready) {
		t.Errorf("got state %v while a call runs", p.cc.GetState())
	}
	stream.SendMsg(echo.Of("x"))
	equal(t, result(receive(stream)), `"x"`)
}

func TestReconnectingRetriesWaitingCalls(t *testing.T) {
	p := start(t, setup{})
	g := newGate()
	cc := p.dial(t, grpc.WithContextDialer(g.dial), fastReconnect)
	answer := make(chan string, 1)
	go func() { answer <- result(unary(within(t), cc, "x", grpc.WaitForReady(true))) }()
	for range 3 {
		g.answers <- func(context.Context) (net.Conn, error) { return nil, temporary{true} }
	}
	g.answers <- func(ctx context.Context) (net.Conn, error) { return p.lis.DialContext(ctx) }
	equal(t, wait(t, answer, "answer"), `"x"`)
}

func TestResetConnectBackoffTriesAgainAtOnce(t *testing.T) {
	p := start(t, setup{})
	g := newGate()
	cc := p.dial(t, grpc.WithContextDialer(g.dial), grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: time.Hour, MaxDelay: time.Hour}, MinConnectTimeout: time.Minute}))
	cc.Connect()
	g.answers <- func(context.Context) (net.Conn, error) { return nil, temporary{true} }
	for state := cc.GetState(); state != connectivity.TransientFailure; {
		state = next(t, cc, state)
	}
	cc.ResetConnectBackoff()
	g.answers <- func(ctx context.Context) (net.Conn, error) { return p.lis.DialContext(ctx) }
	for state := cc.GetState(); state != connectivity.Ready; {
		state = next(t, cc, state)
	}
}

func TestConnectionThatEndsAsksForNames(t *testing.T) {
	for name, end := range map[string]func(*raw.Conn){
		"closed":    func(c *raw.Conn) {},
		"goes away": func(c *raw.Conn) { c.GoAway(0, http2.ErrCodeNo, ""); c.Drain() },
	} {
		t.Run(name, func(t *testing.T) {
			connected, asked := make(chan struct{}), make(chan struct{}, 100)
			addr := raw.Listen(t, func(n int, c *raw.Conn) {
				if n == 0 {
					<-connected
					end(c)
				}
			})
			r := manual.NewBuilderWithScheme("parity")
			r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: addr}}})
			r.ResolveNowCallback = func(resolver.ResolveNowOptions) { asked <- struct{}{} }
			reach(t, client(t, "parity:///x", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials())), connectivity.Ready)
			if len(asked) > 0 {
				t.Errorf("got %d requests for names before the end, want none", len(asked))
			}
			close(connected)
			wait(t, asked, "request for names")
		})
	}
}
