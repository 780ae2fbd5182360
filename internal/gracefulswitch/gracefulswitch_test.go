// Which policy serves, and which one hears what, before, during and after a switch.

package gracefulswitch

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failed     = connectivity.TransientFailure
	shutdown   = connectivity.Shutdown
)

var errResolver = errors.New("no such host")

// run runs f in a bubble with a Balancer and two kinds of policies.
func run(t *testing.T, f func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		b := NewBalancer(c, balancer.BuildOptions{})
		f(t, c, b, &kind{c: c, name: "A"}, &kind{c: c, name: "B"})
		b.Close()
		synctest.Wait()
	})
}

// switchTo switches and fails the test if there is an error.
func switchTo(t *testing.T, b *Balancer, k *kind) *policy {
	t.Helper()
	if err := b.SwitchTo(k); err != nil {
		t.Fatalf("got error %v of SwitchTo, want none", err)
	}
	return k.last()
}

func TestWithoutPolicy(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, _, _ *kind) {
		b.ExitIdle()
		c.expect(t)
		b.ResolverError(errResolver)
		c.expect(t, "TRANSIENT_FAILURE: no such host")
		if err := b.UpdateClientConnState(balancer.ClientConnState{}); err != errClosed {
			t.Errorf("got error %v, want %v", err, errClosed)
		}
	})
}

func TestOnePolicyGetsAndReportsAll(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, _ *kind) {
		a := switchTo(t, b, kindA)
		a.updateErr = errors.New("any")
		if err := b.UpdateClientConnState(balancer.ClientConnState{}); err != a.updateErr {
			t.Errorf("got error %v, want %v", err, a.updateErr)
		}
		b.ResolverError(errResolver)
		b.ExitIdle()
		b.UpdateSubConnState(nil, balancer.SubConnState{})
		c.expect(t, "A: built", "A: update <nil>", "A: error no such host", "A: exit idle")
		for _, s := range []connectivity.State{idle, connecting, ready, failed} {
			a.reports(s, "from A")
			c.expect(t, s.String()+": from A")
		}
		if got := a.cc.Target(); got != "target" {
			t.Errorf("got %q, want the channel's target", got)
		}
		b.Close()
		c.expect(t, "A: closed")
	})
}

// The table of the drawing: what the new policy says first, and what the old one is when it does.
func TestWhenTheNewPolicyTakesOver(t *testing.T) {
	for _, old := range []connectivity.State{idle, connecting, ready, failed} {
		for _, new := range []connectivity.State{idle, connecting, ready, failed} {
			run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
				switchTo(t, b, kindA).reports(old, "from A")
				switchTo(t, b, kindB)
				c.expect(t, "A: built", old.String()+": from A", "B: built")
				kindB.last().reports(new, "from B")
				synctest.Wait()
				if old == ready && new == connecting {
					c.expect(t)
				} else {
					c.expect(t, new.String()+": from B", "A: closed")
				}
			})
		}
	}
}

func TestOldPolicyServesUntilItIsNotReady(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		a.reports(ready, "from A")
		bb := switchTo(t, b, kindB)
		bb.reports(connecting, "from B")
		a.reports(ready, "again from A")
		c.expect(t, "A: built", "READY: from A", "B: built", "READY: again from A")
		a.reports(idle, "from A")
		synctest.Wait()
		c.expect(t, "CONNECTING: from B", "A: closed")
		a.reports(ready, "too late")
		c.expect(t)
	})
}

func TestOldPolicyGivesWayToOneThatIsSilent(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		a.reports(ready, "from A")
		switchTo(t, b, kindB)
		a.reports(failed, "from A")
		synctest.Wait()
		c.expect(t, "A: built", "READY: from A", "B: built", "CONNECTING: no SubConn is available", "A: closed")
	})
}

func TestThirdPolicyTakesThePlaceOfTheSecond(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		switchTo(t, b, kindA).reports(ready, "from A")
		bb := switchTo(t, b, kindB)
		bb.newSub(t, "x")
		switchTo(t, b, kindA)
		c.expect(t, "A: built", "READY: from A", "B: built", "B: closed", "shutdown x", "A: built")
		bb.reports(ready, "too late")
		c.expect(t)
		b.Close()
		c.expect(t, "A: closed", "A: closed")
	})
}

