// Tests of handshakes that do not do what they should.

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/credentials"
)

// A handshake is transport credentials that do what a function says.
type handshake struct {
	credentials.TransportCredentials
	do func(ctx context.Context, nc net.Conn) (net.Conn, error)
}

func (h handshake) ClientHandshake(ctx context.Context, _ string, nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	nc, err := h.do(ctx, nc)
	return nc, nil, err
}

func (h handshake) Info() credentials.ProtocolInfo { return credentials.ProtocolInfo{} }

// wantHandshakeError dials a pipe and has a handshake done on it. It fails the test unless the error is want and the pipe was closed.
func wantHandshakeError(t *testing.T, ctx context.Context, do func(context.Context, net.Conn) (net.Conn, error), want string) {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	_, err := DialSecured(ctx, DialRequest{
		Dial:  func(context.Context, string) (net.Conn, error) { return near, nil },
		Creds: handshake{do: do},
	})
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was left open")
	}
}

func TestHandshakeThatFailsClosesItsConnection(t *testing.T) {
	wantHandshakeError(t, t.Context(), func(context.Context, net.Conn) (net.Conn, error) { return nil, errors.New("no") },
		`connection error: desc = "transport: authentication handshake failed: no"`)
}

func TestHandshakeThatReturnsNothingClosesItsConnection(t *testing.T) {
	wantHandshakeError(t, t.Context(), func(context.Context, net.Conn) (net.Conn, error) { return nil, nil },
		`connection error: desc = "transport: authentication handshake failed: credentials returned no connection"`)
}

func TestHandshakeThatIgnoresItsContextEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantHandshakeError(t, ctx, func(_ context.Context, nc net.Conn) (net.Conn, error) {
			_, err := nc.Read(make([]byte, 1))
			return nc, err
		}, `connection error: desc = "transport: authentication handshake failed: context deadline exceeded"`)
	})
}

func TestHandshakeThatEndsWithItsContextMaySayMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wantHandshakeError(t, ctx, func(ctx context.Context, nc net.Conn) (net.Conn, error) {
		cancel()
		return nil, fmt.Errorf("waiting for a key: %w", ctx.Err())
	}, `connection error: desc = "transport: authentication handshake failed: waiting for a key: context canceled"`)
}

func TestHandshakeThatSucceedsTooLateFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wantHandshakeError(t, ctx, func(_ context.Context, nc net.Conn) (net.Conn, error) {
		cancel()
		return nc, nil
	}, `connection error: desc = "transport: authentication handshake failed: context canceled"`)
}
