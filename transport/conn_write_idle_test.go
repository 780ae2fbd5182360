// The test that a connection without traffic holds no memory for writing, unless it shall.

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

func TestIdleConnectionHoldsNoWriteBuffers(t *testing.T) { idleFor3Seconds(t, false) }

func TestIdleConnectionKeepsItsWriteBuffersIfItShall(t *testing.T) { idleFor3Seconds(t, true) }

// idleFor3Seconds checks whether the ends of a connection keep their buffers and their write goroutines while nothing is written.
func idleFor3Seconds(t *testing.T, keep bool) {
	synctest.Test(t, func(t *testing.T) {
		o := ConnOptions{Pool: mem.DefaultBufferPool(), KeepWriteBuffers: keep}
		near, far := net.Pipe()
		served := make(chan *Server)
		go func() { // ends with the connection
			s, err := NewServer(far, ServerOptions{ConnOptions: o, Context: context.Background()}, noHandler{})
			if err != nil {
				t.Error(err)
			}
			served <- s
			s.Serve()
		}()
		c, err := NewClient(t.Context(), near, ClientOptions{ConnOptions: o, Scheme: "http"}, noEvents{})
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
				n, want := cap(cn.send.buf)+cap(cn.send.spare), writerNone
				if keep {
					want = writerParked
				}
				if n > 0 != keep || cn.send.writer != want {
					t.Errorf("%s: got %d bytes of buffers and a writer in state %d, want some = %v and state %d", name, n, cn.send.writer, keep, want)
				}
				cn.mu.Unlock()
			}
		}
		c.Close(errors.New("the test is over"))
		<-c.Done()
		synctest.Wait()
	})
}
