// One RPC on the server's side as its handler sees it.

package grpc

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/callkey"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// A serverStream is one RPC. It implements ServerStream for handlers of streams; unary RPCs use the same methods from outside.
type serverStream struct {
	s    *Server
	m    *method // nil if the path leads to none
	st   *transport.ServerStream
	ctx  context.Context
	obs  *observer
	next *serverStream // in its rpcQueue

	codec      messageCodec
	inflate    *compression // what the client compresses with, nil if it does not
	comp       *compression // of what is sent, nil for none; settled when the first message is encoded
	settled    bool         // of the sending goroutine
	oneRequest bool         // the RPC's client sends one message
	got        bool         // of the receiving goroutine: a message was received
	begun      bool         // the observer was told that the RPC begins
	inTurn     bool         // the read goroutine of the connection handles the RPC
	over       bool         // the RPC was over before its message came
	toldHeader atomic.Bool  // the observer knows of the headers
}

// newServerStream makes the RPC of a stream.
func newServerStream(s *Server, st *transport.ServerStream) *serverStream {
	ss := &serverStream{s: s, m: s.methods[st.Method()], st: st, ctx: st.Context()}
	st.SetCall(ss)
	return ss
}

// Value answers for the RPC in its context.
func (ss *serverStream) Value(key any) any {
	switch key.(type) {
	case callkey.Call:
		return ss
	case callkey.ServerTransportStream:
		return (*handlerStream)(ss)
	}
	return nil
}

// begin settles codec and decompression of the RPC. The error carries a status.
func (ss *serverStream) begin() error {
	o := &ss.s.opts
	if ss.codec = o.codec; ss.codec == nil {
		ss.codec = ss.s.codecOf(ss.st.ContentSubtype())
	}
	name := ss.st.RecvCompress()
	var known bool
	if ss.inflate, known = o.compressionOf(name); !known {
		return status.Errorf(codes.Unimplemented, "grpc: Decompressor is not installed for grpc-encoding %q", name)
	}
	switch {
	case o.compressor != nil:
		ss.comp = &compression{name: o.compressor.Type(), then: o.compressor}
	case isCompressed(name): // the client understands what it uses itself
		if c := encoding.GetCompressor(name); c != nil {
			ss.comp = &compression{name: name, now: c}
		}
	}
	if ss.comp != nil {
		_ = ss.st.SetSendCompress(ss.comp.name) // nothing was sent
	}
	return nil
}

// isCompressed reports whether a grpc-encoding stands for compression.
func isCompressed(name string) bool { return name != "" && name != encoding.Identity }

// compressionOf returns how messages are compressed whose grpc-encoding is name, nil if they are not, and whether the server knows.
func (o *serverOptions) compressionOf(name string) (c *compression, known bool) {
	if o.decompressor != nil && o.decompressor.Type() == name {
		return &compression{name: name, undo: o.decompressor}, true
	}
	if !isCompressed(name) {
		return nil, true
	}
	now := encoding.GetCompressor(name)
	return &compression{name: name, now: now}, now != nil
}

// codecOf returns the codec of a content-subtype. One that is not known gets the codec for protocol buffers.
func (s *Server) codecOf(subtype string) messageCodec {
	if subtype == "" {
		return s.defaultCodec
	}
	if c := codecOfSubtype(subtype); c != nil {
		return c
	}
	logger.Warningf("Unsupported codec %q. Defaulting to %q for now. This will start to fail in future releases.", subtype, "proto")
	return s.defaultCodec
}

// acceptedEncodings returns the names of the compressors that the client accepts.
func acceptedEncodings(st *transport.ServerStream) []string {
	return splitEncodings(st.AcceptEncoding())
}

// checkSendCompressor returns why a compressor cannot be used for a client, nil if it can.
func checkSendCompressor(name string, accepted []string) error {
	switch {
	case name == encoding.Identity:
		return nil
	case encoding.GetCompressor(name) == nil:
		return fmt.Errorf("unable to set send compressor: compressor not registered %q", name)
	case !slices.Contains(accepted, name):
		return fmt.Errorf("unable to set send compressor: client does not support compressor %q", name)
	}
	return nil
}

// Context implements ServerStream.
func (ss *serverStream) Context() context.Context { return ss.ctx }

// SetHeader implements ServerStream.
func (ss *serverStream) SetHeader(md metadata.MD) error {
	if err := transport.ValidateMetadata(md, nil); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return headerError(ss.st.SetHeader(md))
}

// SendHeader implements ServerStream.
func (ss *serverStream) SendHeader(md metadata.MD) error {
	if err := transport.ValidateMetadata(md, nil); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return ss.sendHeader(md)
}

