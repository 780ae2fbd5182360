// The default before and after it is set.

package defaultscheme

import "testing"

func TestSetWinsOverEveryFallback(t *testing.T) {
	defer chosen.Store(nil)
	if got := Or("dns"); got != "dns" {
		t.Errorf("before Set: got %q, want the fallback", got)
	}
	for _, scheme := range []string{"passthrough", ""} {
		Set(scheme)
		if got := Or("dns"); got != scheme {
			t.Errorf("after Set(%q): got %q", scheme, got)
		}
	}
}
