// What pick_first does when the channel calls it. The channel is a fake that writes down what the policy does; see its comment for
// how to read the lines.

package pickfirst

import (
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

const (
	idleState  = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failure    = connectivity.TransientFailure
	shutdown   = connectivity.Shutdown
)

const waitLine = "CONNECTING: no SubConn is available"

var errResolver = errors.New("no such host")

// run runs f in a bubble with a new policy, and closes the policy.
func run(t *testing.T, f func(t *testing.T, c *fakechannel.Channel, policy *pickFirst)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := fakechannel.New()
		policy := balancer.Get(Name).Build(c, balancer.BuildOptions{}).(*pickFirst)
		f(t, c, policy)
		policy.Close()
	})
}

// connectTo gives the policy the addresses and lets the connection to the first one succeed.
func connectTo(t *testing.T, c *fakechannel.Channel, policy *pickFirst, addrs ...string) {
	t.Helper()
	fakechannel.Update(t, policy, fakechannel.Endpoints(addrs...), nil)
	c.Expect(t, waitLine, "new "+addrs[0], "connect "+addrs[0])
	c.Sub(addrs[0]).Goes(connecting, ready)
	c.Expect(t, "READY: "+addrs[0])
}

// failOn gives the policy the addresses a and b and lets both fail.
func failOn(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
	t.Helper()
	fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
	c.Sub("a").Goes(connecting, failure)
	c.Sub("b").Goes(connecting, failure)
	c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b", "TRANSIENT_FAILURE: b failed")
}

func TestConnectsToTheFirstAddress(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a", "b")
		fakechannel.Pass(10 * attemptDelay)
		c.Expect(t)
		policy.Close()
		c.Expect(t, "shutdown a")
		c.Sub("a").Goes(shutdown)
		c.Expect(t)
	})
}

func TestConnectsAgainWhenTold(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		policy.ExitIdle()
		c.Expect(t)
		connectTo(t, c, policy, "a", "b")
		policy.ExitIdle()
		c.Expect(t)
		c.Sub("a").Goes(idleState)
		c.Expect(t, "IDLE")
		policy.ExitIdle()
		policy.ExitIdle()
		c.Expect(t, waitLine, "connect a")
	})
}

func TestKeepsConnectionToAddressThatStays(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a", "b")
		fakechannel.Update(t, policy, fakechannel.Endpoints("x", "a", "y"), nil)
		c.Expect(t)
		c.Sub("a").Goes(idleState)
		policy.ExitIdle()
		c.Expect(t, "IDLE", waitLine, "new x", "connect x")
		fakechannel.Pass(attemptDelay)
		c.Expect(t, "connect a")
		fakechannel.Pass(attemptDelay)
		c.Expect(t, "new y", "connect y")
	})
}

func TestLeavesConnectionToAddressThatGoes(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a", "b")
		fakechannel.Update(t, policy, fakechannel.Endpoints("b", "c"), nil)
		c.Expect(t, "shutdown a", waitLine, "new b", "connect b")
		c.Sub("a").Goes(connecting, failure, idleState, shutdown) // late news of the past
		c.Expect(t)
	})
}

func TestNewListDuringAttempts(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b", "c"), nil)
		c.Sub("a").Goes(connecting)
		fakechannel.Pass(attemptDelay)
		c.Sub("b").Goes(connecting)
		c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b")
		fakechannel.Pass(attemptDelay / 2)
		fakechannel.Update(t, policy, fakechannel.Endpoints("d", "b", "e"), nil)
		c.Expect(t, "shutdown a", "new d", "connect d")
		fakechannel.Pass(attemptDelay) // the turn of b, which is connecting already
		c.Expect(t)
		fakechannel.Pass(attemptDelay)
		c.Expect(t, "new e", "connect e")
	})
}

