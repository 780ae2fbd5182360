// Which events there are, and whose they are.

package stats

import (
	"fmt"
	"testing"
)

func TestIsClient(t *testing.T) {
	both := func(client bool) []interface{ IsClient() bool } {
		return []interface{ IsClient() bool }{
			&Begin{Client: client}, &OutHeader{Client: client}, &OutPayload{Client: client}, &OutTrailer{Client: client},
			&InHeader{Client: client}, &InPayload{Client: client}, &InTrailer{Client: client}, &End{Client: client},
			&ConnBegin{Client: client}, &ConnEnd{Client: client},
		}
	}
	for _, client := range []bool{true, false} {
		for _, event := range both(client) {
			if got := event.IsClient(); got != client {
				t.Errorf("%T of client %v: got %v", event, client, got)
			}
		}
	}
	if !(&DelayedPickComplete{}).IsClient() {
		t.Error("DelayedPickComplete: got false, want true")
	}
}

func TestEventsAreOfTheirKind(t *testing.T) {
	rpc := []RPCStats{
		&Begin{}, &DelayedPickComplete{}, &PickerUpdated{}, &OutHeader{}, &OutPayload{}, &OutTrailer{}, &InHeader{}, &InPayload{},
		&InTrailer{}, &End{},
	}
	for _, event := range rpc {
		event.isRPCStats()
		if _, ok := event.(ConnStats); ok {
			t.Errorf("%T: got an event of both kinds", event)
		}
	}
	for _, event := range []ConnStats{&ConnBegin{}, &ConnEnd{}} {
		event.isConnStats()
		if _, ok := event.(RPCStats); ok {
			t.Errorf("%T: got an event of both kinds", event)
		}
	}
}

// A handler tells events apart by their types.
func ExampleRPCStats() {
	handle := func(s RPCStats) {
		switch s := s.(type) {
		case *OutPayload:
			fmt.Println("sent", s.WireLength, "bytes")
		case *End:
			fmt.Println("ended with", s.Error)
		}
	}
	handle(&Begin{})
	handle(&OutPayload{Length: 100, CompressedLength: 100, WireLength: 105})
	handle(&End{})
	// Output:
	// sent 105 bytes
	// ended with <nil>
}
