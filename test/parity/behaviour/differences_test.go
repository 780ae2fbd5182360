// The list of deliberate differences and the tests name the same keys.

package behaviour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/test/parity/internal/parity"
)

func TestEveryListedDifferenceIsTested(t *testing.T) {
	t.Logf("library of the working tree: %v", parity.Ours())
	files, err := filepath.Glob(filepath.Join(parity.Root(), "*", "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests found: %v", err)
	}
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	for _, key := range parity.Keys() {
		if !strings.Contains(all.String(), `"`+key+`"`) {
			t.Errorf("DIFFERENCES.md lists %q, which no test names", key)
		}
	}
}
