// The limit of the time that a fuzz target may be busy with one input. Go has one of 10 s, which is too long for short runs: an input that
// never ends is forgotten if the time of fuzzing ends before.

package testkit

import (
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

// A target may be busy with an input for inputTime. It is looked at every inputTime/inputLooks, so that a process that was stopped for a
// while does not lose all of its time.
const (
	inputTime  = 4 * time.Second
	inputLooks = 8
)

// LimitTime ends the process if the test is not over in 4 s by the clock of the world, with the stacks of all goroutines. It is for the
// first line of what a fuzz target does with an input: the fuzzer keeps the input of a process that ended.
func LimitTime(t testing.TB) { limitTime(t, inputTime, func() { panicWithStacks(t.Name()) }) }

// limitTime calls late if the test is not over in time.
func limitTime(t testing.TB, limit time.Duration, late func()) {
	l := &timeLimit{every: limit / inputLooks, left: inputLooks, late: late}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(l.every, l.look)
	t.Cleanup(l.stop)
}

func panicWithStacks(name string) {
	debug.SetTraceback("all")
	panic(fmt.Sprintf("testkit: %s is busy with one input for more than %v", name, inputTime))
}

// A timeLimit is the limit of one test.
type timeLimit struct {
	every time.Duration
	late  func()

	mu    sync.Mutex // guards the fields below
	timer *time.Timer
	left  int // looks, 0 if the test is over
}

// look is called by the timer.
func (l *timeLimit) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return
	}
	if l.left--; l.left == 0 {
		l.late()
		return
	}
	l.timer.Reset(l.every)
}

func (l *timeLimit) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = 0
	l.timer.Stop()
}
