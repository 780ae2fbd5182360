// A channel and policies that write down what happens to them. Those of balancer/internal are out of reach from here.

package gracefulswitch

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

// channel is a balancer.ClientConn.
type channel struct {
	balancer.ClientConn // nil

	mu  sync.Mutex // guards log
	log []string
}

func (c *channel) write(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

// expect fails the test if the log since the last call is not want.
func (c *channel) expect(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	got := c.log
	c.log = nil
	c.mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("got log:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (c *channel) UpdateState(s balancer.State) {
	_, err := s.Picker.Pick(balancer.PickInfo{})
	c.write("%v: %v", s.ConnectivityState, err)
}

func (c *channel) NewSubConn(addrs []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	if addrs[0].Addr == "refused" {
		return nil, errors.New("refused")
	}
	return &sub{c: c, addr: addrs[0].Addr, listener: opts.StateListener}, nil
}

func (c *channel) ResolveNow(resolver.ResolveNowOptions) { c.write("resolve") }
func (c *channel) Target() string                        { return "target" }

// sub is a subchannel.
type sub struct {
	balancer.SubConn // nil
	c                *channel
	addr             string
	listener         func(balancer.SubConnState)
}

func (s *sub) Shutdown() { s.c.write("shutdown %s", s.addr) }

func (s *sub) goes(state connectivity.State) {
	s.listener(balancer.SubConnState{ConnectivityState: state})
}

// kind is the builder of policies of one name.
type kind struct {
	c       *channel
	name    string
	onBuild func(*policy)
	broken  bool // Build returns nil
	made    []*policy
}

func (k *kind) Name() string { return k.name }

func (k *kind) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	if k.broken {
		return nil
	}
	p := &policy{kind: k, cc: cc}
	k.made = append(k.made, p)
	k.c.write("%s: built", k.name)
	if k.onBuild != nil {
		k.onBuild(p)
	}
	return p
}

// last returns the newest policy of the kind.
func (k *kind) last() *policy { return k.made[len(k.made)-1] }

// parserKind is a kind whose configuration is a JSON string.
type parserKind struct{ *kind }

type stringConfig struct {
	serviceconfig.LoadBalancingConfig
	text string
}

func (k parserKind) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var config stringConfig
	err := json.Unmarshal(js, &config.text)
	return config, err
}

// policy is a balancer.Balancer.
type policy struct {
	kind      *kind
	cc        balancer.ClientConn
	updateErr error
	onClose   func()
}

func (p *policy) write(format string, args ...any) {
	p.kind.c.write("%s: %s", p.kind.name, fmt.Sprintf(format, args...))
}

func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	p.write("update %v", s.BalancerConfig)
	return p.updateErr
}

func (p *policy) ResolverError(err error) { p.write("error %v", err) }

func (p *policy) UpdateSubConnState(sc balancer.SubConn, s balancer.SubConnState) {
	p.write("%s is %v", sc.(*sub).addr, s.ConnectivityState)
}

func (p *policy) Close() {
	p.write("closed")
	if p.onClose != nil {
		p.onClose()
	}
}

func (p *policy) ExitIdle() { p.write("exit idle") }

// newSub makes a subchannel with a listener that writes its states down.
func (p *policy) newSub(t *testing.T, addr string) *sub {
	t.Helper()
	sc, err := p.cc.NewSubConn([]resolver.Address{{Addr: addr}}, balancer.NewSubConnOptions{
		StateListener: func(s balancer.SubConnState) { p.write("%s goes %v", addr, s.ConnectivityState) },
	})
	if err != nil {
		t.Fatalf("got error %v of NewSubConn, want none", err)
	}
	return sc.(*sub)
}

// reports makes the policy report a state with a picker that returns text as an error.
func (p *policy) reports(s connectivity.State, text string) {
	p.cc.UpdateState(balancer.State{ConnectivityState: s, Picker: errPicker{errors.New(text)}})
}
