// A process that is out of file descriptors (CVE-2023-4785).

package hostile

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// A hoard is files that take up descriptors, of which the process may have few.
type hoard struct {
	t      *testing.T
	before syscall.Rlimit
	files  []*os.File
}

func newHoard(t *testing.T) *hoard {
	t.Helper()
	h := &hoard{t: t}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &h.before); err != nil {
		t.Skip(err)
	}
	few, open := h.before, descriptors()
	if open < 0 {
		t.Skip("the system does not say how many files are open")
	}
	few.Cur = uint64(open + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	t.Cleanup(h.undo)
	return h
}

// exhaust opens files until there is one descriptor left.
func (h *hoard) exhaust() {
	h.t.Helper()
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		h.files = append(h.files, f)
	}
	if n := len(h.files); n > 0 {
		h.files[n-1].Close()
		h.files = h.files[:n-1]
	}
}

func (h *hoard) undo() {
	for _, f := range h.files {
		f.Close()
	}
	h.files = nil
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &h.before); err != nil {
		h.t.Error(err)
	}
}

// out-of-descriptors: connections wait until there are some, and those that are there live.
func TestServerOutlivesALackOfDescriptors(t *testing.T) {
	s := newTarget(t)
	refused := theLog.watch(t, "Accept error")
	h := newHoard(t)
	var p *peer
	for seen, tries := false, 0; !seen; tries++ {
		if tries == 20 {
			t.Fatal("the line was not logged")
		}
		h.exhaust()
		p = dial(t, s.addr) // takes the last one
		select {
		case <-refused:
			seen = true
		case <-time.After(time.Second): // connections of earlier tests have ended meanwhile, and left their descriptors
		}
	}
	s.call()
	h.undo()
	p.open(1, unary)
	p.data(1, true, message(&pb.Request{}))
	p.wantStatus(1, "0")
}
