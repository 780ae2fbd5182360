// Tests of the arithmetic of windows: RFC 9113 §5.2, §6.9.

package transport

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc/transport/internal/frame"
)

func TestOutboundWindowRejectsOverflow(t *testing.T) {
	const most = frame.MaxWindow
	for _, tt := range []struct {
		w    outWindow
		n    uint32
		want outWindow
		ok   bool
	}{
		{0, 1, 1, true}, {65535, 65535, 131070, true}, {0, most, most, true}, {most - 1, 1, most, true}, {-100, 50, -50, true}, {-most, most, 0, true},
		{most, 1, most, false}, {1, most, 1, false}, {most, most, most, false}, {most, 1<<32 - 1, most, false}, {0, 1 << 31, 0, false}, {-1, 1 << 31, most, true},
	} {
		w := tt.w
		if err := w.grow(tt.n); (err == nil) != tt.ok || w != tt.want {
			t.Errorf("window of %d grown by %d: got %d, %v, want %d, ok %v", tt.w, tt.n, w, err, tt.want, tt.ok)
		}
	}
	w := outWindow(most)
	if err, want := w.grow(5), "window of 2147483652 bytes after an increment of 5, limit 2147483647"; err == nil || err.Error() != want {
		t.Errorf("error: got %v, want %s", err, want)
	}
}

func TestInboundWindowRefusesMoreThanItGave(t *testing.T) {
	w := inWindow{size: 100, open: 100}
	if err := w.receive(100); err != nil || w != (inWindow{100, 0, 100}) {
		t.Fatalf("100 bytes in a window of 100: got %+v, %v", w, err)
	}
	if err := w.receive(0); err != nil {
		t.Errorf("nothing in a window of 0: got %v, want no error", err)
	}
	if err, want := w.receive(1), "received 101-bytes data exceeding the limit 100 bytes"; err == nil || err.Error() != want || w != (inWindow{100, 0, 100}) {
		t.Errorf("1 byte in a window of 0: got %+v, %v, want %s", w, err, want)
	}
}

func TestInboundWindowIsRenewedByQuarters(t *testing.T) {
	for _, tt := range []struct {
		name string
		w    inWindow
		want uint32
	}{
		{"untouched", inWindow{100, 100, 0}, 0},
		{"received, not consumed", inWindow{100, 0, 100}, 0},
		{"less than a quarter", inWindow{100, 76, 0}, 0},
		{"a quarter", inWindow{100, 75, 0}, 25},
		{"a quarter beside what is held", inWindow{100, 45, 30}, 25},
		{"all", inWindow{100, 0, 0}, 100},
		{"more open than the size, after need", inWindow{100, 500, 0}, 0},
		{"more held than the size, after need", inWindow{100, 0, 500}, 0},
		{"the size has grown", inWindow{400, 100, 0}, 300},
		{"size 0", inWindow{0, 0, 0}, 0},
		{"size 1", inWindow{1, 0, 0}, 1},
	} {
		w := tt.w
		if got := w.renew(); got != tt.want || w.open != tt.w.open+int64(tt.want) {
			t.Errorf("%s: got %d, %+v, want %d", tt.name, got, w, tt.want)
		}
	}
}

func TestInboundWindowGivesWhatAMessageNeeds(t *testing.T) {
	for _, tt := range []struct {
		open, n int64
		want    uint32
	}{
		{100, 50, 0}, {100, 100, 0}, {100, 101, 1}, {0, 1 << 20, 1 << 20}, {100, 1 << 32, frame.MaxWindow - maxInitialWindow - 100},
		{frame.MaxWindow, 1 << 32, 0}, {100, 0, 0},
	} {
		w := inWindow{size: 100, open: tt.open}
		if got := w.need(tt.n); got != tt.want || w.open != tt.open+int64(tt.want) {
			t.Errorf("%d bytes needed, %d open: got %d, %d open, want %d", tt.n, tt.open, got, w.open, tt.want)
		}
	}
}

// TestInboundWindowNeverStalls plays a peer that sends as much as it may and a reader that consumes all in the end.
func TestInboundWindowNeverStalls(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int64{1, 3, 4, 100, 65535} {
		w := inWindow{size: size, open: size}
		peer, held, sent := size, int64(0), int64(0)
		for range 2000 {
			if n := min(peer, 1+rnd.Int64N(size)); n > 0 {
				if err := w.receive(n); err != nil {
					t.Fatalf("window of %d: %v though the peer obeys", size, err)
				}
				peer, held, sent = peer-n, held+n, sent+n
			}
			if rnd.IntN(3) > 0 {
				w.consume(held)
				held = 0
			}
			peer += int64(w.renew())
			if peer != w.open || w.open+w.held > size {
				t.Fatalf("window of %d: peer may send %d, got %+v, want no more than the size ahead", size, peer, w)
			}
			if held == 0 && peer < size-size/4 {
				t.Fatalf("window of %d: all is consumed and the peer may send only %d", size, peer)
			}
		}
		if sent < size {
			t.Errorf("window of %d: only %d bytes passed", size, sent)
		}
	}
}
