// Tests of the goroutines that handle RPCs: which one is taken, how long they are kept, and how they end.

package grpc

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// resting makes n workers rest, in order.
func resting(t *testing.T, w *workers, n int) []*worker {
	t.Helper()
	all := make([]*worker, n)
	for i := range all {
		all[i] = &worker{wake: make(chan struct{}, 1)}
		wantEqual(t, "rest", w.restNow(all[i]), true)
	}
	return all
}

func (w *workers) restNow(k *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.restLocked(k)
}

// comes has a worker that was woken take an RPC.
func (w *workers) comes(k *worker) *serverStream {
	<-k.wake
	w.mu.Lock()
	w.coming = false
	ss := w.queue.pop()
	w.sendUnlock()
	return ss
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
	case _, on := <-k.wake:
		return !on
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
			wantEqual(t, "RPC of the worker", w.comes(all[i]), ss)
		}
		wantEqual(t, "idle workers", w.idleNow(), 0)
	})
}

func TestOneWorkerAtATimeIsSentToTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		all := resting(t, &w, 5)
		rpcs := make([]*serverStream, 3)
		for i := range rpcs {
			rpcs[i] = new(serverStream)
			w.run(rpcs[i])
		}
		for i, ss := range rpcs {
			wantEqual(t, "idle workers", w.idleNow(), 4-i)
			wantEqual(t, "RPC of the next worker", w.comes(all[4-i]), ss)
		}
		wantEqual(t, "idle workers when all is handled", w.idleNow(), 2)
		wantEqual(t, "a worker is on its way", w.coming, false)
	})
}

// TestBlockedHandlersHoldUpNobody lets all of many calls wait for the last one of them.
func TestBlockedHandlersHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 50
		var here sync.WaitGroup
		here.Add(calls)
		cc := connect(t, startServer(t, testService{unary: func(context.Context, string) (string, error) {
			here.Done()
			here.Wait()
			return "", nil
		}}))
		errs := make(chan error, calls)
		for range calls {
			go func() {
				_, err := echo(t.Context(), cc, "")
				errs <- err
			}()
		}
		for range calls {
			must(t, <-errs)
		}
	})
}

// TestHandlersThatEndTheirGoroutineHoldUpNobody has handlers call runtime.Goexit, as the Fatal of a test does.
func TestHandlersThatEndTheirGoroutineHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		cc := connect(t, startServer(t, testService{unary: func(_ context.Context, in string) (string, error) {
			if in == "exit" {
				runtime.Goexit()
			}
			return in, nil
		}}))
		var calls sync.WaitGroup
		for i := range 20 {
			calls.Go(func() {
				if i%2 == 0 {
					_, _ = echo(ctx, cc, "exit") // it has no answer before its deadline
				} else if _, err := echo(ctx, cc, "in"); err != nil {
					t.Errorf("got %v, want no error", err)
				}
			})
		}
		calls.Wait()
	})
}

func TestWorkersThatNobodyUsesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		all := resting(t, &w, 3)
		pass(idleWorker)
		wantEqual(t, "idle workers after the first look", w.idleNow(), 3)
		w.run(new(serverStream)) // on the last one
		wantEqual(t, "there is an RPC", w.comes(all[2]) != nil, true)
		wantEqual(t, "rest", w.restNow(all[2]), true)
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
			wantEqual(t, "rest of one more", w.restNow(new(worker)), false)
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
		wantEqual(t, "rest after stop", w.restNow(new(worker)), false)
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
