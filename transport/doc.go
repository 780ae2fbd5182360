// A map of the package.
//
//	        callers                                              handlers, callers
//	          │ open, write, reset: under conn.mu                    ▲ receive: under recvQueue.mu
//	          ▼                                                      │
//	    ┌───────────┐     ┌──────────────────┐               ┌───────────────┐     ┌───────────┐
//	    │ sendSide  │ ◀── │ window updates,  │ ◀──────────── │ read goroutine │ ──▶ │ recvQueue │ one for each stream
//	    │ one mutex │     │ settings, resets │               │ conn_read.go   │     └───────────┘
//	    └───────────┘     └──────────────────┘               └───────────────┘
//	          │ bytes taken in batches                               ▲
//	          ▼                                                      │
//	    write goroutine (conn_write.go) ──▶ net.Conn ────────────────┘
//
// A connection has two goroutines: the read goroutine, which lives as long as the connection, and the write goroutine, which ends
// after a second without work and is started again by the next. A client's call has no goroutine; a server's has one, which is not
// ours.
//
// Who owns what:
//
//	read goroutine     frame reader, header decoder, inbound window of the connection (readSide), link's plain fields
//	conn.mu            stream table, stream states, outbound windows and queues, header encoder, control bytes (sendSide)
//	write goroutine    the batch that is being written
//	recvQueue.mu       what a stream has received, its inbound window, response headers and status
//	ServerStream.mu    headers and trailers that a handler sets
//
// Lock order: the mutex of a call in package grpc, conn.mu, recvQueue.mu; ServerStream.mu and callctx.Context's stand alone. Nothing blocks under a lock, and no code of users
// runs under one.
//
// The two ends differ by a role (conn.go): client.go, client_stream.go, slots.go are the client's, server.go and server_stream.go the
// server's. header.go says what header fields mean, header_block.go and header_write.go turn them into bytes and back. handler_server.go
// makes a ServerStream of a request that net/http has accepted: it has no connection, and one who writes takes the exchange's turn.

// Package transport carries gRPC calls over HTTP/2 connections. It is meant for package grpc; programs should use that.
package transport
