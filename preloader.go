// Messages that are encoded ahead of being sent, so that one encoding serves many sends.

package grpc

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/callkey"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// A PreparedMsg is an encoded message. SendMsg takes one in the place of a message; it may be sent on any number of streams that have the
// codec and the compression of the one it was encoded for. It must not be encoded anew while it is being sent.
//
// Experimental: the type may change.
type PreparedMsg struct {
	payload    []byte
	compressed bool
	size       sizes
}

// A callFormat is how the messages of a call are encoded.
type callFormat struct {
	codec messageCodec
	comp  *compression
	pool  mem.BufferPool
}

// A formatter is a call that can say how it encodes its messages.
type formatter interface{ format() callFormat }

// Encode encodes msg as SendMsg of the stream s would.
func (p *PreparedMsg) Encode(s Stream, msg any) error {
	call, ok := s.Context().Value(callkey.Call{}).(formatter)
	if !ok {
		return status.Error(codes.Internal, "grpc: unable to get rpcInfo")
	}
	f := call.format()
	m, n, err := encode(f.codec, msg, f.comp, defaultMaxSendSize, f.pool)
	if err != nil {
		return err
	}
	defer m.Free()
	p.payload, p.compressed, p.size = m.Payload(), m.Compressed(), n
	return nil
}

// message returns the encoded message, ready to be sent.
func (p *PreparedMsg) message(limit int) (*transport.OutMessage, sizes, error) {
	if p.size.wire > limit {
		return nil, p.size, errTooLargeToSend(p.size.wire, limit)
	}
	m := transport.NewOutMessage()
	m.SetPieces(p.compressed, mem.BufferSlice{mem.SliceBuffer(p.payload)})
	return m, p.size, nil
}
