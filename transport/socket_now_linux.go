// Reading from and writing to a socket without waiting, and without telling the scheduler: it is told of a system call so that it can give
// the processor to others meanwhile, and it would, since a small write takes longer than it waits, only to want it back at once. Both ends
// of small calls together spend a sixth of their processor time on that.

//go:build linux && !386 && !s390x && !race && !msan && !asan

package transport

import (
	"syscall"
	"unsafe"
)

// readNow reads what is there from a socket; p is not so large that copying it takes long. MSG_DONTWAIT holds even if somebody has made the
// socket block (os.File.Fd does), which would keep a processor from the program.
func readNow(fd uintptr, p []byte) (int, error) {
	return socketCall(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

// writeNow writes what there is room for to a socket; p is not so large that copying it takes long.
func writeNow(fd uintptr, p []byte) (int, error) {
	return socketCall(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func socketCall(trap, fd uintptr, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
