// Calls of all kinds on networks with faults: by chance, and at each place where a connection can break.

package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/internal/testkit/faultconn"
)

// pick returns one of the values.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// randomScenario draws a scenario. The faults are one direction's; the ways of both are slow and narrow.
func randomScenario(seed uint64) *scenario {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &scenario{seed: seed, bad: 1 + rng.IntN(2)}
	way := func() faultconn.Plan {
		p := faultconn.Plan{Piece: pick(rng, 0, 0, 1, 10, 1000), Buffer: pick(rng, 0, 0, 1, 100, 5000)}
		p.Pause = p.Piece == 0 && rng.IntN(2) == 0
		return p
	}
	s.up, s.down = way(), way()
	s.call = call{messages: 1 + rng.IntN(6), size: pick(rng, 0, 1, 100, 3000, 20000, 70000), pipeline: rng.IntN(2) == 0}
	s.call.text = pick(rng, "", "", "1ms", "20ms", "-")
	s.call.opts = []grpc.CallOption{grpc.WaitForReady(rng.IntN(2) == 0)}
	for _, p := range []faultconn.Plan{s.up, s.down} {
		if few := max(p.Piece, 1); p.Piece > 0 && p.Piece <= 10 || p.Buffer > 0 && p.Buffer <= 100 {
			s.call.size = min(s.call.size, 400*few) // more bytes take long, and show nothing new
		}
	}
	s.copies, s.options = 1+rng.IntN(3), randomOptions(rng)
	p := pick(rng, &s.up, &s.down)
	p.Fault = pick(rng, append(faultconn.Faults(), faultconn.None)...)
	p.Frames = rng.IntN(pick(rng, 3, 8, 25))
	p.Bytes = pick(rng, 0, 0, 1, 8, 9, 10, 100)
	if rng.IntN(5) == 0 {
		s.cancel = time.Duration(1 + rng.IntN(int(100*time.Millisecond)))
	}
	return s
}

func TestCallsEndInTimeWhateverTheNetworkDoes(t *testing.T) {
	y := newTally()
	for seed := range seeds {
		for i := range kinds {
			s := randomScenario(seed)
			s.kinds = kinds[i : i+1]
			s.run(t, y)
		}
		s := randomScenario(seed)
		s.kinds = kinds
		s.run(t, y)
	}
	t.Log(y)
	if y.happened < y.scenarios/3 {
		t.Errorf("got %d faults in %d scenarios, want more of them to show anything", y.happened, y.scenarios)
	}
}

// With TLS nothing that was garbled gets through. crypto/tls holds a mutex while it writes, for which the clock of a bubble stands still if
// somebody waits: so here nothing waits for the clock in a write.
func TestCallsEndInTimeWhateverTheNetworkDoesToTLS(t *testing.T) {
	needTLS(t)
	y := newTally()
	for seed := range seeds {
		s := randomScenario(seed)
		s.kinds, s.secure = kinds, true
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, p := range []*faultconn.Plan{&s.up, &s.down} {
			if p.Pause = false; p.Fault == faultconn.Stall {
				p.Fault = faultconn.Garble
			}
			p.Frames, p.Bytes = 0, rng.IntN(pick(rng, 300, 3000, 30000)) // frames cannot be counted
		}
		s.run(t, y)
	}
	t.Log(y)
}

// Nobody answers: keepalive ends the connection, and the next one serves.
func TestKeepaliveFindsHoles(t *testing.T) {
	y := newTally()
	for seed := range seeds {
		s := randomScenario(seed)
		s.kinds, s.alive, s.cancel, s.bad, s.options = kinds, true, 0, 1, keepaliveOptions()
		s.call.text = pick(rand.New(rand.NewPCG(seed, 2)), "", "20ms", lastAnswer.String())
		p := &s.down
		if s.up.Fault != faultconn.None {
			p = &s.up
		}
		p.Fault, p.Frames = []faultconn.Fault{faultconn.Hole, faultconn.Holes}[seed%2], 3+p.Frames // behind the handshake
		s.run(t, y)
	}
	t.Log(y)
}

func TestCallsEndInTimeWhereverTheConnectionBreaks(t *testing.T) {
	insides := []int{0}
	if full {
		insides = []int{0, 4, 9}
	}
	y := newTally()
	for _, fault := range faultconn.Faults() {
		for _, inside := range insides {
			for i := range kinds {
				for way := range 2 {
					s := &scenario{bad: 1, kinds: kinds[i : i+1], call: call{messages: 3, size: 100, text: "1ms"}}
					p := []*faultconn.Plan{&s.up, &s.down}[way]
					*p = faultconn.Plan{Fault: fault, Bytes: inside}
					for p.Frames = 0; s.run(t, y) > 0; p.Frames++ {
						s.seed++
					}
					if p.Frames < 4 {
						t.Errorf("%v: there are %d frames, want more", s, p.Frames)
					}
				}
			}
		}
	}
	t.Log(y)
}
