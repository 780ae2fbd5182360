// A policy for tests of policies that have children: it does what the test says, and writes down what it is told.

package fakechannel

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
)

// Policies makes policies that write to the log of a channel, each line beginning with the name of the policy: the first address
// that it got, "?" before it got any.
//
//	a: built
//	a: a a2 key=value cfg   UpdateClientConnState: its addresses, and its configuration if there is one
//	a: error text           ResolverError
//	a: state of a           UpdateSubConnState
//	a: exit idle
//	a: closed
type Policies struct {
	// Log is where they write.
	Log *Channel
	// OnBuild is called with a policy when it is built, unless it is nil.
	OnBuild func(*Policy)
	// OnUpdate is called with a policy when it gets an update, unless it is nil; its result is that of UpdateClientConnState.
	OnUpdate func(*Policy) error
	// All are the policies that were made, oldest first.
	All []*Policy
}

// Build makes a *Policy.
func (ps *Policies) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	p := &Policy{CC: cc, Name: "?", all: ps}
	ps.All = append(ps.All, p)
	p.write("built")
	if ps.OnBuild != nil {
		ps.OnBuild(p)
	}
	return p
}

// Of returns the newest policy of that name, nil if there is none.
func (ps *Policies) Of(name string) *Policy {
	for i := len(ps.All) - 1; i >= 0; i-- {
		if ps.All[i].Name == name {
			return ps.All[i]
		}
	}
	return nil
}

// Policy is a balancer.Balancer.
type Policy struct {
	// CC is the channel that it got.
	CC balancer.ClientConn
	// Name is its name in the log.
	Name string

	all *Policies
}

func (p *Policy) write(line string) { p.all.Log.write(p.Name + ": " + line) }

// UpdateClientConnState is written down.
func (p *Policy) UpdateClientConnState(s balancer.ClientConnState) error {
	var words []string
	for _, e := range s.ResolverState.Endpoints {
		for _, a := range e.Addresses {
			words = append(words, a.Addr)
		}
	}
	if p.Name == "?" && len(words) > 0 {
		p.Name = words[0]
	}
	if s.BalancerConfig != nil {
		words = append(words, fmt.Sprint(s.BalancerConfig))
	}
	p.write(strings.Join(words, " "))
	if p.all.OnUpdate != nil {
		return p.all.OnUpdate(p)
	}
	return nil
}

// ResolverError is written down.
func (p *Policy) ResolverError(err error) { p.write("error " + err.Error()) }

// UpdateSubConnState is written down.
func (p *Policy) UpdateSubConnState(sc balancer.SubConn, _ balancer.SubConnState) {
	p.write("state of " + sc.(*Sub).addr)
}

// ExitIdle is written down.
func (p *Policy) ExitIdle() { p.write("exit idle") }

// Close is written down.
func (p *Policy) Close() { p.write("closed") }

// Reports makes the policy report a state, with a picker that returns an error with the policy's name.
func (p *Policy) Reports(s connectivity.State) {
	p.CC.UpdateState(balancer.State{ConnectivityState: s, Picker: textPicker(p.Name)})
}

type textPicker string

func (p textPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, fmt.Errorf("%s", string(p))
}
