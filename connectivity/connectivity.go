// Names for the states of channels and subchannels, and for the serving modes of xDS servers.
// Source: gRPC "Connectivity Semantics and API"; gRFC A36 for serving modes. The transitions live with their owners.

// Package connectivity defines the states in which a channel, a subchannel or an xDS-enabled server can be.
package connectivity

// State is the connectivity of a channel or of one of its subchannels. The zero value is Idle.
type State int

const (
	// Idle: there is no connection and none is being made. The next RPC, or a request to connect, starts one.
	Idle State = iota
	// Connecting: a connection is being made: name resolution, TCP connect or handshake is under way.
	Connecting
	// Ready: a connection is up and RPCs can be sent on it.
	Ready
	// TransientFailure: the last try failed; after a backoff there will be another one.
	TransientFailure
	// Shutdown: the application closed the channel. This state is final.
	Shutdown
)

// String returns the state's name in capitals as the gRPC documents spell it, for example "TRANSIENT_FAILURE";
// "INVALID_STATE" for a number that is no state.
func (s State) String() string {
	switch s {
	case Idle:
		return "IDLE"
	case Connecting:
		return "CONNECTING"
	case Ready:
		return "READY"
	case TransientFailure:
		return "TRANSIENT_FAILURE"
	case Shutdown:
		return "SHUTDOWN"
	}
	return "INVALID_STATE"
}

// ServingMode says whether an xDS-enabled server accepts RPCs on a listener (gRFC A36). The zero value is ServingModeStarting.
type ServingMode int

const (
	// ServingModeStarting: the server has no configuration for the listener yet.
	ServingModeStarting ServingMode = iota
	// ServingModeServing: the server has what it needs and takes RPCs.
	ServingModeServing
	// ServingModeNotServing: the configuration is missing or was withdrawn. Connections are not accepted.
	ServingModeNotServing
)

// String returns the mode in capitals, for example "NOT_SERVING"; "INVALID_MODE" for a number that is no mode.
func (m ServingMode) String() string {
	switch m {
	case ServingModeStarting:
		return "STARTING"
	case ServingModeServing:
		return "SERVING"
	case ServingModeNotServing:
		return "NOT_SERVING"
	}
	return "INVALID_MODE"
}
