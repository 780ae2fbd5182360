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
	"time"
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

// A cost is what each of many things may cost at most, once what is only kept for a moment was given back.
type cost struct {
	bytes      int64 // of heap and stacks
	goroutines int64
}

// spareGoroutines is how many goroutines there may be beyond those of each thing, or have been before: of timers that fire, and of commands.
const spareGoroutines = 50

// fault returns what of the growth for each of n things is more than it may be, "" for nothing, or that they are not there any more. The
// resident memory only counts where there is enough of it.
func (c cost) fault(u usage, n int) string {
	least := int64(n) * c.goroutines
	switch {
	case u.heap+u.stacks > c.bytes:
		return fmt.Sprintf("got %d bytes each, want at most %d", u.heap+u.stacks, c.bytes)
	case full && u.resident > c.bytes*5/4:
		return fmt.Sprintf("got %d resident bytes each, want at most %d", u.resident, c.bytes*5/4)
	case u.goroutines > least+spareGoroutines || u.goroutines < least-spareGoroutines:
		return fmt.Sprintf("got %d goroutines more, want %d, or up to %d more or less", u.goroutines, least, spareGoroutines)
	}
	return ""
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

const (
	patience = 30 * time.Second       // how long a child may take to give back what it only keeps for a moment
	interval = 100 * time.Millisecond // between looks: a look collects garbage
)

// settle looks at what the child uses more than before, for each of n things, until that is no more than they may cost. If it stays more, the
// test fails.
func (c *child) settle(what string, n int, before usage, limit cost) {
	c.t.Helper()
	begun := time.Now()
	for range time.Tick(interval) {
		u := c.measure().each(before, n)
		fault := limit.fault(u, n)
		if fault == "" {
			c.t.Logf("%d %s, after %v: %v", n, what, time.Since(begun).Round(interval), u)
			return
		}
		if time.Since(begun) > patience {
			c.t.Errorf("%d %s, after %v: %s; all: %v", n, what, patience, fault, u)
			return
		}
	}
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
