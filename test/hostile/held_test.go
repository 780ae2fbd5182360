// What peers can make a server hold: memory that is alive while they keep still. Limits are in bytes for what one connection, or a number of
// them, has sent.

package hostile

import (
	"bytes"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// noise is how many bytes the figures of a process may vary by.
const noise = 4 << 20

// settling is how long what peers have said may be on its way to where it is held.
const settling = 5 * time.Second

// alive returns how many bytes of heap and stacks are in use.
func alive() int64 {
	runtime.GC()
	runtime.GC() // what pools have kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// growth returns how much more is alive than before, once that is no more than it may be, or has had its time to become so.
func growth(before, most int64) int64 {
	end := time.Now().Add(settling)
	got := alive() - before
	for ; got > most && time.Now().Before(end); got = alive() - before {
		runtime.Gosched()
	}
	return got
}

// wantHeld checks how much more is alive after the peers have had their say than before.
func (s *target) wantHeld(t *testing.T, most int64, say func()) {
	t.Helper()
	before := alive()
	say()
	wantGrowth(t, before, most)
	s.call()
}

// wantGrowth checks how much more is alive than before.
func wantGrowth(t *testing.T, before, most int64) {
	t.Helper()
	got := growth(before, most+noise)
	t.Logf("held: %d kB, limit %d kB", got>>10, most>>10)
	if got > most+noise {
		t.Errorf("got %d bytes held, want at most %d", got, most)
	}
}

// settle waits until the server has read all that was written.
func (p *peer) settle() {
	p.tb.Helper()
	p.wantAlive()
}

func TestHeldByStreams(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int   // streams
		each int64 // most bytes held for each
		say  func(p *peer, id uint32)
	}{
		{"stream-hold", times(2000, 10), 8 << 10, func(p *peer, id uint32) { p.open(id, collect) }},
		{"small-data-held", times(8, 4), 2*60000 + 12<<10, func(p *peer, id uint32) {
			p.open(id, collect)
			p.data(id, false, claim(64000))
			for range 60000 {
				p.data(id, false, []byte{1})
			}
			p.settle()
		}},
		{"padded-data-held", times(2, 14), 2*2000 + 20<<10, func(p *peer, id uint32) {
			p.open(id, collect)
			p.data(id, false, claim(64000))
			for range 2000 { // 500 kB: the padding is given back to both windows
				p.do(p.WriteDataPadded(id, false, []byte{1}, make([]byte, 250)))
				p.settle()
			}
		}},
		{"length-claim-held", 1000, 48 << 10, func(p *peer, id uint32) {
			p.open(id, collect)
			p.data(id, false, claim(4<<20))
		}},
		{"huge-metadata-held", times(4, 4), 3 << 19, func(p *peer, id uint32) {
			b := p.block(request(chat, "big", strings.Repeat("~", 1<<20))...)
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b[:16384]}))
			for b = b[16384:]; len(b) > 0; {
				part := b[:min(16384, len(b))]
				b = b[len(part):]
				p.do(p.WriteContinuation(id, len(b) == 0, part))
			}
		}},
		{"cancelled-streams", 600, 100, func(p *peer, id uint32) {
			p.open(id, chat)
			p.do(p.WriteRSTStream(id, http2.ErrCodeCancel))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTarget(t)
			p := s.dial(t)
			s.wantHeld(t, int64(tt.n)*tt.each, func() {
				for i := range uint32(tt.n) {
					tt.say(p, nth(i))
				}
				p.settle()
				p.tb = t
			})
			p.settle()
		})
	}
}

// The lists of streams that stay open are bounded for the connection, not only for each.
func TestHeldByHeaderLists(t *testing.T) {
	for _, tt := range []struct {
		name, field, value string
		refs               int
	}{
		{"hpack-bomb-held", "x", strings.Repeat("v", 3900), 15},
		{"hpack-bomb-small-held", "x", "", 2800},
		{"hpack-bomb-bin-held", "x-bin", strings.Repeat("YWFh", 975), 15},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTarget(t)
			p := s.dial(t)
			s.wantHeld(t, 10<<20, func() {
				p.headerBlock(1, false, p.block(append(request(chat), tt.field, tt.value)...))
				refer := append(literal(request(chat)), bytes.Repeat([]byte{0x80 | 62}, tt.refs)...)
				for i := range uint32(500) {
					p.headerBlock(nth(i+1), false, refer)
				}
				p.until("a stream that is refused", func(h *heard) bool { return h.Type == http2.FrameRSTStream && h.code == calm })
				p.settle()
			})
		})
	}
}

// slow-read: answers for which the client gives no window.
func TestHeldBySlowRead(t *testing.T) {
	s := newTarget(t)
	p := s.dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	n, size := uint32(times(8, 4)), int32(1<<20)
	s.wantHeld(t, 3*int64(n)*int64(size), func() {
		for i := range n {
			p.open(nth(i), unary)
			p.data(nth(i), true, message(&pb.Request{Size: size}))
			p.until("headers", func(h *heard) bool { return h.Type == http2.FrameHeaders && h.StreamID == nth(i) })
		}
	})
	p.do(p.WriteWindowUpdate(0, 1<<30))
	p.do(p.WriteWindowUpdate(1, 1<<30))
	p.wantStatus(1, "0")
}

func TestHeldByConnections(t *testing.T) {
	for _, tt := range []struct {
		name string
		each int64
		say  func(p *peer)
	}{
		{"idle-connections", 20 << 10, func(p *peer) { p.begin(); p.wantAlive() }},
		{"slowloris-preface", 48 << 10, func(p *peer) { p.raw([]byte("PRI * HTTP")); p.flush() }},
		{"slowloris-headers", 24 << 10, func(p *peer) {
			p.begin()
			p.wantAlive()
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(request(unary)...)}))
			p.flush()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTarget(t)
			n := times(50, 8)
			s.wantHeld(t, int64(n)*tt.each, func() {
				for range n {
					tt.say(dialRaw(t, s.addr))
				}
			})
		})
	}
}

// descriptors returns how many files this process has open, -1 if the system does not say.
func descriptors() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(d)
}

// connection-churn: connections that end in every way leave nothing behind.
func TestConnectionChurn(t *testing.T) {
	s := newTarget(t)
	before := descriptors()
	s.beside(func() {
		for i := range times(200, 8) {
			p := dialRaw(t, s.addr)
			switch i % 4 {
			case 0:
				p.raw([]byte("PRI"))
			case 1:
				p.begin()
				p.open(1, chat)
			case 2:
				p.begin()
				p.wantAlive()
				p.open(1, chat)
			}
			p.flush()
			if i%2 == 0 {
				_ = p.nc.(*net.TCPConn).SetLinger(0) // an RST
			}
			p.nc.Close()
		}
	})
	for deadline := time.Now().Add(patience); descriptors() > before+2 || s.running.Load() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("got %d descriptors and %d handlers, want %d and 0", descriptors(), s.running.Load(), before)
		}
		s.call()
	}
}
