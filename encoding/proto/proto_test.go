// Tests of the codec with messages of the current and of the first generation of generated code.

package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/gofeaturespb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// firstGeneration is what protoc-gen-go of golang/protobuf 1.0 made of: string a = 1; int64 n = 2.
type firstGeneration struct {
	A                string `protobuf:"bytes,1,opt,name=a,proto3"`
	N                int64  `protobuf:"varint,2,opt,name=n,proto3"`
	XXX_unrecognized []byte `json:"-"`
}

func (m *firstGeneration) Reset()         { *m = firstGeneration{} }
func (m *firstGeneration) String() string { return fmt.Sprint(m.A, m.N) }
func (*firstGeneration) ProtoMessage()    {}

func TestCodecIsRegistered(t *testing.T) {
	if got := encoding.GetCodecV2(Name); got != (Codec{}) {
		t.Errorf("GetCodecV2(%q): got %T, want Codec", Name, got)
	}
}

func TestMarshal(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, tt := range []struct {
		name   string
		v      any
		want   string
		pooled bool
	}{
		{"empty", &wrapperspb.StringValue{}, "", false},
		{"nil message", (*wrapperspb.StringValue)(nil), "", false},
		{"small", wrapperspb.String("hello"), "\x0a\x05hello", false},
		{"large", wrapperspb.String(long), "\x0a\xd0\x0f" + long, true},
		{"first generation", &firstGeneration{A: "x", N: 3}, "\x0a\x01x\x10\x03", false},
		{"large of the first generation", &firstGeneration{A: long}, "\x0a\xd0\x0f" + long, true},
		{"nil of the first generation", (*firstGeneration)(nil), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Codec{}.Marshal(tt.v)
			if err != nil {
				t.Fatalf("Marshal: got error %v, want none", err)
			}
			defer s.Free()
			if got := string(s.Materialize()); got != tt.want || len(s) != 1 {
				t.Errorf("Marshal: got %.20q… in %d Buffers, want %.20q… in 1", got, len(s), tt.want)
			}
			if _, slice := s[0].(mem.SliceBuffer); slice == tt.pooled {
				t.Errorf("Marshal: got %T, want pooled = %v", s[0], tt.pooled)
			}
			size, err := Codec{}.Size(tt.v)
			if size != len(tt.want) || err != nil {
				t.Errorf("Size: got %d, %v, want %d and no error", size, err, len(tt.want))
			}
			b, err := Codec{}.MarshalAppend([]byte("pre"), tt.v)
			if string(b) != "pre"+tt.want || err != nil {
				t.Errorf("MarshalAppend: got %.20q…, %v, want %.20q… and no error", b, err, "pre"+tt.want)
			}
		})
	}
}

func TestMarshalFails(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"no message", "x", "proto: failed to marshal, message is string, want proto.Message"},
		{"nil", nil, "proto: failed to marshal, message is <nil>, want proto.Message"},
		{"no pointer", struct{ A int }{1}, "proto: failed to marshal, message is struct { A int }, want proto.Message"},
		{"bad UTF-8", wrapperspb.String("\xff"), "string field contains invalid UTF-8"},
		{"bad UTF-8 in a large message", wrapperspb.String(long + "\xff"), "string field contains invalid UTF-8"},
		{"bad UTF-8 of the first generation", &firstGeneration{A: "\xff"}, "string field contains invalid UTF-8"},
		{"required field", &descriptorpb.UninterpretedOption_NamePart{}, "required field google.protobuf.UninterpretedOption.NamePart.name_part not set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Codec{}.Marshal(tt.v)
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Marshal: got %v, error %v, want nil and %q", s, err, tt.want)
			}
			_, err = Codec{}.MarshalAppend(nil, tt.v)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("MarshalAppend: got error %v, want %q", err, tt.want)
			}
		})
	}
	if n, err := (Codec{}).Size("x"); n != 0 || err == nil {
		t.Errorf("Size of no message: got %d, %v, want 0 and an error", n, err)
	}
}

func TestUnmarshalReplacesTheMessage(t *testing.T) {
	for _, parts := range [][]string{nil, {"\x0a\x05hello"}, {"\x0a", "\x05he", "llo"}} {
		var data mem.BufferSlice
		want := ""
		for _, p := range parts {
			data = append(data, mem.SliceBuffer(p))
			want = "hello"
		}
		m := wrapperspb.String("before")
		if err := (Codec{}).Unmarshal(data, m); err != nil || m.Value != want {
			t.Errorf("Unmarshal of %q: got %q, %v, want %q and no error", parts, m.Value, err, want)
		}
	}
	old := &firstGeneration{A: "before", N: 9}
	if err := (Codec{}).UnmarshalBytes([]byte("\x0a\x01a"), old); err != nil || old.A != "a" || old.N != 0 {
		t.Errorf("UnmarshalBytes of the first generation: got %v, %v, want a, 0 and no error", old, err)
	}
}

func TestUnmarshalFails(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		v          any
		want       string
	}{
		{"no message", "", "x", "failed to unmarshal, message is string, want proto.Message"},
		{"nil", "", nil, "failed to unmarshal, message is <nil>, want proto.Message"},
		{"truncated", "\x0a\xff", &wrapperspb.StringValue{}, "cannot parse invalid wire-format data"},
		{"truncated, first generation", "\x0a\xff", &firstGeneration{}, "cannot parse invalid wire-format data"},
		{"bad UTF-8", "\x0a\x01\xff", &wrapperspb.StringValue{}, "string field contains invalid UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(tt.data)}, tt.v)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUnmarshalKeepsNothingOfItsInput(t *testing.T) {
	list, err := structpb.NewList([]any{"nested", 1.5})
	if err != nil {
		t.Fatal(err)
	}
	withUnknown := &wrapperspb.BytesValue{Value: []byte("payload")}
	withUnknown.ProtoReflect().SetUnknown([]byte("\x12\x07unknown"))
	withExtension := &descriptorpb.FeatureSet{} // extensions are decoded lazily
	proto.SetExtension(withExtension, gofeaturespb.E_Go, &gofeaturespb.GoFeatures{LegacyUnmarshalJsonEnum: proto.Bool(true)})
	for _, want := range []proto.Message{list, withUnknown, wrapperspb.String("text"), withExtension} {
		b, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := want.ProtoReflect().New().Interface()
		if err := (Codec{}).UnmarshalBytes(b, got); err != nil {
			t.Fatalf("UnmarshalBytes: %v", err)
		}
		copy(b, bytes.Repeat([]byte{0xDB}, len(b)))
		if !proto.Equal(got, want) {
			t.Errorf("after overwriting the input: got %v, want %v", got, want)
		}
	}
}

func TestAllocations(t *testing.T) {
	m := wrapperspb.String(strings.Repeat("a", 2000))
	buf := make([]byte, 0, 3000)
	if got := testing.AllocsPerRun(100, func() {
		n, _ := Codec{}.Size(m)
		b, _ := Codec{}.MarshalAppend(buf[:5], m)
		if len(b) != n+5 {
			t.Fatalf("MarshalAppend: got %d bytes, want %d", len(b), n+5)
		}
	}); got != 0 {
		t.Errorf("Size and MarshalAppend: got %v allocations, want 0", got)
	}
}

func Example() {
	codec := encoding.GetCodecV2(Name)
	data, _ := codec.Marshal(wrapperspb.String("hello"))
	defer data.Free()

	var m wrapperspb.StringValue
	_ = codec.Unmarshal(data, &m)
	fmt.Println(data.Len(), m.Value)
	// Output: 7 hello
}
