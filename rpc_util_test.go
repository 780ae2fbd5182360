// Tests of the length-prefixed message on its way in and out: compression, limits, and texts of errors; and of the statuses that errors of
// the layers below become.

package grpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// marking is a compressor that puts a mark around what it compresses, and fails where it is told to.
type marking struct {
	failAt string // "begin", "write", "close", "open", "read" or ""
	closed *bool  // set when a reader is closed
}

var errMarking = errors.New("failed for the test")

func (c marking) Name() string { return "marking" }

func (c marking) Compress(w io.Writer) (io.WriteCloser, error) {
	if c.failAt == "begin" {
		return nil, errMarking
	}
	_, err := w.Write([]byte("<"))
	return markingWriter{c, w}, err
}

type markingWriter struct {
	c marking
	w io.Writer
}

func (w markingWriter) Write(p []byte) (int, error) {
	if w.c.failAt == "write" {
		return 0, errMarking
	}
	return w.w.Write(p)
}

func (w markingWriter) Close() error {
	if w.c.failAt == "close" {
		return errMarking
	}
	_, err := w.w.Write([]byte(">"))
	return err
}

func (c marking) Decompress(r io.Reader) (io.Reader, error) {
	if c.failAt == "open" {
		return nil, errMarking
	}
	b, _ := io.ReadAll(r)
	b = bytes.Trim(b, "<>")
	if c.failAt == "read" {
		return io.MultiReader(bytes.NewReader(b), failingReader{}), nil
	}
	return markingReader{bytes.NewReader(b), c.closed}, nil
}

type markingReader struct {
	io.Reader
	closed *bool
}

func (r markingReader) Close() error {
	if r.closed != nil {
		*r.closed = true
	}
	return nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errMarking }

// marking2016 is marking as a compressor and decompressor of 2016.
type marking2016 struct{ fail bool }

func (marking2016) Type() string { return "marking2016" }

func (c marking2016) compressor() Compressor     { return marking2016Compressor(c) }
func (c marking2016) decompressor() Decompressor { return marking2016Decompressor(c) }

type (
	marking2016Compressor   marking2016
	marking2016Decompressor marking2016
)

func (marking2016Compressor) Type() string   { return "marking2016" }
func (marking2016Decompressor) Type() string { return "marking2016" }

func (c marking2016Compressor) Do(w io.Writer, p []byte) error {
	if c.fail {
		return errMarking
	}
	_, err := fmt.Fprintf(w, "[%s]", p)
	return err
}

func (c marking2016Decompressor) Do(r io.Reader) ([]byte, error) {
	if c.fail {
		return nil, errMarking
	}
	b, err := io.ReadAll(r)
	return bytes.Trim(b, "[]"), err
}

func TestEncode(t *testing.T) {
	abc, empty, long := "abc", "", strings.Repeat("x", 100)
	none := &compression{}
	now := &compression{name: "marking", now: marking{}}
	then := &compression{name: "marking2016", then: marking2016{}.compressor()}
	for _, tt := range []struct {
		about string
		v     any
		comp  *compression
		limit int
		wire  string // flag and payload
		size  sizes
		err   string
	}{
		{"plain", &abc, none, 3, "0abc", sizes{3, 3}, ""},
		{"too large", &abc, none, 2, "", sizes{3, 3}, "ResourceExhausted: trying to send message larger than max (3 vs. 2)"},
		{"empty", &empty, none, 0, "0", sizes{}, ""},
		{"nil", nil, none, 0, "0", sizes{}, ""},
		{"nil, compressed", nil, now, 0, "0", sizes{}, ""},
		{"not a message", 7, none, 100, "", sizes{}, "Internal: grpc: error while marshaling: not a string"},
		{"compressed", &abc, now, 5, "1<abc>", sizes{3, 5}, ""},
		{"compressed too large", &abc, now, 4, "", sizes{3, 5}, "ResourceExhausted: trying to send message larger than max (5 vs. 4)"},
		{"empty, compressed", &empty, now, 0, "0", sizes{}, ""},
		{"not a message, compressed", 7, now, 100, "", sizes{}, "Internal: grpc: error while marshaling: not a string"},
		{"compressed as in 2016", &long, then, 102, "1[" + long + "]", sizes{100, 102}, ""},
		{"the compressor fails at once", &abc, &compression{now: marking{failAt: "begin"}}, 9, "", sizes{},
			"Internal: grpc: error while compressing: failed for the test"},
		{"the compressor fails to write", &abc, &compression{now: marking{failAt: "write"}}, 9, "", sizes{},
			"Internal: grpc: error while compressing: failed for the test"},
		{"the compressor fails at the end", &abc, &compression{now: marking{failAt: "close"}}, 9, "", sizes{},
			"Internal: grpc: error while compressing: failed for the test"},
		{"the compressor of 2016 fails", &abc, &compression{then: marking2016{fail: true}.compressor()}, 9, "", sizes{},
			"Internal: grpc: error while compressing: failed for the test"},
	} {
		for name, codec := range map[string]messageCodec{"v1": codecV1{new(stringCodec)}, "v2": codecV2{new(stringCodecV2)}} {
			m, n, err := encode(codec, tt.v, tt.comp, tt.limit, mem.DefaultBufferPool())
			about := tt.about + " with " + name
			if tt.err != "" {
				wantStatus(t, about, err, tt.err)
				continue
			}
			must(t, err)
			flag := map[bool]string{false: "0", true: "1"}[m.Compressed()]
			wantEqual(t, about, flag+wireOf(m), tt.wire)
			wantEqual(t, about+": sizes", n, tt.size)
			m.Free()
		}
	}
}

