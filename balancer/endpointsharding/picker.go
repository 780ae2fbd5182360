// One state and one picker for all children (gRFC A61): the best state that there is, and turns for the children that are in it.

package endpointsharding

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

var errNoChildren = errors.New("no children to pick from")

// ChildState is the state of one child.
type ChildState struct {
	// Endpoint is the child's.
	Endpoint resolver.Endpoint
	// State is what the child reported last; Idle, with a Picker that lets RPCs wait, if it has not reported.
	State balancer.State
	// ExitIdle makes the child connect if it is idle. It returns at once and may be called at any time by anyone.
	ExitIdle func()
}

// ChildStatesFromPicker returns the states of all children, if picker was made by a policy of this package, nil otherwise. They are in the
// order of the endpoints, and must not be changed.
func ChildStatesFromPicker(picker balancer.Picker) []ChildState {
	p, ok := picker.(*shardPicker)
	if !ok {
		return nil
	}
	return p.states
}

// aggregate returns the state of all children together. The caller holds the mutex of their policy.
func aggregate(children []*child) balancer.State {
	states := make([]ChildState, len(children))
	for i, c := range children {
		states[i] = ChildState{Endpoint: c.endpoint, State: c.state, ExitIdle: c.exitIdle}
	}
	for _, best := range [...]connectivity.State{
		connectivity.Ready, connectivity.Connecting, connectivity.Idle, connectivity.TransientFailure,
	} {
		if pickers := pickersIn(best, states); len(pickers) > 0 {
			return balancer.State{ConnectivityState: best, Picker: newPicker(states, pickers)}
		}
	}
	return balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: newPicker(states, []balancer.Picker{base.NewErrPicker(errNoChildren)})}
}

// pickersIn returns the pickers of children in state s.
func pickersIn(s connectivity.State, states []ChildState) []balancer.Picker {
	var pickers []balancer.Picker
	for _, c := range states {
		if c.State.ConnectivityState == s {
			pickers = append(pickers, c.State.Picker)
		}
	}
	return pickers
}

// shardPicker lets pickers take turns.
type shardPicker struct {
	states  []ChildState // of all children
	pickers []balancer.Picker
	turn    atomic.Uint32
}

// newPicker begins with a random one: else all clients would send their first RPC to the same server.
func newPicker(states []ChildState, pickers []balancer.Picker) *shardPicker {
	p := &shardPicker{states: states, pickers: pickers}
	p.turn.Store(rand.Uint32N(uint32(len(pickers))))
	return p
}

func (p *shardPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	turn := p.turn.Add(1)
	return p.pickers[turn%uint32(len(p.pickers))].Pick(info)
}
