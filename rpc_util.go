// The length-prefixed message between codec and transport: encoding, compression, size limits. And the one place where an error of
// the layers below becomes the status that an application sees.

package grpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

const (
	// defaultMaxReceiveSize is the largest message in bytes that either side accepts by default.
	defaultMaxReceiveSize = 4 << 20
	// defaultMaxSendSize is the largest message in bytes that either side sends by default.
	defaultMaxSendSize = math.MaxInt32
)

// A compression is how a side compresses or decompresses messages: by a registered compressor, by one of the kind of 2016, or not.
type compression struct {
	name string // as on the wire; "" for none
	now  encoding.Compressor
	then Compressor
	undo Decompressor
}

// active reports whether messages are compressed. A compression that is nil is none.
func (c *compression) active() bool { return c != nil && (c.now != nil || c.then != nil) }

// wireName returns the name of the compression as on the wire, "" for none.
func (c *compression) wireName() string {
	if c == nil {
		return ""
	}
	return c.name
}

// known reports whether what the peer has compressed can be decompressed.
func (c *compression) known() bool { return c != nil && (c.now != nil || c.undo != nil) }

// sizes are what statistics say of a message, in bytes.
type sizes struct {
	plain int // encoded, not compressed
	wire  int // compressed, if it is, without the prefix
}

// encode makes the message v ready to be sent. Empty messages are not compressed.
func encode(codec messageCodec, v any, comp *compression, limit int, pool mem.BufferPool) (*transport.OutMessage, sizes, error) {
	m := transport.NewOutMessage()
	n, err := encodeTo(m, codec, v, comp, pool)
	if err == nil && n.wire > limit {
		err = errTooLargeToSend(n.wire, limit)
	}
	if err != nil {
		m.Free()
		return nil, n, err
	}
	return m, n, nil
}

func errTooLargeToSend(size, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "trying to send message larger than max (%d vs. %d)", size, limit)
}

func encodeTo(m *transport.OutMessage, codec messageCodec, v any, comp *compression, pool mem.BufferPool) (sizes, error) {
	if v == nil { // a message without fields
		m.SetPayload(false, m.Reserve(pool, 0))
		return sizes{}, nil
	}
	if !comp.active() {
		if err := codec.marshal(m, v, pool); err != nil {
			return sizes{}, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err.Error())
		}
		n := m.Len() - transport.PrefixLen
		return sizes{n, n}, tooLong(n)
	}
	data, err := codec.marshalBytes(v, pool)
	if err != nil {
		return sizes{}, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err.Error())
	}
	n := data.Len()
	if n == 0 {
		m.SetPieces(false, data)
		return sizes{}, nil
	}
	if err := tooLong(n); err != nil {
		data.Free()
		return sizes{}, err
	}
	packed, err := compress(data, comp, pool)
	data.Free()
	if err != nil {
		return sizes{}, status.Errorf(codes.Internal, "grpc: error while compressing: %v", err.Error())
	}
	m.SetPieces(true, packed)
	return sizes{n, packed.Len()}, tooLong(packed.Len())
}

// tooLong returns the error of a message of n bytes if its prefix has no room for that number.
func tooLong(n int) error {
	if uint64(n) <= math.MaxUint32 {
		return nil
	}
	return status.Errorf(codes.ResourceExhausted, "grpc: message too large (%d bytes)", n)
}

func compress(data mem.BufferSlice, comp *compression, pool mem.BufferPool) (out mem.BufferSlice, err error) {
	w := mem.NewWriter(&out, pool)
	defer func() {
		if err != nil {
			out.Free()
		}
	}()
	if comp.now == nil {
		b := data.MaterializeToBuffer(pool)
		defer b.Free()
		return out, comp.then.Do(w, b.ReadOnlyData())
	}
	z, err := comp.now.Compress(w)
	if err != nil {
		return nil, err
	}
	for _, b := range data {
		if _, err := z.Write(b.ReadOnlyData()); err != nil {
			return nil, err
		}
	}
	return out, z.Close()
}

// A decoder decodes the messages that one side of a call receives.
type decoder struct {
	codec    messageCodec
	comp     *compression // what the peer compresses with, nil if it does not
	encoding string       // the peer's grpc-encoding
	limit    int          // bytes, after decompression
	server   bool
	pool     mem.BufferPool
	refused  error // why messages with this encoding are not taken, nil if they are
}

