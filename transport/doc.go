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
// after a second without work, unless ConnOptions.KeepWriteBuffers keeps it, and is started again by the next. Callers write what needs no
// waiting themselves where that is faster (flush.go). A client's call has no goroutine; a server's has one, which is not ours, but none before
// the first byte of its message if the client has to send one (server_begin.go), and none but the read goroutine if the package above says so
// (server_turn.go).
//
// What waits for time to pass hangs on one timer, the clock (clock.go), which looks now and then at counters that the goroutines keep
// anyway: keepalive.go, progress.go, lifetime.go. A connection that is closed has closeGrace to say so, and is gone then.
//
// Who owns what:
//
//	read goroutine     frame reader, header decoder, inbound window of the connection (readSide), link's plain fields
//	conn.mu            stream table, stream states, outbound windows and queues, header encoder, control bytes (sendSide);
//	                   the clock: keepalive, progress of writes, age and idleness of a server's connection, drain
//	write goroutine    the batch that it is writing
//	recvQueue.mu       what a stream has received, its inbound window, response headers and status
//	ServerStream.mu    headers and trailers that a handler sets
//
// Lock order: the mutex of a call in package grpc, conn.mu, recvQueue.mu; apart from these, ServerStream.mu, callctx.Context's. Nothing blocks
// under a lock, and no code of users runs under one.
//
// What a peer may do, and what happens beyond it. A limit ends the connection with GOAWAY ENHANCE_YOUR_CALM unless the table says otherwise.
//
//	header list           MaxHeaderListSize (16 MiB), which the peer   the stream is refused: FRAME_SIZE_ERROR
//	                      is told
//	header list           12 times its block and 64 KiB                the stream is refused: PROTOCOL_ERROR (listPerByte, maxExpansion)
//	header lists of a     1 MiB beyond, for each, 12 times its block   the stream is refused: ENHANCE_YOUR_CALM (maxHeldLists, freeList)
//	client's streams      and 8 KiB
//	header block          8 CONTINUATION frames, or 128 KiB, more      (spareContinuations)
//	                      than the list needs; 4 empty ones; 10 s      (maxEmptyContinuations, maxBlockTime)
//	HPACK tables          4 KiB both ways                              COMPRESSION_ERROR; the encoder never grows further
//	SETTINGS              100 entries                                  (frame.MaxSettings)
//	frame                 1 MiB                                        FRAME_SIZE_ERROR (maxFrameSize)
//	DATA without data     100 in a row                                 (maxEmptyData)
//	DATA of a stream      64 KiB ahead of its reader, 256 KiB or       the stream is refused: FLOW_CONTROL_ERROR (maxInitialWindow, maxWindow)
//	                      1 MiB once larger messages were read,
//	                      16 MiB if it keeps up, or a message that
//	                      it waits for
//	DATA of all streams   1 MiB, or two such windows, on its way       FLOW_CONTROL_ERROR (defaultConnWindow)
//	streams of a client   MaxConcurrentStreams (none)                  the stream is refused: REFUSED_STREAM
//	handlers of a         MaxConcurrentStreams (none), those of        the stream waits until one of them returns
//	client's streams      streams that were reset among them
//	streams that end      1000, and 100 a second, while they are       too_many_resets (maxEarlyEnds, earlyEndInterval)
//	without an answer     more than half of the last 1000
//	answers that nobody   1 MiB, or 128 requests that were read        no requests are read until the socket takes them, or, if there is none
//	reads                 since a write began                          yet, handlers have had their turn (maxUnreadBytes, maxAhead)
//	answers without       32768                                        the stream is refused: REFUSED_STREAM (maxWaitingAnswers)
//	window
//	PING, SETTINGS, RST   64 KiB of answers to them                    nothing is read until the socket takes them (backlogSize)
//	message               MaxMessageSize                               the call ends before memory is set aside
//	informational         100                                          the call ends: ENHANCE_YOUR_CALM (maxInformational)
//	answers
//	answer that is no     1 KiB of its body                            the call ends with what is there: CANCEL (maxForeignBody)
//	gRPC
//	writing               20 s without progress                        (ConnOptions.StallTimeout)
//	PING of a client      Enforcement; 2 too early ones are borne      too_many_pings (maxPingStrikes)
//	answer of a proxy     64 KiB                                       the attempt to connect fails (maxProxyHead)
//
// The two ends differ by a role (conn.go): client.go, client_stream.go, slots.go are the client's, server.go and server_stream.go the
// server's. header.go says what header fields mean, header_block.go and header_write.go turn them into bytes and back. handler_server.go
// makes a ServerStream of a request that net/http has accepted: it has no connection, and one who writes takes the exchange's turn.

// Package transport carries gRPC calls over HTTP/2 connections. It is meant for package grpc; programs should use that.
package transport
