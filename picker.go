// From an RPC to a connection: the load-balancing policy's current picker is asked, which costs one atomic load, and asked again
// when there is a new one, as long as the RPC has to wait.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A picked is what a pick comes to: a connection, and what the policy wants to be told or sent.
type picked struct {
	conn    *connection
	result  balancer.PickResult
	dropped bool // there is no connection because the policy has decided that the RPC fails: it is not tried again
}

// pickers holds the current picker of a channel. The zero value has none, so that every RPC waits.
type pickers struct {
	current atomic.Pointer[pickerTerm]

	mu     sync.Mutex // serialises changes
	closed bool
}

// A pickerTerm is the time that a picker is in office.
type pickerTerm struct {
	picker balancer.Picker // nil if there is none
	over   chan struct{}   // closed when there is another one that RPCs shall look at
}

func (p *pickers) init() { p.current.Store(&pickerTerm{over: make(chan struct{})}) }

// set replaces the picker; nil makes all RPCs wait.
func (p *pickers) set(picker balancer.Picker) { p.begin(picker).end() }

// begin replaces the picker, and returns the term that must be ended so that RPCs that wait look at the new one.
func (p *pickers) begin(picker balancer.Picker) (before *pickerTerm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	return p.replaceLocked(picker)
}

// close makes all RPCs fail, now and later.
func (p *pickers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.replaceLocked(closedPicker{}).end()
}

func (p *pickers) replaceLocked(picker balancer.Picker) (before *pickerTerm) {
	return p.current.Swap(&pickerTerm{picker: picker, over: make(chan struct{})})
}

// end is called once for each term. A nil one needs none.
func (t *pickerTerm) end() {
	if t != nil {
		close(t.over)
	}
}

// closedPicker is the picker of a closed channel.
type closedPicker struct{}

func (closedPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, ErrClientConnClosing
}

// pick returns a connection for an RPC. delayed reports whether it had to wait for a picker. The error carries a status.
func (p *pickers) pick(info balancer.PickInfo, waitForReady bool) (_ picked, delayed bool, _ error) {
	var last error // why the policy had no connection
	for {
		term := p.current.Load()
		if term.picker != nil {
			r, err := term.picker.Pick(info)
			if err == nil {
				if c := connectionOf(r); c != nil {
					return picked{conn: c, result: r}, delayed, nil
				}
			} else if err, drop := pickError(err, waitForReady, &last); err != nil {
				return picked{dropped: drop}, delayed, err
			}
		}
		delayed = true
		select {
		case <-term.over:
		case <-info.Ctx.Done():
			return picked{}, delayed, pickTimeout(info.Ctx.Err(), last)
		}
	}
}

// connectionOf returns the connection of the picked subchannel, nil if it has none (any more): another picker will follow.
func connectionOf(r balancer.PickResult) *connection {
	sc, ok := r.SubConn.(*subchannel)
	if !ok {
		logger.Errorf("subconn returned from pick is type %T, not one of this channel's", r.SubConn)
		return nil
	}
	c := sc.ready.Load()
	if c == nil && r.Done != nil {
		r.Done(balancer.DoneInfo{})
	}
	return c
}

// pickError returns the error that ends an RPC for which there is no connection, nil if the RPC has to wait (gRFC A62), and whether the
// policy has decided that the RPC fails.
func pickError(err error, waitForReady bool, last *error) (_ error, drop bool) {
	if errors.Is(err, balancer.ErrNoSubConnAvailable) {
		return nil, false
	}
	if st, ok := status.FromError(err); ok {
		if isDataPlaneCode(st.Code()) {
			err = status.Errorf(codes.Internal, "received picker error with illegal status: %v", err)
		}
		return err, true
	}
	if waitForReady {
		*last = err
		return nil, false
	}
	return status.Error(codes.Unavailable, err.Error()), false
}

// isDataPlaneCode reports whether a status is the server's alone to give: from anything in the channel it would mislead (gRFC A54).
func isDataPlaneCode(c codes.Code) bool {
	switch c {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		return true
	}
	return false
}

// pickTimeout describes the end of an RPC that waited for a connection.
func pickTimeout(err error, last error) error {
	text := fmt.Sprintf("%v while waiting for connections to become ready", err)
	if last != nil {
		text = "latest balancer error: " + last.Error()
	}
	if errors.Is(err, context.Canceled) {
		return status.Error(codes.Canceled, text)
	}
	return status.Error(codes.DeadlineExceeded, text)
}
