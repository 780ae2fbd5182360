// Durations in JSON, beyond those of the golden file.

package serviceconfig

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"0s", 0}, {"-0s", 0}, {"1s", time.Second}, {"+1s", time.Second}, {"-1s", -time.Second},
		{"0.000000001s", 1}, {"-0.000000001s", -1}, {".5s", 500 * time.Millisecond}, {"5.s", 5 * time.Second},
		{"0.123456789s", 123456789}, {"3600s", time.Hour},
		{"9223372036.854775807s", math.MaxInt64}, {"9223372036.854775808s", math.MaxInt64}, {"315576000000.999999999s", math.MaxInt64},
		{"-9223372036.854775807s", -math.MaxInt64}, {"-9223372036.854775808s", math.MinInt64}, {"-315576000000s", math.MinInt64},
	}
	for _, test := range tests {
		if got, err := parseDuration(test.text); got != test.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestParseDurationRefusesSignsInside(t *testing.T) {
	for _, text := range []string{"--1s", "1.-5s", ".-5s", "-.-5s", "--315576000001s"} {
		want := fmt.Sprintf("malformed duration %q: misplaced sign", text)
		if text[0] == '-' {
			want = fmt.Sprintf("malformed duration %q: misplaced sign", text[1:])
		}
		if got, err := parseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
}
