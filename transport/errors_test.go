// Tests of the errors, and of the tables that turn codes of HTTP/2 and HTTP into gRPC codes.

package transport

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/transport/internal/frame"
)

func TestConnectionError(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    ConnectionError
		text   string
		temp   bool
		origin error
	}{
		{"with a cause", connectionErrorf(true, io.EOF, "error reading from server: %v", io.EOF), `connection error: desc = "error reading from server: EOF"`, true, io.EOF},
		{"permanent", connectionErrorf(false, io.EOF, `a "quoted" word`), `connection error: desc = "a \"quoted\" word"`, false, io.EOF},
		{"without a cause", ErrConnClosing, `connection error: desc = "transport is closing"`, true, ErrConnClosing},
	} {
		if got := tt.err.Error(); got != tt.text {
			t.Errorf("%s: Error: got %q, want %q", tt.name, got, tt.text)
		}
		if tt.err.Temporary() != tt.temp || tt.err.Origin() != tt.origin {
			t.Errorf("%s: got Temporary %v, Origin %v, want %v, %v", tt.name, tt.err.Temporary(), tt.err.Origin(), tt.temp, tt.origin)
		}
		if got, want := errors.Is(tt.err, io.EOF), tt.origin == io.EOF; got != want {
			t.Errorf("%s: errors.Is the cause: got %v, want %v", tt.name, got, want)
		}
	}
}

func TestStreamErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{streamErrorf(codes.Internal, "%d bytes", 7), `stream error: code = Internal desc = "7 bytes"`},
		{ErrDraining, `stream error: code = Unavailable desc = "the connection is draining"`},
		{ErrHeaderListSize{Size: 10, Limit: 9}, "header list size to send violates the maximum size (9 bytes) set by server"},
		{MessageTooLarge{Size: 10, Limit: 9}, "received message larger than max (10 vs. 9)"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%T: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestCodeOfReset(t *testing.T) {
	for _, tt := range []struct {
		reset frame.ErrCode
		want  codes.Code
	}{
		{frame.NoError, codes.Internal}, {frame.ProtocolError, codes.Internal}, {frame.InternalError, codes.Internal},
		{frame.FlowControlError, codes.ResourceExhausted}, {frame.SettingsTimeout, codes.Internal}, {frame.StreamClosed, codes.Internal},
		{frame.SizeError, codes.Internal}, {frame.RefusedStream, codes.Unavailable}, {frame.Cancel, codes.Canceled},
		{frame.CompressionError, codes.Internal}, {frame.ConnectError, codes.Internal}, {frame.EnhanceYourCalm, codes.ResourceExhausted},
		{frame.InadequateSecurity, codes.PermissionDenied}, {frame.HTTP11Required, codes.Internal},
		{14, codes.Unknown}, {1<<32 - 1, codes.Unknown},
	} {
		if got := codeOfReset(tt.reset); got != tt.want {
			t.Errorf("codeOfReset(%v): got %v, want %v", tt.reset, got, tt.want)
		}
	}
}

func TestCodeOfHTTPStatus(t *testing.T) {
	known := map[int]codes.Code{
		400: codes.Internal, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 404: codes.Unimplemented,
		429: codes.Unavailable, 502: codes.Unavailable, 503: codes.Unavailable, 504: codes.Unavailable,
	}
	for status := -1; status < 1000; status++ {
		want, ok := known[status]
		if !ok {
			want = codes.Unknown
		}
		if got := codeOfHTTPStatus(status); got != want {
			t.Errorf("codeOfHTTPStatus(%d): got %v, want %v", status, got, want)
		}
	}
}
