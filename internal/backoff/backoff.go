// The one place where exponential backoff is computed: for connections, resolvers, health watches and retries.
// Pure arithmetic: no clock, no timer, and the random number is the caller's.
// Source: gRPC "Connection Backoff Protocol" (connection-backoff.md).

// Package backoff computes delays from a backoff.Config.
package backoff

import (
	"math"
	"time"

	"google.golang.org/grpc/backoff"
)

// Delay returns the time to wait before the next try. After the first failure, failures = 0, that is exactly BaseDelay; after each
// further one the delay grows as Exponential has it.
func Delay(c backoff.Config, failures int, random float64) time.Duration {
	if failures == 0 {
		return c.BaseDelay
	}
	return Exponential(c, failures, random)
}

// Exponential returns BaseDelay · Multiplier^n, at most MaxDelay, changed by up to ± Jitter of itself; never less than 0. The number random
// decides about the change: 0 is the shortest delay, and just below 1 the longest. It is meant to come from rand.Float64.
func Exponential(c backoff.Config, n int, random float64) time.Duration {
	if c.BaseDelay <= 0 {
		return 0
	}
	delay := math.Min(float64(c.BaseDelay)*math.Pow(c.Multiplier, float64(n)), float64(c.MaxDelay))
	delay *= 1 + c.Jitter*(2*random-1)
	if delay >= math.MaxInt64 { // MaxDelay may be the largest duration, and the jitter leads beyond it
		return math.MaxInt64
	}
	return time.Duration(math.Max(delay, 0))
}
