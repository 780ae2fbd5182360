// From an address to a secured connection: the network, and the handshake of the credentials. One context bounds all of it.

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/credentials"
)

// A Dialer makes network connections to addresses.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// NetDialer is the Dialer by default: TCP, or a unix socket for addresses that begin with "unix:".
func NetDialer(ctx context.Context, address string) (net.Conn, error) {
	// The keepalive of TCP is on, with the timing of the system: Go's own 15 seconds would wake up devices that could sleep.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}}
	network, address := ParseAddress(address)
	return d.DialContext(ctx, network, address)
}

// ParseAddress splits an address into the network and the address on it.
func ParseAddress(address string) (network, addr string) {
	rest, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "tcp", address
	}
	if abs, ok := strings.CutPrefix(rest, "//"); ok {
		return "unix", abs // "unix:///path"
	}
	return "unix", rest
}

// A Secured is a network connection after its handshake.
type Secured struct {
	Conn net.Conn
	Auth credentials.AuthInfo // nil without credentials
	TLS  bool                 // the credentials' protocol is TLS
}

// A DialRequest says what to connect to, and how.
type DialRequest struct {
	Address   string
	Authority string // the name that the server must prove
	Dial      Dialer
	Creds     credentials.TransportCredentials // nil for none
	// Permanent makes errors of Dial that say they are not temporary be so. Otherwise all are temporary.
	Permanent bool
}

// DialSecured makes a connection and has it secured. The error is a ConnectionError.
func DialSecured(ctx context.Context, r DialRequest) (Secured, error) {
	nc, err := r.Dial(ctx, r.Address)
	switch {
	case err != nil && r.Permanent:
		return Secured{}, connectionErrorf(isTemporary(err), err, "transport: error while dialing: %v", err)
	case err != nil:
		return Secured{}, connectionErrorf(true, err, "transport: Error while dialing: %v", err)
	case r.Creds == nil:
		return Secured{Conn: nc}, nil
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() }) // credentials need not watch ctx
	secured, auth, err := r.Creds.ClientHandshake(ctx, r.Authority, nc)
	if err == nil && secured == nil {
		err = fmt.Errorf("credentials returned no connection")
	}
	if !stop() && !errors.Is(err, ctx.Err()) {
		err = ctx.Err() // an error after that may be of the connection that was closed
	}
	if err != nil {
		nc.Close()
		return Secured{}, connectionErrorf(isTemporary(err), err, "transport: authentication handshake failed: %v", err)
	}
	return Secured{Conn: secured, Auth: auth, TLS: r.Creds.Info().SecurityProtocol == "tls"}, nil
}

// isTemporary reports whether an attempt that failed with err may succeed later. Errors that do not say so may.
func isTemporary(err error) bool {
	switch err := err.(type) {
	case interface{ Temporary() bool }:
		return err.Temporary()
	case interface{ Timeout() bool }:
		return err.Timeout()
	}
	return true
}
