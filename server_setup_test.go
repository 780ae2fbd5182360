// Tests of how long the set-up of a server's connections may take.

package grpc

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// timelessConn is a connection without deadlines.
type timelessConn struct{ net.Conn }

func (timelessConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (timelessConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (timelessConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

func TestConnectionTimeout(t *testing.T) {
	for _, tt := range []struct {
		name     string
		timeless bool
		says     string
	}{
		{"silence", false, ""},
		{"silence without deadlines", true, ""},
		{"preface alone", false, http2.ClientPreface},
		{"preface alone without deadlines", true, http2.ClientPreface},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				nc := near
				if tt.timeless {
					nc = timelessConn{near}
				}
				srv := NewServer()
				go srv.handleRaw(nc)          // ends with the connection
				go far.Write([]byte(tt.says)) // ends when the server has read it
				start := time.Now()
				_, _ = io.Copy(io.Discard, far)
				wantEqual(t, "time until the end", time.Since(start), defaultConnectionTimeout)
				srv.GracefulStop()
			})
		})
	}
}
