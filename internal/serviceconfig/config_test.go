// Looking up methods.

package serviceconfig

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// parse parses a config that must be valid.
func parse(tb testing.TB, text string) *Config {
	tb.Helper()
	c, err := Parse(text, options)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return c
}

const threeLevels = `{"methodConfig": [
	{"name": [{"service": "s", "method": "m"}], "timeout": "1s"},
	{"name": [{"service": "s"}], "timeout": "2s"},
	{"name": [{}], "timeout": "3s"}]}`

func TestLookupPrefersTheNarrowestEntry(t *testing.T) {
	c := parse(t, threeLevels)
	tests := []struct {
		method string
		want   time.Duration
	}{
		{"/s/m", 1 * time.Second},
		{"/s/other", 2 * time.Second},
		{"/s/", 2 * time.Second},
		{"/other/m", 3 * time.Second},
		{"/s/m/more", 3 * time.Second},
		{"s/m", 3 * time.Second},
		{"/", 3 * time.Second},
		{"", 3 * time.Second},
	}
	for _, test := range tests {
		m := c.Lookup(test.method)
		if m == nil || *m.Timeout != test.want {
			t.Errorf("%q: got %+v, want timeout %v", test.method, m, test.want)
		}
	}
}

func TestLookupFindsNothing(t *testing.T) {
	tests := map[string]*Config{
		"nil config":    nil,
		"empty config":  parse(t, `{}`),
		"other service": parse(t, `{"methodConfig": [{"name": [{"service": "other"}]}]}`),
		"other method":  parse(t, `{"methodConfig": [{"name": [{"service": "s", "method": "other"}]}]}`),
	}
	for name, c := range tests {
		if m := c.Lookup("/s/m"); m != nil {
			t.Errorf("%s: got %+v, want nil", name, m)
		}
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c := parse(t, threeLevels)
	for _, method := range []string{"/s/m", "/s/other", "/other/m"} {
		if n := testing.AllocsPerRun(100, func() { c.Lookup(method) }); n != 0 {
			t.Errorf("%q: got %v allocations, want 0", method, n)
		}
	}
}

func TestMethods(t *testing.T) {
	c := parse(t, threeLevels)
	got := maps.Collect(c.Methods())
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, []string{"", "/s/", "/s/m"}) {
		t.Errorf("got %q", keys)
	}
	if got[""] != c.Lookup("/other/m") || got["/s/m"] != c.Lookup("/s/m") || got["/s/"] != c.Lookup("/s/x") {
		t.Error("got other entries than those that Lookup returns")
	}
	for stop := 1; stop <= 3; stop++ {
		n := 0
		for range c.Methods() {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("got %d entries, want to stop after %d", n, stop)
		}
	}
	for range (*Config)(nil).Methods() {
		t.Error("got an entry of a nil config")
	}
}

func TestFromMethods(t *testing.T) {
	want := parse(t, threeLevels)
	methods := map[string]MethodConfig{}
	for path, m := range want.Methods() {
		methods[path] = m.MethodConfig
	}
	got := FromMethods(methods)
	for _, method := range []string{"/s/m", "/s/other", "/other/m"} {
		if g, w := *got.Lookup(method).Timeout, *want.Lookup(method).Timeout; g != w {
			t.Errorf("%q: got timeout %v, want %v", method, g, w)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	c := parse(b, threeLevels)
	for _, method := range []string{"/s/m", "/s/other", "/other/m"} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Lookup(method)
			}
		})
	}
}

func ExampleConfig_Lookup() {
	c, err := Parse(`{"methodConfig": [
		{"name": [{"service": "routes.Guide"}], "timeout": "2.5s"},
		{"name": [{"service": "routes.Guide", "method": "Record"}], "waitForReady": true}]}`, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*c.Lookup("/routes.Guide/List").Timeout)
	fmt.Println(c.Lookup("/routes.Guide/Record").Timeout == nil)
	fmt.Println(c.Lookup("/other.Service/Method") == nil)
	// Output:
	// 2.5s
	// true
	// true
}