// decode decodes a received message into v.
func (d *decoder) decode(m transport.InMessage, v any) (sizes, error) {
	n := sizes{len(m.Payload), len(m.Payload)}
	payload := m.Payload
	if d.refused != nil {
		return n, d.refused
	}
	if m.Flag != 0 {
		buf, err := d.decompress(m)
		if err != nil {
			return n, err
		}
		defer buf.Free()
		payload = buf.ReadOnlyData()
		n.plain = len(payload)
	}
	if err := d.codec.unmarshal(payload, v, d.pool); err != nil {
		return n, status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return n, nil
}

// decompress returns the payload of a message whose flag is not 0. It is to be freed.
func (d *decoder) decompress(m transport.InMessage) (mem.Buffer, error) {
	switch {
	case m.Flag != 1:
		return nil, status.Errorf(codes.Internal, "grpc: received unexpected payload format %d", m.Flag)
	case d.encoding == "" || d.encoding == encoding.Identity:
		return nil, status.Error(codes.Internal, "grpc: compressed flag set with identity or empty encoding")
	case !d.comp.known() && d.server:
		return nil, status.Errorf(codes.Unimplemented, "grpc: Decompressor is not installed for grpc-encoding %q", d.encoding)
	case !d.comp.known():
		return nil, status.Errorf(codes.Internal, "grpc: Decompressor is not installed for grpc-encoding %q", d.encoding)
	}
	b, err := d.inflate(m.Payload)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if b.Len() > d.limit {
		b.Free()
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message after decompression larger than max %d", d.limit)
	}
	return b, nil
}

// inflate decompresses, but no more than one byte beyond the limit where it can be helped.
func (d *decoder) inflate(p []byte) (mem.Buffer, error) {
	if d.comp.undo != nil {
		b, err := doLimited(d.comp.undo, p, d.limit)
		if err != nil {
			return nil, fmt.Errorf("grpc: failed to decompress the received message: %w", err)
		}
		return mem.SliceBuffer(b), nil
	}
	r, err := d.comp.now.Decompress(bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("grpc: failed to decompress the message: %w", err)
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	b, err := readAll(upTo(r, d.limit), min(4*len(p), d.limit), d.pool)
	if err != nil {
		return nil, fmt.Errorf("grpc: failed to read decompressed data: %w", err)
	}
	return b, nil
}

// leastRead is how many bytes of memory readAll begins with at least: so many that they go back to their pool.
const leastRead = 2 << 10

// readAll reads r to its end, which may be near size, into memory of the pool.
func readAll(r io.Reader, size int, pool mem.BufferPool) (mem.Buffer, error) {
	buf := bufpool.GetDirty(pool, max(size, leastRead))
	for n := 0; ; {
		if n == len(*buf) {
			more := bufpool.GetDirty(pool, 2*n)
			copy(*more, *buf)
			pool.Put(buf)
			buf = more
		}
		got, err := r.Read((*buf)[n:])
		switch n += got; {
		case err == io.EOF:
			*buf = (*buf)[:n]
			return mem.NewBuffer(buf, pool), nil
		case err != nil:
			pool.Put(buf)
			return nil, err
		}
	}
}

// upTo reads no further than one byte beyond the limit, which shows that there is too much.
func upTo(r io.Reader, limit int) io.Reader {
	return io.LimitReader(r, max(int64(limit), int64(limit)+1)) // the sum overflows for the limit of those who want none
}

// statusOf returns the status that an application sees for an error of the layers below.
func statusOf(err error) *status.Status {
	switch e := err.(type) {
	case transport.StreamError:
		return status.New(e.Code, e.Desc)
	case transport.ConnectionError:
		return status.New(codes.Unavailable, e.Desc)
	case transport.ErrHeaderListSize:
		return status.New(codes.Internal, e.Error())
	case transport.MessageTooLarge:
		return status.Newf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", e.Size, e.Limit)
	}
	switch {
	case err == io.ErrUnexpectedEOF:
		return status.New(codes.Internal, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, err.Error())
	}
	st, _ := status.FromError(err) // an error without a status becomes one with the code Unknown
	return st
}

// toRPCErr is statusOf as an error; nil and io.EOF stay as they are.
func toRPCErr(err error) error {
	switch err {
	case nil, io.EOF:
		return err
	}
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return err
	}
	return statusOf(err).Err()
}

// splitEncodings splits a grpc-accept-encoding.
func splitEncodings(s string) []string {
	names := strings.Split(s, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
	}
	return names
}
