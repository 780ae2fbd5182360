// Tests of the limit of time, under a clock that does not wait.

package testkit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLimitOfTime(t *testing.T) {
	for _, tt := range []struct {
		took time.Duration
		late int
	}{{0, 0}, {inputTime - 1, 0}, {inputTime + 1, 1}, {10 * inputTime, 1}} {
		synctest.Test(t, func(t *testing.T) {
			late := 0
			over := new(overTest)
			limitTime(over, inputTime, func() { late++ })
			<-time.After(tt.took)
			over.end()
			<-time.After(2 * inputTime)
			if synctest.Wait(); late != tt.late {
				t.Errorf("a test of %v: got %d calls, want %d", tt.took, late, tt.late)
			}
		})
	}
}

// An overTest is a test that ends when it is told to.
type overTest struct {
	testing.TB
	end func()
}

func (t *overTest) Cleanup(f func()) { t.end = f }
