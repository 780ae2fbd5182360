// The pickers of pick_first.

package pickfirst

import (
	"sync/atomic"

	"google.golang.org/grpc/balancer"
)

// picker gives the same answer to every RPC: a subchannel or an error.
type picker struct {
	sc  balancer.SubConn // nil if err is not
	err error
}

func (p picker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p.sc}, p.err
}

// idlePicker lets RPCs wait, and makes the policy connect when the first one comes.
type idlePicker struct {
	policy *pickFirst
	asked  atomic.Bool // an RPC has come
}

func (p *idlePicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if !p.asked.Swap(true) {
		go p.policy.ExitIdle() // ends when the attempt has begun; nobody waits for it, since a pick must not
	}
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}
