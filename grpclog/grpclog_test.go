// What each function of the package asks of the logger of the process, for all three kinds of loggers.
// What ends a process is tried in a child process, which is this test binary once more.

package grpclog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// childEnv names the variable that makes the test binary a child process, which does what the variable says.
const childEnv = "GRPCLOG_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		child(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is what a child process does.
func child(name string) {
	switch name {
	case "severities":
		Info("i")
		Warning("w")
		Error("e")
	case "verbosity":
		fmt.Print(V(0), V(2), V(3))
	case "Fatal":
		Fatal("a", "b", 1, 2)
	case "Fatalf":
		Fatalf("a%d", 1)
	case "Fatalln":
		Fatalln("a", "b", 1, 2)
	case "FatalDepth":
		FatalDepth(0, "a", "b", 1, 2)
	case "component":
		Component("c").Fatal("a", "b", 1, 2)
	case "method Fatal":
		NewLoggerV2(io.Discard, io.Discard, os.Stderr).Fatal("a")
	case "method Fatalf":
		NewLoggerV2(io.Discard, io.Discard, os.Stderr).Fatalf("a%d", 1)
	case "method Fatalln":
		NewLoggerV2(io.Discard, io.Discard, os.Stderr).Fatalln("a", "b")
	case "returning Fatal":
		SetLoggerV2(returningLogger{})
		Fatal("a")
	case "returning Fatalf":
		SetLoggerV2(returningLogger{})
		Fatalf("a")
	case "returning Fatalln":
		SetLoggerV2(returningLogger{})
		Fatalln("a")
	case "returning FatalDepth":
		SetLoggerV2(returningLogger{})
		FatalDepth(0, "a")
	}
}

// returningLogger has Fatal methods that return.
type returningLogger struct{ LoggerV2 }

func (returningLogger) Fatal(...any)          {}
func (returningLogger) Fatalf(string, ...any) {}
func (returningLogger) Fatalln(...any)        {}

