// Tests of the watch over the goroutines that should read. Time is that of testing/synctest.

package grpc

import (
	"testing"
	"testing/synctest"
)

// watched makes connections of a server with room for one turn at a time.
func watched(n int) (*turnWatch, []*serverConn) {
	s := &Server{}
	s.watch.init(1)
	s.watch.places = s.watch.places[:1]
	conns := make([]*serverConn, n)
	for i := range conns {
		conns[i] = &serverConn{s: s}
		conns[i].turn.place = s.watch.place()
	}
	return &s.watch, conns
}

func TestWatchWatchesOneConnectionPerPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := watched(2)
		wantEqual(t, "first", w.enter(c[0]), true)
		wantEqual(t, "second", w.enter(c[1]), false)
		w.leave(c[0])
		wantEqual(t, "second, when the first has left", w.enter(c[1]), true)
		w.leave(c[1])
	})
}

func TestWatchRestsWhenThereAreNoTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := watched(1)
		for range 3 {
			w.enter(c[0])
			wantEqual(t, "armed in a turn", w.armed.Load(), true)
			pass(10 * watchPeriod)
			wantEqual(t, "armed in a long turn", w.armed.Load(), true)
			w.leave(c[0])
			pass(2 * watchPeriod)
			wantEqual(t, "armed after the turn", w.armed.Load(), false)
		}
	})
}

func TestWatchLooksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := watched(1)
		step := &c[0].turn.step
		w.enter(c[0])
		for i := range uint64(10) { // another handler at every look, or none
			step.Store(i)
			pass(watchPeriod)
			wantEqual(t, "step", step.Load(), i)
		}
		step.Store(20) // between handlers, for long
		pass(10 * watchPeriod)
		wantEqual(t, "step", step.Load(), 20)
		w.leave(c[0])
		pass(10 * watchPeriod)
	})
}

func TestConnectionIsAloneUntilThereIsAnotherOne(t *testing.T) {
	w, c := watched(2)
	for _, tt := range []struct {
		conn int
		want bool
	}{{0, false}, {0, true}, {0, true}, {1, false}, {1, true}, {0, false}, {1, false}} {
		wantEqual(t, "alone", w.alone(c[tt.conn]), tt.want)
	}
}