func TestDecode(t *testing.T) {
	bomb := new(bytes.Buffer)
	z, _ := encoding.GetCompressor("gzip").Compress(bomb)
	_, _ = z.Write(make([]byte, 1<<20))
	must(t, z.Close())
	var small bytes.Buffer
	must(t, NewGZIPCompressor().Do(&small, []byte("abc")))
	zipped := small.String()
	for _, tt := range []struct {
		about   string
		d       decoder
		flag    byte
		payload string
		want    string
		size    sizes
		err     string
	}{
		{"plain", decoder{}, 0, "abc", "abc", sizes{3, 3}, ""},
		{"plain beside a compression", decoder{encoding: "marking", comp: &compression{now: marking{}}}, 0, "<abc>", "<abc>", sizes{5, 5}, ""},
		{"flag 2", decoder{encoding: "marking", comp: &compression{now: marking{}}}, 2, "abc", "", sizes{},
			"Internal: grpc: received unexpected payload format 2"},
		{"flag without encoding", decoder{}, 1, "abc", "", sizes{}, "Internal: grpc: compressed flag set with identity or empty encoding"},
		{"flag with identity", decoder{encoding: "identity"}, 1, "abc", "", sizes{}, "Internal: grpc: compressed flag set with identity or empty encoding"},
		{"unknown encoding, on a client", decoder{encoding: "lost"}, 1, "abc", "", sizes{},
			`Internal: grpc: Decompressor is not installed for grpc-encoding "lost"`},
		{"unknown encoding, on a server", decoder{encoding: "lost", server: true}, 1, "abc", "", sizes{},
			`Unimplemented: grpc: Decompressor is not installed for grpc-encoding "lost"`},
		{"compressed", decoder{encoding: "marking", comp: &compression{now: marking{}}}, 1, "<abc>", "abc", sizes{3, 5}, ""},
		{"compressed as in 2016", decoder{encoding: "marking2016", comp: &compression{undo: marking2016{}.decompressor()}}, 1, "[abc]", "abc", sizes{3, 5}, ""},
		{"as large as may be", decoder{limit: 3, encoding: "marking", comp: &compression{now: marking{}}}, 1, "<abc>", "abc", sizes{3, 5}, ""},
		{"without a limit", decoder{limit: math.MaxInt, encoding: "marking", comp: &compression{now: marking{}}}, 1, "<abc>", "abc", sizes{3, 5}, ""},
		{"without a limit as in 2016", decoder{limit: math.MaxInt, encoding: "gzip", comp: &compression{undo: NewGZIPDecompressor()}}, 1, zipped, "abc",
			sizes{3, len(zipped)}, ""},
		{"too large", decoder{limit: 2, encoding: "marking", comp: &compression{now: marking{}}}, 1, "<abc>", "", sizes{},
			"ResourceExhausted: grpc: received message after decompression larger than max 2"},
		{"a bomb", decoder{limit: 10, encoding: "gzip", comp: &compression{now: encoding.GetCompressor("gzip")}}, 1, bomb.String(), "", sizes{},
			"ResourceExhausted: grpc: received message after decompression larger than max 10"},
		{"a bomb as in 2016", decoder{limit: 10, encoding: "gzip", comp: &compression{undo: NewGZIPDecompressor()}}, 1, bomb.String(), "", sizes{},
			"ResourceExhausted: grpc: received message after decompression larger than max 10"},
		{"too large for a decompressor of another's", decoder{limit: 2, encoding: "m", comp: &compression{undo: marking2016{}.decompressor()}}, 1, "[abc]",
			"", sizes{}, "ResourceExhausted: grpc: received message after decompression larger than max 2"},
		{"the decompressor fails at once", decoder{encoding: "m", comp: &compression{now: marking{failAt: "open"}}}, 1, "<abc>", "", sizes{},
			"Internal: grpc: failed to decompress the message: failed for the test"},
		{"the decompressor fails to read", decoder{encoding: "m", comp: &compression{now: marking{failAt: "read"}}}, 1, "<abc>", "", sizes{},
			"Internal: grpc: failed to read decompressed data: failed for the test"},
		{"the decompressor of 2016 fails", decoder{encoding: "m", comp: &compression{undo: marking2016{fail: true}.decompressor()}}, 1, "[abc]", "", sizes{},
			"Internal: grpc: failed to decompress the received message: failed for the test"},
	} {
		d := tt.d
		if d.limit == 0 {
			d.limit = 1000
		}
		d.codec, d.pool = codecV1{new(stringCodec)}, mem.DefaultBufferPool()
		var got string
		n, err := d.decode(transport.InMessage{Flag: tt.flag, Payload: []byte(tt.payload)}, &got)
		if tt.err != "" {
			wantStatus(t, tt.about, err, tt.err)
			continue
		}
		must(t, err)
		wantEqual(t, tt.about, got, tt.want)
		wantEqual(t, tt.about+": sizes", n, tt.size)
	}
}