func (ss *serverStream) sendHeader(md metadata.MD) error {
	switch err := ss.st.SendHeader(md); err {
	case nil:
	case transport.ErrIllegalHeaderWrite:
		return headerError(err)
	default:
		return ss.sendError(err)
	}
	ss.tellHeader()
	return nil
}

// SetTrailer implements ServerStream.
func (ss *serverStream) SetTrailer(md metadata.MD) {
	_ = ss.st.SetTrailer(md) // it fails only after the handler has returned
}

// tellHeader tells the observer that the headers were sent, if it does not know.
func (ss *serverStream) tellHeader() {
	if ss.obs != nil && !ss.toldHeader.Swap(true) {
		ss.obs.outHeader(&headerEvent{md: ss.st.Header(), compression: ss.st.SendCompress()})
	}
}

// A handlerStream is a serverStream as the functions SetHeader, SendHeader, SetTrailer and Method find it in the context.
type handlerStream serverStream

var _ ServerTransportStream = (*handlerStream)(nil)

// Method implements ServerTransportStream.
func (h *handlerStream) Method() string { return h.st.Method() }

// SetHeader implements ServerTransportStream.
func (h *handlerStream) SetHeader(md metadata.MD) error { return headerError(h.st.SetHeader(md)) }

// SendHeader implements ServerTransportStream.
func (h *handlerStream) SendHeader(md metadata.MD) error { return (*serverStream)(h).sendHeader(md) }

// SetTrailer implements ServerTransportStream.
func (h *handlerStream) SetTrailer(md metadata.MD) error {
	return headerError(h.st.SetTrailer(md))
}

// SendMsg implements ServerStream.
func (ss *serverStream) SendMsg(v any) error {
	m, n, err := ss.encode(v)
	if err != nil {
		return ss.fail(err)
	}
	if err := ss.st.Write(m); err != nil {
		return ss.sendError(err)
	}
	ss.tellHeader()
	ss.obs.outPayload(v, n)
	return nil
}

// encode makes a message ready to be sent.
func (ss *serverStream) encode(v any) (*transport.OutMessage, sizes, error) {
	if p, ok := v.(*PreparedMsg); ok {
		return p.message(ss.s.opts.maxSend)
	}
	if !ss.settled {
		ss.settled = true
		ss.settleCompression()
	}
	return encode(ss.codec, v, ss.comp, ss.s.opts.maxSend, ss.s.opts.pool)
}

// settleCompression takes over what the handler chose by SetSendCompressor.
func (ss *serverStream) settleCompression() {
	if name := ss.st.SendCompress(); name != ss.comp.wireName() {
		ss.comp = &compression{name: name, now: encoding.GetCompressor(name)}
	}
}

// sendError returns the error of a message that could not be sent: how the RPC has ended.
func (ss *serverStream) sendError(err error) error {
	if err == transport.ErrStreamDone {
		<-ss.st.Context().Done()
		return statusOf(ss.st.Context().Err()).Err()
	}
	return ss.fail(toRPCErr(err))
}

// RecvMsg implements ServerStream.
func (ss *serverStream) RecvMsg(v any) error {
	m, err := ss.st.Recv()
	switch {
	case err == io.EOF && ss.oneRequest && !ss.got:
		return ss.fail(status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC"))
	case err == io.EOF:
		return err
	case err != nil:
		return ss.fail(statusOf(err).Err())
	}
	dec := decoder{codec: ss.codec, comp: ss.inflate, encoding: ss.st.RecvCompress(), limit: ss.s.opts.maxReceive, server: true, pool: ss.s.opts.pool}
	n, err := dec.decode(m, v)
	ss.st.Release()
	if err != nil {
		return ss.fail(err)
	}
	ss.got = true
	ss.obs.inPayload(v, n)
	if ss.oneRequest {
		return ss.onlyOne()
	}
	return nil
}

// onlyOne checks that the client of an RPC with one request has sent no other.
func (ss *serverStream) onlyOne() error {
	switch _, err := ss.st.Recv(); err {
	case io.EOF:
		return nil
	case nil:
		ss.st.Release()
		return ss.fail(status.Error(codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC"))
	default:
		return ss.fail(statusOf(err).Err())
	}
}

// fail ends the RPC with err, which its handler cannot make good any more, and returns err.
func (ss *serverStream) fail(err error) error {
	_ = ss.st.Finish(status.Convert(err), nil) // the client is gone, or gets to know
	return err
}

// format implements formatter.
func (ss *serverStream) format() callFormat {
	return callFormat{codec: ss.codec, comp: ss.comp, pool: ss.s.opts.pool}
}

// headerError is the error of headers that could not be sent.
func headerError(err error) error {
	if err == nil {
		return nil
	}
	if err == transport.ErrIllegalHeaderWrite {
		return status.Error(codes.Internal, err.Error())
	}
	return toRPCErr(err)
}
