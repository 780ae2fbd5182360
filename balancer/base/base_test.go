// Subchannels, states and pickers of a policy that is made of a picker builder.

package base

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failed     = connectivity.TransientFailure
	shutdown   = connectivity.Shutdown
)

const waitLine = "CONNECTING: no SubConn is available"

var errResolver = errors.New("no such host")

// listPickers makes pickers that return an error with the addresses of all ready subchannels.
type listPickers struct{ built int }

func (p *listPickers) Build(info PickerBuildInfo) balancer.Picker {
	p.built++
	if len(info.ReadySCs) == 0 {
		return NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	var addrs []string
	for _, sc := range info.ReadySCs {
		addrs = append(addrs, sc.Address.Addr)
	}
	slices.Sort(addrs)
	return NewErrPicker(errors.New(strings.Join(addrs, " ")))
}

func newPolicy(config Config) (*fakechannel.Channel, balancer.Balancer, *listPickers) {
	c := fakechannel.New()
	pickers := &listPickers{}
	return c, NewBalancerBuilder("list", pickers, config).Build(c, balancer.BuildOptions{}), pickers
}

func addrs(names ...string) balancer.ClientConnState {
	var s balancer.ClientConnState
	for _, name := range names {
		s.ResolverState.Addresses = append(s.ResolverState.Addresses, resolver.Address{Addr: name})
	}
	return s
}

func TestBuilder(t *testing.T) {
	b := NewBalancerBuilder("name", &listPickers{}, Config{})
	if got := b.Name(); got != "name" {
		t.Errorf("got %q, want %q", got, "name")
	}
	if _, ok := b.(balancer.ConfigParser); ok {
		t.Error("got a ConfigParser, want none: there is no configuration")
	}
}

func TestErrPicker(t *testing.T) {
	for _, newPicker := range []func(error) balancer.Picker{NewErrPicker, NewErrPickerV2} {
		if r, err := newPicker(errResolver).Pick(balancer.PickInfo{}); err != errResolver || r.SubConn != nil {
			t.Errorf("got %v, %v, want nothing and %v", r, err, errResolver)
		}
	}
}

func TestOneSubchannelForEachAddress(t *testing.T) {
	c, policy, _ := newPolicy(Config{HealthCheck: true})
	fakechannel.Update(t, policy, addrs("a", "b", "a"), nil)
	c.Expect(t, "new a with health", "connect a", "new b with health", "connect b", waitLine)
	fakechannel.Update(t, policy, addrs("b", "c"), nil)
	c.Expect(t, "new c with health", "connect c", "shutdown a", waitLine)
	c.Sub("a").Goes(connecting, ready, shutdown) // late news of the past
	c.Expect(t)
	policy.Close()
	c.ExpectInAnyOrder(t, "shutdown b", "shutdown c")
	c.Sub("b").Goes(ready)
	c.Expect(t)
}

func TestPickersFollowWhatIsReady(t *testing.T) {
	c, policy, pickers := newPolicy(Config{})
	fakechannel.Update(t, policy, addrs("a", "b"), nil)
	c.Forget()
	c.Sub("a").Goes(connecting, ready)
	c.Expect(t, "READY: a")
	c.Sub("b").Goes(connecting, ready)
	c.Expect(t, "READY: a b")
	built := pickers.built
	c.Sub("a").Goes(idle)
	c.Expect(t, "connect a", "READY: b")
	c.Sub("a").Goes(connecting, failed, connecting, idle, connecting)
	c.Expect(t, "connect a") // once more: its backoff has passed
	if pickers.built != built+1 {
		t.Errorf("got %d pickers more, want 1", pickers.built-built)
	}
	policy.ExitIdle()
	c.Expect(t)
}

func TestIdleOnTheWayToConnecting(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	fakechannel.Update(t, policy, addrs("a"), nil)
	c.Sub("a").Goes(ready)
	c.Forget()
	c.Sub("a").Goes(idle, connecting)
	c.Expect(t, "connect a", "IDLE", waitLine)
}

func TestFailureTellsWhy(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	fakechannel.Update(t, policy, addrs("a", "b"), nil)
	c.Sub("a").Goes(failed)
	c.Forget()
	policy.ResolverError(errResolver) // which does not matter yet
	c.Expect(t)
	c.Sub("b").Goes(failed)
	c.Expect(t, "TRANSIENT_FAILURE: last connection error: b failed; last resolver error: no such host")
	policy.ResolverError(errors.New("timeout"))
	c.Expect(t, "TRANSIENT_FAILURE: last connection error: b failed; last resolver error: timeout")
	c.Sub("a").Goes(idle, connecting) // it counts as failed until it is ready
	c.Expect(t, "connect a")
	fakechannel.Update(t, policy, addrs("a", "b"), nil)
	c.Expect(t, "TRANSIENT_FAILURE: last connection error: b failed")
	c.Sub("a").Goes(ready)
	c.Expect(t, "READY: a")
}

func TestNewAddressEndsFailure(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	fakechannel.Update(t, policy, addrs("a"), nil)
	c.Sub("a").Goes(failed)
	c.Forget()
	fakechannel.Update(t, policy, addrs("a", "b"), nil)
	c.Expect(t, "new b", "connect b", waitLine)
}

func TestNoAddresses(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	policy.ResolverError(errResolver)
	c.Expect(t, "TRANSIENT_FAILURE: last resolver error: no such host")
	fakechannel.Update(t, policy, addrs(), balancer.ErrBadResolverState)
	c.Expect(t, "TRANSIENT_FAILURE: last resolver error: produced zero addresses")
	fakechannel.Update(t, policy, addrs("a"), nil)
	c.Expect(t, "new a", "connect a", waitLine)
	fakechannel.Update(t, policy, addrs(), balancer.ErrBadResolverState)
	c.Expect(t, "shutdown a", "TRANSIENT_FAILURE: last resolver error: produced zero addresses")
}

func TestChannelMakesNoSubchannel(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	c.Refuse = map[string]error{"a": errors.New("no more")}
	fakechannel.Update(t, policy, addrs("a"), nil)
	c.Expect(t, "TRANSIENT_FAILURE: last connection error: no more")
	fakechannel.Update(t, policy, addrs("a", "b"), nil)
	c.Expect(t, "new b", "connect b", waitLine)
}

// addressPickers keeps the addresses that it was given.
type addressPickers struct{ got []resolver.Address }

func (p *addressPickers) Build(info PickerBuildInfo) balancer.Picker {
	for _, sc := range info.ReadySCs {
		p.got = append(p.got, sc.Address)
	}
	return NewErrPicker(balancer.ErrNoSubConnAvailable)
}

func TestPickersKnowTheWholeAddress(t *testing.T) {
	c := fakechannel.New()
	pickers := &addressPickers{}
	policy := NewBalancerBuilder("addresses", pickers, Config{}).Build(c, balancer.BuildOptions{})
	attrs := attributes.New("key", "value")
	s := balancer.ClientConnState{ResolverState: resolver.State{Addresses: []resolver.Address{{Addr: "a", BalancerAttributes: attrs}}}}
	fakechannel.Update(t, policy, s, nil)
	c.Sub("a").Goes(ready)
	if len(pickers.got) != 1 || pickers.got[0].BalancerAttributes != attrs {
		t.Errorf("got %v, want %v", pickers.got, s.ResolverState.Addresses)
	}
}

func TestUpdateSubConnStateHasNoEffect(t *testing.T) {
	c, policy, _ := newPolicy(Config{})
	policy.UpdateSubConnState(&fakechannel.Sub{}, balancer.SubConnState{ConnectivityState: ready})
	c.Expect(t)
}
