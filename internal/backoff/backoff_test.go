// Growth, cap and jitter of the delays.

package backoff

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/backoff"
)

func TestDelayGrowsToTheCap(t *testing.T) {
	want := []time.Duration{ // 1 s · 1.6^n, at most 120 s; random = 0.5 is no jitter
		1000 * time.Millisecond, 1600 * time.Millisecond, 2560 * time.Millisecond, 4096 * time.Millisecond,
		6553 * time.Millisecond, 10485 * time.Millisecond, 16777 * time.Millisecond, 26843 * time.Millisecond,
		42949 * time.Millisecond, 68719 * time.Millisecond, 109951 * time.Millisecond, 120 * time.Second, 120 * time.Second,
	}
	for failures, want := range want {
		if got := Delay(backoff.DefaultConfig, failures, 0.5).Truncate(time.Millisecond); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
}

func TestFirstDelayHasNoJitter(t *testing.T) {
	for _, random := range []float64{0, 0.3, 0.999} {
		if got := Delay(backoff.DefaultConfig, 0, random); got != time.Second {
			t.Errorf("random %v: got %v, want 1s", random, got)
		}
	}
}

func TestExponential(t *testing.T) {
	second := backoff.Config{BaseDelay: time.Second, Multiplier: 2, Jitter: 0.2, MaxDelay: 10 * time.Second}
	with := func(change func(*backoff.Config)) backoff.Config {
		c := second
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		config backoff.Config
		n      int
		random float64
		want   time.Duration
	}{
		{"shortest", second, 0, 0, 800 * time.Millisecond},
		{"middle", second, 0, 0.5, time.Second},
		{"almost longest", second, 0, 0.75, 1100 * time.Millisecond},
		{"second", second, 1, 0.5, 2 * time.Second},
		{"jitter after the cap", second, 9, 0, 8 * time.Second},
		{"jitter above the cap", second, 9, 1, 12 * time.Second},
		{"very many failures", second, math.MaxInt32, 0.5, 10 * time.Second},
		{"base above the cap", with(func(c *backoff.Config) { c.BaseDelay = time.Minute }), 0, 0.5, 10 * time.Second},
		{"no base", with(func(c *backoff.Config) { c.BaseDelay = 0 }), 5000, 0.5, 0},
		{"negative base", with(func(c *backoff.Config) { c.BaseDelay = -1 }), 1, 0.5, 0},
		{"factor 0", with(func(c *backoff.Config) { c.Multiplier = 0 }), 3, 0.5, 0},
		{"factor below 1", with(func(c *backoff.Config) { c.Multiplier = 0.5 }), 2, 0.5, 250 * time.Millisecond},
		{"jitter above 1", with(func(c *backoff.Config) { c.Jitter = 3 }), 0, 0, 0},
		{"no cap", with(func(c *backoff.Config) { c.MaxDelay = math.MaxInt64 }), 1000, 1, math.MaxInt64},
		{"negative cap", with(func(c *backoff.Config) { c.MaxDelay = -1 }), 1, 0.5, 0},
		{"zero config", backoff.Config{}, 3, 0.5, 0},
	}
	for _, test := range tests {
		if got := Exponential(test.config, test.n, test.random); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
