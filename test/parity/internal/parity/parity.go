// Which library a test binary is linked with, and how a case says what it expects of each.
// The only place that finds out; everything else asks here.

// Package parity tells the tests of this module which of the two libraries they run against.
package parity

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
)

// Ours reports whether the library of this working tree is linked, rather than a released one: the source file of one of
// its functions then has no module version in its path. (A test binary's build information does not list modules.)
func Ours() bool {
	entry := runtime.FuncForPC(reflect.ValueOf(grpc.NewServer).Pointer())
	file, _ := entry.FileLine(entry.Entry())
	return !strings.Contains(file, "google.golang.org/grpc@v")
}

// Equal fails the test if got is not want.
func Equal(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Differs picks the expected value of a case in which the two libraries differ on purpose.
// The key must stand in DIFFERENCES.md, with the reason; a key that does not fails the test.
func Differs(t testing.TB, key, upstream, ours string) string {
	t.Helper()
	if _, ok := differences()[key]; !ok {
		t.Fatalf("%q is not a key in DIFFERENCES.md", key)
	}
	if Ours() {
		return ours
	}
	return upstream
}

// Keys returns the keys in DIFFERENCES.md.
func Keys() []string {
	var keys []string
	for key := range differences() {
		keys = append(keys, key)
	}
	return keys
}

// Root returns the directory of this module, found from this source file.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("parity: no caller information")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// differences returns reason by key. A difference is a line "- `key`: reason".
func differences() map[string]string {
	text, err := os.ReadFile(filepath.Join(Root(), "DIFFERENCES.md"))
	if err != nil {
		panic(fmt.Sprintf("parity: %v", err))
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "- `")
		if !ok {
			continue
		}
		key, reason, ok := strings.Cut(rest, "`: ")
		if !ok || strings.TrimSpace(reason) == "" {
			panic(fmt.Sprintf("parity: DIFFERENCES.md: no reason in %q", line))
		}
		reasons[key] = reason
	}
	return reasons
}
