// The check that tests leave no goroutine of this module behind. It reads the stacks of all goroutines, as a traceback shows them.

package testkit

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// Goroutines that are about to end are given leakPatience, and looked at every leakInterval.
const (
	leakPatience = 10 * time.Second
	leakInterval = 10 * time.Millisecond
)

// Main runs the tests of m and ends the process, with a failure if a test fails or if code of this module still runs in another
// goroutine when all have passed. It is for TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if leaked := waitForLeaked(leakPatience); len(leaked) > 0 {
			fmt.Fprintf(os.Stderr, "testkit: %d goroutines of this module are left after all tests, want 0:\n\n%s\n", len(leaked), bytes.Join(leaked, []byte("\n\n")))
			code = 1
		}
	}
	os.Exit(code)
}

// waitForLeaked waits until no goroutine has code of this module on its stack, or was started by such code, but for the calling one and
// the one that runs the tests. It returns the stacks of those that are left after patience.
func waitForLeaked(patience time.Duration) [][]byte {
	deadline := time.Now().Add(patience)
	for {
		leaked := leakedStacks()
		if len(leaked) == 0 || time.Now().After(deadline) {
			return leaked
		}
		<-time.After(leakInterval)
	}
}

// leakedStacks returns the stacks that name this module, without those two goroutines'.
func leakedStacks() (stacks [][]byte) {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := bytes.Split(buf[:n], []byte("\n\n")) // the calling goroutine's comes first
	for _, stack := range all[1:] {
		ours := bytes.Contains(stack, []byte("google.golang.org/grpc"))
		if ours && !bytes.Contains(stack, []byte("testing.(*M).Run")) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