func TestLatestPolicyHearsTheChannel(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		switchTo(t, b, kindA).reports(ready, "from A")
		switchTo(t, b, kindB)
		c.expect(t, "A: built", "READY: from A", "B: built")
		if err := b.UpdateClientConnState(balancer.ClientConnState{}); err != nil {
			t.Errorf("got error %v, want none", err)
		}
		b.ResolverError(errResolver)
		b.ExitIdle()
		c.expect(t, "B: update <nil>", "B: error no such host", "B: exit idle")
	})
}

func TestReportsWhilePoliciesAreMade(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		kindA.onBuild = func(p *policy) { p.reports(ready, "from A") }
		kindB.onBuild = func(p *policy) { p.reports(ready, "from B") }
		switchTo(t, b, kindA)
		switchTo(t, b, kindB)
		synctest.Wait()
		c.expect(t, "A: built", "READY: from A", "B: built", "READY: from B", "A: closed")
	})
}

func TestPolicyThatCannotBeMade(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		kindB.broken = true
		if err := b.SwitchTo(kindB); err != balancer.ErrBadResolverState {
			t.Errorf("got error %v, want %v", err, balancer.ErrBadResolverState)
		}
		b.ResolverError(errResolver)
		c.expect(t, "TRANSIENT_FAILURE: no such host")
		switchTo(t, b, kindA)
		if err := b.SwitchTo(kindB); err != balancer.ErrBadResolverState {
			t.Errorf("got error %v, want %v", err, balancer.ErrBadResolverState)
		}
		b.ExitIdle()
		c.expect(t, "A: built", "A: exit idle")
	})
}

// A policy may hold a lock of its own while it reports, and its Close may take the same one.
func TestPolicyMayWaitForItsReportInClose(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		a.reports(ready, "from A")
		switchTo(t, b, kindB)
		reported := make(chan struct{})
		a.onClose = func() { <-reported }
		a.reports(idle, "from A")
		close(reported)
		synctest.Wait()
		c.expect(t, "A: built", "READY: from A", "B: built", "CONNECTING: no SubConn is available", "A: closed")
	})
}

func TestConfigNamesThePolicy(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		balancer.Register(parserKind{kindA})
		balancer.Register(kindB)
		for _, step := range []struct {
			config string
			want   []string
		}{
			{`[{"A":"one"}]`, []string{"A: built", "A: update {<nil> one}"}},
			{`[{"A":"two"}]`, []string{"A: update {<nil> two}"}},
			{`[{"B":{}}]`, []string{"B: built", "B: update <nil>"}},
			{`[{"B":{}}]`, []string{"B: update <nil>"}},
			{`[{"A":"three"}]`, []string{"B: closed", "A: built", "A: update {<nil> three}"}},
		} {
			config, err := ParseConfig(json.RawMessage(step.config))
			if err != nil {
				t.Fatalf("%s: got error %v, want none", step.config, err)
			}
			if err := b.UpdateClientConnState(balancer.ClientConnState{BalancerConfig: config}); err != nil {
				t.Errorf("%s: got error %v, want none", step.config, err)
			}
			c.expect(t, step.want...)
		}
		b.UpdateClientConnState(balancer.ClientConnState{BalancerConfig: stringConfig{text: "as it is"}})
		c.expect(t, "A: update {<nil> as it is}")
	})
}

func TestNothingHappensAfterClose(t *testing.T) {
	run(t, func(t *testing.T, c *channel, b *Balancer, kindA, kindB *kind) {
		a := switchTo(t, b, kindA)
		b.Close()
		c.expect(t, "A: built", "A: closed")
		b.Close()
		b.ResolverError(errResolver)
		b.ExitIdle()
		a.reports(ready, "too late")
		balancer.Register(kindB)
		config, _ := ParseConfig(json.RawMessage(`[{"B":{}}]`))
		for name, err := range map[string]error{
			"SwitchTo":                          b.SwitchTo(kindB),
			"UpdateClientConnState":             b.UpdateClientConnState(balancer.ClientConnState{}),
			"UpdateClientConnState with config": b.UpdateClientConnState(balancer.ClientConnState{BalancerConfig: config}),
		} {
			if err == nil || err.Error() != "gracefulSwitchBalancer is closed" {
				t.Errorf("%s: got error %v, want %v", name, err, errClosed)
			}
		}
		c.expect(t)
	})
}
