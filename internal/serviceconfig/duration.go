// Durations as protobuf writes them in JSON: decimal seconds with up to nine decimals and an "s", such as "1.5s".

package serviceconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	maxDurationSeconds = 315_576_000_000                    // about 10,000 years; google/protobuf/duration.proto
	maxGoSeconds       = math.MaxInt64 / int64(time.Second) // about 292 years
)

// duration is a time.Duration whose JSON is that of google.protobuf.Duration. Durations that are longer than a time.Duration can say
// become the longest one.
type duration time.Duration

// String returns the duration as Go writes it.
func (d duration) String() string {
	return time.Duration(d).String()
}

// UnmarshalJSON sets d from its JSON form.
func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	parsed, err := parseDuration(text)
	if err != nil {
		return err
	}
	*d = duration(parsed)
	return nil
}

// parseDuration parses "[-]seconds[.decimals]s", of which either the seconds or the decimals may be left out.
func parseDuration(text string) (time.Duration, error) {
	number, ok := strings.CutSuffix(text, "s")
	if !ok {
		return 0, fmt.Errorf("malformed duration %q: missing seconds unit", text)
	}
	number, negative := strings.CutPrefix(number, "-")
	seconds, nanos, err := parseSeconds(number)
	if err != nil {
		return 0, fmt.Errorf("malformed duration %q: %v", number+"s", err)
	}
	if seconds > maxDurationSeconds {
		return 0, fmt.Errorf("out of range: %q", number+"s")
	}
	d := time.Duration(seconds)*time.Second + time.Duration(nanos)
	switch overflow := seconds > maxGoSeconds || d < 0; {
	case overflow && negative:
		return math.MinInt64, nil
	case overflow:
		return math.MaxInt64, nil
	case negative:
		return -d, nil
	}
	return d, nil
}

// parseSeconds parses "seconds[.decimals]" into seconds and nanoseconds, neither of them negative.
func parseSeconds(number string) (seconds, nanos int64, err error) {
	whole, decimals, _ := strings.Cut(number, ".")
	switch {
	case strings.Contains(decimals, "."):
		return 0, 0, errors.New("too many decimals")
	case whole == "" && decimals == "":
		return 0, 0, errors.New("contains no numbers")
	case len(decimals) > 9:
		return 0, 0, errors.New("too many digits after decimal")
	}
	if whole != "" {
		if seconds, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return 0, 0, err
		}
	}
	if decimals != "" {
		if nanos, err = strconv.ParseInt(decimals, 10, 64); err != nil {
			return 0, 0, err
		}
		for range 9 - len(decimals) {
			nanos *= 10
		}
	}
	if seconds < 0 || nanos < 0 {
		return 0, 0, errors.New("misplaced sign")
	}
	return seconds, nanos, nil
}
