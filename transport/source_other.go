// Where a socket is no file descriptor, it is read like any other connection.

//go:build !unix

package transport

import (
	"net"
	"syscall"

	"google.golang.org/grpc/transport/internal/frame"
)

func makeRawSource(nc net.Conn, _ syscall.RawConn) frame.Source { return plainSource{nc} }

// A socketWriter does not exist here.
type socketWriter struct{}

func newSocketWriter(net.Conn) *socketWriter { return nil }

func (*socketWriter) write([]byte) int { return 0 }
