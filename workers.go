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
type workers struct {
	keep int // how many are kept for good

	mu      sync.Mutex // guards the fields below
	idle    []*worker  // the last one is used first
	unused  int        // how many of the first were idle all the time since the last look
	stopped bool
	pruner  *time.Timer // looks for workers that nobody uses; nil if there are none to end
}

// A worker is a goroutine. next holds the RPC that it is given, and is closed to end it.
type worker struct {
	next chan *serverStream // one slot, filled by whoever took the worker off the idle list
}

// run handles an RPC on an idle worker, or on a new one.
func (w *workers) run(ss *serverStream) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		k := w.idle[n-1]
		w.idle[n-1] = nil
		w.idle = w.idle[:n-1]
		w.unused = min(w.unused, n-1)
		w.mu.Unlock()
		k.next <- ss
		return
	}
	w.mu.Unlock()
	k := &worker{next: make(chan *serverStream, 1)}
	go w.work(k, ss) // owned by workers; ends when it was idle for a while, or is not worth keeping
}

func (w *workers) work(k *worker, ss *serverStream) {
	for ss != nil {
		ss.handle()
		if !w.rest(k) {
			return
		}
		ss = <-k.next
	}
}

// rest puts a worker on the idle list. It returns false if the worker shall end.
func (w *workers) rest(k *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
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
			close(k.next)
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
		close(k.next)
	}
	w.idle = nil
	if w.pruner != nil {
		w.pruner.Stop()
		w.pruner = nil
	}
}
