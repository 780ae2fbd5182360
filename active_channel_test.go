// Tests of the live half of a channel: what the policy is told of the resolver's results, service configs good and bad, and switches of
// policies. Its beginning and its end are tested in active_channel_end_test.go.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/serviceconfig"
)

// A liveTest is a channel whose resolver and policy are the test's. The resolver has not reported yet.
type liveTest struct {
	cc       *ClientConn
	resolver *manual.Resolver
	policy   *fakePolicy
}

func newLiveTest(t *testing.T, opts ...DialOption) *liveTest {
	l := &liveTest{resolver: newManual(), policy: newFakePolicy(t)}
	l.cc = newChannel(t, "manual:///test",
		append([]DialOption{WithResolvers(l.resolver), l.policy.option(), WithContextDialer(new(testDialer).dial), WithIdleTimeout(0)}, opts...)...)
	l.cc.Connect()
	synctest.Wait()
	return l
}

// report reports a state to the channel, and returns what the channel says.
func (l *liveTest) report(s resolver.State) error {
	err := l.resolver.CC().UpdateState(s)
	synctest.Wait()
	return err
}

// addresses reports addresses, with a service config if js is not empty.
func (l *liveTest) addresses(js string, addrs ...string) error {
	s := resolver.State{Addresses: addressList(addrs...)}
	if js != "" {
		s.ServiceConfig = l.resolver.CC().ParseServiceConfig(js)
	}
	return l.report(s)
}

// call makes a unary call and returns its error.
func (l *liveTest) call(t *testing.T) error {
	t.Helper()
	_, err := echo(t.Context(), l.cc, "x")
	return err
}

func TestPolicyIsMadeWithTheFirstAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t, WithUserAgent("mine"), WithAuthority("auth"))
		wantEqual(t, "state before", l.cc.GetState(), connectivity.Connecting)
		l.policy.wantLog(t)
		must(t, l.addresses("", "a", "b"))
		l.policy.wantLog(t, "build", "update a b")
		b := l.policy.current()
		wantEqual(t, "Authority", b.opts.Authority, "auth")
		wantEqual(t, "CustomUserAgent", b.opts.CustomUserAgent, "mine "+userAgent)
		wantEqual(t, "Target", b.opts.Target.String(), "manual:///test")
		wantEqual(t, "Target of the channel", b.cc.Target(), "manual:///test")
		wantEqual(t, "there is a metrics recorder", b.cc.MetricsRecorder() != nil, true)
		must(t, l.addresses("", "c"))
		l.policy.wantLog(t, "update c")
	})
}

func TestAddressesAndEndpointsAreMadeOfEachOther(t *testing.T) {
	inner, outer := attributes.New("k", "inner"), attributes.New("k", "outer")
	a := resolver.Address{Addr: "a", Attributes: inner, BalancerAttributes: outer}
	inEndpoint := resolver.Address{Addr: "a", Attributes: inner}
	b, c := resolver.Address{Addr: "b"}, resolver.Address{Addr: "c"}
	pair := resolver.Endpoint{Addresses: []resolver.Address{b, c}}
	for _, tt := range []struct {
		about string
		state resolver.State
		want  resolver.State
	}{
		{"addresses", resolver.State{Addresses: []resolver.Address{a}}, resolver.State{
			Addresses: []resolver.Address{a},
			Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{inEndpoint}, Attributes: outer}},
		}},
		{"endpoints", resolver.State{Endpoints: []resolver.Endpoint{pair, {Addresses: []resolver.Address{a}}}}, resolver.State{
			Addresses: []resolver.Address{b, c, a},
			Endpoints: []resolver.Endpoint{pair, {Addresses: []resolver.Address{a}}},
		}},
		{"both", resolver.State{Addresses: []resolver.Address{b}, Endpoints: []resolver.Endpoint{pair}}, resolver.State{
			Addresses: []resolver.Address{b}, Endpoints: []resolver.Endpoint{pair},
		}},
		{"endpoints without addresses", resolver.State{Endpoints: []resolver.Endpoint{{}}}, resolver.State{}},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLiveTest(t)
			var got resolver.State
			l.policy.onUpdate = func(_ *fakeBalancer, s balancer.ClientConnState) error { got = s.ResolverState; return nil }
			must(t, l.report(tt.state))
			if !slices.EqualFunc(got.Addresses, tt.want.Addresses, resolver.Address.Equal) {
				t.Errorf("%s: got addresses %v, want %v", tt.about, got.Addresses, tt.want.Addresses)
			}
			if !slices.EqualFunc(got.Endpoints, tt.want.Endpoints, equalEndpoints) {
				t.Errorf("%s: got endpoints %v, want %v", tt.about, got.Endpoints, tt.want.Endpoints)
			}
		})
	}
}

