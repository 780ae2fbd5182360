// Tests of round trips, of broken input, and of what goes back to the pools.

package gzip

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/encoding"
)

// compress returns text as one gzip member.
func compress(t *testing.T, c encoding.Compressor, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.Compress(&b)
	if err != nil {
		t.Fatalf("Compress: %v", err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return b.Bytes()
}

func decompress(c encoding.Compressor, b []byte) (string, error) {
	r, err := c.Decompress(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	return string(out), err
}

func TestCompressorIsRegistered(t *testing.T) {
	if got := encoding.GetCompressor(Name); got != encoding.Compressor(registered) || got.Name() != Name {
		t.Errorf("GetCompressor(%q): got %v, want the compressor of this package", Name, got)
	}
}

func TestRoundTrips(t *testing.T) {
	c := newCompressor()
	for _, text := range []string{"hello", "", strings.Repeat("hello ", 100000), "hello again"} {
		got, err := decompress(c, compress(t, c, text))
		if got != text || err != nil {
			t.Errorf("round trip of %d bytes: got %d bytes, %v, want the same and no error", len(text), len(got), err)
		}
	}
}

func TestRoundTripsAtOnce(t *testing.T) {
	c := newCompressor()
	var wg sync.WaitGroup
	for i := range 8 {
		text := strings.Repeat(string(rune('a'+i)), 5000)
		wg.Go(func() {
			for range 10 {
				if got, err := decompress(c, compress(t, c, text)); got != text || err != nil {
					t.Errorf("round trip of %.1q: got %.1q…, %v, want the same", text, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDecompressOtherInput(t *testing.T) {
	c := newCompressor()
	good := compress(t, c, "hello")
	badSum := bytes.Clone(good)
	badSum[len(badSum)-5]++
	for _, tt := range []struct {
		name string
		in   []byte
		out  string
		err  error
	}{
		{"empty", nil, "", io.EOF},
		{"no gzip", []byte("garbagegarbage"), "", gzip.ErrHeader},
		{"truncated", good[:len(good)-3], "hello", io.ErrUnexpectedEOF},
		{"wrong checksum", badSum, "hello", gzip.ErrChecksum},
		{"two members", append(bytes.Clone(good), good...), "hellohello", nil},
		{"rubbish behind", append(bytes.Clone(good), "0123456789"...), "hello", gzip.ErrHeader},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := decompress(c, tt.in)
			if out != tt.out || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", out, err, tt.out, tt.err)
			}
		})
	}
}

func TestReaderGoesBackOnceAndOnlyAfterAGoodEnd(t *testing.T) {
	c := newCompressor()
	good := compress(t, c, "hello")
	for _, tt := range []struct {
		name string
		in   io.Reader
		back bool
	}{
		{"read to the end", bytes.NewReader(good), true},
		{"end beside data", iotest.DataErrReader(bytes.NewReader(good)), true},
		{"truncated", bytes.NewReader(good[:len(good)-3]), false},
		{"broken input", io.MultiReader(bytes.NewReader(good[:15]), iotest.ErrReader(errors.New("broken"))), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := c.Decompress(tt.in)
			if err != nil {
				t.Fatalf("Decompress: %v", err)
			}
			_, first := io.ReadAll(r)
			if got := r.(*reader).source == nil; got != tt.back {
				t.Errorf("after ReadAll (%v): got reader given back = %v, want %v", first, got, tt.back)
			}
			n, second := r.Read(make([]byte, 1))
			if n != 0 || second == nil || first != nil && second != first {
				t.Errorf("Read after the end: got %d, %v, want 0 and the same error or EOF", n, second)
			}
		})
	}
}

// failing is a writer that fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriterAfterClose(t *testing.T) {
	c := newCompressor()
	var b bytes.Buffer
	w, _ := c.Compress(&b)
	if err := w.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	size := b.Len()
	if err := w.Close(); err != nil || b.Len() != size {
		t.Errorf("second Close: got %v and %d more bytes, want nothing", err, b.Len()-size)
	}
	if n, err := w.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write after Close: got %d, %v, want an error", n, err)
	}
}

func TestWriterReportsItsDestination(t *testing.T) {
	c := newCompressor()
	w, _ := c.Compress(failing{})
	if _, err := w.Write([]byte("x")); err != io.ErrShortWrite {
		t.Errorf("Write: got %v, want %v", err, io.ErrShortWrite)
	}
	if err := w.Close(); err != io.ErrShortWrite {
		t.Errorf("Close: got %v, want %v", err, io.ErrShortWrite)
	}
	if got, err := decompress(c, compress(t, c, "hello")); got != "hello" || err != nil {
		t.Errorf("round trip afterwards: got %q, %v, want %q", got, err, "hello")
	}
}

func TestSetLevel(t *testing.T) {
	defer SetLevel(gzip.DefaultCompression)
	text := strings.Repeat("hello, hello, world; ", 1000)
	sizes := map[int]int{}
	for _, level := range []int{-1, 0, 1, 9} {
		if err := SetLevel(level); err != nil {
			t.Errorf("SetLevel(%d): got %v, want nil", level, err)
		}
		b := compress(t, registered, text)
		sizes[level] = len(b)
		if got, err := decompress(registered, b); got != text || err != nil {
			t.Errorf("round trip at level %d: got %d bytes, %v, want %d", level, len(got), err, len(text))
		}
	}
	if sizes[0] <= len(text) || sizes[1] >= len(text)/10 || sizes[9] > sizes[1] {
		t.Errorf("sizes by level: got %v, want 0 above %d bytes, 1 far below, 9 at most as large as 1", sizes, len(text))
	}
}

func TestSetLevelFails(t *testing.T) {
	for level, want := range map[int]string{
		-3: "grpc: invalid gzip compression level: -3",
		-2: "grpc: invalid gzip compression level: -2",
		10: "grpc: invalid gzip compression level: 10",
	} {
		if err := SetLevel(level); err == nil || err.Error() != want {
			t.Errorf("SetLevel(%d): got %v, want %q", level, err, want)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	b.ReportAllocs()
	c := newCompressor()
	text := bytes.Repeat([]byte("hello, world "), 100)
	var buf bytes.Buffer
	for b.Loop() {
		buf.Reset()
		w, _ := c.Compress(&buf)
		w.Write(text)
		w.Close()
		r, _ := c.Decompress(&buf)
		io.Copy(io.Discard, r)
	}
}
