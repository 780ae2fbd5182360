// Tests of the public pool constructors; internal/bufpool tests the pools themselves.

package mem

import (
	"fmt"
	"math/bits"
	"testing"
)

func TestNewBinaryTieredBufferPool(t *testing.T) {
	p, err := NewBinaryTieredBufferPool(12, 8)
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	for _, tt := range []struct{ length, capacity int }{{256, 256}, {257, 4096}, {4097, 8192}} {
		if b := p.Get(tt.length); len(*b) != tt.length || cap(*b) != tt.capacity {
			t.Errorf("Get(%d): got length %d, capacity %d, want capacity %d", tt.length, len(*b), cap(*b), tt.capacity)
		}
	}
	const sign = bits.UintSize - 1 // the bit of an int that is no power of two
	if _, err := NewBinaryTieredBufferPool(8, sign-1); err != nil {
		t.Errorf("exponent %d: got error %v, want none", sign-1, err)
	}
	_, err = NewBinaryTieredBufferPool(8, sign)
	if want := fmt.Sprintf("mem: allocating slice of size 2^%d is not possible", sign); err == nil || err.Error() != want {
		t.Errorf("exponent %d: got error %v, want %q", sign, err, want)
	}
}

func TestDefaultBufferPoolTiers(t *testing.T) {
	for _, tt := range []struct{ length, capacity int }{
		{1, 256}, {257, 4 << 10}, {4<<10 + 1, 16 << 10}, {16<<10 + 1, 32 << 10}, {32<<10 + 1, 64 << 10}, {100_000, 128 << 10}, {512<<10 + 1, 1 << 20}, {1<<20 + 1, 1<<20 + 4<<10},
	} {
		if b := DefaultBufferPool().Get(tt.length); cap(*b) != tt.capacity {
			t.Errorf("Get(%d): got capacity %d, want %d", tt.length, cap(*b), tt.capacity)
		}
	}
}

func TestIsBelowBufferPoolingThreshold(t *testing.T) {
	for n, want := range map[int]bool{0: true, 1024: true, 1025: false} {
		if got := IsBelowBufferPoolingThreshold(n); got != want {
			t.Errorf("IsBelowBufferPoolingThreshold(%d): got %v, want %v", n, got, want)
		}
	}
}
