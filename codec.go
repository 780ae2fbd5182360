// Which codec a call uses, and what the kinds of codecs have in common. The codec for protocol buffers, if it is ours, works on
// plain bytes: it puts a message behind its prefix and decodes it where it lies. All others see buffers, or copies.

package grpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport"
)

// A messageCodec is the codec of a call.
type messageCodec interface {
	// marshal makes m the message v, not compressed.
	marshal(m *transport.OutMessage, v any, pool mem.BufferPool) error
	// unmarshal decodes payload, which is overwritten later, into v.
	unmarshal(payload []byte, v any, pool mem.BufferPool) error
	// marshalBytes returns the message v, to be compressed.
	marshalBytes(v any, pool mem.BufferPool) (mem.BufferSlice, error)
}

// protoCodec is our own codec for protocol buffers.
type protoCodec struct{ proto.Codec }

func (c protoCodec) marshal(m *transport.OutMessage, v any, pool mem.BufferPool) error {
	n, err := c.Size(v)
	if err != nil {
		return err
	}
	b, err := c.MarshalAppend(m.Reserve(pool, n), v)
	if err != nil {
		return err
	}
	m.SetPayload(false, b)
	return nil
}

func (c protoCodec) unmarshal(payload []byte, v any, _ mem.BufferPool) error {
	return c.UnmarshalBytes(payload, v)
}

func (c protoCodec) marshalBytes(v any, _ mem.BufferPool) (mem.BufferSlice, error) {
	return c.Marshal(v)
}

// codecV2 is any other encoding.CodecV2.
type codecV2 struct{ encoding.CodecV2 }

func (c codecV2) marshal(m *transport.OutMessage, v any, pool mem.BufferPool) error {
	data, err := c.Marshal(v)
	if err != nil {
		return err
	}
	m.SetPieces(false, data)
	return nil
}

func (c codecV2) unmarshal(payload []byte, v any, pool mem.BufferPool) error {
	data := mem.BufferSlice{mem.Copy(payload, pool)}
	defer data.Free()
	return c.Unmarshal(data, v)
}

func (c codecV2) marshalBytes(v any, _ mem.BufferPool) (mem.BufferSlice, error) { return c.Marshal(v) }

// bytesCodec is the part of encoding.Codec that the Codec of 2016 has too.
type bytesCodec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// codecV1 is a codec that knows nothing of buffers. What it decodes may refer to the bytes that it was given, so it gets its own.
type codecV1 struct{ bytesCodec }

func (c codecV1) marshal(m *transport.OutMessage, v any, pool mem.BufferPool) error {
	b, err := c.Marshal(v)
	if err != nil {
		return err
	}
	m.SetPieces(false, mem.BufferSlice{mem.SliceBuffer(b)})
	return nil
}

func (c codecV1) unmarshal(payload []byte, v any, _ mem.BufferPool) error {
	return c.Unmarshal(append(make([]byte, 0, len(payload)), payload...), v)
}

func (c codecV1) marshalBytes(v any, _ mem.BufferPool) (mem.BufferSlice, error) {
	b, err := c.Marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

// newCodecV2 returns the messageCodec of c.
func newCodecV2(c encoding.CodecV2) messageCodec {
	if c, ok := c.(proto.Codec); ok {
		return protoCodec{c}
	}
	return codecV2{c}
}

// codecOfSubtype returns the codec that is registered for a content-subtype, nil if there is none.
func codecOfSubtype(subtype string) messageCodec {
	if c := encoding.GetCodec(subtype); c != nil {
		return codecV1{c}
	}
	if c := encoding.GetCodecV2(subtype); c != nil {
		return newCodecV2(c)
	}
	return nil
}

// codecForSubtype is codecOfSubtype, with the codec for protocol buffers if subtype is empty.
func codecForSubtype(subtype string) (messageCodec, error) {
	if subtype == "" {
		subtype = proto.Name
	}
	c := codecOfSubtype(subtype)
	if c == nil {
		return nil, fmt.Errorf("no codec registered for content-subtype %s", subtype)
	}
	return c, nil
}
