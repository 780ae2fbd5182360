// The protobuf codec, for messages of every generation of generated code.

// Package proto is the codec that gRPC uses unless it is told otherwise: protocol buffers. Importing it registers it.
package proto

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
)

// Name is the content-subtype of the codec.
const Name = "proto"

func init() {
	encoding.RegisterCodecV2(Codec{})
}

// Codec marshals messages of google.golang.org/protobuf, and those of older generators that only have the methods Reset, String and
// ProtoMessage. It is an encoding.CodecV2; its other methods let gRPC, which recognises the codec by its type, marshal a message behind
// its own prefix and decode one where it lies. Its zero value is ready for use by any number of goroutines.
type Codec struct{}

// sized encodes with the sizes that proto.Size has left in the message, instead of computing them again at every level.
var sized = proto.MarshalOptions{UseCachedSize: true}

// merge decodes into a message that was reset before. To let proto.Unmarshal do that costs a third more: it asks the message first who it is.
var merge = proto.UnmarshalOptions{Merge: true}

// Name returns "proto".
func (Codec) Name() string { return Name }

// Marshal returns the bytes of v in one Buffer, pooled if it is above the pooling threshold.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	size, err := c.Size(v)
	if err != nil {
		return nil, err
	}
	if mem.IsBelowBufferPoolingThreshold(size) {
		b, err := c.MarshalAppend(make([]byte, 0, size), v)
		if err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	pool := mem.DefaultBufferPool()
	block := bufpool.GetDirty(pool, size)
	b, err := c.MarshalAppend((*block)[:0], v)
	if err != nil {
		pool.Put(block)
		return nil, err
	}
	*block = b
	return mem.BufferSlice{mem.NewBuffer(block, pool)}, nil
}

// Unmarshal sets v to the message in data. What v held before is gone, also after an error.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return c.UnmarshalBytes(whole.ReadOnlyData(), v)
}

// Size returns the number of bytes of v. MarshalAppend relies on what it leaves in the message.
func (Codec) Size(v any) (int, error) {
	m, err := marshalable(v)
	if err != nil {
		return 0, err
	}
	return proto.Size(m), nil
}

// MarshalAppend appends the bytes of v to b and returns the result. The caller must have called Size for v before, with no change to v
// since. It allocates nothing if b has room for that many bytes and v is a message of google.golang.org/protobuf.
func (Codec) MarshalAppend(b []byte, v any) ([]byte, error) {
	m, err := marshalable(v)
	if err != nil {
		return nil, err
	}
	return sized.MarshalAppend(b, m)
}

// UnmarshalBytes sets v to the message in b. What v held before is gone, also after an error. Nothing in v refers to b afterwards, so
// that b may be re-used.
func (Codec) UnmarshalBytes(b []byte, v any) error {
	m := message(v)
	if m == nil {
		return fmt.Errorf("failed to unmarshal, message is %T, want proto.Message", v)
	}
	proto.Reset(m)
	return merge.Unmarshal(b, m)
}

// message returns v as a message of the current generation, or nil if it is no message of any.
func message(v any) proto.Message {
	switch v := v.(type) {
	case proto.Message:
		return v
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(v)
	}
	return nil
}

func marshalable(v any) (proto.Message, error) {
	if m := message(v); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("proto: failed to marshal, message is %T, want proto.Message", v)
}
