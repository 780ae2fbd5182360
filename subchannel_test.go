// Tests of subchannels: their states, the times between attempts to connect, changes of addresses, and their end. A policy of the test
// holds them; the clock is synthetic.

package grpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// A testDialer makes connections by what its test says of each address. Addresses without an entry are refused.
type testDialer struct {
	mu     sync.Mutex // guards the fields below
	ways   map[string]func(context.Context) (net.Conn, error)
	dialed []string
}

var errRefused = errors.New("refused for the test")

func (d *testDialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.dialed = append(d.dialed, addr)
	way := d.ways[addr]
	d.mu.Unlock()
	if way == nil {
		return nil, errRefused
	}
	return way(ctx)
}

// set says how an address is reached from now on.
func (d *testDialer) set(addr string, way func(context.Context) (net.Conn, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ways == nil {
		d.ways = make(map[string]func(context.Context) (net.Conn, error))
	}
	d.ways[addr] = way
}

// wantDialed fails the test unless these addresses were dialed since the last call.
func (d *testDialer) wantDialed(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.dialed, want) {
		t.Errorf("got addresses dialed %q, want %q", d.dialed, want)
	}
	d.dialed = nil
}

// hang is a way to an address that never answers.
func hang(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A subchannelTest is a channel with a policy of the test, which is about to have subchannels.
type subchannelTest struct {
	cc     *ClientConn
	policy *fakePolicy
	dialer *testDialer
}

// testBackoff doubles from one second to five.
var testBackoff = ConnectParams{
	Backoff: backoff.Config{BaseDelay: time.Second, Multiplier: 2, MaxDelay: 5 * time.Second}, MinConnectTimeout: 20 * time.Second,
}

func newSubchannelTest(t *testing.T, opts ...DialOption) *subchannelTest {
	s := &subchannelTest{policy: newFakePolicy(t), dialer: new(testDialer)}
	s.cc = newChannel(t, "passthrough:///test",
		append([]DialOption{WithContextDialer(s.dialer.dial), s.policy.option(), WithConnectParams(testBackoff), WithIdleTimeout(0)}, opts...)...)
	s.cc.Connect()
	synctest.Wait()
	s.policy.wantLog(t, "build", "update test", "exit idle")
	return s
}

func (s *subchannelTest) subchannel(t *testing.T, addrs ...string) *subchannel {
	t.Helper()
	return s.policy.current().newSubchannel(t, addrs...)
}

// connect connects a subchannel, and waits for what comes of it.
func (s *subchannelTest) connect(sc *subchannel) {
	sc.Connect()
	synctest.Wait()
}

// want fails the test unless the policy was told exactly this since the last call.
func (s *subchannelTest) want(t *testing.T, events ...string) {
	t.Helper()
	synctest.Wait()
	s.policy.wantLog(t, events...)
}

// remaining returns how many subchannels the channel knows.
func (s *subchannelTest) remaining() int {
	ac := s.cc.live.Load()
	return s.onQueue(func() int { return len(ac.subchannels) })
}

// kept returns how many connections the subchannel knows.
func (s *subchannelTest) kept(sc *subchannel) int {
	return s.onQueue(func() int { return len(sc.live) })
}

// onQueue returns what f returns on the queue of the channel.
func (s *subchannelTest) onQueue(f func() int) int {
	n := make(chan int)
	s.cc.live.Load().queue.Run(func() { n <- f() })
	return <-n
}

const refusedText = `: connection error: desc = "transport: Error while dialing: refused for the test"`

func TestSubchannelConnectsWhenItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		sc := s.subchannel(t, "a")
		s.want(t)
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		s.connect(sc)
		s.want(t)
		s.dialer.wantDialed(t, "a")
	})
}

func TestSubchannelTriesItsAddressesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("c", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a", "b", "c", "d")
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		s.dialer.wantDialed(t, "a", "b", "c")
		wantEqual(t, "address of the connection", sc.ready.Load().address.Addr, "c")
	})
}

func TestSubchannelReportsTheFirstOfItsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("b", func(context.Context) (net.Conn, error) { return nil, io.ErrUnexpectedEOF })
		s.connect(s.subchannel(t, "a", "b"))
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText)
	})
}

func TestBackoffGrowsFromAttemptToAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		sc := s.subchannel(t, "a")
		for _, seconds := range []time.Duration{1, 2, 4, 5, 5} {
			s.connect(sc)
			s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText)
			s.connect(sc) // in vain
			pass(seconds*time.Second - 1)
			s.want(t)
			pass(1)
			s.want(t, "a IDLE")
		}
		s.dialer.wantDialed(t, "a", "a", "a", "a", "a")
	})
}

func TestBackoffCountsFromTheBeginningOfTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		took := 600 * time.Millisecond
		s.dialer.set("a", func(context.Context) (net.Conn, error) { <-time.After(took); return nil, errRefused })
		sc := s.subchannel(t, "a")
		s.connect(sc)
		pass(took)
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText)
		pass(time.Second - took)
		s.want(t, "a IDLE")
		took = 3 * time.Second // longer than the backoff of 2 s
		s.connect(sc)
		pass(took)
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText, "a IDLE")
	})
}

func TestBackoffBeginsAnewAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		pass(time.Second)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		s.connect(sc)
		s.dialer.set("a", nil)
		(<-raw.conns).nc.Close()
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText, "a IDLE", "a CONNECTING", "a READY", "a IDLE")
		s.connect(sc)
		pass(time.Second)
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText, "a IDLE")
	})
}

func TestResetConnectBackoffMakesSubchannelsIdleAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		sc := s.subchannel(t, "a")
		for range 3 {
			s.connect(sc)
			s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText)
			s.cc.ResetConnectBackoff()
			s.want(t, "a IDLE")
			pass(time.Hour)
			s.want(t)
		}
		s.connect(sc)
		pass(time.Second) // the failures before do not count
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText, "a IDLE")
	})
}

func TestAttemptEndsAfterTheConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := testBackoff
		long.Backoff.BaseDelay, long.Backoff.MaxDelay = 30*time.Second, 30*time.Second
		for _, tt := range []struct {
			params ConnectParams
			want   time.Duration
		}{{testBackoff, 20 * time.Second}, {long, 30 * time.Second}} {
			s := newSubchannelTest(t, WithConnectParams(tt.params))
			s.dialer.set("a", hang)
			s.connect(s.subchannel(t, "a", "b"))
			pass(tt.want - 1)
			s.want(t, "a CONNECTING")
			pass(1)
			s.want(t, `a TRANSIENT_FAILURE: connection error: desc = "transport: Error while dialing: context deadline exceeded"`, "a IDLE")
		}
	})
}

func TestServerThatIsSilentFailsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		end, other := net.Pipe()
		defer other.Close()
		go func() { _, _ = io.Copy(io.Discard, other) }()
		s.dialer.set("a", func(context.Context) (net.Conn, error) { return end, nil })
		s.connect(s.subchannel(t, "a"))
		pass(20 * time.Second)
		s.want(t, "a CONNECTING", `a TRANSIENT_FAILURE: connection error: desc = "failed to receive server preface within timeout"`, "a IDLE")
	})
}

func TestLossOfTheConnectionMakesTheSubchannelIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		(<-raw.conns).nc.Close()
		s.want(t, "a CONNECTING", "a READY", "a IDLE")
		wantEqual(t, "connection for calls", sc.ready.Load(), nil)
		wantEqual(t, "connections that are kept", s.kept(sc), 0)
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
	})
}

func TestGoAwayLeavesCallsAndMakesTheSubchannelIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		s.policy.current().report(connectivity.Ready, picks(sc))
		call, err := s.cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		first := <-raw.conns
		first.goAway(1, http2.ErrCodeNo, "")
		s.want(t, "a CONNECTING", "a READY", "a IDLE")
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		wantEqual(t, "connections that are kept", s.kept(sc), 2)
		first.headers(1)
		first.message(1, "\x0a\x01x")
		first.trailers(1, "grpc-status", "0")
		var reply wrapperspb.StringValue
		must(t, call.RecvMsg(&reply))
		wantEqual(t, "reply", reply.Value, "x")
		wantEqual(t, "end", call.RecvMsg(&reply), io.EOF)
		s.want(t)
		wantEqual(t, "connections that are kept after the call", s.kept(sc), 1)
	})
}

func TestConnectionThatIsLostAtOnceLeavesTheSubchannelIdle(t *testing.T) {
	for range 50 { // it may be lost before or after it is known to be made
		synctest.Test(t, func(t *testing.T) {
			s := newSubchannelTest(t)
			s.dialer.set("a", func(context.Context) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					go func() { _, _ = io.Copy(io.Discard, theirs) }()
					f := http2.NewFramer(theirs, theirs)
					_ = f.WriteSettings()
					_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
					theirs.Close()
				}()
				return ours, nil
			})
			sc := s.subchannel(t, "a")
			s.connect(sc)
			s.policy.mu.Lock()
			last := s.policy.log[len(s.policy.log)-1]
			s.policy.mu.Unlock()
			wantEqual(t, "last event", last, "a IDLE")
			wantEqual(t, "connection for calls", sc.ready.Load(), nil)
			wantEqual(t, "connections that are kept", s.kept(sc), 0)
		})
	}
}

