// Tests of Reader: what it returns, and when it frees.

package mem

import (
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// letters returns a Reader of "ab", "", "cde".
func letters() *Reader {
	return BufferSlice{SliceBuffer("ab"), SliceBuffer(nil), SliceBuffer("cde")}.Reader()
}

func TestReaderIsAnIOReader(t *testing.T) {
	if err := iotest.TestReader(letters(), []byte("abcde")); err != nil {
		t.Error(err)
	}
}

func TestReaderFreesWhatItHasRead(t *testing.T) {
	pool := &recorder{}
	s := BufferSlice{SliceBuffer(nil), pooled(2000, pool), pooled(1500, pool)}
	r := s.Reader()
	s.Free()
	pool.wantPuts(t, "with the reader's references left", 0)
	for _, tt := range []struct{ read, n, puts, left int }{
		{1990, 1990, 0, 1510}, {0, 0, 0, 1510}, {10, 10, 1, 1500}, {2000, 1500, 2, 0},
	} {
		n, err := r.Read(make([]byte, tt.read))
		if n != tt.n || err != nil || r.Remaining() != tt.left {
			t.Errorf("Read(%d): got %d, %v with %d left, want %d, no error, %d", tt.read, n, err, r.Remaining(), tt.n, tt.left)
		}
		pool.wantPuts(t, "after Read", tt.puts)
	}
	if n, err := r.Read(nil); n != 0 || err != io.EOF {
		t.Errorf("Read at the end: got %d, %v, want 0, EOF", n, err)
	}
}

func TestReaderReadByte(t *testing.T) {
	r := letters()
	var got []byte
	for {
		b, err := r.ReadByte()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("ReadByte: got %v, want no error or EOF", err)
		}
		got = append(got, b)
	}
	if string(got) != "abcde" || r.Remaining() != 0 {
		t.Errorf("got %q and %d left, want %q and none", got, r.Remaining(), "abcde")
	}
}

func TestReaderPeek(t *testing.T) {
	for _, tt := range []struct {
		discard, n int
		want       []string // nil: an error
	}{
		{0, -1, []string{"pre"}}, {0, 0, []string{"pre"}}, {0, 2, []string{"pre", "ab"}}, {0, 3, []string{"pre", "ab", "c"}},
		{0, 5, []string{"pre", "ab", "cde"}}, {0, 6, nil}, {1, 3, []string{"pre", "b", "cd"}}, {3, 2, []string{"pre", "de"}}, {3, 3, nil},
	} {
		r := letters()
		r.Discard(tt.discard)
		res, err := r.Peek(tt.n, [][]byte{[]byte("pre")})
		var got []string
		for _, p := range res {
			got = append(got, string(p))
		}
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want == nil) {
			t.Errorf("Discard(%d), Peek(%d): got %q, %v, want %q", tt.discard, tt.n, got, err, tt.want)
		}
		if err != nil && err.Error() != "insufficient bytes in reader" {
			t.Errorf("Peek(%d): got error %q", tt.n, err)
		}
		if r.Remaining() != 5-tt.discard {
			t.Errorf("Peek(%d): got %d left, want %d", tt.n, r.Remaining(), 5-tt.discard)
		}
	}
}

func TestReaderDiscard(t *testing.T) {
	for _, tt := range []struct {
		n, want int
		fails   bool
	}{{-1, 0, false}, {0, 0, false}, {2, 2, false}, {4, 4, false}, {5, 5, false}, {6, 5, true}} {
		r := letters()
		n, err := r.Discard(tt.n)
		if n != tt.want || (err != nil) != tt.fails || r.Remaining() != 5-tt.want {
			t.Errorf("Discard(%d): got %d, %v, %d left, want %d, error = %v", tt.n, n, err, r.Remaining(), tt.want, tt.fails)
		}
	}
}

func TestReaderResetAndClose(t *testing.T) {
	pool := &recorder{}
	one, two := BufferSlice{pooled(2000, pool)}, BufferSlice{pooled(1500, pool)}
	var r Reader
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("ReadByte of the zero Reader: got %v, want EOF", err)
	}
	r.Reset(one)
	one.Free()
	r.Discard(7)
	pool.wantPuts(t, "while reading the first", 0)
	r.Reset(two)
	two.Free()
	pool.wantPuts(t, "after Reset to the second", 1)
	if r.Remaining() != 1500 {
		t.Errorf("Remaining: got %d, want 1500", r.Remaining())
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: got %v, want nil", err)
		}
	}
	pool.wantPuts(t, "after Close", 2)
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF || r.Remaining() != 0 {
		t.Errorf("Read after Close: got %d, %v, want 0, EOF", n, err)
	}
}
