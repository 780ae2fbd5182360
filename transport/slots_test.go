// Tests of the queue of calls that wait for a stream: first come, first served, nobody forgotten.

package transport

import "testing"

// woken reports whether it is the waiter's turn.
func (w *slotWaiter) woken() bool {
	select {
	case <-w.turn:
		return true
	default:
		return false
	}
}

func TestSlotQueueWakesInOrder(t *testing.T) {
	var q slotQueue
	if !q.empty() {
		t.Fatal("zero value: not empty")
	}
	var w []*slotWaiter
	for range 5 {
		w = append(w, q.join(false))
	}
	check := func(when string, want ...bool) {
		t.Helper()
		for i := range w {
			if got := w[i].woken(); got != want[i] {
				t.Errorf("%s: waiter %d woken: got %v, want %v", when, i, got, want[i])
			}
		}
	}
	q.wake(0)
	q.wake(-3)
	check("wake of none", false, false, false, false, false)
	q.wake(2)
	check("wake of 2", true, true, false, false, false)
	q.leave(w[2])
	q.leave(w[2])
	q.leave(w[0]) // was woken
	q.wake(1)
	check("wake of 1 behind one that left", true, true, false, true, false)
	w = append(w, q.join(true))
	q.wake(1)
	check("wake of 1 behind one that joined again", true, true, false, true, false, true)
	w = append(w, q.join(false))
	q.wakeAll()
	check("wakeAll", true, true, false, true, true, true, true)
	if !q.empty() {
		t.Error("after wakeAll: not empty")
	}
	q.wake(100)
	q.wakeAll()
}
