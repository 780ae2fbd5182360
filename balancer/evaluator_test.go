// The aggregate of all pairs and triples of states.

package balancer

import (
	"testing"

	"google.golang.org/grpc/connectivity"
)

const (
	idle       = connectivity.Idle
	connecting = connectivity.Connecting
	ready      = connectivity.Ready
	failed     = connectivity.TransientFailure
	shutdown   = connectivity.Shutdown
)

// rank orders states from the best to what counts for nothing.
var rank = []connectivity.State{ready, connecting, idle, failed}

func best(states ...connectivity.State) connectivity.State {
	for _, r := range rank {
		for _, s := range states {
			if s == r {
				return r
			}
		}
	}
	return failed
}

func TestEvaluatorOfNothing(t *testing.T) {
	var e ConnectivityStateEvaluator
	if got := e.CurrentState(); got != failed {
		t.Errorf("got %v, want %v", got, failed)
	}
}

func TestEvaluatorTransitions(t *testing.T) {
	all := []connectivity.State{idle, connecting, ready, failed, shutdown}
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				var e ConnectivityStateEvaluator
				if got, want := e.RecordTransition(shutdown, a), best(a); got != want {
					t.Errorf("one in %v: got %v, want %v", a, got, want)
				}
				if got, want := e.RecordTransition(shutdown, b), best(a, b); got != want {
					t.Errorf("%v and %v: got %v, want %v", a, b, got, want)
				}
				if got, want := e.RecordTransition(a, c), best(b, c); got != want {
					t.Errorf("%v and %v, the first becomes %v: got %v, want %v", a, b, c, got, want)
				}
				if got, want := e.RecordTransition(b, shutdown), best(c); got != want {
					t.Errorf("%v after %v has gone: got %v, want %v", c, b, got, want)
				}
			}
		}
	}
}

func TestEvaluatorIgnoresUnknownStates(t *testing.T) {
	var e ConnectivityStateEvaluator
	if got := e.RecordTransition(-1, 99); got != failed {
		t.Errorf("got %v, want %v", got, failed)
	}
}
