// A queue of callbacks, run one after the other: what the control plane of a channel has instead of a mutex.
// The goroutine that runs them exists only while there are some, so that a queue at rest costs nothing but its memory.

// Package serial runs callbacks one at a time, in the order in which they were handed over.
package serial

import "sync"

// Queue runs callbacks one at a time, each to its end before the next begins, in the order of the Run calls. What callbacks of one queue
// read and write needs no further lock. All methods may be called concurrently, and from inside a callback.
type Queue struct {
	done chan struct{} // closed once the queue is closed and no callback runs any more

	mu      sync.Mutex // guards the fields below; never held while a callback runs
	pending []func()
	running bool // there is a goroutine that runs callbacks
	closed  bool
}

// New returns an empty queue.
func New() *Queue {
	return &Queue{done: make(chan struct{})}
}

// Run hands over f and returns at once. After Close it drops f; a callback that waits its turn when Close is called is dropped too, so who
// waits for its effect must wait for Done as well.
func (q *Queue) Run(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.pending = append(q.pending, f)
	if !q.running {
		q.running = true
		go q.drain() // owned by the queue; ends when nothing is pending; Done waits for it
	}
}

// Do is Run, and waits until f has returned. It returns false if f was dropped. A callback of the queue must not call it.
func (q *Queue) Do(f func()) bool {
	ran := make(chan struct{})
	q.Run(func() {
		f()
		close(ran)
	})
	select {
	case <-ran:
		return true
	case <-q.done:
	}
	select {
	case <-ran: // at last
		return true
	default:
		return false
	}
}

// Close drops the callbacks that have not begun, and all to come. It does not wait for the one that runs: see Done. Further calls have
// no effect.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	q.pending = nil
	if !q.running {
		close(q.done)
	}
}

// Done returns a channel that is closed when the queue is closed and its last callback has returned. A callback must not wait for it.
func (q *Queue) Done() <-chan struct{} {
	return q.done
}

// drain runs callbacks until none is left.
func (q *Queue) drain() {
	for f := q.next(); f != nil; f = q.next() {
		f()
	}
}

// next takes the oldest pending callback. If there is none it returns nil, and the goroutine that called it counts as gone.
func (q *Queue) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending) == 0 {
		q.pending = nil
		q.running = false
		if q.closed {
			close(q.done)
		}
		return nil
	}
	f := q.pending[0]
	q.pending[0] = nil // the queue keeps nothing alive that has run
	q.pending = q.pending[1:]
	return f
}
