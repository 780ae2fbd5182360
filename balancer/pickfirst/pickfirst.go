// The pick_first policy: connect to the first address that can be reached, and send every RPC there (gRFC A62), with the attempts of
// Happy Eyeballs (A61, RFC 8305 §5). The phases and their transitions are in phase.go, the order of attempts in addresses.go.
//
// Calls from the channel come one at a time, but ExitIdle and the timer come from elsewhere. So everything happens under one mutex. It is
// held across calls into the channel and the subchannels: these never call back before they return (package balancer says so).

// Package pickfirst is the load-balancing policy of channels whose service config names none, and the one that makes the connections
// for most others. Importing it registers it.
package pickfirst

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
)

// Name is the name of the policy in service configs.
const Name = "pick_first"

// attemptDelay is the time that an attempt gets before the next one begins beside it (RFC 8305 §5, gRFC A61).
const attemptDelay = 250 * time.Millisecond

var logger = grpclog.Component("pick_first")

func init() {
	balancer.Register(builder{})
}

type builder struct{}

func (builder) Name() string { return Name }

func (builder) Build(cc balancer.ClientConn, _ balancer.BuildOptions) balancer.Balancer {
	return &pickFirst{cc: cc, shown: unknown}
}

// unknown is the state that the channel has seen before the first report.
const unknown connectivity.State = -1

type pickFirst struct {
	cc balancer.ClientConn

	mu          sync.Mutex // guards the fields below
	phase       phase
	shown       connectivity.State // what the channel was told last
	checkHealth bool               // the health of the connection is to be shown
	list        []*subchannel      // one for each address, in the order of attempts
	lastErr     error              // of the last attempt that failed

	next    int         // trying: index of the one whose turn is next; len(list) after the last turn
	current *subchannel // trying: the one whose turn it is; its failure makes the next attempt begin at once
	timer   *time.Timer // trying: ends the turn of current; nil if nothing comes after it
	fails   int         // retrying: failures since the first pass
	chosen  *subchannel // connected
}

// subchannel is an address, and its subchannel from the first attempt on.
type subchannel struct {
	addr   resolver.Address
	sc     balancer.SubConn   // nil before the first attempt
	state  connectivity.State // as it has reported
	err    error              // of its last failure; nil after it was Ready
	failed bool               // it has failed in this pass
	gone   bool               // it was shut down
}

// UpdateClientConnState takes over a new list of addresses. A connection to an address that is still there is kept, and so are attempts.
func (b *pickFirst) UpdateClientConnState(s balancer.ClientConnState) error {
	cfg, err := configOf(s)
	if err != nil {
		return err
	}
	addrs := attemptOrder(s.ResolverState, cfg.ShuffleAddressList)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checkHealth = healthListenerEnabled(s.ResolverState)
	if len(addrs) == 0 {
		b.loseAddressesLocked(errors.New("produced zero addresses"))
		return balancer.ErrBadResolverState
	}
	b.takeAddressesLocked(addrs)
	return nil
}

func (b *pickFirst) takeAddressesLocked(addrs []resolver.Address) {
	list, rest := relist(b.list, addrs)
	if b.phase == connected && !slices.Contains(rest, b.chosen) {
		b.list = list
		return
	}
	// A policy that has failed shows that until it is connected, or at least has something new to try.
	failing := (b.phase == trying || b.phase == retrying) && b.shown == connectivity.TransientFailure
	if !b.stepLocked(addressesArrived) {
		return
	}
	b.dropLocked(rest)
	b.list, b.chosen = list, nil
	if b.phase == idle {
		return
	}
	if !failing {
		b.showConnectingLocked()
	}
	b.startPassLocked()
}

// relist returns the list for addrs, with what old has for them, and the rest of old.
func relist(old []*subchannel, addrs []resolver.Address) (list, rest []*subchannel) {
	known := resolver.NewAddressMapV2[*subchannel]()
	for _, s := range old {
		known.Set(s.addr, s)
	}
	for _, addr := range addrs {
		s, ok := known.Get(addr)
		if !ok {
			s = &subchannel{addr: addr}
		}
		known.Delete(addr)
		list = append(list, s)
	}
	return list, known.Values()
}

func (b *pickFirst) loseAddressesLocked(err error) {
	if !b.stepLocked(addressesGone) {
		return
	}
	b.stopLocked()
	b.showResolverErrorLocked(err)
}

// ResolverError shows err to RPCs if they fail anyway.
func (b *pickFirst) ResolverError(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.phase == waiting || b.phase != closed && b.shown == connectivity.TransientFailure {
		b.showResolverErrorLocked(err)
	}
}

// UpdateSubConnState is not called: all subchannels have a listener.
func (b *pickFirst) UpdateSubConnState(_ balancer.SubConn, s balancer.SubConnState) {
	logger.Errorf("unexpected call of UpdateSubConnState with state %v", s.ConnectivityState)
}

// ExitIdle begins to connect if the connection was lost.
func (b *pickFirst) ExitIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stepLocked(exitIdle) {
		b.showConnectingLocked()
		b.startPassLocked()
	}
}

// Close shuts everything down.
func (b *pickFirst) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stepLocked(closing) {
		b.stopLocked()
	}
}

// stepLocked goes to the next phase, and reports whether the event meant anything.
func (b *pickFirst) stepLocked(e event) (ok bool) {
	b.phase, ok = b.phase.next(e)
	return ok
}

// stopLocked ends all attempts and connections.
func (b *pickFirst) stopLocked() {
	b.stopTimerLocked()
	b.dropLocked(b.list)
	b.list, b.current, b.chosen = nil, nil, nil
}

// dropLocked shuts down those that are not in the list any more.
func (b *pickFirst) dropLocked(subs []*subchannel) {
	for _, s := range subs {
		s.gone = true
		if s.sc != nil {
			s.sc.Shutdown()
		}
	}
}

func (b *pickFirst) showLocked(state connectivity.State, p balancer.Picker) {
	b.shown = state
	b.cc.UpdateState(balancer.State{ConnectivityState: state, Picker: p})
}

func (b *pickFirst) showConnectingLocked() {
	if b.shown != connectivity.Connecting {
		b.showLocked(connectivity.Connecting, picker{err: balancer.ErrNoSubConnAvailable})
	}
}

func (b *pickFirst) showFailureLocked(err error) {
	b.showLocked(connectivity.TransientFailure, picker{err: err})
}

func (b *pickFirst) showResolverErrorLocked(err error) {
	b.showFailureLocked(fmt.Errorf("name resolver error: %v", err))
}
