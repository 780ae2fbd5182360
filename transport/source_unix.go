// Using a socket without waiting for it: on systems where a socket is a file descriptor, one look into it tells whether there is
// something to read, and one attempt writes what it has room for.

//go:build unix

package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"google.golang.org/grpc/transport/internal/frame"
)

// A rawSource borrows memory only for reads that do not have to wait. It belongs to the read goroutine.
type rawSource struct {
	net.Conn
	raw    syscall.RawConn
	try    func(fd uintptr) bool // s.tryRead, made once
	lender frame.Lender
	n      int
	err    error
}

func makeRawSource(nc net.Conn, raw syscall.RawConn) frame.Source {
	s := &rawSource{Conn: nc, raw: raw}
	s.try = s.tryRead
	return s
}

// ReadLazily implements frame.Source.
func (s *rawSource) ReadLazily(l frame.Lender) (int, error) {
	s.lender, s.n, s.err = l, 0, nil
	if err := s.raw.Read(s.try); err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			err = op.Err // op names another method
		}
		return 0, s.readError(err)
	}
	return s.n, s.err
}

// readError returns the error that the connection's own Read would return.
func (s *rawSource) readError(err error) error {
	return &net.OpError{Op: "read", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

// tryRead reads what is there. It returns false if that is nothing: then it is called again when something has come.
func (s *rawSource) tryRead(fd uintptr) bool {
	for {
		n, err := readNow(fd, s.lender.Lend())
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			s.lender.TakeBack()
			return false
		case err != nil:
			s.err = s.readError(os.NewSyscallError("read", err))
		case n == 0:
			s.err = io.EOF
		default:
			s.n = n
		}
		return true
	}
}

// A socketWriter writes to a socket what it has room for. It belongs to whoever is writing.
type socketWriter struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // w.tryWrite, made once
	p   []byte
	n   int
}

// newSocketWriter returns a writer for a socket, nil if nc is none, or one that an application has wrapped.
func newSocketWriter(nc net.Conn) *socketWriter {
	if !writesVectors(nc) {
		return nil
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	w := &socketWriter{raw: raw}
	w.try = w.tryWrite
	return w
}

// write returns how much of p was written without waiting. If that is not all, the connection's own Write tells why.
func (w *socketWriter) write(p []byte) int {
	w.p, w.n = p, 0
	_ = w.raw.Write(w.try)
	w.p = nil
	return w.n
}

func (w *socketWriter) tryWrite(fd uintptr) bool {
	if n, err := writeNow(fd, w.p); err == nil {
		w.n = n
	}
	return true
}
