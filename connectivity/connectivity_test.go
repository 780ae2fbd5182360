// Names of states and modes.

package connectivity

import "testing"

func TestStateString(t *testing.T) {
	tests := map[State]string{
		-1: "INVALID_STATE", Idle: "IDLE", Connecting: "CONNECTING", Ready: "READY", TransientFailure: "TRANSIENT_FAILURE",
		Shutdown: "SHUTDOWN", 5: "INVALID_STATE",
	}
	for state, want := range tests {
		if got := state.String(); got != want {
			t.Errorf("State(%d): got %q, want %q", int(state), got, want)
		}
	}
}

func TestServingModeString(t *testing.T) {
	tests := map[ServingMode]string{
		-1: "INVALID_MODE", ServingModeStarting: "STARTING", ServingModeServing: "SERVING", ServingModeNotServing: "NOT_SERVING",
		3: "INVALID_MODE",
	}
	for mode, want := range tests {
		if got := mode.String(); got != want {
			t.Errorf("ServingMode(%d): got %q, want %q", int(mode), got, want)
		}
	}
}
