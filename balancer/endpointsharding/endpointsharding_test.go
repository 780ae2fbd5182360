// Which child gets what, and when.

package endpointsharding

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failed     = connectivity.TransientFailure
)

var errChild = errors.New("child")

// sharded is what a test has to do with.
type sharded struct {
	*fakechannel.Channel
	policy   balancer.Balancer
	children *fakechannel.Policies
}

func run(t *testing.T, opts Options, f func(t *testing.T, s sharded)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := fakechannel.New()
		children := &fakechannel.Policies{Log: c}
		policy := NewBalancer(c, balancer.BuildOptions{}, children.Build, opts)
		f(t, sharded{c, policy, children})
		policy.Close()
		synctest.Wait()
	})
}

// update gives the policy endpoints and drops the log.
func (s sharded) update(t *testing.T, endpoints ...string) {
	t.Helper()
	fakechannel.Update(t, s.policy, fakechannel.Endpoints(endpoints...), nil)
	s.Forget()
}

func TestOneChildForEachEndpoint(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		fakechannel.Update(t, s.policy, fakechannel.Endpoints("a,a2", "b", "a2,a", "b"), nil)
		s.ExpectInAnyOrder(t, "?: built", "?: built", "a: a a2", "b: b", "IDLE")
		fakechannel.Update(t, s.policy, fakechannel.Endpoints("c", "a2,a"), nil)
		s.ExpectInAnyOrder(t, "?: built", "c: c", "a: a2 a", "b: closed", "IDLE")
		s.policy.Close()
		s.ExpectInAnyOrder(t, "a: closed", "c: closed")
	})
}

func TestNoEndpoints(t *testing.T) {
	const none = "TRANSIENT_FAILURE: no children to pick from"
	run(t, Options{}, func(t *testing.T, s sharded) {
		fakechannel.Update(t, s.policy, fakechannel.Endpoints(), balancer.ErrBadResolverState)
		s.Expect(t, none)
		s.policy.ResolverError(errChild)
		s.Expect(t, none)
		s.update(t, "a")
		onlyEmpty := balancer.ClientConnState{ResolverState: resolver.State{Endpoints: []resolver.Endpoint{{}}}}
		fakechannel.Update(t, s.policy, onlyEmpty, balancer.ErrBadResolverState)
		s.Expect(t, "a: closed", none)
	})
}

type config struct {
	serviceconfig.LoadBalancingConfig
	text string
}

func TestChildrenGetConfigAndAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got balancer.ClientConnState
		policy := NewBalancer(fakechannel.New(), balancer.BuildOptions{}, func(balancer.ClientConn, balancer.BuildOptions) balancer.Balancer {
			return recorder{&got}
		}, Options{})
		s := fakechannel.Endpoints("a")
		s.BalancerConfig = config{text: "x"}
		s.ResolverState.Attributes = attributes.New("key", "value")
		s.ResolverState.Addresses = []resolver.Address{{Addr: "b"}}
		s.ResolverState.ServiceConfig = &serviceconfig.ParseResult{}
		fakechannel.Update(t, policy, s, nil)
		if got.BalancerConfig != s.BalancerConfig || got.ResolverState.Attributes != s.ResolverState.Attributes {
			t.Errorf("got %v, want config and attributes of %v", got, s)
		}
		if len(got.ResolverState.Endpoints) != 1 || got.ResolverState.Addresses != nil || got.ResolverState.ServiceConfig != nil {
			t.Errorf("got %v, want one endpoint and nothing else", got.ResolverState)
		}
	})
}

// recorder is a policy that keeps its state.
type recorder struct{ state *balancer.ClientConnState }

func (r recorder) UpdateClientConnState(s balancer.ClientConnState) error { *r.state = s; return nil }
func (r recorder) ResolverError(error)                                    {}
func (r recorder) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {
}
func (r recorder) ExitIdle() {}
func (r recorder) Close()    {}

func TestFirstEndpointIsRandom(t *testing.T) {
	starts := map[string]bool{}
	for range 100 {
		run(t, Options{}, func(t *testing.T, s sharded) {
			s.update(t, "a", "b", "c")
			starts[s.children.All[0].Name] = true
		})
	}
	if len(starts) != 3 {
		t.Errorf("got first endpoints %v, want each of three sometimes", starts)
	}
}

