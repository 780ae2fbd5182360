// The grpc-timeout header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").

package transport

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// maxTimeoutValue is the largest number that a grpc-timeout has room for.
const maxTimeoutValue = 99_999_999

// timeoutUnits are the units from fine to coarse.
var timeoutUnits = [...]struct {
	unit byte
	d    time.Duration
}{{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond}, {'S', time.Second}, {'M', time.Minute}, {'H', time.Hour}}

// appendTimeout appends d in the finest unit in which it fits, rounded up, so that the peer's deadline is never the earlier one.
func appendTimeout(b []byte, d time.Duration) []byte {
	if d <= 0 {
		return append(b, "0n"...)
	}
	for _, u := range timeoutUnits {
		n := int64(d / u.d)
		if d%u.d > 0 {
			n++
		}
		if n <= maxTimeoutValue {
			return append(strconv.AppendInt(b, n, 10), u.unit)
		}
	}
	return append(b, "99999999H"...) // not reached: the largest Duration is 2,562,047 hours
}

// parseTimeout reads a grpc-timeout. Hours beyond what a Duration holds become the longest Duration.
func parseTimeout(s string) (time.Duration, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("transport: timeout string is too short: %q", s)
	}
	if len(s) > 9 {
		return 0, fmt.Errorf("transport: timeout string is too long: %q", s)
	}
	var unit time.Duration
	for _, u := range timeoutUnits {
		if u.unit == s[len(s)-1] {
			unit = u.d
		}
	}
	if unit == 0 {
		return 0, fmt.Errorf("transport: timeout unit is not recognized: %q", s)
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 63)
	if err != nil {
		return 0, err
	}
	if int64(n) > math.MaxInt64/int64(unit) {
		return math.MaxInt64, nil
	}
	return time.Duration(n) * unit, nil
}
