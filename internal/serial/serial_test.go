// Order, exclusion and the end of a queue. The tests run in synctest bubbles: synctest.Wait returns when every goroutine is gone or
// waits, and a bubble that leaves a goroutine behind fails.

package serial

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// isDone reports whether Done is closed.
func isDone(q *Queue) bool {
	select {
	case <-q.Done():
		return true
	default:
		return false
	}
}

func TestRunsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		var got, want []int
		for i := range 100 {
			q.Run(func() { got = append(got, i) })
			want = append(want, i)
		}
		synctest.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("got order %v, want 0 to 99", got)
		}
	})
}

func TestRunDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		release := make(chan struct{})
		ran := 0
		q.Run(func() { <-release; ran++ })
		q.Run(func() { ran++ })
		synctest.Wait()
		if ran != 0 {
			t.Errorf("got %d callbacks finished while the first one blocks, want 0", ran)
		}
		close(release)
		synctest.Wait()
		if ran != 2 {
			t.Errorf("got %d callbacks finished, want 2", ran)
		}
	})
}

func TestOneAtATimeFromManyGoroutines(t *testing.T) {
	q := New()
	const callers, each = 8, 500
	var inside atomic.Int32
	var started sync.WaitGroup
	last := make([]int, callers) // no lock: the queue is the lock, which the race detector checks
	total := 0
	finished := make(chan struct{})
	for c := range callers {
		started.Go(func() {
			for i := 1; i <= each; i++ {
				q.Run(func() {
					if n := inside.Add(1); n != 1 {
						t.Errorf("got %d callbacks at once, want 1", n)
					}
					if last[c] != i-1 {
						t.Errorf("caller %d: got callback %d after %d", c, i, last[c])
					}
					last[c] = i
					if total++; total == callers*each {
						close(finished)
					}
					inside.Add(-1)
				})
			}
		})
	}
	started.Wait()
	<-finished
}

func TestRunInsideCallbackComesAfterThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		var got []string
		both := make(chan struct{})
		q.Run(func() {
			<-both
			q.Run(func() { got = append(got, "inner") })
			got = append(got, "first")
		})
		q.Run(func() { got = append(got, "second") })
		close(both)
		synctest.Wait()
		if want := []string{"first", "second", "inner"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWorksAgainAfterRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		ran := 0
		for want := 1; want <= 3; want++ {
			q.Run(func() { ran++ })
			synctest.Wait()
			q.mu.Lock()
			running := q.running
			q.mu.Unlock()
			if ran != want || running {
				t.Fatalf("got %d callbacks run and running = %v, want %d and no goroutine", ran, running, want)
			}
		}
	})
}

func TestCloseDropsWhatWaitsAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		release := make(chan struct{})
		var got []string
		q.Run(func() { <-release; got = append(got, "running") })
		q.Run(func() { got = append(got, "waiting") })
		synctest.Wait()
		q.Close()
		q.Close()
		q.Run(func() { got = append(got, "late") })
		synctest.Wait()
		if isDone(q) {
			t.Error("got Done closed while a callback runs")
		}
		close(release)
		<-q.Done()
		if want := []string{"running"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestCloseInsideCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		var got []string
		q.Run(func() {
			q.Close()
			q.Run(func() { got = append(got, "late") })
			if isDone(q) {
				t.Error("got Done closed inside a callback")
			}
			got = append(got, "closing")
		})
		q.Run(func() { got = append(got, "waiting") })
		<-q.Done()
		if want := []string{"closing"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestCloseAtRestIsDoneAtOnce(t *testing.T) {
	q := New()
	if isDone(q) {
		t.Error("got Done closed on a new queue")
	}
	q.Close()
	if !isDone(q) {
		t.Error("got Done open after Close of a queue at rest")
	}
}

func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	q := New()
	ran := make(chan struct{})
	f := func() { ran <- struct{}{} }
	for b.Loop() {
		q.Run(f)
		<-ran
	}
}

func TestDoWaitsForItsCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		release := make(chan struct{})
		q.Run(func() { <-release })
		ran := false
		result := make(chan bool, 1)
		go func() { result <- q.Do(func() { ran = true }) }()
		synctest.Wait()
		if len(result) != 0 {
			t.Fatal("Do has returned before its callback has run")
		}
		close(release)
		if !<-result || !ran {
			t.Errorf("got ran = %v, want true, and that Do says so", ran)
		}
	})
}

func TestDoSaysThatItsCallbackWasDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New()
		release := make(chan struct{})
		q.Run(func() { <-release; q.Close() })
		result := make(chan bool)
		go func() { result <- q.Do(func() { t.Error("a dropped callback has run") }) }()
		synctest.Wait()
		close(release)
		if <-result {
			t.Error("Do of a callback that Close has dropped: got true, want false")
		}
		if q.Do(func() { t.Error("a callback has run after Close") }) {
			t.Error("Do after Close: got true, want false")
		}
	})
}

func TestDoOfTheCallbackThatClosesSaysThatItHasRun(t *testing.T) {
	for range 100 { // both are true at once then
		q := New()
		if !q.Do(q.Close) {
			t.Fatal("Do of Close: got false, want true")
		}
		<-q.Done()
	}
}
