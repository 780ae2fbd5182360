// The hook that sees each RPC before the server spends anything on it. Types only; package transport calls it.

// Package tap defines a hook that runs when the headers of an RPC have arrived at a server, before anything else is done with it.
//
// Experimental: the package may change.
package tap

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Info describes an RPC that has just arrived.
type Info struct {
	// FullMethodName is the method as the client sent it: "/package.service/method".
	FullMethodName string

	// Header is the metadata that the client sent. It must not be modified.
	Header metadata.MD
}

// ServerInHandle is called with each RPC, and decides whether the server takes it. It returns the context of the RPC, which must be
// ctx or derived from it.
//
// With an error the RPC ends there: with its status if the error carries one, else with PermissionDenied.
//
// It is called on the goroutine that reads from the connection, so that a slow one holds up all RPCs of that connection; for RPCs of
// different connections it is called concurrently.
type ServerInHandle func(ctx context.Context, info *Info) (context.Context, error)
