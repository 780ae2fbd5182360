// Flow-control windows of a connection and its streams (RFC 9113 §5.2, §6.9).
// Pure arithmetic: no locks, no I/O. All sizes are bytes of DATA payload, padding included.

package transport

import (
	"fmt"

	"google.golang.org/grpc/transport/internal/frame"
)

// An outWindow is what the peer lets this side send. It may be negative after the peer has shrunk its initial window
// (RFC 9113 §6.9.2).
type outWindow int64

// grow adds an increment of the peer.
func (w *outWindow) grow(n uint32) error {
	if v := int64(*w) + int64(n); v > frame.MaxWindow {
		return fmt.Errorf("window of %d bytes after an increment of %d, limit %d", v, n, frame.MaxWindow)
	}
	*w += outWindow(n)
	return nil
}

// An inWindow is what this side lets the peer send, and how it is renewed: to size bytes ahead of what was consumed, or more
// while a single message needs more, in steps of at least a quarter.
type inWindow struct {
	size int64 // bytes that the peer may be ahead of the consumer
	open int64 // bytes that the peer may still send
	held int64 // bytes that were received and not consumed
}

// receive counts n bytes that arrived.
func (w *inWindow) receive(n int64) error {
	if n > w.open {
		return fmt.Errorf("received %d-bytes data exceeding the limit %d bytes", w.size-w.open+n, w.size)
	}
	w.open -= n
	w.held += n
	return nil
}

// consume counts n bytes that are out of the way.
func (w *inWindow) consume(n int64) { w.held -= n }

// mustRenew reports whether enough was consumed to be worth a frame.
func (w *inWindow) mustRenew() bool { return w.size-w.open-w.held >= max(w.size/4, 1) }

// renew returns the increment to give the peer now, 0 if it is not worth a frame yet, and counts it as given.
func (w *inWindow) renew() uint32 {
	if !w.mustRenew() {
		return 0
	}
	due := w.size - w.open - w.held
	w.open += due
	return uint32(due)
}

// need makes sure that the peer may send n more bytes of a message that somebody waits for. It returns the increment to give. It leaves room
// for a larger initial window.
func (w *inWindow) need(n int64) uint32 {
	due := min(n, frame.MaxWindow-maxInitialWindow) - w.open
	if due <= 0 {
		return 0
	}
	w.open += due
	return uint32(due)
}
