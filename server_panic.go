// Panics of handlers: by default they end the process, as everywhere in Go; a server may turn them into the ends of their calls.

package grpc

import (
	"context"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// A PanicHandler says with which error a call ends whose handler has panicked with value. ctx is the context of the call, method its
// method as "/service/method", stack the stack of the goroutine as debug.Stack writes it. An error without a status becomes one as that
// of a handler does; nil means the code Internal and a message that does not tell the value. It may be called by many goroutines at a
// time. What it panics with itself is not recovered.
type PanicHandler func(ctx context.Context, method string, value any, stack []byte) error

// RecoverPanics returns an option that keeps the process alive when a handler, unary or streaming, that of unknown services, an
// interceptor or a codec panics: the call ends with the error that h returns. With nil for h, the panic is written to the log as an
// error, and the call ends with the code Internal. Panics of taps, of statistics handlers and of goroutines that handlers start are not
// recovered. By default, none are.
func RecoverPanics(h PanicHandler) ServerOption {
	if h == nil {
		h = logPanic
	}
	return serverOption(func(o *serverOptions) { o.panics = h })
}

// logPanic is the PanicHandler of those who have none.
func logPanic(_ context.Context, method string, value any, stack []byte) error {
	logger.Errorf("The handler of %s panicked: %v\n%s", method, value, stack)
	return nil
}

// errPanic is what a client gets to know of a panic.
var errPanic = status.Error(codes.Internal, "grpc: the handler of the call panicked")

// runRecovering is run for servers that recover panics.
func (ss *serverStream) runRecovering(m *method) (reply *transport.OutMessage, err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err = handlerError(ss.s.opts.panics(ss.ctx, ss.st.Method(), value, debug.Stack())); err == nil {
			err = errPanic
		}
	}()
	return ss.run(m)
}
