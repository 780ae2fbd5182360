// Tests of the compressors of 2016: what they make can be read, readers and writers are used again, and a bomb does not go off.

package grpc

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// gzipped returns s compressed by a compressor of 2016.
func gzipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, NewGZIPCompressor().Do(&b, []byte(s)))
	return b.Bytes()
}

func TestGZIPOf2016GoesThereAndBack(t *testing.T) {
	c, d := NewGZIPCompressor(), NewGZIPDecompressor()
	wantEqual(t, "type of the compressor", c.Type(), "gzip")
	wantEqual(t, "type of the decompressor", d.Type(), "gzip")
	for _, s := range []string{"a", "", strings.Repeat("long ", 10000), "a"} { // with the same writer and reader
		var b bytes.Buffer
		must(t, c.Do(&b, []byte(s)))
		got, err := d.Do(&b)
		must(t, err)
		wantEqual(t, "message", string(got), s)
	}
}

func TestGZIPCompressorLevels(t *testing.T) {
	for level := -3; level <= 11; level++ {
		c, err := NewGZIPCompressorWithLevel(level)
		if ok := level >= -1 && level <= 9; (err == nil) != ok || (c != nil) != ok {
			t.Errorf("level %d: got %v, %v, want ok = %v", level, c, err, ok)
		}
	}
	_, err := NewGZIPCompressorWithLevel(10)
	wantEqual(t, "error", err.Error(), "grpc: invalid compression level: 10")
}

func TestGZIPCompressorReportsWriteErrors(t *testing.T) {
	r, w := io.Pipe()
	want := errors.New("closed for the test")
	r.CloseWithError(want)
	c := NewGZIPCompressor()
	for _, size := range []int{1, 1 << 20} { // the error comes at the end, and in the middle
		if err := c.Do(w, bytes.Repeat([]byte("x"), size)); !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v, want %v", size, err, want)
		}
	}
}

func TestGZIPDecompressorRefusesWhatIsNoGZIP(t *testing.T) {
	d := NewGZIPDecompressor()
	for range 2 { // a new reader, and one that is used again
		if _, err := d.Do(strings.NewReader("no gzip, but long enough")); !errors.Is(err, gzip.ErrHeader) {
			t.Errorf("got %v, want %v", err, gzip.ErrHeader)
		}
		if got, err := d.Do(bytes.NewReader(gzipped(t, "x"))); string(got) != "x" || err != nil {
			t.Errorf("after a failure: got %q, %v, want x", got, err)
		}
	}
	whole := gzipped(t, "some text")
	if _, err := d.Do(bytes.NewReader(whole[:len(whole)-1])); err != io.ErrUnexpectedEOF {
		t.Errorf("cut off: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestDoLimitedReadsOneByteBeyondTheLimit(t *testing.T) {
	const limit = 1000
	d := NewGZIPDecompressor()
	for _, tt := range []struct{ size, want int }{{limit - 1, limit - 1}, {limit, limit}, {limit + 1, limit + 1}, {4 << 20, limit + 1}} {
		packed := gzipped(t, strings.Repeat("x", tt.size))
		got, err := doLimited(d, packed, limit)
		must(t, err)
		wantEqual(t, "bytes", len(got), tt.want)
		if bound := 4 * limit; cap(got) > bound {
			t.Errorf("%d bytes took %d bytes of memory, want at most %d", tt.size, cap(got), bound)
		}
	}
	if _, err := doLimited(d, []byte("no gzip, but long enough"), limit); !errors.Is(err, gzip.ErrHeader) {
		t.Errorf("no gzip: got %v, want %v", err, gzip.ErrHeader)
	}
}

// doubler is a decompressor that is not ours: it returns everything twice.
type doubler struct{}

func (doubler) Type() string { return "doubler" }

func (doubler) Do(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	return append(b, b...), err
}

func TestDoLimitedTakesAllFromOtherDecompressors(t *testing.T) {
	got, err := doLimited(doubler{}, []byte("abc"), 2)
	must(t, err)
	wantEqual(t, "message", string(got), "abcabc")
}
