// Tests of writes by callers themselves: what becomes of the connection meanwhile.

//go:build unix

package transport

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// A slowSocket is a raw connection whose writes fail after something has happened.
type slowSocket struct {
	syscall.RawConn
	meanwhile func()
}

func (s slowSocket) Write(func(fd uintptr) bool) error {
	s.meanwhile()
	return net.ErrClosed
}

func TestConnectionMayEndWhileACallerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Write(frame.AppendSettings(nil, nil))
			_, _ = io.Copy(io.Discard, far)
		}()
		c, err := NewClient(context.Background(), near, ClientOptions{Scheme: "http"}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * idleWriter) // the write goroutine has ended
		c.direct = &socketWriter{raw: slowSocket{meanwhile: func() {
			far.Close()
			synctest.Wait() // the read goroutine has ended
		}}}
		s := new(ClientStream)
		if err := c.Open(context.Background(), s, &CallHeader{Method: "/s/m", Authority: "a"}, nil, true); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if s.Status() == nil {
			t.Error("status: got none, want that of the connection")
		}
	})
}
