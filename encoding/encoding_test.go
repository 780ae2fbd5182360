// Tests of the registries, each with empty ones.

package encoding

import (
	"io"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/mem"
)

type namedCodec string

func (namedCodec) Marshal(any) ([]byte, error) { return nil, nil }
func (namedCodec) Unmarshal([]byte, any) error { return nil }
func (c namedCodec) Name() string              { return string(c) }

type namedCodecV2 string

func (namedCodecV2) Marshal(any) (mem.BufferSlice, error) { return nil, nil }
func (namedCodecV2) Unmarshal(mem.BufferSlice, any) error { return nil }
func (c namedCodecV2) Name() string                       { return string(c) }

type namedCompressor string

func (namedCompressor) Compress(io.Writer) (io.WriteCloser, error) { return nil, nil }
func (namedCompressor) Decompress(r io.Reader) (io.Reader, error)  { return r, nil }
func (c namedCompressor) Name() string                             { return string(c) }

// emptyRegistries lets a test register what it likes: afterwards everything is as before.
func emptyRegistries(t *testing.T) {
	c, z := codecs.Swap(nil), compressors.Swap(nil)
	t.Cleanup(func() {
		codecs.Store(c)
		compressors.Store(z)
	})
}

func TestCodecIsFoundByLowerCaseName(t *testing.T) {
	emptyRegistries(t)
	if v1, v2 := GetCodec("test-one"), GetCodecV2("test-one"); v1 != nil || v2 != nil {
		t.Errorf("look-up before any is registered: got %v and %v, want nil", v1, v2)
	}
	RegisterCodec(namedCodec("Test-One"))
	RegisterCodecV2(namedCodecV2("Test-Two"))
	for _, tt := range []struct {
		name string
		v1   Codec
		v2   CodecV2
	}{
		{"test-one", namedCodec("Test-One"), nil},
		{"test-two", nil, namedCodecV2("Test-Two")},
		{"Test-One", nil, nil},
		{"Test-Two", nil, nil},
		{"test-none", nil, nil},
		{"", nil, nil},
	} {
		if got := GetCodec(tt.name); got != tt.v1 {
			t.Errorf("GetCodec(%q): got %v, want %v", tt.name, got, tt.v1)
		}
		if got := GetCodecV2(tt.name); got != tt.v2 {
			t.Errorf("GetCodecV2(%q): got %v, want %v", tt.name, got, tt.v2)
		}
	}
}

func TestLastRegisteredCodecHasTheName(t *testing.T) {
	emptyRegistries(t)
	RegisterCodec(namedCodec("test-same"))
	RegisterCodecV2(namedCodecV2("test-same"))
	if v1, v2 := GetCodec("test-same"), GetCodecV2("test-same"); v1 != nil || v2 == nil {
		t.Errorf("Codec, then CodecV2: got %v and %v, want only the CodecV2", v1, v2)
	}
	RegisterCodec(namedCodec("TEST-SAME"))
	if v1, v2 := GetCodec("test-same"), GetCodecV2("test-same"); v1 == nil || v2 != nil {
		t.Errorf("CodecV2, then Codec: got %v and %v, want only the Codec", v1, v2)
	}
}

func TestRegisterCodecPanics(t *testing.T) {
	for _, tt := range []struct {
		want     string
		register func()
	}{
		{"cannot register a nil Codec", func() { RegisterCodec(nil) }},
		{"cannot register a nil CodecV2", func() { RegisterCodecV2(nil) }},
		{"cannot register Codec with empty string result for Name()", func() { RegisterCodec(namedCodec("")) }},
		{"cannot register CodecV2 with empty string result for Name()", func() { RegisterCodecV2(namedCodecV2("")) }},
	} {
		t.Run(tt.want, func(t *testing.T) {
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("got panic %v, want %q", got, tt.want)
				}
			}()
			tt.register()
		})
	}
}

func TestCompressorsAndTheirNames(t *testing.T) {
	emptyRegistries(t)
	if got := GetCompressor("test-a"); got != nil {
		t.Errorf("GetCompressor before any is registered: got %v, want nil", got)
	}
	if got := CompressorNames(); got != "" {
		t.Errorf("CompressorNames before any is registered: got %q, want none", got)
	}
	for _, name := range []string{"test-b", "Test-A", "test-b", ""} {
		RegisterCompressor(namedCompressor(name))
	}
	for name, want := range map[string]Compressor{
		"test-b": namedCompressor("test-b"), "Test-A": namedCompressor("Test-A"), "": namedCompressor(""), "test-a": nil,
	} {
		if got := GetCompressor(name); got != want {
			t.Errorf("GetCompressor(%q): got %v, want %v", name, got, want)
		}
	}
	if got, want := CompressorNames(), "test-b,Test-A"; got != want {
		t.Errorf("CompressorNames: got %q, want %q", got, want)
	}
}

func TestRegistrationBesideLookUps(t *testing.T) {
	emptyRegistries(t)
	var wg sync.WaitGroup
	for i := range 8 {
		name := strings.Repeat("x", i+1)
		wg.Go(func() {
			RegisterCodec(namedCodec(name))
			RegisterCompressor(namedCompressor(name))
			if GetCodec(name) == nil || GetCompressor(name) == nil || !strings.Contains(CompressorNames(), name) {
				t.Errorf("%q: got none right after its registration", name)
			}
		})
	}
	wg.Wait()
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	emptyRegistries(t)
	RegisterCodecV2(namedCodecV2("test-alloc"))
	RegisterCompressor(namedCompressor("test-alloc"))
	if got := testing.AllocsPerRun(100, func() {
		GetCodecV2("test-alloc")
		GetCompressor("test-alloc")
		CompressorNames()
	}); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
