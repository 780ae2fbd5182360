// Where the read goroutine gets its bytes from, and whether a connection takes several buffers at once. What matters here is that
// a silent connection holds no read buffer.

package transport

import (
	"io"
	"net"
	"syscall"

	"google.golang.org/grpc/transport/internal/frame"
)

// newSource returns the best source for the connection. A connection that an application has wrapped is only read by its Read.
func newSource(nc net.Conn) frame.Source {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return newRawSource(nc, nc)
	case *net.UnixConn:
		return newRawSource(nc, nc)
	case interface{ NetConn() net.Conn }: // *tls.Conn, or what embeds it
		return &tinySource{Reader: nc.(io.Reader)}
	}
	return plainSource{nc}
}

// writesVectors reports whether net.Buffers reach the connection in one system call.
func writesVectors(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// A plainSource keeps its buffer while it waits.
type plainSource struct{ net.Conn }

// ReadLazily implements frame.Source.
func (s plainSource) ReadLazily(l frame.Lender) (int, error) { return s.Read(l.Lend()) }

// A tinySource waits with one byte of its own, which is cheap where the layer below has the rest at hand, as TLS has.
type tinySource struct {
	io.Reader
	first [1]byte // a Lender may lend no more
}

// ReadLazily implements frame.Source.
func (s *tinySource) ReadLazily(l frame.Lender) (int, error) {
	n, err := s.Read(s.first[:])
	if n > 0 {
		l.Lend()[0] = s.first[0]
	}
	return n, err
}

// newRawSource returns a source for a socket: one that waits without memory where the system allows it.
func newRawSource(nc net.Conn, sc syscall.Conn) frame.Source {
	raw, err := sc.SyscallConn()
	if err != nil {
		return plainSource{nc}
	}
	return makeRawSource(nc, raw)
}
