// Tests of counting, views, and of what panics after a free.

package mem

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// recorder is a BufferPool that writes down the lengths that it is asked for and the slices that come back. Its buffers are dirty.
type recorder struct {
	gets []int
	puts []*[]byte
}

func (r *recorder) Get(n int) *[]byte {
	r.gets = append(r.gets, n)
	b := []byte(strings.Repeat("#", n))
	return &b
}

func (r *recorder) Put(b *[]byte) { r.puts = append(r.puts, b) }

func (r *recorder) wantPuts(t *testing.T, when string, want int) {
	t.Helper()
	if got := len(r.puts); got != want {
		t.Errorf("%s: got %d buffers back in the pool, want %d", when, got, want)
	}
}

// pooled returns a counted Buffer of n bytes 0, 1, 2, …
func pooled(n int, pool BufferPool) Buffer {
	b := make([]byte, n, max(n, pooledAbove+1))
	for i := range b {
		b[i] = byte(i)
	}
	return NewBuffer(&b, pool)
}

// panicOf returns what f panics with, or nil.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func wantPanic(t *testing.T, what, want string, f func()) {
	t.Helper()
	if got := fmt.Sprint(panicOf(f)); !strings.Contains(got, want) {
		t.Errorf("%s: got panic %q, want one with %q", what, got, want)
	}
}

func TestNewBufferIsCountedAboveTheThresholdOnly(t *testing.T) {
	for _, tt := range []struct {
		name             string
		length, capacity int
		counted          bool
	}{
		{"empty", 0, 0, false},
		{"small", 5, 1024, false},
		{"large capacity", 5, 1025, true},
		{"large", 2000, 2000, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := &recorder{}
			data := make([]byte, tt.length, tt.capacity)
			b := NewBuffer(&data, pool)
			if b.Len() != tt.length || len(b.ReadOnlyData()) != tt.length {
				t.Errorf("length: got %d and %d bytes, want %d", b.Len(), len(b.ReadOnlyData()), tt.length)
			}
			if _, slice := b.(SliceBuffer); slice == tt.counted {
				t.Errorf("got %T, want counted = %v", b, tt.counted)
			}
			b.Free()
			if tt.counted && (len(pool.puts) != 1 || pool.puts[0] != &data) {
				t.Errorf("after Free: got %v in the pool, want the data", pool.puts)
			}
			if !tt.counted {
				pool.wantPuts(t, "after Free", 0)
			}
		})
	}
}

func TestNewBufferWithoutPool(t *testing.T) {
	data := make([]byte, 5000)
	b := NewBuffer(&data, nil)
	b.Free()
	b.Free()
	if _, ok := b.(SliceBuffer); !ok || b.Len() != 5000 {
		t.Errorf("got %T of %d bytes, want SliceBuffer of 5000", b, b.Len())
	}
}

func TestCopy(t *testing.T) {
	for _, tt := range []struct{ n, gets int }{{0, 0}, {5, 0}, {1024, 0}, {1025, 1}} {
		pool := &recorder{}
		src := []byte(strings.Repeat("a", tt.n))
		b := Copy(src, pool)
		for i := range src {
			src[i] = 'b'
		}
		if got, want := string(b.ReadOnlyData()), strings.Repeat("a", tt.n); got != want {
			t.Errorf("Copy of %d bytes: got %.20q…, want %.20q…", tt.n, got, want)
		}
		b.Free()
		if len(pool.gets) != tt.gets || len(pool.puts) != tt.gets {
			t.Errorf("Copy of %d bytes: got %d from and %d to the pool, want %d", tt.n, len(pool.gets), len(pool.puts), tt.gets)
		}
	}
}

func TestUseAfterFreePanics(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		use        func(Buffer)
	}{
		{"Free", "Cannot free freed buffer", Buffer.Free},
		{"Ref", "Cannot ref freed buffer", Buffer.Ref},
		{"ReadOnlyData", "Cannot read freed buffer", func(b Buffer) { b.ReadOnlyData() }},
		{"Len", "Cannot read freed buffer", func(b Buffer) { b.Len() }},
		{"Slice", "Cannot slice freed buffer", func(b Buffer) { b.Slice(0, 1) }},
		{"SplitUnsafe", "Cannot split freed buffer", func(b Buffer) { SplitUnsafe(b, 1) }},
		{"ReadUnsafe", "Cannot read freed buffer", func(b Buffer) { ReadUnsafe(make([]byte, 1), b) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := pooled(2000, NopBufferPool{})
			b.Free()
			if got := panicOf(func() { tt.use(b) }); got != tt.want {
				t.Errorf("got panic %v, want %q", got, tt.want)
			}
		})
	}
}

func TestSliceKeepsTheOwnerAlive(t *testing.T) {
	pool := &recorder{}
	b := pooled(2000, pool)
	s := b.Slice(10, 20)
	part := s.Slice(2, 4)
	if got := part.ReadOnlyData(); len(got) != 2 || got[0] != 12 || cap(got) != 2 {
		t.Errorf("slice of a slice: got %v with capacity %d, want [12 13] with 2", got, cap(got))
	}
	b.Free()
	s.Free()
	pool.wantPuts(t, "with a view left", 0)
	part.Ref()
	part.Free()
	pool.wantPuts(t, "with a reference to the view left", 0)
	part.Free()
	pool.wantPuts(t, "after the last", 1)
	wantPanic(t, "view freed too often", "Cannot free freed buffer", part.Free)
}

