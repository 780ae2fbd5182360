// A load-balancing policy for tests: it writes down what it is told, and does what the test says.

package grpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// A fakePolicy is a balancer.Builder. What its balancers are told is in its log, one line for each event.
type fakePolicy struct {
	name string

	mu       sync.Mutex // guards the fields below
	log      []string
	built    []*fakeBalancer
	onUpdate func(*fakeBalancer, balancer.ClientConnState) error // nil to do nothing
}

// newFakePolicy registers a policy that is named like the test.
func newFakePolicy(t *testing.T) *fakePolicy {
	p := &fakePolicy{name: "fake_" + strings.ReplaceAll(t.Name(), "/", "_")}
	balancer.Register(p)
	return p
}

// option makes the policy that of a channel whose resolver has no service config.
func (p *fakePolicy) option() DialOption { return WithDefaultServiceConfig(p.config()) }

// config is a service config that names the policy.
func (p *fakePolicy) config() string { return fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, p.name) }

func (p *fakePolicy) Name() string { return p.name }

func (p *fakePolicy) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	b := &fakeBalancer{policy: p, cc: cc, opts: opts}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.built = append(p.built, b)
	p.log = append(p.log, "build")
	return b
}

// fakeConfig is a parsed config of a fakePolicy.
type fakeConfig struct {
	serviceconfig.LoadBalancingConfig
	Bad  bool
	Text string
}

func (p *fakePolicy) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	c := new(fakeConfig)
	if err := json.Unmarshal(js, c); err != nil || c.Bad {
		return nil, errors.New("bad config of a fake policy")
	}
	return c, nil
}

// note adds to the log.
func (p *fakePolicy) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// current returns the newest balancer, nil if there is none.
func (p *fakePolicy) current() *fakeBalancer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.built) == 0 {
		return nil
	}
	return p.built[len(p.built)-1]
}

// wantLog fails the test unless the log holds these lines, and empties it.
func (p *fakePolicy) wantLog(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.log, want) {
		t.Errorf("got events %q, want %q", p.log, want)
	}
	p.log = nil
}

// A fakeBalancer is a balancer.Balancer.
type fakeBalancer struct {
	policy *fakePolicy
	cc     balancer.ClientConn
	opts   balancer.BuildOptions
}

func (b *fakeBalancer) UpdateClientConnState(s balancer.ClientConnState) error {
	line := "update"
	for _, e := range s.ResolverState.Endpoints {
		for _, a := range e.Addresses {
			line += " " + a.Addr
		}
	}
	if c, ok := s.BalancerConfig.(*fakeConfig); ok && c.Text != "" {
		line += " with " + c.Text
	}
	b.policy.note("%s", line)
	b.policy.mu.Lock()
	onUpdate := b.policy.onUpdate
	b.policy.mu.Unlock()
	if onUpdate == nil {
		return nil
	}
	return onUpdate(b, s)
}

func (b *fakeBalancer) ResolverError(err error) { b.policy.note("error %v", err) }

func (b *fakeBalancer) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {
	b.policy.note("a state without a listener")
}

func (b *fakeBalancer) Close() { b.policy.note("close") }

func (b *fakeBalancer) ExitIdle() { b.policy.note("exit idle") }

// report gives the channel a state and a picker.
func (b *fakeBalancer) report(s connectivity.State, p balancer.Picker) {
	b.cc.UpdateState(balancer.State{ConnectivityState: s, Picker: p})
}

// newSubchannel makes a subchannel for addresses. Its states go to the log of the policy.
func (b *fakeBalancer) newSubchannel(t *testing.T, addrs ...string) *subchannel {
	t.Helper()
	sc, err := b.cc.NewSubConn(addressList(addrs...), balancer.NewSubConnOptions{StateListener: func(s balancer.SubConnState) {
		line := fmt.Sprintf("%s %v", addrs[0], s.ConnectivityState)
		if s.ConnectionError != nil {
			line += ": " + s.ConnectionError.Error()
		}
		b.policy.note("%s", line)
	}})
	must(t, err)
	return sc.(*subchannel)
}

func addressList(addrs ...string) []resolver.Address {
	list := make([]resolver.Address, len(addrs))
	for i, a := range addrs {
		list[i].Addr = a
	}
	return list
}
