// The state and the picker of all children together.

package endpointsharding

import (
	"strings"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/balancer/internal/fakechannel"
	"google.golang.org/grpc/connectivity"
)

var waitPicker = base.NewErrPicker(balancer.ErrNoSubConnAvailable)

func TestBestStateCounts(t *testing.T) {
	run(t, Options{DisableAutoReconnect: true}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b", "c")
		for _, c := range []struct {
			states [3]connectivity.State
			want   connectivity.State
			among  string // whose pickers take turns
		}{
			{[...]connectivity.State{failed, failed, failed}, failed, "a b c"},
			{[...]connectivity.State{idle, failed, failed}, idle, "a"},
			{[...]connectivity.State{idle, failed, connecting}, connecting, "c"},
			{[...]connectivity.State{idle, ready, connecting}, ready, "b"},
			{[...]connectivity.State{ready, ready, connecting}, ready, "a b"},
			{[...]connectivity.State{ready, ready, ready}, ready, "a b c"},
			{[...]connectivity.State{connectivity.Shutdown, connectivity.Shutdown, failed}, failed, "c"},
		} {
			for i, name := range []string{"a", "b", "c"} {
				s.children.Of(name).Reports(c.states[i])
			}
			got := s.Last()
			if got.ConnectivityState != c.want {
				t.Errorf("children %v: got %v, want %v", c.states, got.ConnectivityState, c.want)
			}
			among := strings.Fields(c.among)
			turns := map[string]int{}
			for range 4 * len(among) {
				turns[fakechannel.Pick(got.Picker)]++
			}
			for _, name := range among {
				if turns[name] != 4 {
					t.Errorf("children %v: got turns %v, want 4 for each of %v", c.states, turns, among)
					break
				}
			}
			s.Forget()
		}
	})
}

func TestTurnsBeginAnywhere(t *testing.T) {
	first := map[string]bool{}
	run(t, Options{}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b")
		for range 100 {
			s.children.Of("a").Reports(failed)
			s.children.Of("b").Reports(failed)
			first[s.PickNow()] = true
		}
		s.Forget()
	})
	if len(first) != 2 {
		t.Errorf("got first picks %v, want each child sometimes", first)
	}
}

func TestChildStates(t *testing.T) {
	run(t, Options{DisableAutoReconnect: true}, func(t *testing.T, s sharded) {
		s.update(t, "a", "b,b2")
		s.children.Of("a").Reports(ready)
		s.Forget()
		states := ChildStatesFromPicker(s.Last().Picker)
		if len(states) != 2 {
			t.Fatalf("got %d states, want 2", len(states))
		}
		for i, c := range []struct {
			addrs int
			state connectivity.State
			pick  string
		}{{1, ready, "a"}, {2, idle, "no SubConn is available"}} {
			got := states[i]
			if len(got.Endpoint.Addresses) != c.addrs || got.State.ConnectivityState != c.state || fakechannel.Pick(got.State.Picker) != c.pick {
				t.Errorf("child %d: got %v, want %d addresses, %v and pick %q", i, got, c.addrs, c.state, c.pick)
			}
		}
	})
	if got := ChildStatesFromPicker(waitPicker); got != nil {
		t.Errorf("got %v for the picker of another policy, want nil", got)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	p := newPicker(nil, []balancer.Picker{waitPicker, waitPicker})
	if n := testing.AllocsPerRun(100, func() { p.Pick(balancer.PickInfo{}) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func BenchmarkPick(b *testing.B) {
	b.ReportAllocs()
	p := newPicker(nil, []balancer.Picker{waitPicker, waitPicker, waitPicker})
	for b.Loop() {
		p.Pick(balancer.PickInfo{})
	}
}