func TestSliceOfAllAndOfNothing(t *testing.T) {
	pool := &recorder{}
	b := pooled(2000, pool)
	if all := b.Slice(0, 2000); all != b {
		t.Errorf("Slice of everything: got %v, want the Buffer itself", all)
	}
	if none := b.Slice(2000, 2000); none.Len() != 0 {
		t.Errorf("Slice of nothing: got %d bytes, want 0", none.Len())
	}
	b.Free()
	pool.wantPuts(t, "with the reference of the whole slice left", 0)
	b.Free()
	pool.wantPuts(t, "after the last", 1)
}

func TestSliceAndSplitOutOfRangePanic(t *testing.T) {
	for _, b := range []Buffer{pooled(2000, NopBufferPool{}), SliceBuffer(make([]byte, 2000, 2005))} {
		for _, r := range [][2]int{{-1, 3}, {3, 2}, {0, 2001}, {2001, 2001}} {
			wantPanic(t, fmt.Sprintf("%T.Slice(%d, %d)", b, r[0], r[1]), "out of range", func() { b.Slice(r[0], r[1]) })
		}
		for _, n := range []int{-1, 2001} {
			wantPanic(t, fmt.Sprintf("SplitUnsafe(%T, %d)", b, n), "out of range", func() { SplitUnsafe(b, n) })
		}
		if b.Len() != 2000 {
			t.Errorf("%T after panics: got %d bytes, want 2000", b, b.Len())
		}
	}
}

func TestSplitUnsafe(t *testing.T) {
	for _, n := range []int{0, 5, 2000} {
		pool := &recorder{}
		b := pooled(2000, pool)
		left, right := SplitUnsafe(b, n)
		if left != b || left.Len() != n || right.Len() != 2000-n {
			t.Errorf("SplitUnsafe(2000 bytes, %d): got %d and %d bytes, want %d and %d", n, left.Len(), right.Len(), n, 2000-n)
		}
		left.Free()
		pool.wantPuts(t, "after the left", 0)
		right.Free()
		pool.wantPuts(t, "after both", 1)
	}
	left, right := SplitUnsafe(SliceBuffer("hello"), 2)
	if l, r := string(left.ReadOnlyData()), string(right.ReadOnlyData()); l != "he" || r != "llo" {
		t.Errorf("SplitUnsafe of a SliceBuffer: got %q, %q, want %q, %q", l, r, "he", "llo")
	}
}

func TestReadUnsafe(t *testing.T) {
	for _, tt := range []struct{ dst, n int }{{0, 0}, {5, 5}, {2000, 2000}, {2500, 2000}} {
		pool := &recorder{}
		for _, b := range []Buffer{pooled(2000, pool), SliceBuffer(make([]byte, 2000))} {
			n, rest := ReadUnsafe(make([]byte, tt.dst), b)
			if n != tt.n || (rest == nil) != (n == 2000) || rest != nil && rest.Len() != 2000-n {
				t.Errorf("ReadUnsafe(%d bytes, %T): got %d and rest %v, want %d and %d bytes", tt.dst, b, n, rest, tt.n, 2000-tt.n)
			}
			if rest != nil {
				rest.Free()
			}
		}
		pool.wantPuts(t, "after reading and freeing", 1)
	}
}

func TestSliceBufferIsNotCounted(t *testing.T) {
	b := SliceBuffer("hello")
	b.Free()
	b.Ref()
	if got := string(b.Slice(1, 3).ReadOnlyData()); got != "el" || b.Len() != 5 {
		t.Errorf("Slice(1, 3) after Free: got %q of %d bytes, want %q of 5", got, b.Len(), "el")
	}
}

func TestBufferStringHidesTheContents(t *testing.T) {
	data := []byte(strings.Repeat("secret", 1000))
	b := NewBuffer(&data, NopBufferPool{})
	got := fmt.Sprint(b)
	if strings.Contains(got, "secret") || !strings.HasSuffix(got, "length: 6000)") {
		t.Errorf("String: got %.60q…, want no contents and the length", got)
	}
}

func TestBufferIsFreedOnceByManyGoroutines(t *testing.T) {
	pool := &recorder{}
	b := pooled(2000, pool)
	var wg sync.WaitGroup
	for range 10 {
		b.Ref()
		wg.Go(func() {
			s := b.Slice(1, 2)
			b.Free()
			if got := s.ReadOnlyData()[0]; got != 1 {
				t.Errorf("slice: got %d, want 1", got)
			}
			s.Free()
		})
	}
	b.Free()
	wg.Wait()
	pool.wantPuts(t, "after all", 1)
}

func BenchmarkNewBufferFree(b *testing.B) {
	b.ReportAllocs()
	pool := DefaultBufferPool()
	for b.Loop() {
		NewBuffer(pool.Get(4096), pool).Free()
	}
}
