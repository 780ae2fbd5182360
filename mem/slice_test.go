// Tests of BufferSlice, and of filling one.

package mem

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBufferSliceReads(t *testing.T) {
	s := BufferSlice{SliceBuffer("abc"), SliceBuffer(nil), SliceBuffer("de")}
	if got := s.Len(); got != 5 {
		t.Errorf("Len: got %d, want 5", got)
	}
	if got := string(s.Materialize()); got != "abcde" {
		t.Errorf("Materialize: got %q, want %q", got, "abcde")
	}
	for _, tt := range []struct {
		room int
		want string
	}{{0, ""}, {4, "abcd"}, {9, "abcde"}} {
		dst := make([]byte, tt.room)
		if n := s.CopyTo(dst); string(dst[:n]) != tt.want {
			t.Errorf("CopyTo(%d bytes): got %q, want %q", tt.room, dst[:n], tt.want)
		}
	}
}

func TestMaterializeCopies(t *testing.T) {
	b := SliceBuffer("abc")
	out := BufferSlice{b}.Materialize()
	b[0] = 'x'
	if string(out) != "abc" {
		t.Errorf("Materialize, then a change: got %q, want %q", out, "abc")
	}
	for _, s := range []BufferSlice{nil, {SliceBuffer(nil)}} {
		if out := s.Materialize(); out != nil {
			t.Errorf("Materialize of %d empty buffers: got %v, want nil", len(s), out)
		}
	}
}

func TestMaterializeToBuffer(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		name  string
		parts []string
		gets  int
	}{
		{"nothing", nil, 0},
		{"empty parts", []string{"", ""}, 0},
		{"small", []string{"abc", "de"}, 0},
		{"large", []string{long, "de"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := &recorder{}
			var s BufferSlice
			for _, p := range tt.parts {
				s = append(s, SliceBuffer(p))
			}
			b := s.MaterializeToBuffer(pool)
			if got, want := string(b.ReadOnlyData()), strings.Join(tt.parts, ""); got != want {
				t.Errorf("got %.20q… (%d bytes), want %.20q… (%d bytes)", got, len(got), want, len(want))
			}
			b.Free()
			if len(pool.gets) != tt.gets || len(pool.puts) != tt.gets {
				t.Errorf("got %d from and %d to the pool, want %d", len(pool.gets), len(pool.puts), tt.gets)
			}
		})
	}
}

func TestMaterializeToBufferSharesASingleBuffer(t *testing.T) {
	pool := &recorder{}
	s := BufferSlice{pooled(2000, pool)}
	b := s.MaterializeToBuffer(pool)
	if b != s[0] || len(pool.gets) != 0 {
		t.Errorf("got %v with %d buffers from the pool, want the only Buffer itself", b, len(pool.gets))
	}
	s.Free()
	pool.wantPuts(t, "with a reference left", 0)
	b.Free()
	pool.wantPuts(t, "after both", 1)
}

func TestBufferSliceRefAndFree(t *testing.T) {
	pool := &recorder{}
	s := BufferSlice{pooled(2000, pool), pooled(1500, pool)}
	s.Ref()
	s.Free()
	pool.wantPuts(t, "with a reference left", 0)
	s.Free()
	pool.wantPuts(t, "after the last", 2)
	wantPanic(t, "Len after Free", "Cannot read freed buffer", func() { s.Len() })
	wantPanic(t, "Ref after Free", "Cannot ref freed buffer", s.Ref)
}

func TestWriterAppendsCopies(t *testing.T) {
	pool := &recorder{}
	var s BufferSlice
	w := NewWriter(&s, pool)
	for _, p := range []string{"abc", strings.Repeat("x", 2000)} {
		b := []byte(p)
		if n, err := w.Write(b); n != len(p) || err != nil {
			t.Errorf("Write of %d bytes: got %d, %v, want all and no error", len(p), n, err)
		}
		clear(b)
	}
	if got, want := string(s.Materialize()), "abc"+strings.Repeat("x", 2000); got != want || len(s) != 2 {
		t.Errorf("written: got %.10q… in %d Buffers, want %.10q… in 2", got, len(s), want)
	}
	s.Free()
	pool.wantPuts(t, "after Free", 1)
}

// onlyReader hides the other methods of a reader.
type onlyReader struct{ io.Reader }

var errBroken = errors.New("broken")

func TestReadAll(t *testing.T) {
	data := func(n int) io.Reader { return onlyReader{strings.NewReader(strings.Repeat("x", n))} }
	for _, tt := range []struct {
		name    string
		r       io.Reader
		bytes   int
		buffers int
		err     error
	}{
		{"nothing", data(0), 0, 0, nil},
		{"one buffer", data(10), 10, 1, nil},
		{"a full buffer", data(readAllSize), readAllSize, 1, nil},
		{"two buffers", data(readAllSize + 1), readAllSize + 1, 2, nil},
		{"byte by byte", iotest.OneByteReader(data(2000)), 2000, 1, nil},
		{"end beside data", iotest.DataErrReader(data(5)), 5, 1, nil},
		{"error at once", iotest.ErrReader(errBroken), 0, 0, errBroken},
		{"error after data", io.MultiReader(data(10), iotest.ErrReader(errBroken)), 10, 1, errBroken},
		{"WriterTo", strings.NewReader(strings.Repeat("x", 70000)), 70000, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := &recorder{}
			s, err := ReadAll(tt.r, pool)
			if err != tt.err {
				t.Errorf("error: got %v, want %v", err, tt.err)
			}
			if got, want := string(s.Materialize()), strings.Repeat("x", tt.bytes); got != want || len(s) != tt.buffers {
				t.Errorf("got %d bytes in %d Buffers, want %d in %d", len(got), len(s), tt.bytes, tt.buffers)
			}
			s.Free()
			pool.wantPuts(t, "after Free", len(pool.gets))
		})
	}
}
