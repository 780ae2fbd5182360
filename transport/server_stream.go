// One call on the server's end: its request, its context, and the response in its order: headers, messages, trailers.

package transport

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/callctx"
	"google.golang.org/grpc/internal/callkey"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport/internal/frame"
)

// ErrIllegalHeaderWrite says that headers were set or sent when they had been sent already.
var ErrIllegalHeaderWrite = errors.New("transport: SendHeader called multiple times")

// A ServerStream is one call. One goroutine at a time may send, and one may receive; the other methods may be called by anybody.
type ServerStream struct {
	stream
	server  *Server   // nil for calls of net/http
	http    *exchange // nil for others
	req     *head
	held    int  // bytes that count for Server.held
	handled bool // guarded by conn.mu: the handler has the stream and has not returned
	whole   bool // see Complete
	later   bool // guarded by conn.mu, once the handler has the stream: see FlushLater
	ctx     serverContext
	call    Call // nil if the package above has set none

	mu           sync.Mutex // guards the fields below
	header       metadata.MD
	trailer      metadata.MD
	sendCompress string
	subtype      string
	headerSent   bool
	finished     bool
	timer        *time.Timer // ends the call at its deadline; nil if it has none
}

// A serverContext is the context of a call on the server.
type serverContext struct {
	callctx.Context
	s *ServerStream
}

// Value implements context.Context.
func (c *serverContext) Value(key any) any {
	switch key.(type) {
	case callkey.IncomingMetadata:
		return c.s.req.metadata()
	case callkey.Peer:
		return c.s.Peer()
	}
	if c.s.call != nil {
		if v := c.s.call.Value(key); v != nil {
			return v
		}
	}
	return c.Context.Value(key)
}

// String names the context without its contents, which may be secret.
func (c *serverContext) String() string { return "grpc call " + c.s.req.path }

// newStream makes the stream of a sound request, or says why it is none.
func (t *Server) newStream(id uint32, h *head) (*ServerStream, *refusal) {
	timeout, limited, bad := t.check(h)
	if bad != nil {
		return nil, bad
	}
	s := &ServerStream{server: t, req: h, held: t.read.blocks.held}
	s.c, s.id, s.side = &t.conn, id, s
	s.takesMessages, s.expect = true, h.length()
	s.recv.pool, s.recv.limit, s.recv.link = t.opts.Pool, t.o.MaxMessageSize, &t.link
	s.subtype = rawSubtype(h.contentType)
	s.ctx.s, s.ctx.Context.Context = s, t.o.Context
	if limited {
		s.setLimit(timeout)
	}
	return s, nil
}

// Context returns the context of the call.
func (s *ServerStream) Context() context.Context { return &s.ctx }

// Method returns the path of the request.
func (s *ServerStream) Method() string { return s.req.path }

// ContentSubtype returns the lower-cased content-subtype of the request.
func (s *ServerStream) ContentSubtype() string {
	subtype, _ := ContentSubtype(s.req.contentType)
	return subtype
}

// RecvCompress returns the grpc-encoding of the request, "" for none.
func (s *ServerStream) RecvCompress() string { return s.req.encoding }

// AcceptEncoding returns the grpc-accept-encoding of the request, "" for none.
func (s *ServerStream) AcceptEncoding() string { return s.req.acceptEncoding }

// Metadata returns the metadata of the request. It is shared and must not be changed.
func (s *ServerStream) Metadata() metadata.MD { return s.req.metadata() }

// Peer returns who the client is.
func (s *ServerStream) Peer() *peer.Peer {
	if s.http != nil {
		return s.http.o.Peer
	}
	return s.server.o.Peer
}

// HeaderLen returns the size in bytes of the request's header block as it came; of net/http, 0.
func (s *ServerStream) HeaderLen() int { return s.req.coded }

// Recv blocks for the next message, which is valid until Release. The error is io.EOF at the end of the request,
// io.ErrUnexpectedEOF if that is within a message, MessageTooLarge, or that of the context.
func (s *ServerStream) Recv() (InMessage, error) {
	if s.http != nil {
		return s.http.receive(&s.recv)
	}
	return s.receive()
}

// Release ends the use of the last message.
func (s *ServerStream) Release() { s.recv.release() }