func equalEndpoints(a, b resolver.Endpoint) bool {
	return slices.EqualFunc(a.Addresses, b.Addresses, resolver.Address.Equal) && a.Attributes.Equal(b.Attributes)
}

func TestReportedAddressesAreNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		given := []resolver.Address{{Addr: "a", BalancerAttributes: attributes.New("k", "v")}}
		must(t, l.report(resolver.State{Addresses: given}))
		if given[0].BalancerAttributes == nil {
			t.Error("the channel has changed the resolver's addresses")
		}
	})
}

func TestResolverMayReportAddressesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		l.resolver.CC().NewAddress(addressList("a"))
		synctest.Wait()
		l.policy.wantLog(t, "build", "update a")
	})
}

func TestResolverGetsTheErrorOfThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		l.policy.onUpdate = func(*fakeBalancer, balancer.ClientConnState) error { return errEnd }
		wantEqual(t, "UpdateState", l.addresses("", "a"), errEnd)
	})
}

func TestResolverErrorGoesToThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		l.resolver.CC().ReportError(errors.New("lost"))
		synctest.Wait()
		l.policy.wantLog(t, "build", "update a", "error lost")
	})
}

func TestResolverErrorBeforeAnyAddressesFailsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		l.resolver.CC().ReportError(errors.New("lost"))
		synctest.Wait()
		wantEqual(t, "state", l.cc.GetState(), connectivity.TransientFailure)
		wantStatus(t, "call", l.call(t), "Unavailable: lost")
		must(t, l.addresses("", "a"))
		l.policy.wantLog(t, "build", "update a")
	})
}

func TestPolicyReportsStateAndPicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		for _, s := range []connectivity.State{connectivity.TransientFailure, connectivity.Idle, connectivity.Ready, connectivity.Connecting} {
			l.policy.current().report(s, failingPicker{errors.New("picked in " + s.String())})
			synctest.Wait()
			wantEqual(t, "state", l.cc.GetState(), s)
			wantStatus(t, "call", l.call(t), "Unavailable: picked in "+s.String())
		}
	})
}

func TestConnectWakesThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		l.policy.wantLog(t, "build", "update a")
		l.cc.Connect()
		synctest.Wait()
		l.policy.wantLog(t, "exit idle")
	})
}

// otherConfig is a service config of a type that is not the library's.
type otherConfig struct{ serviceconfig.Config }

func TestBadServiceConfigThatIsTheFirstFailsCalls(t *testing.T) {
	for _, tt := range []struct {
		result serviceconfig.ParseResult
		want   string
	}{
		{serviceconfig.ParseResult{Err: errors.New("why")}, "error parsing service config: why"},
		{serviceconfig.ParseResult{Err: errors.New("why"), Config: otherConfig{}}, "error parsing service config: why"},
		{serviceconfig.ParseResult{Config: otherConfig{}}, "illegal service config type: grpc.otherConfig"},
		{serviceconfig.ParseResult{}, "illegal service config type: <nil>"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLiveTest(t)
			err := l.report(resolver.State{Addresses: addressList("a"), ServiceConfig: &tt.result})
			wantEqual(t, "UpdateState", err, balancer.ErrBadResolverState)
			wantEqual(t, "state", l.cc.GetState(), connectivity.TransientFailure)
			wantStatus(t, "call", l.call(t), "Unavailable: "+tt.want)
			l.policy.wantLog(t)
			must(t, l.addresses("", "a")) // without a service config, that is: with the default one
			l.policy.wantLog(t, "build", "update a")
		})
	}
}