// runChild returns what a child process with the environment wrote to its standard output and error, and how it ended.
func runChild(t *testing.T, name string, env ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command(os.Args[0])
	// The race detector would wait a second before each exit; a binary that counts coverage wants a place for it.
	cmd.Env = append(env, childEnv+"="+name, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if e := cmd.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatalf("child %q: %v", name, e)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// recorder is a LoggerV2 that remembers what was called with what.
type recorder struct{ calls []string }

func (r *recorder) add(method string, args ...any) {
	r.calls = append(r.calls, fmt.Sprintf("%s %q", method, args))
}

// fatal panics so that nobody ends the process.
func (r *recorder) fatal(method string, args ...any) {
	r.add(method, args...)
	panic(r)
}

func (r *recorder) Info(args ...any)             { r.add("Info", args...) }
func (r *recorder) Infoln(args ...any)           { r.add("Infoln", args...) }
func (r *recorder) Infof(f string, args ...any)  { r.add("Infof "+f, args...) }
func (r *recorder) Warning(args ...any)          { r.add("Warning", args...) }
func (r *recorder) Warningln(args ...any)        { r.add("Warningln", args...) }
func (r *recorder) Warningf(f string, a ...any)  { r.add("Warningf "+f, a...) }
func (r *recorder) Error(args ...any)            { r.add("Error", args...) }
func (r *recorder) Errorln(args ...any)          { r.add("Errorln", args...) }
func (r *recorder) Errorf(f string, args ...any) { r.add("Errorf "+f, args...) }
func (r *recorder) Fatal(args ...any)            { r.fatal("Fatal", args...) }
func (r *recorder) Fatalln(args ...any)          { r.fatal("Fatalln", args...) }
func (r *recorder) Fatalf(f string, args ...any) { r.fatal("Fatalf "+f, args...) }
func (r *recorder) Print(args ...any)            { r.add("Print", args...) }
func (r *recorder) Println(args ...any)          { r.add("Println", args...) }
func (r *recorder) Printf(f string, args ...any) { r.add("Printf "+f, args...) }
func (r *recorder) V(l int) bool                 { return l == 3 }

// depthRecorder is a recorder with Depth methods, which remember the file that they would show.
type depthRecorder struct{ recorder }

func (r *depthRecorder) addDepth(method string, depth int, args []any) {
	_, file, _, _ := runtime.Caller(depth + 3) // 0: here, 1: the Depth method, 2: package grpclog, 3: its caller
	r.add(method+" "+filepath.Base(file), args...)
}

func (r *depthRecorder) InfoDepth(depth int, args ...any)    { r.addDepth("InfoDepth", depth, args) }
func (r *depthRecorder) WarningDepth(depth int, args ...any) { r.addDepth("WarningDepth", depth, args) }
func (r *depthRecorder) ErrorDepth(depth int, args ...any)   { r.addDepth("ErrorDepth", depth, args) }
func (r *depthRecorder) FatalDepth(depth int, args ...any) {
	r.addDepth("FatalDepth", depth, args)
	panic(r)
}

// restoreLogger sets the logger of the process back when the test is over.
func restoreLogger(t *testing.T) {
	before := current.Load()
	t.Cleanup(func() { current.Store(before) })
}

// survive calls f, and takes the panic with which a recorder's Fatal ends.
func survive(f func()) {
	defer func() { recover() }()
	f()
}

// callAll calls each function of the package that logs.
func callAll() {
	Info("a", "b")
	Infof("%d", 1)
	Infoln("a", "b")
	Warning("a", "b")
	Warningf("%d", 1)
	Warningln("a", "b")
	Error("a", "b")
	Errorf("%d", 1)
	Errorln("a", "b")
	survive(func() { Fatal("a", "b") })
	survive(func() { Fatalf("%d", 1) })
	survive(func() { Fatalln("a", "b") })
	InfoDepth(0, "a", "b")
	WarningDepth(0, "a", "b")
	ErrorDepth(0, "a", "b")
	survive(func() { FatalDepth(0, "a", "b") })
	Print("a", "b")
	Printf("%d", 1)
	Println("a", "b")
}

func wantCalls(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i, call := range want {
		if strings.HasSuffix(call, "f %d") {
			want[i] = call + " ['\\x01']"
		} else {
			want[i] = call + ` ["a" "b"]`
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoggerV2GetsEachCall(t *testing.T) {
	restoreLogger(t)
	r := &recorder{}
	SetLoggerV2(r)
	callAll()
	wantCalls(t, r.calls, "Info", "Infof %d", "Infoln", "Warning", "Warningf %d", "Warningln", "Error", "Errorf %d", "Errorln",
		"Fatal", "Fatalf %d", "Fatalln", "Infoln", "Warningln", "Errorln", "Fatalln", "Info", "Infof %d", "Infoln")
	if V(2) || !V(3) {
		t.Errorf("got V(2) %v, V(3) %v, want the answers of the logger, false, true", V(2), V(3))
	}
}

func TestDepthLoggerGetsDepthCalls(t *testing.T) {
	restoreLogger(t)
	r := &depthRecorder{}
	SetLoggerV2(r)
	callAll()
	const here = " grpclog_test.go"
	wantCalls(t, r.calls, "Info", "Infof %d", "Infoln", "Warning", "Warningf %d", "Warningln", "Error", "Errorf %d", "Errorln",
		"Fatal", "Fatalf %d", "Fatalln", "InfoDepth"+here, "WarningDepth"+here, "ErrorDepth"+here, "FatalDepth"+here,
		"Info", "Infof %d", "Infoln")
}

func TestLoggerOf2016GetsEachCall(t *testing.T) {
	restoreLogger(t)
	r := &recorder{}
	SetLogger(r)
	callAll()
	wantCalls(t, r.calls, "Print", "Printf %d", "Println", "Print", "Printf %d", "Println", "Print", "Printf %d", "Println",
		"Fatal", "Fatalf %d", "Fatalln", "Println", "Println", "Println", "Fatalln", "Print", "Printf %d", "Println")
	if !V(99) {
		t.Error("V(99): got false, want true: a logger of 2016 has no verbosity")
	}
}

func TestLastLoggerSetWins(t *testing.T) {
	restoreLogger(t)
	first, second := &recorder{}, &recorder{}
	SetLoggerV2(first)
	SetLogger(second)
	Info("a", "b")
	SetLoggerV2(first)
	Info("a", "b")
	wantCalls(t, second.calls, "Print")
	wantCalls(t, first.calls, "Info")
}

func TestLoggerCanBeSetWhileLogging(t *testing.T) {
	restoreLogger(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			V(1)
		}
	}()
	for range 100 {
		SetLoggerV2(&recorder{})
	}
	<-done
}

func TestFatalEndsTheProcess(t *testing.T) {
	tests := []struct{ name, stderr string }{
		{"Fatal", "FATAL: ab1 2\n"},
		{"Fatalf", "FATAL: a1\n"},
		{"Fatalln", "FATAL: a b 1 2\n"},
		{"FatalDepth", "FATAL: a b 1 2\n"},
		{"component", "FATAL: [c] a b 1 2\n"},
		{"method Fatal", "FATAL: a\n"},
		{"method Fatalf", "FATAL: a1\n"},
		{"method Fatalln", "FATAL: a b\n"},
		{"returning Fatal", ""},
		{"returning Fatalf", ""},
		{"returning Fatalln", ""},
		{"returning FatalDepth", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, code := runChild(t, test.name)
			if code != 1 || !strings.HasSuffix(stderr, test.stderr) {
				t.Errorf("got code %d and %q, want code 1 and %q", code, stderr, test.stderr)
			}
		})
	}
}

func Example() {
	var out bytes.Buffer
	SetLoggerV2(NewLoggerV2WithVerbosity(&out, io.Discard, io.Discard, 1))

	cache := Component("cache")
	cache.Infof("%d entries", 42)
	if cache.V(2) {
		cache.Info("a line that costs much to make")
	}

	fmt.Print(out.String()[len("2006/01/02 15:04:05 "):])
	// Output: INFO: [cache] 42 entries
}
