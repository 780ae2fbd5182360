// Reading from and writing to a socket, which is in non-blocking mode, through package syscall: where system calls are the business of the
// C library or have other names, and where a detector of races or of bad memory must see them.

//go:build unix && (!linux || 386 || s390x || race || msan || asan)

package transport

import "syscall"

func readNow(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

func writeNow(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