// A brokenConn is a connection that cannot be written to, and delivers SETTINGS only when it was closed.
type brokenConn struct {
	net.Conn
	settings *bytes.Reader
	closed   chan struct{}
	close    sync.Once
}

func newBrokenConn() *brokenConn {
	return &brokenConn{settings: bytes.NewReader([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}), closed: make(chan struct{})}
}

func (c *brokenConn) Write([]byte) (int, error) { return 0, errRefused }

func (c *brokenConn) Read(p []byte) (int, error) {
	<-c.closed
	return c.settings.Read(p)
}

func (c *brokenConn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return nil
}

func (*brokenConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "broken"} }
func (*brokenConn) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "broken"} }
func (*brokenConn) SetDeadline(time.Time) error      { return nil }
func (*brokenConn) SetReadDeadline(time.Time) error  { return nil }
func (*brokenConn) SetWriteDeadline(time.Time) error { return nil }

func TestConnectionThatEndsBeforeItIsMadeIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", func(context.Context) (net.Conn, error) { return newBrokenConn(), nil })
		sc := s.subchannel(t, "a")
		s.connect(sc)
		s.want(t, "a CONNECTING", "a IDLE")
		wantEqual(t, "connection for calls", sc.ready.Load(), nil)
		wantEqual(t, "connections that are kept", s.kept(sc), 0)
	})
}

func TestShutdownInEachState(t *testing.T) {
	for _, tt := range []struct {
		way  string
		want []string // events before the shutdown
	}{
		{"", nil},
		{"hang", []string{"a CONNECTING"}},
		{"serve", []string{"a CONNECTING", "a READY"}},
		{"refuse", []string{"a CONNECTING", "a TRANSIENT_FAILURE" + refusedText}},
	} {
		t.Run("after "+tt.way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSubchannelTest(t)
				sc := s.subchannel(t, "a")
				switch tt.way {
				case "hang":
					s.dialer.set("a", hang)
				case "serve":
					s.dialer.set("a", serveRaw(t, nil).lis.DialContext)
				}
				if tt.way != "" {
					s.connect(sc)
				}
				s.want(t, tt.want...)
				sc.Shutdown()
				s.want(t, "a SHUTDOWN")
				wantEqual(t, "connection for calls", sc.ready.Load(), nil)
				wantEqual(t, "subchannels that are left", s.remaining(), 0)
				sc.Shutdown()
				s.connect(sc)
				sc.UpdateAddresses(addressList("b"))
				pass(time.Hour)
				s.want(t)
			})
		})
	}
}

func TestShutdownLetsCallsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", startServer(t, testService{}).DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		s.policy.current().report(connectivity.Ready, picks(sc))
		call, err := s.cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		sc.Shutdown()
		synctest.Wait()
		wantEqual(t, "subchannels that are left", s.remaining(), 1)
		must(t, call.SendMsg(text("x")))
		must(t, call.RecvMsg(text("")))
		must(t, call.CloseSend())
		wantEqual(t, "end", call.RecvMsg(text("")), io.EOF)
		synctest.Wait()
		wantEqual(t, "subchannels that are left after the call", s.remaining(), 0)
	})
}

func TestHealthListenerHearsOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		sc := s.subchannel(t, "a")
		listen := func(name string) func(balancer.SubConnState) {
			return func(st balancer.SubConnState) { s.policy.note("%s %v", name, st.ConnectivityState) }
		}
		sc.RegisterHealthListener(listen("too early"))
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		sc.RegisterHealthListener(nil)
		sc.RegisterHealthListener(listen("health"))
		s.want(t, "health READY")
		(<-raw.conns).nc.Close()
		s.want(t, "a IDLE")
	})
}

func TestPolicyWithoutListenersGetsStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		sc, err := s.policy.current().cc.NewSubConn(addressList("a"), balancer.NewSubConnOptions{})
		must(t, err)
		sc.Connect()
		s.want(t, "a state without a listener", "a state without a listener")
	})
}

func TestSubchannelNeedsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		_, err := s.policy.current().cc.NewSubConn(nil, balancer.NewSubConnOptions{})
		wantEqual(t, "error", fmt.Sprint(err), "grpc: cannot create SubConn with empty address list")
	})
}

func TestFailedAttemptAsksForNameResolution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newManual()
		asked := 0
		r.ResolveNowCallback = func(resolver.ResolveNowOptions) { asked++ }
		policy := newFakePolicy(t)
		r.InitialState(resolver.State{Addresses: addressList("a")})
		newChannel(t, "manual:///test", WithResolvers(r), policy.option(), WithContextDialer(new(testDialer).dial)).Connect()
		synctest.Wait()
		sc := policy.current().newSubchannel(t, "a")
		sc.Connect()
		synctest.Wait()
		wantEqual(t, "requests for name resolution", asked, 1)
	})
}
