// Which streams of a server's connection are handled at once. MAX_CONCURRENT_STREAMS limits the streams that are open (RFC 9113 §5.1.2). A
// client that resets streams could make more handlers run than that; so a stream whose turn has not come waits, open, until a
// handler returns.

package transport

// parking is the part of a server's connection that counts handlers. conn.mu guards it.
type parking struct {
	running  int             // handlers that have not returned
	queue    []*ServerStream // streams that wait to be handled, and some that were closed meanwhile
	starting bool            // somebody hands streams of the queue to the handler
}

// fullLocked reports whether as many streams are open as may be.
func (t *Server) fullLocked() bool {
	limit := t.o.MaxConcurrentStreams
	return limit != 0 && int64(len(t.streams)) >= int64(limit)
}

// beginLocked reports whether a new stream is to be handled now. If not, it will be when its turn has come.
func (t *Server) beginLocked(s *ServerStream) bool {
	limit := int64(t.o.MaxConcurrentStreams)
	if limit == 0 || int64(t.running) < limit {
		t.running++
		s.handled = true
		return true
	}
	if int64(len(t.queue)) >= 2*limit { // half of them are closed, since no more than limit are open
		open := t.queue[:0]
		for _, q := range t.queue {
			if q.state != streamClosed {
				open = append(open, q)
			}
		}
		clear(t.queue[len(open):])
		t.queue = open
	}
	t.queue = append(t.queue, s)
	return false
}

// nextLocked takes the stream off the queue whose turn has come, nil if there is none.
func (t *Server) nextLocked() *ServerStream {
	for len(t.queue) > 0 && int64(t.running) < int64(t.o.MaxConcurrentStreams) {
		s := t.queue[0]
		t.queue[0] = nil
		if t.queue = t.queue[1:]; s.state != streamClosed {
			t.running++
			s.handled = true
			return s
		}
	}
	return nil
}

// letGoLocked gives back what the stream has held of the connection's memory for header lists once it is closed and nobody handles it.
func (t *Server) letGoLocked(s *ServerStream) {
	if s.state == streamClosed && !s.handled {
		t.held -= s.held
		s.held = 0
	}
}

// Done says that the handler of the stream has returned: another one may begin.
func (s *ServerStream) Done() {
	if s.http == nil {
		s.server.handlerReturned(s)
	}
}

// handlerReturned hands the streams to the handler whose turn has come, one by one: it may be done with one at once, and say so before it
// takes the next.
func (t *Server) handlerReturned(s *ServerStream) {
	t.mu.Lock()
	defer t.unlockFor(s)
	t.running--
	s.handled = false
	t.letGoLocked(s)
	if t.starting {
		return
	}
	t.starting = true
	for s := t.nextLocked(); s != nil; s = t.nextLocked() {
		t.mu.Unlock()
		t.handler.HandleStream(s)
		t.mu.Lock()
	}
	t.starting = false
}
