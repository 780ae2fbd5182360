// When the child is made, and what it gets.

package lazy

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
)

var errResolver = errors.New("no such host")

func run(t *testing.T, f func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := fakechannel.New()
		children := &fakechannel.Policies{Log: c}
		policy := NewBalancer(c, balancer.BuildOptions{}, children.Build)
		c.Expect(t, "IDLE")
		f(t, c, policy, children)
		policy.Close()
	})
}

func TestPickMakesTheChild(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
		c.Expect(t)
		p := c.Last().Picker
		for range 2 {
			if got, want := fakechannel.Pick(p), "no SubConn is available"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			synctest.Wait()
		}
		c.Expect(t, "?: built", "a: a")
	})
}

func TestPickAfterExitIdleDoesNothing(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
		policy.ExitIdle()
		c.Expect(t, "?: built")
		fakechannel.Pick(c.Last().Picker)
		synctest.Wait()
		c.Expect(t)
	})
}

func TestChildGetsWhatCameBefore(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, policy balancer.Balancer)
		want   []string
	}{
		{"nothing", func(*testing.T, balancer.Balancer) {}, nil},
		{"an error", func(t *testing.T, policy balancer.Balancer) { policy.ResolverError(errResolver) },
			[]string{"?: error no such host"}},
		{"an error before the update", func(t *testing.T, policy balancer.Balancer) {
			policy.ResolverError(errResolver)
			fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
		}, []string{"a: a"}},
		{"two updates and an error", func(t *testing.T, policy balancer.Balancer) {
			fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
			fakechannel.Update(t, policy, fakechannel.Endpoints("b"), nil)
			policy.ResolverError(errResolver)
		}, []string{"b: b", "b: error no such host"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, ch *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
				c.before(t, policy)
				ch.Expect(t)
				policy.ExitIdle()
				ch.Expect(t, append([]string{"?: built"}, c.want...)...)
			})
		})
	}
}

func TestChildGetsAllThatComesLater(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
		policy.ExitIdle()
		c.Expect(t, "?: built")
		errChild := errors.New("child")
		children.OnUpdate = func(*fakechannel.Policy) error { return errChild }
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), errChild)
		policy.ResolverError(errResolver)
		policy.ExitIdle()
		c.Expect(t, "a: a", "a: error no such host", "a: exit idle")
		sc, err := children.Of("a").CC.NewSubConn(fakechannel.Endpoints("x").ResolverState.Endpoints[0].Addresses, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatalf("got error %v, want none", err)
		}
		policy.UpdateSubConnState(sc, balancer.SubConnState{})
		children.Of("a").Reports(connectivity.Ready)
		policy.Close()
		c.Expect(t, "new x", "a: state of x", "READY: a", "a: closed")
	})
}

func TestBadStateIsResolvedAgain(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
		children.OnUpdate = func(*fakechannel.Policy) error { return balancer.ErrBadResolverState }
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
		policy.ExitIdle()
		c.Expect(t, "?: built", "a: a", "resolve")
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), balancer.ErrBadResolverState)
		c.Expect(t, "a: a")
	})
}

func TestNoChildAfterClose(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy balancer.Balancer, children *fakechannel.Policies) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
		policy.Close()
		policy.ExitIdle()
		policy.UpdateSubConnState(nil, balancer.SubConnState{})
		fakechannel.Pick(c.Last().Picker)
		synctest.Wait()
		c.Expect(t)
	})
}
