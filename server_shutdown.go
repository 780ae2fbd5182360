// A graceful stop with a limit, and how handlers of long streams get to know that their server is about to stop.

package grpc

import (
	"context"

	"google.golang.org/grpc/internal/callkey"
)

// Shutdown stops the server when all RPCs are over, like GracefulStop, or, like Stop, when ctx ends before that. It returns nil in the
// first case, and the error of ctx in the second: then connections are closed and the contexts of handlers have ended, but only
// WaitForHandlers makes sure that the handlers have returned.
func (s *Server) Shutdown(ctx context.Context) error {
	over := make(chan struct{})
	go func() { // owned by this call; ends when the last handler has returned
		defer close(over)
		s.GracefulStop()
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		s.Stop()
		return ctx.Err()
	}
}

// Draining returns a channel that is closed when the server of the RPC that ctx, the context of a handler, belongs to has been told to
// stop, by whatever method. A handler of a long stream that waits for it can end the stream, so that GracefulStop and Shutdown need not
// wait. The channel is nil, and so never ready, if ctx belongs to no RPC of a server.
func Draining(ctx context.Context) <-chan struct{} {
	ss, _ := ctx.Value(callkey.Call{}).(*serverStream)
	if ss == nil {
		return nil
	}
	return ss.s.draining.Done()
}
