// Floods of a peer that never reads: the server stops reading, too, before what it would say takes much memory.

package hostile

import (
	"testing"
	"time"

	"golang.org/x/net/http2"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// smallBuffer is the size in bytes of the system's buffers where a test wants them to be full soon.
const smallBuffer = 32 << 10

// flooding writes rounds, and never reads, until the server has not taken a byte for a while, or n rounds are over. It returns how many were.
func (p *peer) flooding(n int, round func(i uint32)) int {
	for i := range n {
		_ = p.nc.SetWriteDeadline(time.Now().Add(150 * time.Millisecond))
		if round(uint32(i)); p.broken {
			return i
		}
	}
	p.flush()
	return n
}

// What is held are the answers that one write could not take and those that wait for the next, each at most 1 MiB and what 128 handlers have to
// say; and what those have to say that were begun before, because they were slower than the server reads: so many large answers are judged by how
// many handlers there were.
func TestHeldByPeersThatDoNotRead(t *testing.T) {
	small, large := message(&pb.Request{Size: 1000}), message(&pb.Request{Size: 100_000})
	endless := message(&pb.Request{Size: 1000, Count: 1 << 30})
	calls := func(method string, request []byte) func(p *peer, i uint32) {
		return openings(method, func(p *peer, id uint32) { p.data(id, true, request) })
	}
	for _, tt := range []struct {
		name  string
		most  int64 // bytes that may be held
		each  int64 // more of them for each handler
		ever  bool  // the server reads ever on: it has nothing to say
		begin func(p *peer)
		round func(p *peer, i uint32)
	}{
		{"ping-flood-unread", 4 << 20, 0, false, nil, func(p *peer, i uint32) { p.do(p.WritePing(false, [8]byte{})) }},
		{"settings-flood-unread", 4 << 20, 0, false, nil, func(p *peer, i uint32) { p.do(p.WriteSettings()) }},
		{"refused-request-flood-unread", 4 << 20, 0, false, nil, func(p *peer, i uint32) { p.headers(nth(i), true, with("content-type", "text/plain")...) }},
		{"data-after-end-flood-unread", 4 << 20, 0, true, func(p *peer) {
			p.open(1, unary)
			p.data(1, true, small)
			p.data(1, true, small)
		}, func(p *peer, i uint32) { p.data(1, false, []byte{1}) }},
		{"unread-answers", 16 << 20, 0, false, nil, calls(unary, small)},
		{"unread-large-answers", 2 << 20, 140 << 10, false, nil, calls(unary, large)},
		{"unread-unknown-methods", 16 << 20, 0, false, nil, calls("/no/method", small)},
		{"unread-streams", 2 << 20, 140 << 10, false, nil, calls(repeat, endless)}, // 64 KiB may wait for each, in small pieces
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSizedTarget(t, smallBuffer)
			s.beside(func() {
				p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
				resize(p.nc, smallBuffer)
				p.do(p.WriteWindowUpdate(0, 1<<30))
				if tt.begin != nil {
					tt.begin(p)
				}
				all := times(100_000, 4)
				before := alive()
				n := p.flooding(all, func(i uint32) { tt.round(p, i) })
				t.Logf("%d rounds, %d handlers", n, s.calls.Load())
				if !tt.ever && n == all {
					t.Errorf("got %d rounds read, want the server to stop", n)
				}
				for n := int64(-1); n != s.calls.Load(); s.call() { // until none begins during a call
					n = s.calls.Load()
				}
				wantGrowth(t, before, tt.most+tt.each*s.calls.Load())
				p.nc.Close()
			})
		})
	}
}

// Answers that wait for a window are not read either, but the server must go on reading: the window may come. Each costs little beside itself.
func TestHeldByAnswersWithoutWindow(t *testing.T) {
	const size, batch = 1000, 500
	s := newTarget(t)
	p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	one := message(&pb.Request{Size: size})
	n := times(3000, 10)
	s.wantHeld(t, int64(n)*(size+1500), func() {
		for i := range uint32(n) {
			p.open(nth(i), unary)
			p.data(nth(i), true, one)
			if i%batch == batch-1 {
				for range batch {
					p.until("headers", func(h *heard) bool { return h.Type == http2.FrameHeaders })
				}
			}
		}
	})
	p.wantAlive()
}
