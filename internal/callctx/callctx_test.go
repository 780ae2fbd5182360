// Tests of the context of a call: that it behaves as those of the standard library do, and works with them.

package callctx

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// newContext returns the context of a call that has not ended.
func newContext(parent context.Context, limit time.Time) *Context {
	return &Context{Context: parent, Limit: limit}
}

func TestDeadlineIsTheEarlierOne(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	limited := func(d time.Time) context.Context {
		ctx, cancel := context.WithDeadline(context.Background(), d)
		t.Cleanup(cancel)
		return ctx
	}
	for _, tt := range []struct {
		name   string
		parent context.Context
		limit  time.Time
		want   time.Time
		ok     bool
	}{
		{"none", context.Background(), time.Time{}, time.Time{}, false},
		{"own", context.Background(), late, late, true},
		{"the parent's", limited(late), time.Time{}, late, true},
		{"own before the parent's", limited(late), early, early, true},
		{"the parent's before own", limited(early), late, early, true},
	} {
		if got, ok := newContext(tt.parent, tt.limit).Deadline(); !got.Equal(tt.want) || ok != tt.ok {
			t.Errorf("%s: got %v, %t, want %v, %t", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestEnd(t *testing.T) {
	c := newContext(context.WithValue(context.Background(), key{}, "v"), time.Time{})
	done := c.Done()
	if c.Err() != nil || c.Value(key{}) != "v" {
		t.Errorf("before the end: got %v and value %v, want no error and the parent's value", c.Err(), c.Value(key{}))
	}
	select {
	case <-done:
		t.Error("Done is closed before the end")
	default:
	}
	c.Finish(context.DeadlineExceeded)
	c.Finish(context.Canceled)
	<-done
	<-c.Done()
	if c.Err() != context.DeadlineExceeded {
		t.Errorf("got %v, want the error of the first Finish", c.Err())
	}
}

func TestDoneIsClosedIfItIsAskedForAfterTheEnd(t *testing.T) {
	c := newContext(context.Background(), time.Time{})
	c.Finish(context.Canceled)
	<-c.Done()
}

func TestAfterFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContext(context.Background(), time.Time{})
		var ran [4]bool
		var stops [4]func() bool
		for i := range 3 {
			stops[i] = context.AfterFunc(c, func() { ran[i] = true })
		}
		if !stops[1]() {
			t.Error("stop before the end: got false, want true")
		}
		if stops[1]() {
			t.Error("stop for the second time: got true, want false")
		}
		c.Finish(context.Canceled)
		synctest.Wait()
		stops[3] = context.AfterFunc(c, func() { ran[3] = true })
		synctest.Wait()
		if want := [4]bool{true, false, true, true}; ran != want {
			t.Errorf("functions that ran: got %v, want %v", ran, want)
		}
		for _, i := range []int{0, 3} {
			if stops[i]() {
				t.Errorf("stop of function %d after the end: got true, want false", i)
			}
		}
	})
}

// TestDerivedContextsEndWithoutAGoroutine: the bubble would not end while one were left.
func TestDerivedContextsEndWithoutAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContext(context.Background(), time.Time{})
		derived, cancel := context.WithCancel(c)
		defer cancel()
		abandoned, abandon := context.WithCancel(c)
		abandon()
		if c.after == nil || c.after.next != nil {
			t.Error("a derived context that was cancelled is still known")
		}
		c.Finish(context.DeadlineExceeded)
		<-derived.Done()
		if derived.Err() != context.DeadlineExceeded || abandoned.Err() != context.Canceled {
			t.Errorf("got %v and %v, want the error of the call and that of the cancellation", derived.Err(), abandoned.Err())
		}
	})
}
