// The life of a stream (RFC 9113 §5.1) as a pure transition table.
//
//	         headers sent or received
//	  idle ──────────────────────────▶ open ──── recvEnd ───▶ halfClosedRemote
//	                                    │  ╲                        │
//	                                 sendEnd ╲ sendReset          sendEnd
//	                                    ▼      ╲ recvReset          ▼
//	                          halfClosedLocal ── recvEnd ───────▶ closed
//
// A stream is made when its HEADERS pass, so that idle needs no object: the table starts at open.

package transport

import "fmt"

type streamState uint8

const (
	streamOpen             streamState = iota
	streamHalfClosedLocal              // this side has sent END_STREAM
	streamHalfClosedRemote             // the peer has sent END_STREAM
	streamClosed
)

var streamStateNames = [...]string{"open", "half-closed (local)", "half-closed (remote)", "closed"}

// String returns the name that the RFC gives the state.
func (s streamState) String() string { return streamStateNames[s] }

type streamEvent uint8

const (
	sendEnd streamEvent = iota // END_STREAM was sent
	recvEnd                    // END_STREAM was received
	sendReset
	recvReset
)

var streamEventNames = [...]string{"END_STREAM sent", "END_STREAM received", "RST_STREAM sent", "RST_STREAM received"}

// String names the event for error texts.
func (e streamEvent) String() string { return streamEventNames[e] }

// next returns the state after the event. An END_STREAM that the RFC does not allow in the state is an error and changes nothing.
func (s streamState) next(e streamEvent) (streamState, error) {
	switch {
	case e == sendReset || e == recvReset:
		return streamClosed, nil
	case e == sendEnd && s == streamOpen:
		return streamHalfClosedLocal, nil
	case e == sendEnd && s == streamHalfClosedRemote:
		return streamClosed, nil
	case e == recvEnd && s == streamOpen:
		return streamHalfClosedRemote, nil
	case e == recvEnd && s == streamHalfClosedLocal:
		return streamClosed, nil
	}
	return s, fmt.Errorf("transport: %v in state %v", e, s)
}

// canSend reports whether this side may still send on the stream.
func (s streamState) canSend() bool { return s == streamOpen || s == streamHalfClosedRemote }

// canRecv reports whether the peer may still send on the stream.
func (s streamState) canRecv() bool { return s == streamOpen || s == streamHalfClosedLocal }
