// Tests of grpc-timeout: every malformed input is refused, and a deadline is never made earlier on the way.

package transport

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/internal/testkit"
)

func TestAppendTimeout(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{math.MinInt64, "0n"}, {-1, "0n"}, {0, "0n"}, {1, "1n"},
		{99_999_999, "99999999n"}, {100_000_000, "100000u"}, {100_000_001, "100001u"},
		{99_999_999 * time.Microsecond, "99999999u"}, {99_999_999*time.Microsecond + 1, "100000m"},
		{100 * time.Second, "100000m"}, {99_999_999 * time.Millisecond, "99999999m"}, {99_999_999*time.Millisecond + 1, "100000S"},
		{99_999_999 * time.Second, "99999999S"}, {99_999_999*time.Second + 1, "1666667M"},
		{99_999_999 * time.Minute, "99999999M"}, {99_999_999*time.Minute + 1, "1666667H"},
		{math.MaxInt64, "2562048H"},
	} {
		if got := string(appendTimeout([]byte("x"), tt.d)); got != "x"+tt.want {
			t.Errorf("appendTimeout(%d ns): got %s, want %s", tt.d, got[1:], tt.want)
		}
	}
}

func TestParseTimeout(t *testing.T) {
	for _, tt := range []struct {
		s    string
		want time.Duration
	}{
		{"0n", 0}, {"0H", 0}, {"1n", 1}, {"00000001n", 1}, {"7u", 7 * time.Microsecond}, {"7m", 7 * time.Millisecond}, {"7S", 7 * time.Second},
		{"7M", 7 * time.Minute}, {"7H", 7 * time.Hour}, {"99999999n", 99_999_999}, {"99999999M", 99_999_999 * time.Minute},
		{"2562047H", 2562047 * time.Hour}, {"2562048H", math.MaxInt64}, {"99999999H", math.MaxInt64},
	} {
		if got, err := parseTimeout(tt.s); got != tt.want || err != nil {
			t.Errorf("parseTimeout(%q): got %v, %v, want %v", tt.s, got, err, tt.want)
		}
	}
}

func TestParseTimeoutRefuses(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"", `transport: timeout string is too short: ""`},
		{"S", `transport: timeout string is too short: "S"`},
		{"1", `transport: timeout string is too short: "1"`},
		{"123456789S", `transport: timeout string is too long: "123456789S"`},
		{"000000001S", `transport: timeout string is too long: "000000001S"`},
		{"1s", `transport: timeout unit is not recognized: "1s"`},
		{"1h", `transport: timeout unit is not recognized: "1h"`},
		{"10", `transport: timeout unit is not recognized: "10"`},
		{"1S ", `transport: timeout unit is not recognized: "1S "`},
		{"1é", `transport: timeout unit is not recognized: "1é"`},
		{"-1S", `strconv.ParseUint: parsing "-1": invalid syntax`},
		{"+1S", `strconv.ParseUint: parsing "+1": invalid syntax`},
		{" 1S", `strconv.ParseUint: parsing " 1": invalid syntax`},
		{"1 S", `strconv.ParseUint: parsing "1 ": invalid syntax`},
		{"1.5S", `strconv.ParseUint: parsing "1.5": invalid syntax`},
		{"1_0S", `strconv.ParseUint: parsing "1_0": invalid syntax`},
		{"0x1S", `strconv.ParseUint: parsing "0x1": invalid syntax`},
		{"1mS", `strconv.ParseUint: parsing "1m": invalid syntax`},
	} {
		if got, err := parseTimeout(tt.s); got != 0 || err == nil || err.Error() != tt.want {
			t.Errorf("parseTimeout(%q): got %v, %v, want error %s", tt.s, got, err, tt.want)
		}
	}
}

func FuzzTimeout(f *testing.F) {
	for _, d := range []int64{0, 1, 99_999_999, 100_000_000, 1e12, 1e16, math.MaxInt64, -1} {
		f.Add(d, "1S")
	}
	for _, s := range []string{"99999999H", "-1S", "1.5S", "", "123456789S"} {
		f.Add(int64(1), s)
	}
	f.Fuzz(func(t *testing.T, n int64, s string) {
		testkit.LimitTime(t)
		d := max(0, time.Duration(n))
		wire := string(appendTimeout(nil, time.Duration(n)))
		if len(wire) > 9 {
			t.Errorf("appendTimeout(%d): got %s, want at most 8 digits and a unit", n, wire)
		}
		// What did not fit into eight digits of a unit has at least six of the next one.
		if got, err := parseTimeout(wire); err != nil || got < d || float64(got-d) > float64(d)*1e-5 {
			t.Errorf("%d ns by %s: got %d, %v, want no less and hardly more", n, wire, got, err)
		}
		got, err := parseTimeout(s)
		if err != nil || got == math.MaxInt64 {
			return
		}
		if again, err := parseTimeout(string(appendTimeout(nil, got))); err != nil || again != got {
			t.Errorf("parseTimeout(%q) sent on: got %v, %v, want %v", s, again, err, got)
		}
	})
}
