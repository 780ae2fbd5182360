// gRPC's own logger: who gets which line, in what form, and what the environment variables do.

package grpclog

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// withoutTimes replaces the time at the start of each line, which must be there.
func withoutTimes(s string) string {
	return regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `).ReplaceAllString(s, "T ")
}

func TestWritersGetTheirSeveritiesAndHigherOnes(t *testing.T) {
	var info, warning, failure bytes.Buffer
	l := NewLoggerV2(&info, &warning, &failure)
	l.Info("a", "b", 1, 2)
	l.Infoln("a", "b", 1, 2)
	l.Infof("a%d\n", 1)
	l.Warning("a", "b", 1, 2)
	l.Warningln("a", "b", 1, 2)
	l.Warningf("a%d", 1)
	l.Error("a\nb")
	l.Errorln()
	l.Errorf("")

	const infos = "T INFO: ab1 2\nT INFO: a b 1 2\nT INFO: a1\n"
	const warnings = "T WARNING: ab1 2\nT WARNING: a b 1 2\nT WARNING: a1\n"
	const failures = "T ERROR: a\nb\nT ERROR: \nT ERROR: \n"
	tests := []struct {
		name string
		got  *bytes.Buffer
		want string
	}{
		{"info", &info, infos + warnings + failures},
		{"warning", &warning, warnings + failures},
		{"error", &failure, failures},
	}
	for _, test := range tests {
		if got := withoutTimes(test.got.String()); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestVerbosity(t *testing.T) {
	tests := []struct {
		logger LoggerV2
		level  int
		want   bool
	}{
		{NewLoggerV2(io.Discard, io.Discard, io.Discard), 0, true},
		{NewLoggerV2(io.Discard, io.Discard, io.Discard), 1, false},
		{NewLoggerV2(io.Discard, io.Discard, io.Discard), -1, true},
		{NewLoggerV2WithVerbosity(io.Discard, io.Discard, io.Discard, 2), 2, true},
		{NewLoggerV2WithVerbosity(io.Discard, io.Discard, io.Discard, 2), 3, false},
	}
	for _, test := range tests {
		if got := test.logger.V(test.level); got != test.want {
			t.Errorf("V(%d): got %v, want %v", test.level, got, test.want)
		}
	}
}

// unprintable fails the test when it is formatted.
type unprintable struct{ t *testing.T }

func (u unprintable) String() string {
	u.t.Error("got a line formatted that nobody gets")
	return ""
}

func TestDiscardedLinesAreNotFormatted(t *testing.T) {
	var failure bytes.Buffer
	l := NewLoggerV2(io.Discard, io.Discard, &failure)
	l.Info(unprintable{t})
	l.Warningln(unprintable{t})
	l.Warningf("%v", unprintable{t})
	l.Error("e")
	if got, want := withoutTimes(failure.String()), "T ERROR: e\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesToOneWriterDoNotMix(t *testing.T) {
	var out bytes.Buffer
	l := NewLoggerV2(&out, io.Discard, &out)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			l.Info("line")
			l.Error("line")
		})
	}
	wg.Wait()
	got := withoutTimes(out.String())
	if i, e := strings.Count(got, "T INFO: line\n"), strings.Count(got, "T ERROR: line\n"); i != 4 || e != 8 {
		t.Errorf("got %d lines INFO, %d lines ERROR in %q, want 4, 8", i, e, got)
	}
}

func TestSeverityFromEnvironment(t *testing.T) {
	const e, w, i = "T ERROR: e\n", "T WARNING: w\n", "T INFO: i\n"
	tests := []struct{ value, want string }{
		{"", e}, {"error", e}, {"ERROR", e},
		{"warning", w + e}, {"WARNING", w + e},
		{"info", i + w + e}, {"INFO", i + w + e},
		{"none", ""}, {"Info", ""}, {"WARN", ""},
	}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			_, stderr, _ := runChild(t, "severities", "GRPC_GO_LOG_SEVERITY_LEVEL="+test.value)
			if got := withoutTimes(stderr); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestVerbosityFromEnvironment(t *testing.T) {
	tests := []struct{ value, want string }{
		{"", "true false false"}, {"2", "true true false"}, {"3", "true true true"}, {"-1", "false false false"},
		{"2x", "true false false"}, {"99999999999999999999", "true false false"},
	}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			stdout, _, _ := runChild(t, "verbosity", "GRPC_GO_LOG_VERBOSITY_LEVEL="+test.value)
			if stdout != test.want {
				t.Errorf("V(0), V(2), V(3): got %s, want %s", stdout, test.want)
			}
		})
	}
}

func TestFormatterFromEnvironment(t *testing.T) {
	const text, json = "T ERROR: e\n", `{"message":"e","severity":"ERROR"}` + "\n"
	tests := []struct{ value, want string }{{"", text}, {"json", json}, {"JSON", json}, {"json ", text}, {"xml", text}}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			_, stderr, _ := runChild(t, "severities", "GRPC_GO_LOG_FORMATTER="+test.value)
			if got := withoutTimes(stderr); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	l := newWriterLogger([...]io.Writer{&out, io.Discard, io.Discard}, 0, true)
	l.Infof("q\"<é\x00\xff\n")
	l.Warningln("a", "b")
	want := `{"message":"q\"\u003cé\u0000\ufffd\n","severity":"INFO"}` + "\n" + `{"message":"a b\n","severity":"WARNING"}` + "\n"
	if got := out.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
