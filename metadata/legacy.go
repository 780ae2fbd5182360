// The names of 2016, when a context had one metadata for both directions.

package metadata

import "context"

// NewContext returns a context with md as the metadata that client calls send.
//
// Deprecated: use NewOutgoingContext.
func NewContext(ctx context.Context, md MD) context.Context {
	return NewOutgoingContext(ctx, md)
}

// FromContext returns a copy of the received metadata if ctx has any, as in a handler; else of the metadata that client calls send.
//
// Deprecated: use FromIncomingContext or FromOutgoingContext.
func FromContext(ctx context.Context) (MD, bool) {
	if md, ok := FromIncomingContext(ctx); ok {
		return md, true
	}
	return FromOutgoingContext(ctx)
}
