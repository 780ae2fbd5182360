// Tests of dump and missing on the two tiny modules of testdata.

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// do runs the command and returns its output.
func do(t *testing.T, wantStatus int, args ...string) string {
	t.Helper()
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	var out, errw bytes.Buffer
	if got := run(args, &out, &errw); got != wantStatus {
		t.Fatalf("apicheck %s: status %d, want %d\n%s%s", strings.Join(args, " "), got, wantStatus, &out, &errw)
	}
	return out.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(f, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return f
}

const golden = "testdata/one.txt"

func TestDump(t *testing.T) {
	got := do(t, 0, "dump", "-dir", "testdata/one", "./...")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("dump of testdata/one differs from %s; got:\n%s", golden, got)
	}
	for _, s := range []string{"secret", "hush", "cmd/tool", "internal/hid", "any"} {
		if strings.Contains(got, s) {
			t.Errorf("dump contains %q", s)
		}
	}
}

func TestDumpSkip(t *testing.T) {
	got := do(t, 0, "dump", "-dir", "testdata/one", "-skip", "/sub$", "./...")
	if strings.Contains(got, "pkg example.test/fix/sub,") {
		t.Errorf("skipped package in dump:\n%s", got)
	}
}

func TestMissingNothing(t *testing.T) {
	got := do(t, 0, "missing", "-dir", "testdata/one", "-want", golden)
	if !strings.Contains(got, "total 36/36 present, 0 allowed, 0 missing\n") {
		t.Errorf("a module lacks something of its own dump:\n%s", got)
	}
}

// The second fixture offers all of the first except four features. Among what
// it offers in another shape: a type with two names whose declaration moved, a
// method that moved to the value, a sealed interface that grew, renamed type
// parameters, a hidden type that moved.
func TestMissing(t *testing.T) {
	got := do(t, 1, "missing", "-dir", "testdata/two", "-want", golden)
	want := `MISS 29/33 example.test/fix
	pkg example.test/fix, const Answer untyped int = 42
		have: const Answer untyped int = 43
	pkg example.test/fix, func Changed(int) string
		have: func Changed(int64) string
	pkg example.test/fix, func Gone()
	pkg example.test/fix, type Open interface { Close, Do }
		interface differs: +Grown
ok   3/3 example.test/fix/sub
total 32/36 present, 0 allowed, 4 missing
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMissingAllow(t *testing.T) {
	allow := write(t, "allow.txt", `# comment
pkg example.test/fix, const Answer untyped int = 42  # a better answer
pkg example.test/fix, func Changed(int) string # wider
pkg example.test/fix, func Gone() # nobody called it
pkg example.test/fix, type Open interface { Close, Do }   # grew
pkg example.test/fix, func Only(*example.test/fix.Box) # it is there
`)
	got := do(t, 0, "missing", "-dir", "testdata/two", "-want", golden, "-allow", allow, "-summary")
	want := `ok   29/33 (4 allowed) example.test/fix
ok   3/3 example.test/fix/sub
stale allowance (present, or not wanted): pkg example.test/fix, func Only(*example.test/fix.Box)
total 32/36 present, 4 allowed, 0 missing
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMissingPkg(t *testing.T) {
	do(t, 0, "missing", "-dir", "testdata/two", "-want", golden, "-pkg", "/sub$")
}

func TestMissingAbsent(t *testing.T) {
	absent := write(t, "absent.txt", "# comment\nexample.test/fix\n")
	got := do(t, 0, "missing", "-dir", "testdata/two", "-want", golden, "-absent", absent, "./sub")
	want := `ok   3/3 example.test/fix/sub
total 3/3 present, 0 allowed, 0 missing
33 features are of packages that the module does not have
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	got = do(t, 1, "missing", "-dir", "testdata/two", "-want", golden, "-absent", absent)
	if want := "but the module has it: example.test/fix\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got:\n%s\nwant the end %q", got, want)
	}
}

func TestAllowNeedsReason(t *testing.T) {
	allow := write(t, "allow.txt", "pkg example.test/fix, func Gone()\n")
	do(t, 2, "missing", "-dir", "testdata/two", "-want", golden, "-allow", allow)
}

func TestKey(t *testing.T) {
	for line, want := range map[string]string{
		"pkg p/q, func F(int) string":                     "p/q F",
		"pkg p/q, func F[$0 interface{}]($0)":             "p/q F",
		"pkg p/q, method (*T) M() p/q.X":                  "p/q T.M()",
		"pkg p/q, method (T) M() p/q.X":                   "p/q T.M()",
		"pkg p/q, type T struct, F func(int) p/q.X":       "p/q T.F",
		"pkg p/q, type T struct, embedded *r/s.Base":      "p/q T.Base",
		"pkg p/q, type I interface, M(int)":               "p/q I.M()",
		"pkg p/q, type I[$0 interface{}] interface { M }": "p/q I",
		"pkg p/q, type A = r/s.B":                         "p/q A",
		"pkg p/q, const C r/s.T = 3":                      "p/q C",
		"pkg p/q, var V map[string]int":                   "p/q V",
		"pkg p/q, package q":                              "p/q",
	} {
		if got := key(line); got != want {
			t.Errorf("key(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestCanon(t *testing.T) {
	aliases := map[string]string{"a.test/x.T": "a.test/y.U"}
	got := canon("pkg a.test/x, func F(...a.test/x.T, *a.test/x.Tea) map[a.test/x.T]a.test/x.T", aliases)
	want := "pkg a.test/x, func F(...a.test/y.U, *a.test/x.Tea) map[a.test/y.U]a.test/y.U"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
