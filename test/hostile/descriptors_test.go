// A process that is out of file descriptors (CVE-2023-4785).

package hostile

import (
	"errors"
	"os"
	"syscall"
	"testing"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// exhaust opens files until no more than spare descriptors are left, and returns how to undo it.
func exhaust(t *testing.T, spare int) (undo func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Skip(err)
	}
	few, open := before, descriptors()
	if open < 0 {
		t.Skip("the system does not say how many files are open")
	}
	few.Cur = uint64(open + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	var files []*os.File
	undo = func() {
		for _, f := range files {
			f.Close()
		}
		files = nil
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(undo)
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, f := range files[:spare] {
		f.Close()
	}
	files = files[spare:]
	return undo
}

// out-of-descriptors: connections wait until there are some, and those that are there live.
func TestServerOutlivesALackOfDescriptors(t *testing.T) {
	s := newTarget(t)
	refused := theLog.watch(t, "Accept error")
	undo := exhaust(t, 1)
	p := dial(t, s.addr) // takes the last one
	wantLine(t, refused)
	s.call()
	undo()
	p.open(1, unary)
	p.data(1, true, message(&pb.Request{}))
	p.wantStatus(1, "0")
}
