// Options of channels, servers and calls that other packages of this module make. Such an option embeds grpc.EmptyDialOption (or its like),
// so that it is an option, and has the method that grpc looks for here. Programs cannot name these types.

// Package option is how packages of this module, beside grpc itself, make options for it.
package option

import "google.golang.org/grpc/mem"

// Channel is what such options set of a channel.
type Channel struct {
	Pool mem.BufferPool // of buffers for messages; nil for the default one
}

// A ForChannel is a grpc.DialOption that sets something of a Channel.
type ForChannel interface{ SetChannel(*Channel) }

// Server is what such options set of a server.
type Server struct {
	Pool mem.BufferPool // of buffers for messages; nil for the default one
}

// A ForServer is a grpc.ServerOption that sets something of a Server.
type ForServer interface{ SetServer(*Server) }

// Call is what such options set of a call.
type Call struct {
	// Accept are the compressors, registered ones, whose answers the call accepts; empty for all.
	Accept []string
}

// A ForCall is a grpc.CallOption that sets something of a Call. Its error, which carries a status, ends the call.
type ForCall interface{ SetCall(*Call) error }
