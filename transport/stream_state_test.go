// The whole transition table of a stream, against RFC 9113 §5.1.

package transport

import "testing"

func TestStreamStateTable(t *testing.T) {
	const illegal = streamState(99)
	events := []streamEvent{sendEnd, recvEnd, sendReset, recvReset}
	for _, tt := range []struct {
		state            streamState
		next             [4]streamState // by event
		canSend, canRecv bool
	}{
		{streamOpen, [4]streamState{streamHalfClosedLocal, streamHalfClosedRemote, streamClosed, streamClosed}, true, true},
		{streamHalfClosedLocal, [4]streamState{illegal, streamClosed, streamClosed, streamClosed}, false, true},
		{streamHalfClosedRemote, [4]streamState{streamClosed, illegal, streamClosed, streamClosed}, true, false},
		{streamClosed, [4]streamState{illegal, illegal, streamClosed, streamClosed}, false, false},
	} {
		for i, e := range events {
			got, err := tt.state.next(e)
			want := tt.next[i]
			if want == illegal {
				want = tt.state
			}
			if got != want || (err != nil) != (tt.next[i] == illegal) {
				t.Errorf("%v, %v: got %v, %v, want %v, error %v", tt.state, e, got, err, want, tt.next[i] == illegal)
			}
		}
		if tt.state.canSend() != tt.canSend || tt.state.canRecv() != tt.canRecv {
			t.Errorf("%v: got canSend %v, canRecv %v, want %v, %v", tt.state, tt.state.canSend(), tt.state.canRecv(), tt.canSend, tt.canRecv)
		}
	}
}

func TestStreamStateErrorNamesStateAndEvent(t *testing.T) {
	_, err := streamHalfClosedRemote.next(recvEnd)
	if want := "transport: END_STREAM received in state half-closed (remote)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestZeroStreamStateIsOpen(t *testing.T) {
	var s streamState
	if s != streamOpen {
		t.Errorf("zero value: got %v, want %v", s, streamOpen)
	}
}
