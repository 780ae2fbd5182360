// window-dribble (CVE-2019-9511): a peer that grants its windows byte by byte, so that each byte becomes a frame.

package hostile

import (
	"testing"

	"golang.org/x/net/http2"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// dribbleSize is how many bytes each of the answers has that a dribble waits for: more than it gets.
const dribbleSize = 2000

// dribbled connects a peer that has opened streams, whose answers wait for windows of their own.
func (s *target) dribbled(t *testing.T, streams int) *peer {
	t.Helper()
	p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	p.do(p.WriteWindowUpdate(0, 1<<30))
	for i := range uint32(streams) {
		p.open(nth(i), unary)
		p.data(nth(i), true, message(&pb.Request{Size: dribbleSize}))
	}
	for range streams {
		p.until("headers", func(h *heard) bool { return h.Type == http2.FrameHeaders })
	}
	p.wantAlive()
	return p
}

func TestDribbledWindows(t *testing.T) {
	const streams = 1000
	for _, tt := range []struct {
		name  string
		n     int // rounds
		bytes int // of DATA that must come
		round func(p *peer, i uint32)
	}{
		{"window-dribble", times(50_000, 10), times(50_000, 10), func(p *peer, i uint32) { p.do(p.WriteWindowUpdate(nth(i%streams), 1)) }},
		{"window-dribble-by-settings", times(50, 10), times(50, 10) * streams, func(p *peer, i uint32) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: i + 1}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTarget(t)
			s.beside(func() {
				before := alive()
				p := s.dribbled(t, streams)
				got := make(chan int, 1)
				go func() { // ends when all has come, or with the connection
					n := 0
					for n < tt.bytes {
						h, err := p.read()
						if err != nil {
							break
						}
						n += len(h.data)
					}
					got <- n
				}()
				for i := range uint32(tt.n) {
					tt.round(p, i)
				}
				p.flush()
				if n := <-got; n != tt.bytes {
					t.Errorf("got %d bytes, want %d", n, tt.bytes)
				}
				wantGrowth(t, before, streams*(dribbleSize+1500))
				p.wantAlive()
			})
		})
	}
}
