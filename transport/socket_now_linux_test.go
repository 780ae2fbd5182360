// Tests of what only Linux promises: that sockets do not wait which somebody has made to.

//go:build !386 && !s390x && !race

package transport

import (
	"syscall"
	"testing"
)

func TestBlockingSocketsDoNotWait(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	buf := make([]byte, 64<<10)
	if n, err := readNow(uintptr(pair[0]), buf); n > 0 || err != syscall.EAGAIN {
		t.Errorf("read from an empty socket: got %d, %v, want %v", n, err, syscall.EAGAIN)
	}
	for err = nil; err == nil; {
		_, err = writeNow(uintptr(pair[1]), buf)
	}
	if err != syscall.EAGAIN {
		t.Errorf("write to a full socket: got %v, want %v", err, syscall.EAGAIN)
	}
}
