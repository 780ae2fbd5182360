// When the handling of a call begins: with its headers, or, where its client has to send the first message, not before that begins to
// arrive. A stream that is held open without it costs no goroutine.

package transport

// A Call is a call on the server's end as the package above sees it.
type Call interface {
	// Value answers for the call in its context. It returns nil for a key that has no value.
	Value(key any) any
	// Begin begins what AwaitRequest has put off. If the call is over, only its end is left to be told. Begin must not block: the
	// read goroutine calls it, or whoever ends the call. No lock is held.
	Begin(over bool)
}

// SetCall sets the call that the stream belongs to. It must be called before anybody else has the context.
func (s *ServerStream) SetCall(c Call) { s.call = c }

// Complete reports whether all of the request was there when the handler got the stream. It may say so of fewer calls than are.
func (s *ServerStream) Complete() bool { return s.whole }

// AwaitRequest calls Begin once: when the first byte of a message has come, when the request has ended, or when the call is over, which all
// may be now.
func (s *ServerStream) AwaitRequest() {
	if !s.recv.awaitByte() {
		s.begin()
	}
}

func (s *ServerStream) begin() { s.call.Begin(s.ctx.Err() != nil) }