func TestNewListWhileIdle(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a", "b")
		c.Sub("a").Goes(idleState)
		c.Expect(t, "IDLE")
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "c"), nil)
		c.Expect(t)
		fakechannel.Update(t, policy, fakechannel.Endpoints("c", "d"), nil)
		c.Expect(t, "shutdown a")
		policy.ResolverError(errResolver)
		c.Expect(t)
		policy.ExitIdle()
		c.Expect(t, waitLine, "new c", "connect c")
	})
}

func TestNoAddresses(t *testing.T) {
	for name, empty := range map[string]balancer.ClientConnState{
		"no endpoints":                  {},
		"an endpoint without addresses": {ResolverState: resolver.State{Endpoints: []resolver.Endpoint{{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
				const line = "TRANSIENT_FAILURE: name resolver error: produced zero addresses"
				fakechannel.Update(t, policy, empty, balancer.ErrBadResolverState)
				c.Expect(t, line)
				connectTo(t, c, policy, "a")
				fakechannel.Update(t, policy, empty, balancer.ErrBadResolverState)
				c.Expect(t, "shutdown a", line)
				policy.ExitIdle()
				c.Expect(t)
				connectTo(t, c, policy, "a")
			})
		})
	}
}

func TestNoAddressesDuringAttempts(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
		c.Expect(t, waitLine, "new a", "connect a")
		fakechannel.Update(t, policy, fakechannel.Endpoints(), balancer.ErrBadResolverState)
		c.Expect(t, "shutdown a", "TRANSIENT_FAILURE: name resolver error: produced zero addresses")
		fakechannel.Pass(attemptDelay)
		c.Expect(t)
	})
}

func TestResolverError(t *testing.T) {
	const line = "TRANSIENT_FAILURE: name resolver error: no such host"
	t.Run("before the first addresses", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			policy.ResolverError(errResolver)
			c.Expect(t, line)
			connectTo(t, c, policy, "a")
		})
	})
	t.Run("does not matter while there is hope", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
			policy.ResolverError(errResolver)
			c.Sub("a").Goes(connecting, ready)
			policy.ResolverError(errResolver)
			c.Expect(t, waitLine, "new a", "connect a", "READY: a")
		})
	})
	t.Run("is shown when all have failed", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			failOn(t, c, policy)
			policy.ResolverError(errResolver)
			c.Expect(t, line)
		})
	})
}

func TestConfigError(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		s := fakechannel.Endpoints("a")
		s.BalancerConfig = foreignConfig{}
		fakechannel.Update(t, policy, s, balancer.ErrBadResolverState)
		c.Expect(t)
		s.BalancerConfig = pfConfig{ShuffleAddressList: true}
		fakechannel.Update(t, policy, s, nil)
		c.Expect(t, waitLine, "new a", "connect a")
	})
}

func TestNothingHappensAfterClose(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
		c.Expect(t, waitLine, "new a", "connect a")
		policy.Close()
		c.Expect(t, "shutdown a")
		policy.Close()
		policy.ExitIdle()
		policy.ResolverError(errResolver)
		fakechannel.Update(t, policy, fakechannel.Endpoints("c"), nil)
		fakechannel.Update(t, policy, fakechannel.Endpoints(), balancer.ErrBadResolverState)
		policy.UpdateSubConnState(c.Sub("a"), balancer.SubConnState{ConnectivityState: ready})
		c.Sub("a").Goes(connecting, ready)
		fakechannel.Pass(attemptDelay)
		c.Expect(t)
	})
}

// ExitIdle and the timer come on goroutines of their own. The race detector looks on.
func TestCallsFromOtherGoroutines(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		for range 100 {
			fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
			for range 3 {
				go policy.ExitIdle()
			}
			go fakechannel.Pick(c.Last().Picker)
			fakechannel.Pass(attemptDelay)
			c.Sub("a").Goes(connecting, ready)
			go policy.ExitIdle()
			c.Sub("a").Goes(idleState)
			fakechannel.Pass(attemptDelay)
			if got := c.Last().ConnectivityState; got != idleState && got != connecting {
				t.Fatalf("got %v, want %v or %v", got, idleState, connecting)
			}
		}
		c.Forget()
	})
}
