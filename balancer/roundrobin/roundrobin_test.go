// The policy as the channel sees it: all of the pieces together.

package roundrobin

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/serviceconfig"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failed     = connectivity.TransientFailure
)

const waitLine = "CONNECTING: no SubConn is available"

func TestTurnsForWhatIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fakechannel.New()
		policy := balancer.Get(Name).Build(c, balancer.BuildOptions{})
		defer policy.Close()
		s := fakechannel.Endpoints("a", "b")
		s.BalancerConfig = struct {
			serviceconfig.LoadBalancingConfig
		}{} // which round_robin has none of
		fakechannel.Update(t, policy, s, nil)
		c.ExpectInAnyOrder(t, "new a", "connect a", "new b", "connect b", waitLine)

		c.Sub("a").Goes(connecting, ready)
		c.Expect(t, "watch health of a")
		c.Sub("a").HealthGoes(ready)
		c.Expect(t, "READY: a")
		c.Sub("b").Goes(connecting, failed)
		c.Expect(t, "READY: a")
		c.Sub("b").Goes(idle, connecting, ready)
		c.Expect(t, "connect b", "READY: a", "watch health of b")
		c.Sub("b").HealthGoes(ready)
		turns := map[string]int{}
		for range 10 {
			turns[c.PickNow()]++
		}
		if turns["a"] != 5 || turns["b"] != 5 {
			t.Errorf("got turns %v, want 5 each", turns)
		}
		c.Forget()

		c.Sub("a").HealthGoes(failed)
		c.Expect(t, "READY: b")
		c.Sub("b").Goes(idle)
		synctest.Wait()
		c.Expect(t, "IDLE", waitLine, "connect b")
		c.Sub("b").Goes(connecting, failed)
		c.Forget()
		if got := c.Last().ConnectivityState; got != failed {
			t.Errorf("got state %v, want %v", got, failed)
		}
		fakechannel.Update(t, policy, fakechannel.Endpoints(), balancer.ErrBadResolverState)
		c.ExpectInAnyOrder(t, "shutdown a", "shutdown b", "TRANSIENT_FAILURE: no children to pick from")
	})
}