// SetHeader adds to the response headers.
func (s *ServerStream) SetHeader(md metadata.MD) error {
	if len(md) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.headerSent {
		return ErrIllegalHeaderWrite
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

// SetTrailer adds to the trailers. It fails once they were sent.
func (s *ServerStream) SetTrailer(md metadata.MD) error {
	if len(md) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return ErrIllegalHeaderWrite
	}
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// Header returns a copy of the metadata of the response headers as they were set.
func (s *ServerStream) Header() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header.Copy()
}

// Trailer returns a copy of the metadata of the trailers as they were set.
func (s *ServerStream) Trailer() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trailer.Copy()
}

// SetSendCompress sets the grpc-encoding of the response.
func (s *ServerStream) SetSendCompress(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.headerSent {
		return errors.New("transport: set send compressor called after headers sent or stream done")
	}
	s.sendCompress = name
	return nil
}

// SendCompress returns the grpc-encoding of the response.
func (s *ServerStream) SendCompress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendCompress
}

// SendHeader adds to the response headers and sends them.
func (s *ServerStream) SendHeader(md metadata.MD) error {
	s.mu.Lock()
	if !s.headerSent && len(md) > 0 {
		s.header = metadata.Join(s.header, md)
	}
	s.mu.Unlock()
	if s.http != nil {
		return s.http.sendHeader(s)
	}
	block, err := s.takeFirstHeader()
	if err != nil {
		return err
	}
	s.c.mu.Lock()
	defer s.c.unlock()
	return s.headerLocked(block)
}

// A responseHeader is what the first HEADERS of a response say.
type responseHeader struct {
	subtype, encoding string
	fields            []hpack.HeaderField
}

// takeHeader returns the headers to send, nil if they were taken before.
func (s *ServerStream) takeHeader() (*responseHeader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return nil, ErrStreamDone
	}
	if s.headerSent {
		return nil, nil
	}
	h, err := s.responseHeaderLocked()
	s.headerSent = err == nil
	return h, err
}

// takeFirstHeader is takeHeader for those who must be the first to take them.
func (s *ServerStream) takeFirstHeader() (*responseHeader, error) {
	h, err := s.takeHeader()
	if h == nil && err == nil {
		err = ErrIllegalHeaderWrite
	}
	return h, err
}

func (s *ServerStream) responseHeaderLocked() (*responseHeader, error) {
	if s.header == nil && s.sendCompress == "" && s.subtype == "" {
		return &plainHeader, nil
	}
	h := &responseHeader{subtype: s.subtype, encoding: s.sendCompress}
	var err error
	h.fields, err = appendMetadata(nil, s.header, nil)
	return h, err
}

// plainHeader is the header of most responses.
var plainHeader responseHeader

// headerLocked appends the response headers. The connection is locked.
func (s *ServerStream) headerLocked(h *responseHeader) error {
	if !s.state.canSend() {
		return ErrStreamDone
	}
	d := &s.c.send
	if d.maxList != noListLimit && listSize(h.fields)+200 > d.maxList {
		s.c.resetLocked(&s.stream, frame.InternalError)
		return ErrHeaderListSize{Size: listSize(h.fields) + 200, Limit: d.maxList}
	}
	block := d.blocks.response(h.subtype, h.encoding, h.fields)
	d.buf = frame.AppendHeaderBlock(d.buf, s.id, 0, block, frame.DefaultMaxSize)
	return nil
}

// Write sends a message, whose reference it takes over, behind the headers if those were not sent. It blocks while too much of the
// stream waits to be written. An error says only that the stream is over: its context says why.
func (s *ServerStream) Write(m *OutMessage) error {
	if s.http != nil {
		return s.http.send(s, m)
	}
	h, err := s.takeHeader()
	if err == nil && h != nil {
		s.c.mu.Lock()
		if err = s.headerLocked(h); err == nil {
			s.c.sendMessageLocked(&s.stream, m, false)
			s.c.flushBatchLocked()
			return nil
		}
		s.c.unlock()
	}
	if err != nil {
		m.Free()
		return err
	}
	return s.write(m, false)
}

