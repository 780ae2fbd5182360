// Tests of reading and writing that never waits: on a pair of sockets in non-blocking mode, and in spite of the other one.

//go:build unix

package transport

import (
	"bytes"
	"syscall"
	"testing"
)

func TestSocketsDoNotWait(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	for _, fd := range pair {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	r, w := uintptr(pair[0]), uintptr(pair[1])
	buf := make([]byte, 8<<10)
	if n, err := readNow(r, buf); n > 0 || err != syscall.EAGAIN {
		t.Errorf("read from an empty socket: got %d, %v, want %v", n, err, syscall.EAGAIN)
	}
	var sent, got []byte
	for full := false; !full; {
		piece := bytes.Repeat([]byte{byte(len(sent) >> 12)}, 5000)
		n, err := writeNow(w, piece)
		switch {
		case err == syscall.EAGAIN:
			full = true
		case err != nil:
			t.Fatal(err)
		default:
			sent = append(sent, piece[:n]...)
		}
	}
	syscall.Close(pair[1])
	for {
		n, err := readNow(r, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, want the %d that were sent", len(got), len(sent))
	}
	if _, err := writeNow(^uintptr(0), buf); err != syscall.EBADF {
		t.Errorf("write to no socket: got %v, want %v", err, syscall.EBADF)
	}
}
