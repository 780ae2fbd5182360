// Parameters of keepalive pings and of connection age: data only, what they do is in package transport.
// Sources: gRFC A8 (client-side keepalive), gRFC A9 (server-side connection management).

// Package keepalive defines how ends of a connection find out that the other end is dead, how old connections may get,
// and how many pings a server puts up with.
package keepalive

import "time"

// ClientParameters configures the pings of a client (gRFC A8). A zero field means its default; the zero value sends no pings.
//
// A server that does not expect that many pings closes the connection with GOAWAY ENHANCE_YOUR_CALM "too_many_pings": the values must
// agree with the server's EnforcementPolicy. Later connections of the channel then wait twice as long between pings.
type ClientParameters struct {
	// Time is how long nothing may be received on a connection before the client sends a ping. Any received byte counts. A ping is never
	// sent early, and may be late by a tenth of Time. Default: never. Minimum: 10 seconds, to which smaller values are raised.
	Time time.Duration

	// Timeout is how long the client waits after a ping for anything to be received before it closes the connection, whose RPCs fail with
	// the code Unavailable. On Linux, with a Time, it is also how long TCP waits for written bytes to be acknowledged (gRFC A18).
	// Default: 20 seconds.
	Timeout time.Duration

	// PermitWithoutStream lets pings be sent also while there is no active RPC. Without it, a connection that was silent for Time without an
	// RPC is asked when the next one begins. Default: false.
	PermitWithoutStream bool
}

// ServerParameters configures the pings of a server, and how long its connections may be idle or live (gRFC A9). A zero field means its
// default.
type ServerParameters struct {
	// MaxConnectionIdle is how long a connection may have no RPC, counted from its start or from the end of its last RPC, before the server
	// drains it: the client is told to make its RPCs elsewhere, by GOAWAY with the debug data "max_idle". Default: no limit.
	MaxConnectionIdle time.Duration

	// MaxConnectionAge is how long a connection may exist before the server drains it, with the debug data "max_age". To spread the
	// reconnections, each connection's age is this value ± up to 10 % at random. Default: no limit.
	MaxConnectionAge time.Duration

	// MaxConnectionAgeGrace is how long RPCs may go on after MaxConnectionAge before the server closes the connection by force. Default: no
	// limit.
	MaxConnectionAgeGrace time.Duration

	// Time is how long nothing may be received on a connection before the server sends a ping, whether it has RPCs or not. A ping is never
	// sent early, and may be late by a tenth of Time. Default: 2 hours. Minimum: 1 second, to which smaller values are raised.
	Time time.Duration

	// Timeout is how long the server waits after a ping for anything to be received before it closes the connection. On Linux, it is also
	// how long TCP waits for written bytes to be acknowledged (gRFC A18). Default: 20 seconds.
	Timeout time.Duration
}

// EnforcementPolicy says what pings a server bears (gRFC A8, "Server Enforcement"). A client that breaks it more than twice, without the
// server having sent anything of its own in between, gets GOAWAY ENHANCE_YOUR_CALM with the debug data "too_many_pings" and loses the
// connection. Answers to the client's pings and settings do not count, headers, data and window updates do. A zero field means its
// default.
type EnforcementPolicy struct {
	// MinTime is the least time that a client must wait between pings. Default: 5 minutes.
	MinTime time.Duration

	// PermitWithoutStream allows pings while there is no active RPC. Without it they must then be 2 hours apart. Default: false.
	PermitWithoutStream bool
}
