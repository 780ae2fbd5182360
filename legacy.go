// Names of earlier years, each beside or upon what has taken its place.

package grpc

import (
	"context"
	"time"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// PickFirstBalancerName is the name of the load-balancing policy pick_first.
//
// Deprecated: use pickfirst.Name.
var PickFirstBalancerName = "pick_first"

// Code returns the code of the status that err carries.
//
// Deprecated: use status.Code.
func Code(err error) codes.Code { return status.Code(err) }

// ErrorDesc returns the message of the status that err carries.
//
// Deprecated: use status.Convert.
func ErrorDesc(err error) string { return status.Convert(err).Message() }

// Errorf returns an error that carries a status, nil for codes.OK.
//
// Deprecated: use status.Errorf.
func Errorf(c codes.Code, format string, a ...any) error { return status.Errorf(c, format, a...) }

// ConnectivityState is the state of a connection.
//
// Deprecated: use connectivity.State.
type ConnectivityState = connectivity.State

// The states of a connection.
//
// Deprecated: use those of package connectivity.
const (
	Idle             = connectivity.Idle
	Connecting       = connectivity.Connecting
	Ready            = connectivity.Ready
	TransientFailure = connectivity.TransientFailure
	Shutdown         = connectivity.Shutdown
)

// BackoffConfig says how long it is from one failed attempt to connect to the next.
//
// Deprecated: use ConnectParams.
type BackoffConfig struct {
	// MaxDelay is the longest time between two attempts.
	MaxDelay time.Duration
}

// DefaultBackoffConfig is the BackoffConfig by default.
//
// Deprecated: use ConnectParams.
var DefaultBackoffConfig = BackoffConfig{MaxDelay: 120 * time.Second}

// WithBackoffConfig returns an option that sets how long it is between attempts to connect.
//
// Deprecated: use WithConnectParams.
func WithBackoffConfig(b BackoffConfig) DialOption { return WithBackoffMaxDelay(b.MaxDelay) }

// WithBackoffMaxDelay returns an option that sets how long it is at most between attempts to connect.
//
// Deprecated: use WithConnectParams.
func WithBackoffMaxDelay(md time.Duration) DialOption {
	return dialOption(func(o *dialOptions) {
		o.backoff = backoff.DefaultConfig
		o.backoff.MaxDelay = md
	})
}

// WithBlock returns an option that makes Dial wait until the channel is connected.
//
// Deprecated: NewClient has no use for it. A call with WaitForReady waits as long as it needs.
func WithBlock() DialOption { return dialOption(func(o *dialOptions) { o.block = true }) }

// WithTimeout returns an option that limits how long Dial waits if WithBlock makes it do so.
//
// Deprecated: use DialContext with a context that has a deadline.
func WithTimeout(d time.Duration) DialOption {
	return dialOption(func(o *dialOptions) { o.timeout = d })
}

// WithReturnConnectionError returns an option that makes Dial wait like WithBlock, and give the reason why connecting failed if it
// has to give up.
//
// Deprecated: NewClient has no use for it.
func WithReturnConnectionError() DialOption {
	return dialOption(func(o *dialOptions) { o.block, o.returnLastError = true, true })
}

// FailOnNonTempDialError returns an option that makes Dial, if it waits, give up at the first error that says it is not temporary.
//
// Deprecated: NewClient has no use for it.
func FailOnNonTempDialError(f bool) DialOption {
	return dialOption(func(o *dialOptions) { o.failOnPermanentError = f })
}

// Dial makes a channel to target and connects it.
//
// Deprecated: use NewClient.
func Dial(target string, opts ...DialOption) (*ClientConn, error) {
	return DialContext(context.Background(), target, opts...)
}
