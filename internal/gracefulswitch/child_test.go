// The subchannels of policies, and their end.

package gracefulswitch

import (
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

func TestPoliciesHearFromTheirSubchannels(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		x := a.newSub(t, "x")
		a.reports(ready, "from A")
		y := switchTo(t, b, kindB).newSub(t, "y")
		c.expect(t, "A: built", "READY: from A", "B: built")
		x.goes(idle)
		y.goes(connecting)
		c.expect(t, "A: x goes IDLE", "B: y goes CONNECTING")
	})
}

func TestSubchannelWithoutListener(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		sc, err := a.cc.NewSubConn([]resolver.Address{{Addr: "x"}}, balancer.NewSubConnOptions{})
		if err != nil {
			t.Fatalf("got error %v, want none", err)
		}
		sc.(*sub).goes(connecting)
		c.expect(t, "A: built", "A: x is CONNECTING")
	})
}

func TestSubchannelThatIsRefused(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		if _, err := a.cc.NewSubConn([]resolver.Address{{Addr: "refused"}}, balancer.NewSubConnOptions{}); err == nil {
			t.Error("got no error, want that of the channel")
		}
		b.Close()
		c.expect(t, "A: built", "A: closed")
	})
}

func TestOldPolicyLeavesNoSubchannels(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		x, y, z := a.newSub(t, "x"), a.newSub(t, "y"), a.newSub(t, "z")
		y.goes(shutdown) // the policy has shut it down
		y.goes(shutdown)
		c.expect(t, "A: built", "A: y goes SHUTDOWN")
		switchTo(t, b, kindB).reports(ready, "from B")
		synctest.Wait()
		slices.Sort(c.log)
		c.expect(t, "A: closed", "B: built", "READY: from B", "shutdown x", "shutdown z")
		x.goes(shutdown)
		z.goes(ready)
		c.expect(t)
	})
}

func TestClosedPolicyMakesNoSubchannels(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		b.Close()
		c.expect(t, "A: built", "A: closed")
		if _, err := a.cc.NewSubConn([]resolver.Address{{Addr: "x"}}, balancer.NewSubConnOptions{}); err != errRetired {
			t.Errorf("got error %v, want %v", err, errRetired)
		}
		c.expect(t, "shutdown x")
	})
}

func TestLatestPolicyAsksForResolution(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		a.cc.ResolveNow(resolver.ResolveNowOptions{})
		c.expect(t, "A: built", "resolve")
		bb := switchTo(t, b, kindB)
		a.cc.ResolveNow(resolver.ResolveNowOptions{})
		c.expect(t, "B: built")
		bb.cc.ResolveNow(resolver.ResolveNowOptions{})
		c.expect(t, "resolve")
	})
}

// A listener that runs when its policy is replaced is waited for, and none begins afterwards. The race detector looks on.
func TestListenersAndCloseComeOneAtATime(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		for range 50 {
			a := switchTo(t, b, kindA)
			a.reports(ready, "from A")
			inside := false // guarded by nothing but the order of calls
			a.onClose = func() { inside = true }
			sc, err := a.cc.NewSubConn([]resolver.Address{{Addr: "x"}}, balancer.NewSubConnOptions{
				StateListener: func(balancer.SubConnState) {
					if inside {
						t.Error("got a listener called after Close, want none")
					}
				},
			})
			if err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			go sc.(*sub).goes(connecting)
			switchTo(t, b, kindB).reports(ready, "from B")
			go sc.(*sub).goes(idle)
			synctest.Wait()
		}
	})
}
