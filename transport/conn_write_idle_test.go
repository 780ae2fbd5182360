// The test that a connection without traffic holds no memory for writing.

package transport

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport/internal/frame"
)

// noHandler takes no streams.
type noHandler struct{}

func (noHandler) HandleStream(*ServerStream) {}
func (noHandler) Closed(error)               {}

func TestIdleConnectionHoldsNoWriteBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		served := make(chan *Server)
		go func() { // ends with the connection
			s, err := NewServer(far, ServerOptions{ConnOptions: ConnOptions{Pool: mem.DefaultBufferPool()}, Context: context.Background()}, noHandler{})
			if err != nil {
				t.Error(err)
			}
			served <- s
			s.Serve()
		}()
		c, err := NewClient(t.Context(), near, ClientOptions{Scheme: "http"}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		s := <-served
		for range 3 { // what was freed is made again for the next bytes, and freed again
			for name, cn := range map[string]*conn{"client": &c.conn, "server": &s.conn} {
				cn.mu.Lock()
				cn.send.buf = frame.AppendPing(cn.send.buf, 0, [8]byte{1})
				cn.unlock()
				<-time.After(3 * idleWriter)
				synctest.Wait()
				cn.mu.Lock()
				if n := cap(cn.send.buf) + cap(cn.send.spare); n != 0 || cn.send.writer != writerNone {
					t.Errorf("%s: got %d bytes of buffers and a writer %v, want none", name, n, cn.send.writer)
				}
				cn.mu.Unlock()
			}
		}
		c.Close(errors.New("the test is over"))
		<-c.Done()
		synctest.Wait()
	})
}
