// What pickers cost and cause.

package pickfirst

import (
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
)

func TestPickDoesNotAllocate(t *testing.T) {
	sc := &fakechannel.Sub{}
	for name, p := range map[string]balancer.Picker{
		"ready":  picker{sc: sc},
		"failed": picker{err: balancer.ErrNoSubConnAvailable},
	} {
		if n := testing.AllocsPerRun(100, func() { p.Pick(balancer.PickInfo{}) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, n)
		}
	}
	if r, err := (picker{sc: sc}).Pick(balancer.PickInfo{}); r.SubConn != balancer.SubConn(sc) || r.Done != nil || err != nil {
		t.Errorf("got %v, %v, want the subchannel alone", r, err)
	}
}

func TestFirstPickOfIdlePolicyConnects(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a")
		c.Sub("a").Goes(idleState)
		c.Expect(t, "IDLE")
		p := c.Last().Picker
		for range 3 {
			if got, want := fakechannel.Pick(p), "no SubConn is available"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		synctest.Wait()
		c.Expect(t, waitLine, "connect a")
		c.Sub("a").Goes(connecting, ready, idleState)
		c.Expect(t, "READY: a", "IDLE")
		fakechannel.Pick(p) // by an RPC that has been slow; it goes on to pick from the new picker
		synctest.Wait()
		c.Expect(t)
	})
}

func BenchmarkPick(b *testing.B) {
	b.ReportAllocs()
	var p balancer.Picker = picker{sc: &fakechannel.Sub{}}
	for b.Loop() {
		p.Pick(balancer.PickInfo{})
	}
}
