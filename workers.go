// The goroutines that handle RPCs. They are used again, so that their stacks stay as large as handlers need them.

package grpc

import (
	"sync"
	"time"
)

const (
	// idleWorker is how long a goroutine without an RPC is kept for the next one.
	idleWorker = 2 * time.Second
	// maxIdleWorkers is how many of them are kept.
	maxIdleWorkers = 1024
)

// workers runs RPCs on goroutines that are used again, so that their stacks stay as large as handlers need them. The one that was used
// last is used first, so that the others may end.
//
// RPCs wait in a queue, out of which each worker takes the next when it has handled one. One worker at most is on its way to the queue: it
// sends for another one if it leaves more there. So no RPC waits behind one whose handler blocks, and many short ones that come at once
// are handled by few goroutines, without a switch from one to the next.
type workers struct {
	keep int // how many are kept for good

	mu      sync.Mutex // guards the fields below
	queue   rpcQueue
	coming  bool      // a worker is on its way; true whenever the queue is not empty
	idle    []*worker // the last one is used first
	unused  int       // how many of the first were idle all the time since the last look
	stopped bool
	pruner  *time.Timer // looks for workers that nobody uses; nil if there are none to end
}

// A worker is a goroutine. wake tells it to look at the queue, and is closed to end it.
type worker struct {
	wake chan struct{} // one slot, filled by whoever took the worker off the idle list
}

// An rpcQueue is RPCs in their order, linked by serverStream.next. Its zero value is empty.
type rpcQueue struct{ first, last *serverStream }

func (q *rpcQueue) push(ss *serverStream) {
	if q.last == nil {
		q.first = ss
	} else {
		q.last.next = ss
	}
	q.last = ss
}

// pop takes the first RPC, nil if there is none.
func (q *rpcQueue) pop() *serverStream {
	ss := q.first
	if ss != nil {
		if q.first = ss.next; q.first == nil {
			q.last = nil
		}
		ss.next = nil
	}
	return ss
}

// run lets a worker handle an RPC.
func (w *workers) run(ss *serverStream) {
	w.mu.Lock()
	w.queue.push(ss)
	w.sendUnlock()
}

// sendUnlock sends a worker to the queue if there is something in it and none is on its way, and unlocks.
func (w *workers) sendUnlock() {
	if w.queue.first == nil || w.coming {
		w.mu.Unlock()
		return
	}
	w.coming = true
	n := len(w.idle)
	if n == 0 {
		w.mu.Unlock()
		go w.work() // owned by workers; ends when it was idle for a while, or is not worth keeping
		return
	}
	k := w.idle[n-1]
	w.idle[n-1] = nil
	w.idle = w.idle[:n-1]
	w.unused = min(w.unused, n-1)
	w.mu.Unlock()
	k.wake <- struct{}{}
}

// work is a worker.
func (w *workers) work() {
	k := &worker{wake: make(chan struct{}, 1)}
	for on := true; on; {
		w.mu.Lock()
		w.coming = false
		for ss := w.queue.pop(); ss != nil; ss = w.queue.pop() {
			w.sendUnlock()
			ss.handle()
			w.mu.Lock()
		}
		on = w.restLocked(k)
		w.mu.Unlock()
		if on {
			_, on = <-k.wake
		}
	}
}

// restLocked puts a worker on the idle list. It returns false if the worker shall end.
func (w *workers) restLocked(k *worker) bool {
	if w.stopped || len(w.idle) >= max(maxIdleWorkers, w.keep) {
		return false
	}
	w.idle = append(w.idle, k)
	if w.pruner == nil && len(w.idle) > w.keep {
		w.pruner = time.AfterFunc(idleWorker, w.prune)
	}
	return true
}

// prune ends the workers that nobody has used since the last look.
func (w *workers) prune() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := min(w.unused, len(w.idle)-w.keep); n > 0 {
		for _, k := range w.idle[:n] {
			close(k.wake)
		}
		w.idle = append(w.idle[:0], w.idle[n:]...)
	}
	w.unused = len(w.idle)
	if w.unused > w.keep {
		w.pruner.Reset(idleWorker)
	} else {
		w.pruner = nil
	}
}

// stop ends the idle workers, and the others when their RPCs are over.
func (w *workers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for _, k := range w.idle {
		close(k.wake)
	}
	w.idle = nil
	if w.pruner != nil {
		w.pruner.Stop()
		w.pruner = nil
	}
}
