// The registry, targets and the check of endpoints.

package resolver

import (
	"net/url"
	"sync"
	"testing"

	"google.golang.org/grpc/internal/defaultscheme"
)

// testBuilder builds nothing; name tells builders of one scheme apart.
type testBuilder struct {
	Builder
	scheme, name string
}

func (b testBuilder) Scheme() string { return b.scheme }

// unregister undoes the registration of scheme when the test ends.
func unregister(t *testing.T, scheme string) {
	t.Cleanup(func() {
		registry.mu.Lock()
		defer registry.mu.Unlock()
		delete(registry.builders, scheme)
	})
}

func TestRegisterAndGet(t *testing.T) {
	unregister(t, "test")
	unregister(t, "Test")
	first, second := testBuilder{scheme: "test", name: "first"}, testBuilder{scheme: "test", name: "second"}
	capital := testBuilder{scheme: "Test"}
	if got := Get("test"); got != nil {
		t.Errorf("before Register: got %v, want nil", got)
	}
	Register(first)
	if got := Get("test"); got != first {
		t.Errorf("got %v, want the registered builder", got)
	}
	Register(second)
	Register(capital)
	if got := Get("test"); got != second {
		t.Errorf("got %v, want the builder that was registered last", got)
	}
	if got := Get("Test"); got != capital {
		t.Errorf("got %v, want the builder of just that scheme", got)
	}
}

func TestRegisterAndGetConcurrently(t *testing.T) {
	unregister(t, "concurrent")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { Register(testBuilder{scheme: "concurrent"}) })
		all.Go(func() { Get("concurrent") })
	}
	all.Wait()
}

func TestDefaultScheme(t *testing.T) {
	if got := GetDefaultScheme(); got != "passthrough" {
		t.Errorf("got %q, want passthrough", got)
	}
	defer SetDefaultScheme("passthrough")
	SetDefaultScheme("test")
	if got := GetDefaultScheme(); got != "test" {
		t.Errorf("got %q, want test", got)
	}
	if got := defaultscheme.Or("dns"); got != "test" {
		t.Errorf("for gRPC: got %q, want test", got)
	}
}

func TestTarget(t *testing.T) {
	tests := []struct{ target, endpoint, text string }{
		{"dns:///a:1", "a:1", "dns:///a:1"},
		{"dns:a", "a", "dns:///a"},
		{"dns://auth/a/b?q#f", "a/b", "dns://auth/a/b"},
		{"unix:/a/b", "a/b", "unix:///a/b"},
		{"unix:a/b", "a/b", "unix:///a/b"},
		{"x:////a", "/a", "x:////a"},
		{"x:///", "", "x:///"},
		{"x:", "", "x:///"},
		{"x://a", "", "x://a/"},
		{"foo", "foo", ":///foo"},
		{"", "", ":///"},
		{"x:///%2Fa", "/a", "x:////a"},
		{"x:a%2fb", "a%2fb", "x:///a%2fb"},
		{"x:///a b", "a b", "x:///a b"},
		{"X:///a", "a", "x:///a"},
		{"x://user:password@host/a", "a", "x://host/a"},
		{"dns:///[::1]:80", "[::1]:80", "dns:///[::1]:80"},
	}
	for _, test := range tests {
		u, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		target := Target{URL: *u}
		if got := target.Endpoint(); got != test.endpoint {
			t.Errorf("%q: got endpoint %q, want %q", test.target, got, test.endpoint)
		}
		if got := target.String(); got != test.text {
			t.Errorf("%q: got text %q, want %q", test.target, got, test.text)
		}
	}
}

func TestValidateEndpoints(t *testing.T) {
	full := Endpoint{Addresses: []Address{{Addr: "a"}}}
	tests := []struct {
		name      string
		endpoints []Endpoint
		want      string
	}{
		{"nil", nil, "endpoints list is empty"},
		{"empty", []Endpoint{}, "endpoints list is empty"},
		{"no address", []Endpoint{{}, {}}, "endpoints list contains no addresses"},
		{"one address", []Endpoint{{}, full}, ""},
		{"the same twice", []Endpoint{full, full}, ""},
	}
	for _, test := range tests {
		got := ""
		if err := ValidateEndpoints(test.endpoints); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
