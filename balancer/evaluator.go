// One state for many: the aggregate state of a policy from those of its subchannels or children.

package balancer

import "google.golang.org/grpc/connectivity"

// ConnectivityStateEvaluator counts states and tells which one they make together. The zero value has counted nothing. It must not
// be used concurrently.
type ConnectivityStateEvaluator struct {
	count [connectivity.TransientFailure + 1]uint64 // by state; Shutdown is not counted
}

// RecordTransition counts one that was in oldState and is in newState now, and returns the state of all together. Shutdown is the state of
// those that are not there: the oldState of a new one, and the newState of one that goes.
func (e *ConnectivityStateEvaluator) RecordTransition(oldState, newState connectivity.State) connectivity.State {
	e.add(oldState, ^uint64(0)) // minus one
	e.add(newState, 1)
	return e.CurrentState()
}

func (e *ConnectivityStateEvaluator) add(s connectivity.State, n uint64) {
	if s >= 0 && int(s) < len(e.count) {
		e.count[s] += n
	}
}

// CurrentState returns Ready if there is one that is Ready; else Connecting if there is one; else Idle if there is one; else
// TransientFailure, also if there are none at all.
func (e *ConnectivityStateEvaluator) CurrentState() connectivity.State {
	for _, s := range [...]connectivity.State{connectivity.Ready, connectivity.Connecting, connectivity.Idle} {
		if e.count[s] > 0 {
			return s
		}
	}
	return connectivity.TransientFailure
}
