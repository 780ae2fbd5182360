// A channel for tests of load-balancing policies: it connects nothing, writes down what the policy does, and lets the test say what happens
// to its subchannels. Only tests import it.

// Package fakechannel is a stand-in for a channel in tests of load-balancing policies.
package fakechannel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/experimental/stats"
	"google.golang.org/grpc/resolver"
)

// Channel is a balancer.ClientConn that keeps a log, one line for each thing that the policy does:
//
//	new a                  NewSubConn for the address a; "new a with health" if the subchannel is to check the server's health
//	connect a              Connect; likewise "shutdown a" and "watch health of a"
//	READY: a               UpdateState with that state and a picker that picks the subchannel of a
//	CONNECTING: some text  UpdateState with a picker that returns that error
//	IDLE                   UpdateState with state IDLE; the picker is not asked, since that might wake the policy
//	resolve                ResolveNow
type Channel struct {
	balancer.ClientConn // nil: what is not defined below must not be called

	// Refuse makes NewSubConn fail for the addresses that are its keys. It must be set before the policy is used.
	Refuse map[string]error

	mu   sync.Mutex // guards the fields below
	log  []string
	subs map[string]*Sub // the newest of each address
	last balancer.State
}

// New returns a channel.
func New() *Channel {
	return &Channel{subs: map[string]*Sub{}}
}

// NewSubConn makes a *Sub. It takes the place of an older one with the same address in Sub.
func (c *Channel) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	addr := addrs[0].Addr
	if err := c.Refuse[addr]; err != nil {
		return nil, err
	}
	s := &Sub{c: c, addr: addr, listener: opts.StateListener}
	c.mu.Lock()
	c.subs[addr] = s
	c.mu.Unlock()
	if opts.HealthCheckEnabled {
		addr += " with health"
	}
	c.write("new " + addr)
	return s, nil
}

// UpdateState writes the state down, and what its picker says.
func (c *Channel) UpdateState(s balancer.State) {
	c.mu.Lock()
	c.last = s
	c.mu.Unlock()
	line := s.ConnectivityState.String()
	if s.ConnectivityState != connectivity.Idle {
		line += ": " + Pick(s.Picker)
	}
	c.write(line)
}

// ResolveNow is written down.
func (c *Channel) ResolveNow(resolver.ResolveNowOptions) { c.write("resolve") }

// Target returns "target".
func (c *Channel) Target() string { return "target" }

// MetricsRecorder returns one that ignores everything.
func (c *Channel) MetricsRecorder() stats.MetricsRecorder {
	return &stats.UnimplementedMetricsRecorder{}
}

func (c *Channel) write(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, line)
}

// Expect fails the test if the log since the last call is not want.
func (c *Channel) Expect(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	got := c.log
	c.log = nil
	c.mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("got log:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// ExpectInAnyOrder is Expect for lines whose order does not matter.
func (c *Channel) ExpectInAnyOrder(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	slices.Sort(c.log)
	c.mu.Unlock()
	slices.Sort(want)
	c.Expect(t, want...)
}

// Forget drops the log since the last call of Expect.
func (c *Channel) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = nil
}

// PickNow returns what the last picker says for an RPC.
func (c *Channel) PickNow() string { return Pick(c.Last().Picker) }

// Last returns the state that the policy reported last.
func (c *Channel) Last() balancer.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Sub returns the newest subchannel of addr, nil if there is none.
func (c *Channel) Sub(addr string) *Sub {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subs[addr]
}

// Sub is a subchannel with one address.
type Sub struct {
	balancer.SubConn // nil: what is not defined below must not be called

	c        *Channel
	addr     string
	listener func(balancer.SubConnState)
	health   func(balancer.SubConnState)
}

// Connect is written down.
func (s *Sub) Connect() { s.c.write("connect " + s.addr) }

// Shutdown is written down.
func (s *Sub) Shutdown() { s.c.write("shutdown " + s.addr) }

// RegisterHealthListener is written down.
func (s *Sub) RegisterHealthListener(listener func(balancer.SubConnState)) {
	s.health = listener
	s.c.write("watch health of " + s.addr)
}

// Goes tells the listener that the subchannel goes through the states. The error of TransientFailure is "<address> failed".
func (s *Sub) Goes(states ...connectivity.State) {
	for _, state := range states {
		s.listener(s.state(state, "failed"))
	}
}

// HealthGoes tells the health listener the same. The error of TransientFailure is "<address> is sick".
func (s *Sub) HealthGoes(states ...connectivity.State) {
	for _, state := range states {
		s.health(s.state(state, "is sick"))
	}
}

func (s *Sub) state(state connectivity.State, failure string) balancer.SubConnState {
	var err error
	if state == connectivity.TransientFailure {
		err = fmt.Errorf("%s %s", s.addr, failure)
	}
	return balancer.SubConnState{ConnectivityState: state, ConnectionError: err}
}

// Pick returns what p says for an RPC: an address or the text of an error.
func Pick(p balancer.Picker) string {
	r, err := p.Pick(balancer.PickInfo{FullMethodName: "/service/method", Ctx: context.Background()})
	if err != nil {
		return err.Error()
	}
	return r.SubConn.(*Sub).addr
}

// Endpoints returns an update with an endpoint for each argument, whose addresses are separated by commas.
func Endpoints(endpoints ...string) balancer.ClientConnState {
	var s balancer.ClientConnState
	for _, list := range endpoints {
		var e resolver.Endpoint
		for addr := range strings.SplitSeq(list, ",") {
			e.Addresses = append(e.Addresses, resolver.Address{Addr: addr})
		}
		s.ResolverState.Endpoints = append(s.ResolverState.Endpoints, e)
	}
	return s
}

// Update gives s to the policy and fails the test if it does not return want.
func Update(t *testing.T, policy balancer.Balancer, s balancer.ClientConnState, want error) {
	t.Helper()
	if err := policy.UpdateClientConnState(s); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("got error %v of UpdateClientConnState, want %v", err, want)
	}
}

// Pass lets d pass in a synctest bubble, and whatever happens then be done.
func Pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
