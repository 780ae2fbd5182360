// RPCs whose client sends one message: there is nothing to do for them, and no goroutine, before that has begun to arrive.

package grpc

// needsRequest reports whether the handler of the RPC, and whatever is around it, can do nothing before the request comes. A path without
// a method and an encoding that is not known are answered at once; the handler of unknown methods may speak first.
func (ss *serverStream) needsRequest() bool {
	m := ss.m
	if m == nil || m.unary == nil && m.stream.ClientStreams {
		return false
	}
	_, known := ss.s.opts.compressionOf(ss.st.RecvCompress())
	return known
}

// Begin implements transport.Call. An RPC that is over has no handler: only those who watch it hear of it.
func (ss *serverStream) Begin(over bool) {
	if ss.over = over; over {
		ss.handle()
	} else {
		ss.s.workers.run(ss)
	}
}
