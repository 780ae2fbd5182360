// Tests of the kinds of codecs: what each is given and may keep, and which one a content-subtype stands for.

package grpc

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport"
)

// stringCodec is a codec for *string, of the kind that knows nothing of buffers. It keeps what it decoded.
type stringCodec struct {
	name string
	last []byte
}

var errCodec = errors.New("not a string")

func (c *stringCodec) Marshal(v any) ([]byte, error) {
	s, ok := v.(*string)
	if !ok {
		return nil, errCodec
	}
	return []byte(*s), nil
}

func (c *stringCodec) Unmarshal(data []byte, v any) error {
	s, ok := v.(*string)
	if !ok {
		return errCodec
	}
	c.last = data
	*s = string(data)
	return nil
}

func (c *stringCodec) Name() string   { return c.name }
func (c *stringCodec) String() string { return c.name }

// stringCodecV2 is stringCodec with buffers. A message comes in two pieces.
type stringCodecV2 struct{ stringCodec }

func (c *stringCodecV2) Marshal(v any) (mem.BufferSlice, error) {
	b, err := c.stringCodec.Marshal(v)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(b[:len(b)/2]), mem.SliceBuffer(b[len(b)/2:])}, nil
}

func (c *stringCodecV2) Unmarshal(data mem.BufferSlice, v any) error {
	return c.stringCodec.Unmarshal(data.Materialize(), v)
}

// codecKinds are codecs of each kind, with a message for them, its bytes, and something that is none.
func codecKinds() map[string]struct {
	codec     messageCodec
	in, out   any
	wire      string
	notOne    any
	keepsCopy *[]byte // what the codec kept of what it decoded, nil if it need not be a copy
} {
	s, empty := "some text", ""
	v1, v2 := new(stringCodec), new(stringCodecV2)
	type kind = struct {
		codec     messageCodec
		in, out   any
		wire      string
		notOne    any
		keepsCopy *[]byte
	}
	return map[string]kind{
		"proto": {newCodecV2(proto.Codec{}), text("abc"), text(""), "\x0a\x03abc", "a string", nil},
		"v2":    {newCodecV2(v2), &s, &empty, s, 7, &v2.last},
		"v1":    {codecV1{v1}, &s, &empty, s, 7, &v1.last},
	}
}

// wireOf returns an encoded message as it goes on the wire, without its prefix.
func wireOf(m *transport.OutMessage) string { return string(m.Payload()) }

func TestCodecEncodesAndDecodes(t *testing.T) {
	for name, tt := range codecKinds() {
		t.Run(name, func(t *testing.T) {
			m := transport.NewOutMessage()
			defer m.Free()
			must(t, tt.codec.marshal(m, tt.in, mem.DefaultBufferPool()))
			wantEqual(t, "message", wireOf(m), tt.wire)
			wantEqual(t, "compressed", m.Compressed(), false)
			data, err := tt.codec.marshalBytes(tt.in, mem.DefaultBufferPool())
			must(t, err)
			wantEqual(t, "bytes to compress", string(data.Materialize()), tt.wire)
			data.Free()
			payload := []byte(tt.wire)
			must(t, tt.codec.unmarshal(payload, tt.out, mem.DefaultBufferPool()))
			clear(payload)
			wantEqual(t, "decoded", fmt.Sprint(deref(tt.out)), fmt.Sprint(deref(tt.in)))
			if tt.keepsCopy != nil && !bytes.Equal(*tt.keepsCopy, []byte(tt.wire)) {
				t.Errorf("what the codec kept: got %q, want %q: its own copy", *tt.keepsCopy, tt.wire)
			}
		})
	}
}

// deref returns what a message says.
func deref(v any) string {
	if s, ok := v.(*string); ok {
		return *s
	}
	return v.(*wrapperspb.StringValue).Value
}

func TestCodecErrorsComeThrough(t *testing.T) {
	for name, tt := range codecKinds() {
		t.Run(name, func(t *testing.T) {
			m := transport.NewOutMessage()
			defer m.Free()
			if err := tt.codec.marshal(m, tt.notOne, mem.DefaultBufferPool()); err == nil {
				t.Errorf("marshal of %v: got no error, want one", tt.notOne)
			}
			if _, err := tt.codec.marshalBytes(tt.notOne, mem.DefaultBufferPool()); err == nil {
				t.Errorf("marshalBytes of %v: got no error, want one", tt.notOne)
			}
			if err := tt.codec.unmarshal([]byte(tt.wire), tt.notOne, mem.DefaultBufferPool()); err == nil {
				t.Errorf("unmarshal into %v: got no error, want one", tt.notOne)
			}
		})
	}
}

func TestOurProtoCodecTakesTheShortWay(t *testing.T) {
	if _, ok := newCodecV2(proto.Codec{}).(protoCodec); !ok {
		t.Error("the codec for protocol buffers is handled like any other")
	}
	if c, ok := newCodecV2(new(stringCodecV2)).(codecV2); !ok {
		t.Errorf("got %T for another codec, want codecV2", c)
	}
}

func TestCodecForSubtype(t *testing.T) {
	encoding.RegisterCodecV2(&stringCodecV2{stringCodec{name: "test-v2"}})
	encoding.RegisterCodec(&stringCodec{name: "test-v1"})
	for _, tt := range []struct{ subtype, want, err string }{
		{"", "grpc.protoCodec", ""},
		{"proto", "grpc.protoCodec", ""},
		{"test-v2", "grpc.codecV2", ""},
		{"test-v1", "grpc.codecV1", ""},
		{"none", "<nil>", "no codec registered for content-subtype none"},
	} {
		c, err := codecForSubtype(tt.subtype)
		wantEqual(t, "codec for "+tt.subtype, fmt.Sprintf("%T", c), tt.want)
		if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("codec for %q: got error %v, want %q", tt.subtype, err, tt.err)
		}
	}
}