func TestBadServiceConfigThatIsNotTheFirstLeavesTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{"Text":"first"}}]}`, l.policy.name), "a"))
		for _, bad := range []*serviceconfig.ParseResult{l.resolver.CC().ParseServiceConfig("{"), {Config: otherConfig{}}, {}} {
			err := l.report(resolver.State{Addresses: addressList("b"), ServiceConfig: bad})
			wantEqual(t, "UpdateState", err, balancer.ErrBadResolverState)
		}
		l.policy.wantLog(t, "build", "update a with first", "update b with first", "update b with first", "update b with first")
	})
}

func TestServiceConfigsOfTheResolverCanBeDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t, WithDisableServiceConfig())
		must(t, l.addresses(`{"loadBalancingConfig":[{"round_robin":{}}]}`, "a"))
		must(t, l.addresses("{", "b"))
		l.policy.wantLog(t, "build", "update a", "update b")
	})
}

func TestMethodConfigComesFromTheServiceConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		wantEqual(t, "timeout before", l.cc.GetMethodConfig(unaryMethod).Timeout, nil)
		js := `{"methodConfig":[{"name":[{"service":"test.S"}],"timeout":"3s"}]}`
		must(t, l.addresses(js, "a"))
		if got := l.cc.GetMethodConfig(unaryMethod).Timeout; got == nil || *got != 3*time.Second {
			t.Errorf("timeout: got %v, want 3s", got)
		}
		wantEqual(t, "timeout of another service", l.cc.GetMethodConfig("/other/Method").Timeout, nil)
	})
}

func TestThrottleLivesAsLongAsItsServiceConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		ac := l.cc.live.Load()
		js := `{"methodConfig":[{"name":[{}]}],"retryThrottling":{"maxTokens":10,"tokenRatio":1}}`
		result := l.resolver.CC().ParseServiceConfig(js)
		s := resolver.State{Addresses: addressList("a"), ServiceConfig: result}
		must(t, l.report(s))
		first := ac.throttle.Load()
		must(t, l.report(s))
		if got := ac.throttle.Load(); got == nil || got != first {
			t.Errorf("throttle of the same config: got %p, want %p", got, first)
		}
		s.ServiceConfig = l.resolver.CC().ParseServiceConfig(js)
		must(t, l.report(s))
		if got := ac.throttle.Load(); got == nil || got == first {
			t.Errorf("throttle of the next config: got %p, want another one than %p", got, first)
		}
		must(t, l.addresses("", "a"))
		wantEqual(t, "throttle of the default config", ac.throttle.Load(), nil)
	})
}

func TestServiceConfigSwitchesPoliciesWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("", "a"))
		old := l.policy.current()
		old.report(connectivity.Ready, failingPicker{errors.New("old")})
		next := &fakePolicy{name: l.policy.name + "_next"}
		balancer.Register(next)
		must(t, l.addresses(next.config(), "b"))
		next.wantLog(t, "build", "update b")
		wantStatus(t, "call during the switch", l.call(t), "Unavailable: old")
		next.current().report(connectivity.Ready, failingPicker{errors.New("new")})
		synctest.Wait()
		wantStatus(t, "call after the switch", l.call(t), "Unavailable: new")
		l.policy.wantLog(t, "build", "update a", "close")
		old.report(connectivity.TransientFailure, failingPicker{errors.New("late")})
		synctest.Wait()
		wantEqual(t, "state", l.cc.GetState(), connectivity.Ready)
		wantStatus(t, "call after a late report of the old policy", l.call(t), "Unavailable: new")
		must(t, l.addresses("", "c")) // back to the default
		l.policy.wantLog(t, "build", "update c")
	})
}

func TestServiceConfigWithoutPolicyMeansPickFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		must(t, l.addresses("{}", "a"))
		synctest.Wait()
		wantStatus(t, "call", l.call(t), `Unavailable: connection error: desc = "transport: Error while dialing: refused for the test"`)
		l.policy.wantLog(t)
	})
}

func TestNameResolutionIsAskedForByThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := newManual()
		r.ResolveNowCallback = func(resolver.ResolveNowOptions) { asked++ }
		l := newLiveTest(t, WithResolvers(r))
		wantEqual(t, "builder", l.cc.builder, resolver.Builder(l.resolver)) // the first one given
		l.resolver.ResolveNowCallback = r.ResolveNowCallback
		must(t, l.addresses("", "a"))
		l.policy.current().cc.ResolveNow(resolver.ResolveNowOptions{})
		synctest.Wait()
		wantEqual(t, "requests", asked, 1)
	})
}

func TestCallWaitsForTheFirstResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		ac := l.cc.live.Load()
		waited := make(chan bool)
		go func() {
			w, err := ac.await(t.Context())
			must(t, err)
			waited <- w
		}()
		synctest.Wait()
		wantEqual(t, "results", len(waited), 0)
		must(t, l.addresses("", "a"))
		wantEqual(t, "waited", <-waited, true)
		again, err := ac.await(t.Context())
		must(t, err)
		wantEqual(t, "waited afterwards", again, false)
	})
}

func TestCallThatWaitsForTheFirstResultEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiveTest(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := echo(ctx, l.cc, "x", WaitForReady(true))
		wantStatus(t, "call", err, "DeadlineExceeded: context deadline exceeded")
		wantEqual(t, "calls under way", l.cc.idle.calls.Load(), 0)
	})
}
