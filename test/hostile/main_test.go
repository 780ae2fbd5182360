// The check that no test of this package leaves a goroutine behind.

package hostile

import (
	"testing"

	"google.golang.org/grpc/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
