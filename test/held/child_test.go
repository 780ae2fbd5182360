// The other process: what a server or a client costs is measured where nothing else is.

package held

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// A usage is what a process uses, in bytes.
type usage struct {
	heap, stacks, resident int64
	goroutines             int64
}

// measure returns what this process uses now, without what is garbage.
func measure() (u usage) {
	for range 3 { // pools give their memory back at the second collection
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap, u.stacks, u.goroutines = int64(m.HeapAlloc), int64(m.StackInuse), int64(runtime.NumGoroutine())
	if b, err := os.ReadFile("/proc/self/statm"); err == nil { // Linux
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			u.resident = pages * int64(os.Getpagesize())
		}
	}
	return u
}

// overhead is what the runtime may keep for itself, however many things there are, such as stacks for the next goroutines.
const overhead = 2 << 20

// each returns the growth since before for each of n things.
func (u usage) each(before usage, n int) usage {
	d := int64(n)
	return usage{(u.heap - before.heap - overhead) / d, (u.stacks - before.stacks) / d, (u.resident - before.resident) / d, u.goroutines - before.goroutines}
}

func (u usage) String() string {
	return fmt.Sprintf("%d B: heap %d B, stacks %d B (resident %d B; %d goroutines more)", u.heap+u.stacks, u.heap, u.stacks, u.resident, u.goroutines)
}

// limit fails the test if the growth is larger than it may be. The resident memory is only compared where there is enough of it.
func (u usage) limit(t *testing.T, what string, bytes int64) {
	t.Helper()
	t.Logf("%s: %v", what, u)
	if got := u.heap + u.stacks; got > bytes {
		t.Errorf("%s: got %d bytes each, want at most %d", what, got, bytes)
	}
	if full && u.resident > bytes*5/4 {
		t.Errorf("%s: got %d resident bytes each, want at most %d", what, u.resident, bytes*5/4)
	}
}

// A child is another process of this test.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// roleVariable names the environment variable that makes this program a child.
const roleVariable = "HELD_ROLE"

// start starts a child, which ends with the test.
func start(t *testing.T, role string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.lines = in, bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.cmd.Wait()
	})
	return c
}

// ask sends a command, and returns the answer.
func (c *child) ask(format string, args ...any) string {
	c.t.Helper()
	fmt.Fprintf(c.in, format+"\n", args...)
	if !c.lines.Scan() {
		c.t.Fatalf("%q: the child has ended", fmt.Sprintf(format, args...))
	}
	return c.lines.Text()
}

// measure returns what the child uses.
func (c *child) measure() (u usage) {
	c.t.Helper()
	answer := c.ask("measure")
	if _, err := fmt.Sscan(answer, &u.heap, &u.stacks, &u.resident, &u.goroutines); err != nil {
		c.t.Fatalf("answer %q: %v", answer, err)
	}
	return u
}

// obey runs a child: it answers each line of the standard input, until that ends.
func obey(commands map[string]func(args []string) string) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if f[0] == "measure" {
			u := measure()
			fmt.Println(u.heap, u.stacks, u.resident, u.goroutines)
			continue
		}
		fmt.Println(commands[f[0]](f[1:]))
	}
}
