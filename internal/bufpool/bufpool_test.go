// Tests of the pools. What a pool keeps is only looked at where sync.Pool promises it: in one goroutine, without the race detector's drops.

package bufpool

import (
	"bytes"
	"testing"
)

func TestTieredGetTakesTheSmallestCapacityThatFits(t *testing.T) {
	p := NewTiered(4096, 256, 100, 256)
	for _, tt := range []struct{ length, capacity int }{
		{0, 100}, {1, 100}, {100, 100}, {101, 256}, {256, 256}, {257, 4096}, {4096, 4096}, {4097, 8192}, {9000, 12288},
		{maxLarge, maxLarge}, {maxLarge + 1, maxLarge + 1},
	} {
		b := p.Get(tt.length)
		if len(*b) != tt.length || cap(*b) != tt.capacity {
			t.Errorf("Get(%d): got length %d, capacity %d, want capacity %d", tt.length, len(*b), cap(*b), tt.capacity)
		}
	}
}

func TestTieredWithoutTiersStillServes(t *testing.T) {
	p := NewTiered()
	if b := p.Get(10); len(*b) != 10 || cap(*b) != pageSize {
		t.Errorf("Get(10): got length %d, capacity %d, want 10, %d", len(*b), cap(*b), pageSize)
	}
}

// kept reports whether p hands out a buffer of that capacity again soon after it was put back; the race detector makes a pool drop some.
func kept(p *Tiered, capacity, length int) bool {
	for range 20 {
		b := make([]byte, capacity)
		p.Put(&b)
		if got := p.Get(length); capacity > 0 && len(b) > 0 && &(*got)[:1][0] == &b[0] {
			return true
		}
	}
	return false
}

func TestTieredPutKeepsWhatFits(t *testing.T) {
	for _, tt := range []struct {
		name             string
		capacity, length int
		want             bool
	}{
		{"capacity of a tier", 256, 200, true},
		{"a little over a tier", 300, 200, true},
		{"twice a tier", 512, 200, false},
		{"far over a tier", 4095, 200, false},
		{"below the smallest", 255, 1, false},
		{"above the largest", 5000, 4999, true},
		{"above the largest, but now too small", 5000, 5001, false},
		{"at the cap", maxLarge, maxLarge, true},
		{"above the cap", maxLarge + 1, maxLarge, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := kept(NewTiered(256, 4096), tt.capacity, tt.length); got != tt.want {
				t.Errorf("Put of %d, Get of %d bytes: got re-used = %v, want %v", tt.capacity, tt.length, got, tt.want)
			}
		})
	}
}

func TestTieredGetIsZeroed(t *testing.T) {
	p := NewTiered(256)
	for range 100 {
		for _, n := range []int{200, 5000} {
			p.Put(full(p, n))
			if got := p.Get(n); !bytes.Equal(*got, make([]byte, n)) {
				t.Fatalf("Get(%d) of a used buffer: got bytes that are not zero", n)
			}
		}
	}
}

func TestTieredGetDirtyIsNotZeroed(t *testing.T) {
	p := NewTiered(256)
	for range 100 { // the pool may have lost the buffer
		p.Put(full(p, 200))
		if (*GetDirty(p, 200))[0] != 0 {
			return
		}
	}
	t.Error("GetDirty of used buffers: got zero bytes each time, want old ones")
}

// full returns a buffer of n bytes without a zero.
func full(p Pool, n int) *[]byte {
	b := p.Get(n)
	for i := range *b {
		(*b)[i] = 7
	}
	return b
}

func TestGetDirtyOfAnotherPool(t *testing.T) {
	if b := GetDirty(NopBufferPool{}, 7); len(*b) != 7 {
		t.Errorf("GetDirty(7): got length %d, want 7", len(*b))
	}
}

func TestNopBufferPoolKeepsNothing(t *testing.T) {
	var p NopBufferPool
	b := p.Get(7)
	p.Put(b)
	if c := p.Get(7); &(*b)[0] == &(*c)[0] || len(*c) != 7 {
		t.Errorf("Get after Put: got the same buffer or length %d, want another of 7", len(*c))
	}
}

func TestSetDefault(t *testing.T) {
	if got := Default(); got != Pool(builtin) {
		t.Fatalf("Default: got %T, want the built-in pool", got)
	}
	defer override.Store(nil)
	SetDefault(NopBufferPool{})
	if got := Default(); got != Pool(NopBufferPool{}) {
		t.Errorf("Default after SetDefault: got %T, want NopBufferPool", got)
	}
}

func TestOverwrite(t *testing.T) {
	b := make([]byte, 3)
	overwrite(b)
	if want := []byte{0xDB, 0xDB, 0xDB}; !bytes.Equal(b, want) {
		t.Errorf("overwrite: got %x, want %x", b, want)
	}
}

func TestPutPoisonsIfBuiltSo(t *testing.T) {
	b := make([]byte, 300, 512)
	NewTiered(256).Put(&b)
	want := byte(0)
	if Poison {
		want = 0xDB
	}
	if got := b[:512]; got[0] != want || got[511] != want {
		t.Errorf("bytes after Put: got %x … %x, want %x", got[0], got[511], want)
	}
}

func BenchmarkGetPut(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builtin.Put(GetDirty(builtin, 10000))
	}
}

func TestRoomIsWhatItsOwnBuffersHave(t *testing.T) {
	own := NewTiered(4096)
	if got := len(Room(own, own.Get(5))); got != 4096 {
		t.Errorf("a tiered pool: got %d bytes, want 4096", got)
	}
	if got := len(Room(wide{}, wide{}.Get(5))); got != 5 {
		t.Errorf("another pool: got %d bytes, want 5", got)
	}
}

// wide is a pool whose buffers have memory behind their end.
type wide struct{ NopBufferPool }

func (wide) Get(length int) *[]byte {
	b := make([]byte, length, 100)
	return &b
}
