// A map of the package: where to start reading, and who calls whom.
//
// Two towers stand on one foundation. A call goes down the client's, over the wire, and up the server's:
//
//	call.go                    server.go          listeners, connections, the ways to stop
//	client_stream.go           dispatch.go        route, interceptors, handler, status
//	  retry.go, hedge.go       server_stream.go   the call as its handler sees it
//	  attempt.go               workers.go         the goroutines that handlers run on, but for quick ones:
//	    picker.go              turn.go            these run on the goroutine that reads their connection
//	      subchannel.go
//	      connection.go
//	--------------------- transport ---------------------
//
// What both towers share: rpc_util.go (the message between codec and transport), codec.go, stream.go (what users hold), observe.go
// (the one place that tells of events).
//
// clientconn.go is the channel: what does not change while it lives. active_channel.go is its live half, resolver, policy and
// subchannels, which exists while the channel is not idle and works on one serial queue; picks and calls only read what the queue has
// published. target.go, proxy.go, idle.go, channel_state.go and service_config.go serve these two. producer.go runs calls of load-balancing
// policies.
//
// The names of 2016 are in legacy.go and legacy_codec.go.
//
// A reading order: call.go, client_stream.go, attempt.go, transport/doc.go, transport/conn_write.go, server.go, dispatch.go.

// Package grpc implements an RPC system called gRPC.
//
// A client makes a channel with NewClient and calls methods on it, most often through generated code. A server is made with NewServer;
// services are registered with it, and Serve answers calls. See https://grpc.io for the system as a whole, and the folder examples of
// this module for programs.
package grpc
