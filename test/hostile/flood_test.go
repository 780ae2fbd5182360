// Floods: frames without end that cost their sender little. Each is borne, or ended with a GOAWAY that says why.

package hostile

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
)

// A flood is one connection's doing.
type flood struct {
	name  string
	n     int                     // rounds of the short form, enough for the end that must come
	begin func(p *peer)           // before the first round; may be nil
	round func(p *peer, i uint32) // writes some frames
	ends  bool                    // whether the server must end it, with ENHANCE_YOUR_CALM
	may   bool                    // whether it may
	debug string                  // what its GOAWAY must say, "" for anything
	most  int64                   // handlers that may be started
}

// nth returns a stream's number, of those of rounds.
func nth(i uint32) uint32 { return 2*i + 1 }

// openings returns a round that opens a stream and says something on it.
func openings(method string, say func(p *peer, id uint32)) func(p *peer, i uint32) {
	return func(p *peer, i uint32) {
		p.open(nth(i), method)
		say(p, nth(i))
	}
}

// onFirst returns a round that repeats frames on stream 1.
func onFirst(say func(p *peer, i uint32)) (begin func(p *peer), round func(p *peer, i uint32)) {
	return func(p *peer) { p.open(1, chat) }, say
}

// lastStream is the stream of the call that shows that a flood was borne.
const lastStream = 1<<31 - 1

// maxFloodHeld is how many bytes may be alive when a flood is over.
const maxFloodHeld = 16 << 20

// resetMost is how many handlers a client may start that resets every stream.
const resetMost = 2000

func floods() []flood {
	cancel := func(p *peer, id uint32) { p.do(p.WriteRSTStream(id, http2.ErrCodeCancel)) }
	one := message(&pb.Request{Payload: []byte("x")})
	fs := []flood{
		{name: "rapid-reset", n: 6000, round: openings(collect, cancel), ends: true, debug: "too_many_resets", most: resetMost},
		{name: "rapid-reset-after-request", n: 6000, ends: true, debug: "too_many_resets", most: resetMost,
			round: openings(collect, func(p *peer, id uint32) { p.data(id, false, one); cancel(p, id) })},
		{name: "made-you-reset-window-0", n: 6000, ends: true, debug: "too_many_resets", most: resetMost,
			round: openings(collect, func(p *peer, id uint32) { p.frame(http2.FrameWindowUpdate, 0, id, window(0)...) })},
		{name: "made-you-reset-window-overflow", n: 6000, ends: true, debug: "too_many_resets", most: resetMost,
			round: openings(collect, func(p *peer, id uint32) { p.do(p.WriteWindowUpdate(id, 1<<31-1)) })},
		{name: "made-you-reset-priority", n: 6000, ends: true, debug: "too_many_resets", most: resetMost,
			round: openings(collect, func(p *peer, id uint32) { p.do(p.WritePriority(id, http2.PriorityParam{StreamDep: id})) })},
		{name: "made-you-reset-data-behind-the-end", n: 6000, may: true, debug: "too_many_resets",
			round: openings(collect, func(p *peer, id uint32) { p.data(id, true, one); p.data(id, true, one) })},
		{name: "malformed-request-flood", n: 6000, ends: true, debug: "too_many_resets", most: 10,
			round: func(p *peer, i uint32) { p.headers(nth(i), true, request(unary, "Upper", "x")...) }},
		{name: "zero-length-headers", n: 2000, ends: true, debug: "too_many_resets", most: 10,
			round: func(p *peer, i uint32) {
				p.headerBlock(nth(i), true, append(literal(request(unary)), make([]byte, 3*100)...))
			}},
		{name: "deadline-storm", n: 6000, ends: true, debug: "too_many_resets", most: 1 << 30, // timers take their time
			round: func(p *peer, i uint32) { p.open(nth(i), chat, "grpc-timeout", "1m") }},
		{name: "continuation-flood", n: 2000, ends: true,
			begin: func(p *peer) { p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})) },
			round: func(p *peer, i uint32) { p.do(p.WriteContinuation(1, false, []byte{0x82})) }},
		{name: "continuation-empty", n: 2000, ends: true,
			begin: func(p *peer) { p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})) },
			round: func(p *peer, i uint32) { p.do(p.WriteContinuation(1, false, nil)) }},
		{name: "ping-flood-permitted", n: 10000, round: func(p *peer, i uint32) { p.do(p.WritePing(false, [8]byte{})) }},
		{name: "settings-flood", n: 10000, round: func(p *peer, i uint32) { p.do(p.WriteSettings()) }},
		{name: "goaway-flood", n: 10000, round: func(p *peer, i uint32) { p.do(p.WriteGoAway(0, http2.ErrCodeNo, []byte("debug"))) }},
		{name: "unknown-frame-flood", n: 6000, round: func(p *peer, i uint32) { p.frame(http2.FrameType(10+i%240), 0xff, i, 1, 2, 3) }},
		{name: "unknown-setting-flood", n: 1000, round: func(p *peer, i uint32) {
			p.frame(http2.FrameSettings, 0, 0, bytes.Repeat(setting(0x99, 1), 100)...)
		}},
		{name: "reset-closed-stream-flood", n: 6000, begin: func(p *peer) { p.open(1, chat) },
			round: func(p *peer, i uint32) { cancel(p, 1) }},
		{name: "data-after-end-flood", n: 5000, begin: func(p *peer) { p.open(1, unary); p.data(1, true, one); p.data(1, true, one) },
			round: func(p *peer, i uint32) { p.data(1, false, make([]byte, 1000)) }},
	}
	for _, f := range []flood{
		{name: "priority-flood", n: 6000, round: func(p *peer, i uint32) { p.do(p.WritePriority(nth(i%1000), http2.PriorityParam{StreamDep: 0})) }},
		{name: "window-update-flood", n: 6000, round: func(p *peer, i uint32) { p.do(p.WriteWindowUpdate(i%2, 1)) }},
		{name: "empty-data-flood", n: 5000, ends: true, round: func(p *peer, i uint32) { p.data(1, false, nil) }},
		{name: "empty-padded-data-flood", n: 5000, ends: true, round: func(p *peer, i uint32) { p.do(p.WriteDataPadded(1, false, nil, make([]byte, 10))) }},
		{name: "one-byte-data-flood", n: 6000, round: func(p *peer, i uint32) { p.data(1, false, one[i%uint32(len(one)):][:1]) }},
	} {
		f.begin, f.round = onFirst(f.round)
		fs = append(fs, f)
	}
	return fs
}

