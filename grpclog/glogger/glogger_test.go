// gRPC's lines in glog: severity, text, and that the place shown is the caller's. glog writes to standard error, so that a child process
// (this test binary once more) does the logging.

package glogger

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"
)

// childEnv names the variable that makes the test binary a child process, which does what the variable says.
const childEnv = "GLOGGER_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		child(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(name string) {
	flag.Set("logtostderr", "true")
	flag.Set("v", "2")
	c := grpclog.Component("c")
	switch name {
	case "lines":
		grpclog.Info("a", "b", 1, 2)
		grpclog.Infoln("a", "b", 1, 2)
		grpclog.Infof("a%d", 1)
		grpclog.InfoDepth(0, "a", 1)
		grpclog.Warning("a", "b", 1, 2)
		grpclog.Warningln("a", "b", 1, 2)
		grpclog.Warningf("a%d", 1)
		grpclog.WarningDepth(0, "a", 1)
		grpclog.Error("a", "b", 1, 2)
		grpclog.Errorln("a", "b", 1, 2)
		grpclog.Errorf("a%d", 1)
		grpclog.ErrorDepth(0, "a", 1)
		c.Info("a", 1)
		c.Warningln("a", 1)
		c.Errorf("a%d", 1)
		c.InfoDepth(0, "a", 1)
	case "verbosity":
		fmt.Print(grpclog.V(2), grpclog.V(3))
	case "Fatal":
		grpclog.Fatal("a", "b", 1, 2)
	case "Fatalln":
		grpclog.Fatalln("a", "b", 1, 2)
	case "Fatalf":
		grpclog.Fatalf("a%d", 1)
	case "FatalDepth":
		grpclog.FatalDepth(0, "a", 1)
	case "component":
		c.Fatal("a", 1)
	}
}

func runChild(t *testing.T, name string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command(os.Args[0])
	// The race detector would wait a second before each exit; a binary that counts coverage wants a place for it.
	cmd.Env = append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if e := cmd.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatalf("child %q: %v", name, e)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// shorten reduces glog's "I0102 15:04:05.000000 123 file.go:4] text" to "I file.go text".
func shorten(line string) string {
	return regexp.MustCompile(`^([IWEF])\S* +\S+ +\d+ (\S+):\d+\] `).ReplaceAllString(line, "$1 $2 ")
}

func TestLines(t *testing.T) {
	_, stderr, code := runChild(t, "lines")
	got := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	var want []string
	for _, severity := range []string{"I", "W", "E"} {
		for _, text := range []string{"ab1 2", "a b 1 2", "a1", "a1"} {
			want = append(want, severity+" glogger_test.go "+text)
		}
	}
	want = append(want, "I glogger_test.go [c]a1", "W glogger_test.go [c]a1", "E glogger_test.go [c]a1", "I glogger_test.go [c]a1")
	if len(got) != len(want) || code != 0 {
		t.Fatalf("got %d lines and code %d, want %d and 0:\n%s", len(got), code, len(want), stderr)
	}
	for i := range want {
		if got := shorten(got[i]); got != want[i] {
			t.Errorf("line %d: got %q, want %q", i, got, want[i])
		}
	}
}

func TestVerbosity(t *testing.T) {
	if stdout, _, _ := runChild(t, "verbosity"); stdout != "true false" {
		t.Errorf("V(2), V(3): got %s, want true false", stdout)
	}
}

func TestFatalEndsTheProcess(t *testing.T) {
	tests := []struct{ name, want string }{
		{"Fatal", "ab1 2"}, {"Fatalln", "a b 1 2"}, {"Fatalf", "a1"}, {"FatalDepth", "a1"}, {"component", "[c]a1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, code := runChild(t, test.name)
			line, _, _ := strings.Cut(stderr, "\n")
			if got, want := shorten(line), "F glogger_test.go "+test.want; got != want || code != 2 {
				t.Errorf("got %q and code %d, want %q and 2, which is glog's", got, code, want)
			}
		})
	}
}
