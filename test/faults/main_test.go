// How much the tests of this package try: what happens to calls on networks with faults and over servers that come and go. FAULTS_SEEDS
// says how many seeds; with 200 or more, what does not come from seeds is tried at length as well. Without it, it is a sample.

package faults

import (
	"os"
	"strconv"
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

// seeds is how many seeds to try, and full whether to try all the rest.
var (
	seeds = seedsWanted()
	full  = seeds >= 200
)

func seedsWanted() uint64 {
	n, err := strconv.ParseUint(os.Getenv("FAULTS_SEEDS"), 10, 32)
	if err != nil {
		return 20
	}
	return n
}

// loans knows which buffers channels and servers hold.
var loans = testkit.LendBuffers()

func TestMain(m *testing.M) { testkit.Main(m) }
