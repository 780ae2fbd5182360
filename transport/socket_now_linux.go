// Reading from and writing to a socket that never makes anybody wait, without telling the scheduler: it is told of a system call so that
// it can give the processor to others meanwhile, and it would, since a small write takes longer than it waits, only to want it back at
// once. Both ends of small calls together spend a sixth of their processor time on that.

//go:build linux && !race && !msan && !asan

package transport

import (
	"syscall"
	"unsafe"
)

// readNow reads from a socket in non-blocking mode; p is not so large that copying it takes long.
func readNow(fd uintptr, p []byte) (int, error) { return socketCall(syscall.SYS_READ, fd, p) }

// writeNow writes to a socket in non-blocking mode; p is not so large that copying it takes long.
func writeNow(fd uintptr, p []byte) (int, error) { return socketCall(syscall.SYS_WRITE, fd, p) }

func socketCall(trap, fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
