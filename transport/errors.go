// Errors of the transport, told apart by who is at fault, and what the codes of HTTP/2 and HTTP mean as gRPC codes.
// Nothing above this package looks at the text of an error.

package transport

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/transport/internal/frame"
)

// A ConnectionError says that a connection is dead, and with it every stream that it carried.
type ConnectionError struct {
	Desc string
	temp bool
	err  error
}

// connectionErrorf makes a ConnectionError. temp tells whether another attempt may succeed; err is the cause and may be nil.
func connectionErrorf(temp bool, err error, format string, args ...any) ConnectionError {
	return ConnectionError{Desc: fmt.Sprintf(format, args...), temp: temp, err: err}
}

// Error returns the description behind a fixed prefix.
func (e ConnectionError) Error() string { return fmt.Sprintf("connection error: desc = %q", e.Desc) }

// Temporary reports whether another attempt to connect may succeed.
func (e ConnectionError) Temporary() bool { return e.temp }

// Origin returns the error that ended the connection, or the ConnectionError itself if it had no other cause.
func (e ConnectionError) Origin() error {
	if e.err == nil {
		return e
	}
	return e.err
}

// Unwrap returns the cause for errors.Is and errors.As; it may be nil.
func (e ConnectionError) Unwrap() error { return e.err }

// ErrConnClosing says that a connection is closed or closing, so that nothing was sent.
var ErrConnClosing = connectionErrorf(true, nil, "transport is closing")

// A StreamError says why one stream failed while its connection lives on.
type StreamError struct {
	Code codes.Code
	Desc string
}

// Error returns the code and the description.
func (e StreamError) Error() string {
	return fmt.Sprintf("stream error: code = %s desc = %q", e.Code, e.Desc)
}

func streamErrorf(code codes.Code, format string, args ...any) StreamError {
	return StreamError{Code: code, Desc: fmt.Sprintf(format, args...)}
}

// ErrDraining says that the peer or this side is going to close the connection: the call was not sent and belongs elsewhere.
var ErrDraining = StreamError{Code: codes.Unavailable, Desc: "the connection is draining"}

// ErrHeaderListSize says that a call's header list is larger than the peer accepts (RFC 9113 §10.5.1). No other connection
// will take it either.
type ErrHeaderListSize struct {
	Size, Limit uint64 // bytes, by the measure of RFC 9113 §6.5.2
}

// Error names both figures.
func (e ErrHeaderListSize) Error() string {
	return fmt.Sprintf("header list size to send violates the maximum size (%d bytes) set by server", e.Limit)
}

// ErrStreamDone says that something was sent on a stream that is over. Of a ServerStream, the context says why, now or very soon.
var ErrStreamDone = errors.New("transport: the stream is done or WriteStatus was already called")

// codeOfReset is what an RST_STREAM means to a caller (gRPC over HTTP/2, "Errors").
func codeOfReset(c frame.ErrCode) codes.Code {
	switch c {
	case frame.FlowControlError, frame.EnhanceYourCalm:
		return codes.ResourceExhausted
	case frame.RefusedStream:
		return codes.Unavailable
	case frame.Cancel:
		return codes.Canceled
	case frame.InadequateSecurity:
		return codes.PermissionDenied
	case frame.NoError, frame.ProtocolError, frame.InternalError, frame.SettingsTimeout, frame.StreamClosed, frame.SizeError,
		frame.CompressionError, frame.ConnectError, frame.HTTP11Required:
		return codes.Internal
	}
	return codes.Unknown
}

// codeOfHTTPStatus is what a response that is not gRPC means to a caller (grpc/doc/http-grpc-status-mapping.md).
func codeOfHTTPStatus(status int) codes.Code {
	switch status {
	case 400:
		return codes.Internal
	case 401:
		return codes.Unauthenticated
	case 403:
		return codes.PermissionDenied
	case 404:
		return codes.Unimplemented
	case 429, 502, 503, 504:
		return codes.Unavailable
	}
	return codes.Unknown
}
