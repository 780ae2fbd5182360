// Parameters of the exponential backoff between connection attempts: data only, the delays are computed by their users.
// Source: gRPC "Connection Backoff Protocol" (connection-backoff.md).

// Package backoff defines how long a client waits between attempts to connect.
package backoff

import "time"

// Config says how long to wait before the next try. The base is BaseDelay after the first failure, and is multiplied with Multiplier
// after each further one, up to MaxDelay. The first wait is exactly the base; later ones are the base changed at random by up to
// ± Jitter of itself.
type Config struct {
	// BaseDelay is the wait after the first failure.
	BaseDelay time.Duration
	// Multiplier is the factor by which the wait grows after each further failure; it should be above 1.
	Multiplier float64
	// Jitter is the fraction, from 0 to 1, of the wait by which it is varied at random in both directions, so that clients
	// which failed together do not return together.
	Jitter float64
	// MaxDelay is the upper bound of the wait before jitter.
	MaxDelay time.Duration
}

// DefaultConfig holds the values that the Connection Backoff Protocol sets: 1 second, factor 1.6, jitter 0.2, at most 120 seconds.
// It must not be modified; copy it to change single values.
var DefaultConfig = Config{
	BaseDelay:  1 * time.Second,
	Multiplier: 1.6,
	Jitter:     0.2,
	MaxDelay:   120 * time.Second,
}