func TestUpdateReportsOnce(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.children.OnUpdate = func(p *fakechannel.Policy) error {
			p.Reports(failed)
			if p.Name == "a" {
				return errChild
			}
			return nil
		}
		fakechannel.Update(t, s.policy, fakechannel.Endpoints("a"), errChild)
		s.Expect(t, "?: built", "a: a", "TRANSIENT_FAILURE: a")
		fakechannel.Update(t, s.policy, fakechannel.Endpoints("a", "b"), errChild)
		got := s.Last()
		s.Forget()
		if got.ConnectivityState != failed || len(ChildStatesFromPicker(got.Picker)) != 2 {
			t.Errorf("got %v of %v, want failure of two", got.ConnectivityState, ChildStatesFromPicker(got.Picker))
		}
	})
}

func TestResolverErrorGoesToAll(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		s.policy.ResolverError(errChild)
		s.Expect(t, "a: error child", "b: error child", "IDLE")
	})
}

func TestExitIdleGoesToAll(t *testing.T) {
	run(t, Options{DisableAutoReconnect: true}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		s.policy.ExitIdle()
		s.Expect(t, "a: exit idle", "b: exit idle", "IDLE")
	})
}

func TestIdleChildrenAreWoken(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		s.children.Of("a").Reports(idle)
		synctest.Wait()
		s.Expect(t, "IDLE", "a: exit idle")
		s.children.Of("a").Reports(connecting)
		synctest.Wait()
		s.Expect(t, "CONNECTING: a")
	})
}

func TestIdleChildrenAreLeftAlone(t *testing.T) {
	run(t, Options{DisableAutoReconnect: true}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		s.children.Of("a").Reports(idle)
		synctest.Wait()
		s.Expect(t, "IDLE")
		ChildStatesFromPicker(s.Last().Picker)[1].ExitIdle()
		synctest.Wait()
		s.Expect(t, "b: exit idle")
	})
}

func TestChildMayBeWokenWhileItReports(t *testing.T) {
	run(t, Options{DisableAutoReconnect: true}, func(t *testing.T, s sharded) {
		s.update(t, "a")
		exitIdle := ChildStatesFromPicker(s.Last().Picker)[0].ExitIdle
		s.children.OnUpdate = func(*fakechannel.Policy) error { exitIdle(); return nil }
		fakechannel.Update(t, s.policy, fakechannel.Endpoints("a"), nil)
		synctest.Wait()
		s.ExpectInAnyOrder(t, "a: a", "IDLE", "a: exit idle") // it is woken when the update is over, before the report or behind it
	})
}

func TestChildrenOfThePastAreIgnored(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		gone := ChildStatesFromPicker(s.Last().Picker)[0]
		s.update(t, "b")
		s.children.Of("a").Reports(ready)
		s.children.Of("a").Reports(idle)
		gone.ExitIdle()
		synctest.Wait()
		s.Expect(t)
	})
}

func TestNothingIsReportedAfterClose(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a")
		s.policy.Close()
		s.policy.ExitIdle()
		s.children.Of("a").Reports(ready)
		s.policy.UpdateSubConnState(nil, balancer.SubConnState{})
		synctest.Wait()
		s.Expect(t, "a: closed")
	})
}

// Reports come on goroutines of their own, and the channel must see the last word of each child in the end.
func TestReportsStayInOrder(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b", "c")
		for range 200 {
			for i, name := range []string{"a", "b", "c"} {
				child := s.children.Of(name)
				go func() {
					child.Reports(connecting)
					child.Reports([]connectivity.State{failed, ready, failed}[i])
				}()
			}
			s.policy.ResolverError(errChild)
			synctest.Wait()
			if got := s.Last().ConnectivityState; got != ready || s.PickNow() != "b" {
				t.Fatalf("got %v and pick %q in the end, want %v and b", got, s.PickNow(), ready)
			}
		}
		s.Forget()
	})
}

func TestChildrenCallTheChannel(t *testing.T) {
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a")
		s.children.Of("a").CC.ResolveNow(resolver.ResolveNowOptions{})
		s.Expect(t, "resolve")
	})
}
