// The streams that applications and generated code hold, and what a handler may say beside its messages: headers, trailers,
// compression.

package grpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/callkey"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// StreamHandler handles a streaming RPC. An error that carries no status ends the RPC with the code Unknown, or with that of a
// context error.
type StreamHandler func(srv any, stream ServerStream) error

// StreamDesc describes a streaming RPC. At least one of ServerStreams and ClientStreams is true, unless the RPC is unary and
// called as a stream.
type StreamDesc struct {
	StreamName string        // the method without its service
	Handler    StreamHandler // of use to servers only

	ServerStreams bool // the server may send any number of messages
	ClientStreams bool // the client may send any number of messages; if not, the handler begins when the first byte of its message comes
}

// Stream is what ClientStream and ServerStream have in common.
//
// Deprecated: use ClientStream or ServerStream.
type Stream interface {
	// Context returns the context of the stream.
	Context() context.Context
	// SendMsg sends a message.
	SendMsg(m any) error
	// RecvMsg blocks for the next message and decodes it into m.
	RecvMsg(m any) error
}

// ClientStream is an RPC on the client's side. One goroutine may call SendMsg while another one calls RecvMsg, but two must not call
// the same of them, and CloseSend must not be called while SendMsg is.
//
// An RPC holds resources until it is over. Whoever starts one therefore does one of these: calls RecvMsg until it returns an error,
// cancels the context, closes the ClientConn, or gets an error other than io.EOF from SendMsg or Header.
type ClientStream interface {
	// Header blocks for the response headers and returns their metadata. Both results are nil if the RPC was answered without
	// headers; then RecvMsg has the reason.
	Header() (metadata.MD, error)
	// Trailer returns the metadata that came with the status. It is to be called after RecvMsg has returned an error.
	Trailer() metadata.MD
	// CloseSend says that no message follows. It returns nil: whether the RPC is in trouble is for RecvMsg to say.
	CloseSend() error
	// Context returns the context of the RPC, which ends with the RPC. It must not be called before Header or RecvMsg has returned,
	// since the RPC cannot be tried again once the context is known.
	Context() context.Context
	// SendMsg sends a message, which must not be changed before SendMsg returns. It blocks while the peer's flow-control window and
	// 64 KiB beyond it are full; that it returns says nothing of whether the message was received. It returns io.EOF if the RPC is
	// over: then RecvMsg has the reason. Any other error has ended the RPC.
	SendMsg(m any) error
	// RecvMsg blocks for the next message and decodes it into m. It returns io.EOF if the RPC has ended with the status OK, and an
	// error that carries the status if not. After an error the RPC is over.
	RecvMsg(m any) error
}

// ServerStream is an RPC on the server's side. One goroutine may call SendMsg while another one calls RecvMsg, but two must not call
// the same of them. No method may be called after the handler has returned.
type ServerStream interface {
	// SetHeader adds metadata to the response headers. It fails once they were sent: by SendHeader, by the first SendMsg, or with
	// the status.
	SetHeader(metadata.MD) error
	// SendHeader adds metadata to the response headers and sends them. It fails if they were sent before.
	SendHeader(metadata.MD) error
	// SetTrailer adds metadata to what is sent with the status.
	SetTrailer(metadata.MD)
	// Context returns the context of the RPC, which ends with the RPC.
	Context() context.Context
	// SendMsg sends a message, which must not be changed before SendMsg returns. It blocks while the client's flow-control window and
	// 64 KiB beyond it are full; that it returns says nothing of whether the message was received. An error carries a status.
	SendMsg(m any) error
	// RecvMsg blocks for the next message and decodes it into m. It returns io.EOF when the client has sent its last one. Any other
	// error carries a status.
	RecvMsg(m any) error
}

// ServerTransportStream is the part of an RPC on the server's side that the functions SetHeader, SendHeader, SetTrailer and Method
// find in the context of a handler. Tests may put their own one there with NewContextWithServerTransportStream.
type ServerTransportStream interface {
	Method() string
	SetHeader(md metadata.MD) error
	SendHeader(md metadata.MD) error
	SetTrailer(md metadata.MD) error
}

// NewContextWithServerTransportStream returns a context in which SetHeader, SendHeader, SetTrailer and Method find stream.
func NewContextWithServerTransportStream(ctx context.Context, stream ServerTransportStream) context.Context {
	return context.WithValue(ctx, callkey.ServerTransportStream{}, stream)
}

// ServerTransportStreamFromContext returns the stream of the RPC that ctx belongs to, nil if it belongs to none.
func ServerTransportStreamFromContext(ctx context.Context) ServerTransportStream {
	s, _ := ctx.Value(callkey.ServerTransportStream{}).(ServerTransportStream)
	return s
}

// Method returns the method of the RPC that ctx, the context of a handler, belongs to, as "/service/method".
func Method(ctx context.Context) (string, bool) {
	s := ServerTransportStreamFromContext(ctx)
	if s == nil {
		return "", false
	}
	return s.Method(), true
}

// MethodFromServerStream returns the method of stream, as "/service/method".
func MethodFromServerStream(stream ServerStream) (string, bool) { return Method(stream.Context()) }

// SetHeader adds metadata to the response headers of the RPC that ctx, the context of a handler, belongs to. It is
// ServerStream.SetHeader for unary handlers.
func SetHeader(ctx context.Context, md metadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	s := ServerTransportStreamFromContext(ctx)
	if s == nil {
		return errNoStream(ctx)
	}
	return s.SetHeader(md)
}

// SendHeader adds metadata to the response headers of the RPC that ctx, the context of a handler, belongs to, and sends them. It is
// ServerStream.SendHeader for unary handlers.
func SendHeader(ctx context.Context, md metadata.MD) error {
	s := ServerTransportStreamFromContext(ctx)
	if s == nil {
		return errNoStream(ctx)
	}
	return s.SendHeader(md)
}

// SetTrailer adds metadata to what is sent with the status of the RPC that ctx, the context of a handler, belongs to. It is
// ServerStream.SetTrailer for unary handlers.
func SetTrailer(ctx context.Context, md metadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	s := ServerTransportStreamFromContext(ctx)
	if s == nil {
		return errNoStream(ctx)
	}
	return s.SetTrailer(md)
}

func errNoStream(ctx context.Context) error {
	return status.Errorf(codes.Internal, "grpc: failed to fetch the stream from the context %v", ctx)
}

// SetSendCompressor makes the response messages of the RPC that ctx, the context of a handler, belongs to be compressed by the
// compressor registered under name, or not at all if name is "identity". It must be called before the response headers were sent, and
// fails if the compressor is not registered, or the client does not accept it.
//
// Experimental: the function may change.
func SetSendCompressor(ctx context.Context, name string) error {
	h, ok := ServerTransportStreamFromContext(ctx).(*handlerStream)
	if !ok {
		return errors.New("failed to fetch the stream from the given context")
	}
	if err := checkSendCompressor(name, acceptedEncodings(h.st)); err != nil {
		return err
	}
	return h.st.SetSendCompress(name)
}

// ClientSupportedCompressors returns the names of the compressors that the client of the RPC that ctx, the context of a handler,
// belongs to says it accepts.
//
// Experimental: the function may change.
func ClientSupportedCompressors(ctx context.Context) ([]string, error) {
	h, ok := ServerTransportStreamFromContext(ctx).(*handlerStream)
	if !ok {
		return nil, fmt.Errorf("failed to fetch the stream from the given context %v", ctx)
	}
	return acceptedEncodings(h.st), nil
}
