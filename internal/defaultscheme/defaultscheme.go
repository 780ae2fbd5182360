// The scheme for targets without one, as far as the application has set it with resolver.SetDefaultScheme.
// It lives in a leaf package because the root package must know not only the scheme but also whether it was set: NewClient and Dial have
// different defaults, and both give way to the application's.

// Package defaultscheme holds the target scheme that the application has chosen as its default.
package defaultscheme

import "sync/atomic"

var chosen atomic.Pointer[string] // nil until Set

// Set makes scheme the application's default.
func Set(scheme string) {
	chosen.Store(&scheme)
}

// Or returns the application's default, or fallback if it has set none.
func Or(fallback string) string {
	if scheme := chosen.Load(); scheme != nil {
		return *scheme
	}
	return fallback
}
