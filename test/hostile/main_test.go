// The check that no test of this package leaves a goroutine behind, and what tests want to know of the log.

package hostile

import (
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/internal/testkit"
)

// theLog is the log of all tests, at the highest verbosity. It is not shown.
var theLog logWatch

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2WithVerbosity(&theLog, &theLog, &theLog, 99))
	testkit.Main(m)
}

// A logWatch looks for texts in what is logged.
type logWatch struct {
	mu   sync.Mutex // guards the field below
	want map[string]chan string
}

// Write implements io.Writer.
func (w *logWatch) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for text, seen := range w.want {
		if strings.Contains(string(line), text) {
			seen <- string(line)
			delete(w.want, text)
		}
	}
	return len(line), nil
}

// watch returns where the next line with a text is sent to, until the test ends.
func (w *logWatch) watch(t *testing.T, text string) <-chan string {
	seen := make(chan string, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.want == nil {
		w.want = make(map[string]chan string)
	}
	w.want[text] = seen
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.want, text)
	})
	return seen
}