func TestDecodeReportsWhatTheCodecSays(t *testing.T) {
	d := decoder{codec: codecV1{new(stringCodec)}, limit: 10, pool: mem.DefaultBufferPool()}
	_, err := d.decode(transport.InMessage{Payload: []byte("abc")}, new(int))
	wantStatus(t, "decode", err, "Internal: grpc: failed to unmarshal the received message: not a string")
}

func TestDecompressionReaderIsClosed(t *testing.T) {
	closed := false
	d := decoder{codec: codecV1{new(stringCodec)}, encoding: "m", comp: &compression{now: marking{closed: &closed}}, limit: 10, pool: mem.DefaultBufferPool()}
	_, err := d.decode(transport.InMessage{Flag: 1, Payload: []byte("<a>")}, new(string))
	must(t, err)
	wantEqual(t, "closed", closed, true)
}

func TestStatusOfErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{transport.StreamError{Code: codes.Aborted, Desc: "why"}, "Aborted: why"},
		{transport.ConnectionError{Desc: "why"}, "Unavailable: why"},
		{transport.ErrHeaderListSize{Size: 9, Limit: 5}, "Internal: header list size to send violates the maximum size (5 bytes) set by server"},
		{transport.MessageTooLarge{Size: 9, Limit: 5}, "ResourceExhausted: grpc: received message larger than max (9 vs. 5)"},
		{io.ErrUnexpectedEOF, "Internal: unexpected EOF"},
		{context.DeadlineExceeded, "DeadlineExceeded: context deadline exceeded"},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), "DeadlineExceeded: waiting: context deadline exceeded"},
		{context.Canceled, "Canceled: context canceled"},
		{status.Error(codes.NotFound, "a status"), "NotFound: a status"},
		{errors.New("any"), "Unknown: any"},
	} {
		wantStatus(t, fmt.Sprintf("%T", tt.err), statusOf(tt.err).Err(), tt.want)
		wantStatus(t, fmt.Sprintf("%T as an error", tt.err), toRPCErr(tt.err), tt.want)
	}
}

func TestErrorsWithAStatusAndTheEndStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, io.EOF, status.Error(codes.NotFound, "a status")} {
		wantEqual(t, "toRPCErr", toRPCErr(err), err)
	}
}

func TestSplitEncodings(t *testing.T) {
	for _, tt := range []struct{ in, want string }{{"", `[""]`}, {"gzip", `["gzip"]`}, {"gzip, snappy ,x", `["gzip" "snappy" "x"]`}} {
		wantEqual(t, tt.in, fmt.Sprintf("%q", splitEncodings(tt.in)), tt.want)
	}
}

// A countedPool counts the buffers that are out.
type countedPool struct {
	mem.BufferPool
	out int
}

func (p *countedPool) Get(n int) *[]byte {
	p.out++
	return p.BufferPool.Get(n)
}

func (p *countedPool) Put(b *[]byte) {
	p.out--
	p.BufferPool.Put(b)
}

func TestReadAllTakesNoMoreThanItGivesBack(t *testing.T) {
	for _, size := range []int{0, 1, leastRead - 1, leastRead, leastRead + 1, 5000, 100_000} {
		for _, hint := range []int{0, size - 1, size, size + 1, 4 * size} {
			for _, fail := range []error{nil, errors.New("failed for the test")} {
				pool := &countedPool{BufferPool: mem.DefaultBufferPool()}
				data := bytes.Repeat([]byte("data"), size/4+1)[:size]
				r := io.MultiReader(iotest.OneByteReader(bytes.NewReader(data[:size/100])), bytes.NewReader(data[size/100:]))
				if fail != nil {
					r = io.MultiReader(r, iotest.ErrReader(fail))
				}
				b, err := readAll(r, hint, pool)
				if err != fail {
					t.Fatalf("%d bytes, hint %d: got %v, want %v", size, hint, err, fail)
				}
				if err == nil {
					if !bytes.Equal(b.ReadOnlyData(), data) {
						t.Errorf("%d bytes, hint %d: got %d others", size, hint, b.Len())
					}
					b.Free()
				}
				if pool.out != 0 {
					t.Errorf("%d bytes, hint %d, %v: %d buffers did not come back", size, hint, fail, pool.out)
				}
			}
		}
	}
}
