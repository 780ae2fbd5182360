// Reading from and writing to a socket that never makes anybody wait, through package syscall: where system calls are the business of the
// C library, and where a detector of races or of bad memory must see them.

//go:build unix && (!linux || race || msan || asan)

package transport

import "syscall"

func readNow(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

func writeNow(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
