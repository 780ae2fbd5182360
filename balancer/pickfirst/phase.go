// What pick_first is doing, as a pure transition table (gRFC A61, A62). What follows from a transition is done in pickfirst.go.
//
//	         addresses           one is Ready
//	waiting ───────────▶ trying ──────────────▶ connected
//	                      │ ▲ ▲                     │
//	           all failed │ │ │ ExitIdle,           │ connection lost
//	                      ▼ │ │ an RPC              ▼
//	                 retrying └─────────────────── idle
//	                        └ new addresses
//
// Besides: retrying goes to connected as trying does; addresses without the chosen one take connected to trying; a connection that is lost
// before it was seen to be Ready takes trying and retrying to idle; an empty list takes every phase to waiting, and Close to closed, which is
// final.
//
// The state that the channel sees follows the phase but for two things: a policy that has failed stays in TRANSIENT_FAILURE until it is
// connected (A62) or begins to connect to an address that is new, and a connected one shows the health of its connection if its parent
// asked for that.

package pickfirst

type phase uint8

const (
	waiting   phase = iota // there are no addresses
	trying                 // every address gets one attempt, in order and 250 ms apart: the first pass of A61
	retrying               // all have failed: every address gets an attempt whenever its backoff has passed
	connected              // one subchannel is Ready, and is the only one
	idle                   // the connection was lost, and nobody has asked for another one
	closed
)

type event uint8

const (
	addressesArrived event = iota // the list is not empty; when connected: and has no place for the chosen subchannel
	addressesGone                 // the list is empty
	subchannelReady
	allFailed      // every address has failed in this pass
	connectionLost // that of the chosen subchannel, or one that was lost before it was chosen
	exitIdle
	closing
)

// next returns the phase after event e, and whether the event means anything in phase p. If it does not, the phase stays.
func (p phase) next(e event) (phase, bool) {
	if p == closed {
		return closed, false
	}
	switch e {
	case closing:
		return closed, true
	case addressesGone:
		return waiting, true
	case addressesArrived:
		if p == idle {
			return idle, true
		}
		return trying, true
	case subchannelReady:
		if p == trying || p == retrying || p == idle {
			return connected, true
		}
	case allFailed:
		if p == trying {
			return retrying, true
		}
	case connectionLost:
		if p == trying || p == retrying || p == connected {
			return idle, true
		}
	case exitIdle:
		if p == idle {
			return trying, true
		}
	}
	return p, false
}
