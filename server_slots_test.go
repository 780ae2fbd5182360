// Tests of how many handlers a connection has at once.

package grpc

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
)

// A gate is a service whose streams wait until the test lets them go, whatever becomes of their contexts.
type gate struct {
	begun   chan string   // the name that the call has in its metadata
	release chan struct{} // a value for each that may go
}

func newGate() *gate { return &gate{make(chan string, 1000), make(chan struct{})} }

func (g *gate) service() testService {
	return testService{stream: func(ss ServerStream) error {
		m := text("")
		_ = ss.RecvMsg(m)
		g.begun <- m.Value
		<-g.release
		return nil
	}}
}

// openNamed opens a stream that says its name.
func openNamed(t *testing.T, cc *ClientConn, ctx context.Context, name string) ClientStream {
	t.Helper()
	s, err := cc.NewStream(ctx, bidi, streamMethod)
	must(t, err)
	must(t, s.SendMsg(text(name)))
	must(t, s.CloseSend())
	return s
}

func TestNoMoreHandlersThanConcurrentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		cc := connect(t, startServer(t, g.service(), MaxConcurrentStreams(2)))
		for range 50 { // of which two begin, and all are cancelled
			ctx, cancel := context.WithCancel(t.Context())
			openNamed(t, cc, ctx, "cancelled")
			synctest.Wait()
			cancel()
			synctest.Wait()
		}
		wantEqual(t, "handlers at work", len(g.begun), 2)
		first, second := openNamed(t, cc, t.Context(), "first"), openNamed(t, cc, t.Context(), "second")
		synctest.Wait()
		wantEqual(t, "handlers at work while both wait", len(g.begun), 2)
		<-g.begun
		<-g.begun
		g.release <- struct{}{}
		wantEqual(t, "the next", <-g.begun, "first")
		synctest.Wait()
		wantEqual(t, "others that have begun", len(g.begun), 0)
		close(g.release)
		wantEqual(t, "the one after it", <-g.begun, "second")
		wantEqual(t, "end of the first", first.RecvMsg(text("")), io.EOF)
		wantEqual(t, "end of the second", second.RecvMsg(text("")), io.EOF)
	})
}
