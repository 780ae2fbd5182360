// The transition table of phases, all of it.

package pickfirst

import "testing"

func TestEveryTransition(t *testing.T) {
	events := []event{addressesArrived, addressesGone, subchannelReady, allFailed, connectionLost, exitIdle, closing}
	const none phase = 99 // the event means nothing
	for _, row := range []struct {
		from phase
		to   [7]phase // by event, in the order of events
	}{
		{waiting, [...]phase{trying, waiting, none, none, none, none, closed}},
		{trying, [...]phase{trying, waiting, connected, retrying, idle, none, closed}},
		{retrying, [...]phase{trying, waiting, connected, none, idle, none, closed}},
		{connected, [...]phase{trying, waiting, none, none, idle, none, closed}},
		{idle, [...]phase{idle, waiting, connected, none, none, trying, closed}},
		{closed, [...]phase{none, none, none, none, none, none, none}},
	} {
		for i, e := range events {
			want, wantOK := row.to[i], true
			if want == none {
				want, wantOK = row.from, false
			}
			if got, ok := row.from.next(e); got != want || ok != wantOK {
				t.Errorf("phase %d, event %d: got %d, %v, want %d, %v", row.from, e, got, ok, want, wantOK)
			}
		}
	}
}
