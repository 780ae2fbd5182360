// Tests of the goroutines that handle RPCs: which one is taken, how long they are kept, and how they end.

package grpc

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"testing/synctest"
)

// resting makes n workers rest, in order.
func resting(t *testing.T, w *workers, n int) []*worker {
	t.Helper()
	all := make([]*worker, n)
	for i := range all {
		all[i] = &worker{next: make(chan *serverStream, 1)}
		wantEqual(t, "rest", w.rest(all[i]), true)
	}
	return all
}

func (w *workers) idleNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.idle)
}

func (w *workers) prunes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pruner != nil
}

// ended reports whether a worker without an RPC was told to end.
func (k *worker) ended() bool {
	select {
	case ss := <-k.next:
		return ss == nil
	default:
		return false
	}
}

func TestWorkerThatRestedLastIsTakenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		all := resting(t, &w, 3)
		for i := 2; i >= 0; i-- {
			ss := new(serverStream)
			w.run(ss)
			wantEqual(t, "RPC of the worker", <-all[i].next, ss)
		}
		wantEqual(t, "idle workers", w.idleNow(), 0)
	})
}

func TestWorkersThatNobodyUsesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		all := resting(t, &w, 3)
		pass(idleWorker)
		wantEqual(t, "idle workers after the first look", w.idleNow(), 3)
		w.run(new(serverStream)) // on the last one
		<-all[2].next
		wantEqual(t, "rest", w.rest(all[2]), true)
		pass(idleWorker)
		wantEqual(t, "idle workers after the second look", w.idleNow(), 1)
		for i, want := range []bool{true, true, false} {
			wantEqual(t, "ended", all[i].ended(), want)
		}
		pass(idleWorker)
		wantEqual(t, "the last one ended", all[2].ended(), true)
		wantEqual(t, "there is a pruner", w.prunes(), false)
	})
}

func TestPrunerComesBackWithTheNextWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		resting(t, &w, 1)
		pass(2 * idleWorker)
		again := resting(t, &w, 1)[0]
		pass(2 * idleWorker)
		wantEqual(t, "ended", again.ended(), true)
	})
}

func TestWorkersToKeepAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers{keep: 2}
		resting(t, &w, 5)
		pass(100 * idleWorker)
		wantEqual(t, "idle workers", w.idleNow(), 2)
		wantEqual(t, "there is a pruner", w.prunes(), false)
		resting(t, &w, 1)
		pass(2 * idleWorker)
		wantEqual(t, "idle workers after another one", w.idleNow(), 2)
	})
}

func TestIdleWorkersAreLimited(t *testing.T) {
	for _, tt := range []struct{ keep, want int }{{0, maxIdleWorkers}, {maxIdleWorkers + 10, maxIdleWorkers + 10}} {
		synctest.Test(t, func(t *testing.T) {
			w := workers{keep: tt.keep}
			resting(t, &w, tt.want)
			wantEqual(t, "rest of one more", w.rest(new(worker)), false)
		})
	}
}

func TestStoppedWorkersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		all := resting(t, &w, 2)
		w.stop()
		for _, k := range all {
			wantEqual(t, "ended", k.ended(), true)
		}
		wantEqual(t, "rest after stop", w.rest(new(worker)), false)
		wantEqual(t, "there is a pruner", w.prunes(), false)
		wantEqual(t, "idle workers", w.idleNow(), 0)
	})
}

// goroutine returns the name of the calling goroutine.
func goroutine() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	name, _, _ := bytes.Cut(buf, []byte(" ["))
	return string(name)
}

func TestCallsInARowAreHandledByOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{unary: func(context.Context, string) (string, error) { return goroutine(), nil }}))
		first, err := echo(t.Context(), cc, "")
		must(t, err)
		for range 10 {
			synctest.Wait() // until the worker rests
			next, err := echo(t.Context(), cc, "")
			must(t, err)
			wantEqual(t, "goroutine", next, first)
		}
	})
}
