// How a load-balancing policy chooses a subchannel for an RPC: the only part of it that RPCs meet.
// What the channel makes of errors is gRFC A62 and "wait for ready" semantics; the root package has that code.

package balancer

import (
	"context"
	"errors"

	"google.golang.org/grpc/metadata"
)

// ErrNoSubConnAvailable makes the RPC wait for the next Picker.
var ErrNoSubConnAvailable = errors.New("no SubConn is available")

// ErrTransientFailure says that no server can be reached.
//
// Deprecated: return the error of the last attempt, which tells more. Errors without a status all have the same effect.
var ErrTransientFailure = errors.New("all SubConns are in TransientFailure")

// TransientFailureError returns err.
//
// Deprecated: return err itself.
func TransientFailureError(err error) error { return err }

// Picker chooses the subchannels for RPCs, by what the policy knew when it made the Picker. It may change in itself, for example count.
type Picker interface {
	// Pick returns the subchannel for an RPC. It is called concurrently and must not block: if it does not know yet, it returns
	// ErrNoSubConnAvailable, and the RPC waits for the next Picker. An error that has a gRPC status ends the RPC with that status. For all
	// other errors, RPCs that are "wait for ready" wait, and others end with the code Unavailable and the text of the error.
	Pick(info PickInfo) (PickResult, error)
}

// PickInfo is what a Picker may know of an RPC.
type PickInfo struct {
	// FullMethodName is the method, as "/service/method".
	FullMethodName string
	// Ctx is the context of the RPC, with the metadata that it is going to send.
	Ctx context.Context
}

// PickResult is where an RPC goes.
type PickResult struct {
	// SubConn is the subchannel. If it is not Ready any more, the RPC waits for the next Picker.
	SubConn SubConn
	// Done is called when the RPC is over, unless it is nil; with the zero DoneInfo if the RPC never reached the subchannel because that
	// was not Ready. It is not called if SubConn is none of the channel's. It must not block.
	Done func(DoneInfo)
	// Metadata is added to what the RPC sends. A value for ":authority" takes the place of the RPC's authority (gRFC A81). A policy with
	// children must pass theirs on.
	Metadata metadata.MD
}

// DoneInfo is how an RPC went.
type DoneInfo struct {
	// Err is the error with which it ended; nil if it succeeded.
	Err error
	// Trailer is what the server sent at the end.
	Trailer metadata.MD
	// BytesSent reports whether anything was sent.
	BytesSent bool
	// BytesReceived reports whether anything was received.
	BytesReceived bool
	// ServerLoad is the load that the server reported with the RPC: nil, or an *orca_v3.OrcaLoadReport of github.com/cncf/xds.
	ServerLoad any
}
