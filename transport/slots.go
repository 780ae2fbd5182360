// The queue of calls that wait for one of the streams that the server allows (SETTINGS_MAX_CONCURRENT_STREAMS): first come, first
// served.

package transport

import "container/list"

// A slotQueue is guarded by the connection's mutex. The zero value is empty.
type slotQueue struct{ waiting list.List }

// A slotWaiter is a call that waits.
type slotWaiter struct {
	turn chan struct{} // closed when it is its turn to look again
	at   *list.Element // nil once it was woken
}

func (q *slotQueue) empty() bool { return q.waiting.Len() == 0 }

// join enters a call at the end of the queue, or at the front if it had its turn in vain.
func (q *slotQueue) join(again bool) *slotWaiter {
	w := &slotWaiter{turn: make(chan struct{})}
	if again {
		w.at = q.waiting.PushFront(w)
	} else {
		w.at = q.waiting.PushBack(w)
	}
	return w
}

// leave takes a call out of the queue if it is still in it.
func (q *slotQueue) leave(w *slotWaiter) {
	if w.at != nil {
		q.waiting.Remove(w.at)
		w.at = nil
	}
}

// wake gives the first n calls their turn.
func (q *slotQueue) wake(n int64) {
	for ; n > 0 && q.waiting.Len() > 0; n-- {
		w := q.waiting.Front().Value.(*slotWaiter)
		q.leave(w)
		close(w.turn)
	}
}

func (q *slotQueue) wakeAll() { q.wake(int64(q.waiting.Len())) }
