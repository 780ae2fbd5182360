// Tests of picks: each kind of answer of a policy, waiting for another picker, and how a call that waits ends.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pickerFunc is a picker that is a function.
type pickerFunc func(balancer.PickInfo) (balancer.PickResult, error)

func (f pickerFunc) Pick(info balancer.PickInfo) (balancer.PickResult, error) { return f(info) }

// picks is a picker that picks sc.
func picks(sc balancer.SubConn) balancer.Picker {
	return pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) { return balancer.PickResult{SubConn: sc}, nil })
}

// readySubchannel returns a subchannel with a connection.
func readySubchannel() (*subchannel, *connection) {
	sc, c := new(subchannel), new(connection)
	sc.ready.Store(c)
	return sc, c
}

// A pickOutcome is what pick has returned.
type pickOutcome struct {
	picked  picked
	delayed bool
	err     error
}

// newPickers returns pickers whose current one is p.
func newPickers(p balancer.Picker) *pickers {
	ps := new(pickers)
	ps.init()
	if p != nil {
		ps.set(p)
	}
	return ps
}

// goPick picks on a goroutine of its own.
func (p *pickers) goPick(ctx context.Context, waitForReady bool) <-chan pickOutcome {
	result := make(chan pickOutcome, 1)
	go func() {
		var r pickOutcome
		r.picked, r.delayed, r.err = p.pick(balancer.PickInfo{Ctx: ctx}, waitForReady)
		result <- r
	}()
	return result
}

func TestPickReturnsTheConnectionOfTheSubchannel(t *testing.T) {
	sc, c := readySubchannel()
	got, delayed, err := newPickers(picks(sc)).pick(balancer.PickInfo{Ctx: t.Context()}, false)
	must(t, err)
	wantEqual(t, "connection", got.conn, c)
	wantEqual(t, "delayed", delayed, false)
}

func TestPickErrors(t *testing.T) {
	for _, tt := range []struct {
		err          error
		waitForReady bool
		want         string // the status, "" if the call waits
	}{
		{balancer.ErrNoSubConnAvailable, false, ""},
		{fmt.Errorf("really: %w", balancer.ErrNoSubConnAvailable), false, ""},
		{errors.New("broken"), false, "Unavailable: broken"},
		{errors.New("broken"), true, ""},
		{status.Error(codes.Unauthenticated, "who?"), false, "Unauthenticated: who?"},
		{status.Error(codes.Unauthenticated, "who?"), true, "Unauthenticated: who?"},
		{status.Error(codes.NotFound, "lost"), true, "Internal: received picker error with illegal status: rpc error: code = NotFound desc = lost"},
	} {
		t.Run(fmt.Sprint(tt.err, tt.waitForReady), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPickers(failingPicker{tt.err})
				result := p.goPick(t.Context(), tt.waitForReady)
				synctest.Wait()
				if tt.want != "" {
					wantStatus(t, "pick", (<-result).err, tt.want)
					return
				}
				wantEqual(t, "pick that waits has returned", len(result), 0)
				sc, c := readySubchannel()
				p.set(picks(sc))
				r := <-result
				wantEqual(t, "connection", r.picked.conn, c)
				wantEqual(t, "delayed", r.delayed, true)
			})
		})
	}
}

func TestDataPlaneCodesAreNotForPickers(t *testing.T) {
	illegal := map[codes.Code]bool{
		codes.InvalidArgument: true, codes.NotFound: true, codes.AlreadyExists: true, codes.FailedPrecondition: true, codes.Aborted: true,
		codes.OutOfRange: true, codes.DataLoss: true,
	}
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		wantEqual(t, c.String(), isDataPlaneCode(c), illegal[c])
	}
}

func TestPickWaitsForTheFirstPicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPickers(nil)
		result := p.goPick(t.Context(), false)
		synctest.Wait()
		sc, c := readySubchannel()
		p.set(nil) // still none
		synctest.Wait()
		wantEqual(t, "results without a picker", len(result), 0)
		p.set(picks(sc))
		r := <-result
		wantEqual(t, "connection", r.picked.conn, c)
		wantEqual(t, "delayed", r.delayed, true)
	})
}

func TestPickOfASubchannelThatIsNotReadyWaitsAndIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := 0
		p := newPickers(pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			return balancer.PickResult{SubConn: new(subchannel), Done: func(balancer.DoneInfo) { done++ }}, nil
		}))
		result := p.goPick(t.Context(), false)
		synctest.Wait()
		wantEqual(t, "calls of Done", done, 1)
		sc, c := readySubchannel()
		p.set(picks(sc))
		wantEqual(t, "connection", (<-result).picked.conn, c)
	})
}

func TestPickOfAForeignSubConnWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPickers(picks(nil))
		result := p.goPick(t.Context(), false)
		synctest.Wait()
		wantEqual(t, "results", len(result), 0)
		p.close()
		wantEqual(t, "error", (<-result).err, ErrClientConnClosing)
	})
}

func TestPickEndsWithItsContext(t *testing.T) {
	for _, tt := range []struct {
		picker       balancer.Picker
		waitForReady bool
		cancel       bool
		want         string
	}{
		{nil, false, false, "DeadlineExceeded: context deadline exceeded while waiting for connections to become ready"},
		{nil, true, true, "Canceled: context canceled while waiting for connections to become ready"},
		{failingPicker{balancer.ErrNoSubConnAvailable}, false, false,
			"DeadlineExceeded: context deadline exceeded while waiting for connections to become ready"},
		{failingPicker{errors.New("refused")}, true, false, "DeadlineExceeded: latest balancer error: refused"},
		{failingPicker{errors.New("refused")}, true, true, "Canceled: latest balancer error: refused"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			result := newPickers(tt.picker).goPick(ctx, tt.waitForReady)
			synctest.Wait()
			if tt.cancel {
				cancel()
			}
			r := <-result
			wantStatus(t, "pick", r.err, tt.want)
			wantEqual(t, "delayed", r.delayed, true)
		})
	}
}

func TestClosedPickersFailAllPicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPickers(nil)
		result := p.goPick(t.Context(), true)
		synctest.Wait()
		p.close()
		wantEqual(t, "error of a pick that waited", (<-result).err, ErrClientConnClosing)
		sc, _ := readySubchannel()
		p.set(picks(sc)) // too late
		wantEqual(t, "error of a later pick", (<-p.goPick(t.Context(), true)).err, ErrClientConnClosing)
	})
}

func TestPickersAreClosedAtOnce(t *testing.T) {
	for range 1000 {
		p := newPickers(nil)
		var both sync.WaitGroup
		both.Go(func() { p.set(failingPicker{balancer.ErrNoSubConnAvailable}) })
		both.Go(p.close)
		both.Wait()
		if got := p.current.Load().picker; got != (closedPicker{}) {
			t.Fatalf("picker after close: got %v, want that of a closed channel", got)
		}
	}
}

func TestPickersGetTheMethodAndTheContext(t *testing.T) {
	sc, _ := readySubchannel()
	want := balancer.PickInfo{FullMethodName: unaryMethod, Ctx: t.Context()}
	var got balancer.PickInfo
	p := newPickers(pickerFunc(func(info balancer.PickInfo) (balancer.PickResult, error) {
		got = info
		return balancer.PickResult{SubConn: sc}, nil
	}))
	_, _, err := p.pick(want, false)
	must(t, err)
	wantEqual(t, "pick info", got, want)
}
