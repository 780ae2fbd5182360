// What Linux knows of a socket beyond what package net offers.

package transport

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not have.
const tcpUserTimeout = 18

// setUserTimeout makes the system give a TCP connection up when the peer has not acknowledged bytes for so long (gRFC A18). It does
// nothing for other connections. It may fail where the system is older than the option, which is as if there were none.
func setUserTimeout(socket net.Conn, d time.Duration) {
	if tcp, ok := socket.(*net.TCPConn); ok {
		withDescriptor(tcp, func(fd int) {
			_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpUserTimeout, int(min(d.Milliseconds(), 1<<31-1)))
		})
	}
}

// unsentBytes returns how many written bytes the peer has not taken yet, 0 if that cannot be known.
func unsentBytes(socket net.Conn) (n int) {
	if sc, ok := socket.(syscall.Conn); ok {
		withDescriptor(sc, func(fd int) {
			var waiting int32
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&waiting))); errno == 0 {
				n = int(waiting)
			}
		})
	}
	return n
}

func withDescriptor(sc syscall.Conn, f func(fd int)) {
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) }) // it fails if the socket is closed
	}
}
