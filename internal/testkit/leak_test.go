// Tests that the leak check sees goroutines that stay, and waits for those that end.

package testkit

import (
	"bytes"
	"testing"
	"time"
)

func TestLeakedGoroutineIsReportedWithItsStack(t *testing.T) {
	release := make(chan struct{}) // closed by the test
	ended := make(chan struct{})   // closed by the goroutine
	go func() {
		<-release
		close(ended)
	}()
	leaked := waitForLeaked(0)
	if len(leaked) != 1 || !bytes.Contains(leaked[0], []byte("TestLeakedGoroutineIsReportedWithItsStack.func1")) {
		t.Errorf("leaked: got %q, want the stack of one goroutine of this test", leaked)
	}
	close(release)
	<-ended
}

func TestEndingGoroutineIsWaitedFor(t *testing.T) {
	release := make(chan struct{}) // closed by the timer
	go func() { <-release }()
	time.AfterFunc(5*leakInterval, func() { close(release) })
	if leaked := waitForLeaked(leakPatience); len(leaked) != 0 {
		t.Errorf("leaked: got %q, want none", leaked)
	}
}

func TestMain(m *testing.M) { Main(m) }
