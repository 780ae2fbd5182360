// How much the tests of this package try: what happens to calls on networks with faults and over servers that come and go. FAULTS_SEEDS
// says how many seeds; with 200 or more, what does not come from seeds is tried at length as well. Without it, it is a sample. HISTORY_CALLS
// says how many calls each history has, at least: that is its long form.

package faults

import (
	"os"
	"strconv"
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

// seeds is how many seeds to try, and full whether to try all the rest.
var (
	seeds = wanted("FAULTS_SEEDS", 20)
	full  = seeds >= 200
)

// historyCalls is how many calls a history has in the long form, 0 for the short one.
var historyCalls = int(wanted("HISTORY_CALLS", 0))

// wanted returns the number in an environment variable, or another if there is none.
func wanted(variable string, otherwise uint64) uint64 {
	n, err := strconv.ParseUint(os.Getenv(variable), 10, 32)
	if err != nil {
		return otherwise
	}
	return n
}

// loans knows which buffers channels and servers hold.
var loans = testkit.LendBuffers()

func TestMain(m *testing.M) { testkit.Main(m) }