// Finish ends the call with a status, behind a last message if there is one, whose reference it takes over. What the client still
// sends is dropped. It never blocks. Only the first call counts.
func (s *ServerStream) Finish(st *status.Status, last *OutMessage) error {
	defer s.finish()
	if s.http != nil {
		return s.http.finish(s, st, last)
	}
	t, h, err := s.ending(st, last != nil)
	if err != nil && last != nil {
		last.Free()
		last = nil
	}
	c := s.c
	c.mu.Lock()
	if h != nil {
		err = s.headerLocked(h)
	}
	done := !s.state.canSend() || s.out.trailers != nil // over, or finished before
	if !done && err == nil && last != nil {
		c.sendMessageLocked(&s.stream, last, false)
		last = nil
	}
	if !done {
		c.endWithLocked(&s.stream, t)
	}
	if s.later {
		c.mu.Unlock()
	} else {
		c.flushLocked()
	}
	if last != nil {
		last.Free()
	}
	if done {
		return ErrStreamDone
	}
	return nil
}

// finish ends the context of the call and drops what was received.
func (s *ServerStream) finish() {
	s.ctx.Finish(context.Canceled)
	s.stopTimer()
	if s.recv.finish(context.Canceled) {
		s.signal()
	}
}

// ending returns the trailers for a status, and the headers if they must precede them: they need not if there is neither metadata
// nor a message. With an error, the trailers say so instead.
func (s *ServerStream) ending(st *status.Status, hasMessage bool) (t *trailers, h *responseHeader, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.headerSent
	s.headerSent, s.finished = true, true
	only := !before && !hasMessage && s.header == nil
	if !before && !only {
		h, err = s.responseHeaderLocked()
	}
	if !only && err == nil && st.Code() == codes.OK && st.Message() == "" && s.trailer == nil {
		return &okTrailers, h, nil
	}
	t = &trailers{status: wireStatus(st), only: only, subtype: s.subtype}
	if err == nil {
		t.fields, err = appendMetadata(nil, s.trailer, nil)
	}
	if t.status.details != "" {
		t.dropField("grpc-status-details-bin")
	}
	if e, ok := err.(StreamError); ok {
		return &trailers{status: rpcStatus{code: e.Code, message: e.Desc}, only: !before, subtype: s.subtype}, nil, err
	}
	return t, h, nil
}

// okTrailers are the trailers of most responses.
var okTrailers trailers

// dropField removes a field that the status sets itself.
func (t *trailers) dropField(name string) {
	kept := t.fields[:0]
	for _, f := range t.fields {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	t.fields = kept
}

// wireStatus returns the status as it goes on the wire.
func wireStatus(st *status.Status) rpcStatus {
	r := rpcStatus{code: st.Code(), message: st.Message()}
	if p := st.Proto(); len(p.GetDetails()) > 0 {
		if b, err := proto.Marshal(p); err == nil {
			r.details = string(b)
		}
	}
	return r
}

// end ends the context of the call, and what its reader waits for.
func (s *ServerStream) end(err error) {
	s.ctx.Finish(err)
	s.stopTimer()
	if s.recv.end(err, true) {
		s.signal()
	}
	if s.http != nil {
		s.http.interrupt()
	}
}

// ended implements streamSide: the request is complete.
func (s *ServerStream) ended() {
	s.c.mu.Lock()
	_ = s.c.advanceLocked(&s.stream, recvEnd) // the receive queue has checked that it is the first
	s.c.unlock()
	if s.recv.end(io.EOF, false) {
		s.signal()
	}
}

// stray implements streamSide. A server's stream takes messages from the start.
func (s *ServerStream) stray([]byte) {}

// aborted implements streamSide.
func (s *ServerStream) aborted(why abort) {
	if why.conn == nil {
		s.endedEarly()
	}
	s.end(context.Canceled)
}

// endWithLocked ends the stream with trailers behind what it has queued.
func (c *conn) endWithLocked(s *stream, t *trailers) {
	if s.out.queued > 0 {
		s.out.trailers = t
		c.send.unread.streams++
		c.send.unread.bytes += s.out.queued
		return
	}
	c.trailersLocked(s, t)
}

// trailersLocked appends trailers, which end the stream. What the client still had to send is of no use: it is told so (RFC 9113
// §8.1).
func (c *conn) trailersLocked(s *stream, t *trailers) {
	d := &c.send
	if d.maxList != noListLimit && listSize(t.fields)+t.status.listSize() > d.maxList {
		c.resetLocked(s, frame.InternalError)
		return
	}
	block := d.blocks.trailers(t.only, t.subtype, t.status, t.fields)
	d.buf = frame.AppendHeaderBlock(d.buf, s.id, frame.EndStream, block, frame.DefaultMaxSize)
	_ = c.advanceLocked(s, sendEnd) // the caller has checked the state
	c.resetLocked(s, frame.NoError)
}