func TestFloods(t *testing.T) {
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			s := newTarget(t)
			s.beside(func() { s.flood(t, f) })
		})
	}
}

// flood makes a flood until it is over, or the server ends it.
func (s *target) flood(t *testing.T, f flood) {
	before := alive()
	p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	heard := p.drainTo(lastStream)
	p.do(p.WriteWindowUpdate(0, 1<<30)) // so that echoes of the flood leave some of it to the last call
	if f.begin != nil {
		f.begin(p)
	}
	until := time.Now().Add(4 * time.Second) // of the full form
	for i := uint32(0); i < uint32(times(f.n, 100)) && !p.broken; i++ {
		if f.round(p, i); full() && i%1000 == 0 && time.Now().After(until) {
			break
		}
	}
	say, _ := sound(lastStream)
	say(p)
	p.flush()
	got := p.wantTally(heard)
	switch {
	case got.goAway != nil && !f.ends && !f.may:
		t.Errorf("got GOAWAY %v %q, want the flood to be borne", got.goAway.code, got.goAway.data)
	case got.goAway != nil && (got.goAway.code != calm || f.debug != "" && string(got.goAway.data) != f.debug):
		t.Errorf("got GOAWAY %v %q, want %v %q", got.goAway.code, got.goAway.data, calm, f.debug)
	case got.goAway == nil && f.ends:
		t.Errorf("got no GOAWAY (%v), want one", got.err)
	case got.goAway == nil && got.err != nil && !f.ends && !f.may:
		t.Errorf("got %v, want the flood to be borne", got.err)
	}
	if n := s.calls.Load(); f.most > 0 && n > f.most {
		t.Errorf("got %d handlers started, want at most %d", n, f.most)
	}
	wantGrowth(t, before, maxFloodHeld)
}

// Streams that end early are no attack as long as most do not.
func TestManyCancelledCallsAreNoAttack(t *testing.T) {
	s := newTarget(t)
	p := s.dial(t)
	id := uint32(1)
	for range times(3000, 3) / 50 {
		for range 50 {
			p.open(id, unary)
			p.data(id, true, message(&pb.Request{}))
			p.open(id+2, collect)
			p.do(p.WriteRSTStream(id+2, http2.ErrCodeCancel))
			id += 4
		}
		for n := 0; n < 50; {
			p.until("the end of a call", func(h *heard) bool { return h.end() })
			n++
		}
	}
	p.wantAlive()
}

// A connection whose streams wait for windows pays for SETTINGS that change them; the server must not.
func TestSettingsWindowThrash(t *testing.T) {
	s := newTarget(t)
	p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	const streams = 2000
	for i := range uint32(streams) {
		p.open(nth(i), unary)
		p.data(nth(i), true, message(&pb.Request{Size: 100}))
	}
	for range streams {
		p.until("headers", func(h *heard) bool { return h.Type == http2.FrameHeaders })
	}
	thrash := append(setting(http2.SettingInitialWindowSize, 1), setting(http2.SettingInitialWindowSize, 0)...)
	before := processor()
	for range times(100, 4) {
		p.frame(http2.FrameSettings, 0, 0, bytes.Repeat(thrash, 50)...)
	}
	p.wantAlive()
	if took := processor() - before; took > 2*time.Second {
		t.Errorf("got %v of processor time, want at most 2s", took)
	}
	s.call()
}

// processor returns the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestPingFlood(t *testing.T) {
	s := newTarget(t, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{}))
	s.beside(func() {
		s.flood(t, flood{n: 1000, ends: true, debug: "too_many_pings", round: func(p *peer, i uint32) { p.do(p.WritePing(false, [8]byte{})) }})
	})
}

func TestRefusedRequestFlood(t *testing.T) {
	s := newTarget(t, grpc.MaxConcurrentStreams(1))
	s.beside(func() {
		s.flood(t, flood{n: 6000, ends: true, debug: "too_many_resets", most: 1,
			begin: func(p *peer) { p.open(1, chat) },
			round: func(p *peer, i uint32) { p.open(nth(i+1), collect) }})
	})
}
