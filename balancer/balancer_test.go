// The registry of policies.

package balancer

import "testing"

type named string

func (n named) Name() string                            { return string(n) }
func (n named) Build(ClientConn, BuildOptions) Balancer { return nil }

func TestGetOfUnknownName(t *testing.T) {
	if got := Get("never registered"); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

func TestNamesAreCaseSensitive(t *testing.T) {
	Register(named("Registry_Test"))
	if got := Get("Registry_Test"); got != named("Registry_Test") {
		t.Errorf("got %v, want the builder that was registered", got)
	}
	if got := Get("registry_test"); got != nil {
		t.Errorf("got %v for the name in small letters, want nil", got)
	}
}

func TestLastRegistrationCounts(t *testing.T) {
	first, second := &struct{ named }{"twice"}, &struct{ named }{"twice"}
	Register(first)
	Register(second)
	if got := Get("twice"); got != Builder(second) {
		t.Errorf("got %p, want the second builder %p", got, second)
	}
}

func TestNamesCanBeFolded(t *testing.T) {
	foldNames = true
	defer func() { foldNames = false }()
	Register(named("Folded_Test"))
	for _, name := range []string{"Folded_Test", "folded_test", "FOLDED_TEST"} {
		if got := Get(name); got != named("Folded_Test") {
			t.Errorf("got %v for %q, want the builder", got, name)
		}
	}
}
