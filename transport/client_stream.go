// One call on the client's end: its response headers, messages and trailers, and the status that it ends with.

package transport

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport/internal/frame"
)

// maxForeignBody is how many bytes of a response that is not gRPC go into the error.
const maxForeignBody = 1024

// A ClientStream is one call. It is opened by Client.Open, which fills it in: the zero value is ready for that, once, and again
// after Reuse. One goroutine at a time may send, and one may receive; the other methods may be called by anybody.
type ClientStream struct {
	stream
	client   *Client
	deadline time.Time // zero if there is none

	// Of the read goroutine:
	foreign *foreignResponse // what is known of a response that is not gRPC
	skipped int              // informational responses

	// Guarded by recv.mu:
	header      *head // the response headers, nil if there were none (yet)
	trailer     *head
	status      *status.Status // how the call ended, nil as long as it has not
	unprocessed bool           // whether the server has certainly not acted on the call
	left        bool           // whether nothing of the connection knows the stream any more
	answered    chan struct{}  // closed when header or status is set; made when somebody waits for it
}

// A foreignResponse is a response that is not gRPC; the body is kept for the error.
type foreignResponse struct {
	code codes.Code
	text string
	body []byte
}

func (s *ClientStream) init(t *Client, deadline time.Time, maxMessageSize int) {
	s.c, s.client, s.side, s.deadline = &t.conn, t, s, deadline
	s.expect = -1
	s.recv.pool, s.recv.limit, s.recv.link = t.opts.Pool, maxMessageSize, &t.link
}

// Write sends a message, whose reference it takes over, and with last says that no other follows. It blocks while too much of the
// stream waits to be written. The error says only that the stream is over: Status says why.
func (s *ClientStream) Write(m *OutMessage, last bool) error { return s.write(m, last) }

// Queue is Write for messages that are kept in memory anyway: it never blocks, however much of the stream waits to be written. If the
// stream is over, it does nothing.
func (s *ClientStream) Queue(messages []*OutMessage, last bool) {
	c := s.c
	c.mu.Lock()
	if !s.state.canSend() || s.out.end {
		c.mu.Unlock()
		for _, m := range messages {
			m.Free()
		}
		return
	}
	for i, m := range messages {
		c.sendMessageLocked(&s.stream, m, last && i == len(messages)-1)
	}
	if last && len(messages) == 0 {
		c.endLocked(&s.stream)
	}
	c.unlock() // which does not close the connection, since it has this stream
}

// Queued returns how many bytes of messages wait to be written.
func (s *ClientStream) Queued() int {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.out.queued
}

// CloseSend says that no message follows.
func (s *ClientStream) CloseSend() {
	s.c.mu.Lock()
	if s.state.canSend() && !s.out.end {
		s.c.endLocked(&s.stream)
	}
	s.c.unlock()
}

// Recv blocks for the next message, which is valid until Release. The error is io.EOF when the call is over and Status has its
// result, io.ErrUnexpectedEOF if it ended well but within a message, or MessageTooLarge.
func (s *ClientStream) Recv() (InMessage, error) { return s.receive() }

// AwaitEnd blocks until the call is over, or has more than one message, or cannot go on because a message is too large. It
// returns false if done was closed first. Then Next does not block.
func (s *ClientStream) AwaitEnd(done <-chan struct{}) bool {
	return s.recv.await(forEnd, done, &s.stream)
}

// Next is Recv without blocking: it returns no message and no error if neither is there yet.
func (s *ClientStream) Next() (InMessage, error) {
	m, increment, err := s.recv.take()
	if increment > 0 {
		s.sendWindowUpdate(increment)
	}
	return m, err
}

// Release ends the use of the last message.
func (s *ClientStream) Release() { s.recv.release() }

// Accepted reports whether the server has shown that it has taken up the call, so that it will not refuse it any more.
func (s *ClientStream) Accepted() bool { return s.renewed.Load() }

// AwaitHeader blocks until the response headers are there or the call is over. It returns nil in the second case, if there were
// none. The metadata is shared and must not be changed.
func (s *ClientStream) AwaitHeader() metadata.MD {
	s.recv.mu.Lock()
	if s.header == nil && s.status == nil {
		if s.answered == nil {
			s.answered = make(chan struct{})
		}
		wait := s.answered
		s.recv.mu.Unlock()
		<-wait
		s.recv.mu.Lock()
	}
	defer s.recv.mu.Unlock()
	if s.header == nil {
		return nil
	}
	return s.header.metadata()
}

// Header returns the response headers' metadata, and ok false if there are none (yet). It is shared and must not be changed.
func (s *ClientStream) Header() (md metadata.MD, ok bool) {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.header == nil {
		return nil, false
	}
	return s.header.metadata(), true
}

// Encoding returns the response's grpc-encoding, "" for none, and ok false if there are no response headers (yet).
func (s *ClientStream) Encoding() (name string, ok bool) {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.header == nil {
		return "", false
	}
	return s.header.encoding, true
}

// Trailer returns the metadata that came with the status, nil if there is none (yet). It is shared and must not be changed.
func (s *ClientStream) Trailer() metadata.MD {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if s.trailer == nil {
		return nil
	}
	return s.trailer.metadata()
}

// HeaderLen returns the size in bytes of the response's header block as it came, 0 if there is none (yet).
func (s *ClientStream) HeaderLen() int { return s.codedLen(&s.header) }

// TrailerLen is HeaderLen for the trailers.
func (s *ClientStream) TrailerLen() int { return s.codedLen(&s.trailer) }

// codedLen returns the size of a block that recv.mu guards.
func (s *ClientStream) codedLen(h **head) int {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	if *h == nil {
		return 0
	}
	return (*h).coded
}

// Status returns how the call ended, nil as long as it has not.
func (s *ClientStream) Status() *status.Status {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	return s.status
}

// Unprocessed reports whether the call is over and the server has certainly not acted on it.
func (s *ClientStream) Unprocessed() bool {
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	return s.unprocessed
}

// Cancel ends the call with the status st, tells the server, and drops what has come and was not read. If the call is over already, it does
// nothing: the end of an answer that is good must not hide that messages before it are missing.
func (s *ClientStream) Cancel(st *status.Status) {
	s.c.mu.Lock()
	s.c.resetLocked(&s.stream, frame.Cancel)
	s.c.unlock()
	if s.finish(st, nil, false, false) {
		s.recv.close()
	}
}

// Close says that nobody will read from the stream any more. A call that is not over is cancelled.
func (s *ClientStream) Close() {
	if s.Status() == nil {
		s.Cancel(canceled)
	}
	s.recv.close()
}

var canceled = status.New(codes.Canceled, "context canceled")

// Reuse makes the stream ready to be opened again as if it were new. It returns false, and does nothing, if something of the
// connection may still know the stream, as after every end but the ordinary one, which is the server's. Nobody else may use the
// stream any more.
func (s *ClientStream) Reuse() bool {
	s.recv.mu.Lock()
	left := s.left
	s.recv.mu.Unlock()
	if left {
		*s = ClientStream{}
	}
	return left
}

// finish ends the call with a status. Only the first call counts, and returns true. With left, the stream is not touched once others can
// see its end.
func (s *ClientStream) finish(st *status.Status, trailer *head, unprocessed, left bool) bool {
	q := &s.recv
	q.mu.Lock()
	if s.status != nil {
		q.mu.Unlock()
		return false
	}
	s.status, s.trailer, s.unprocessed, s.left = st, trailer, unprocessed, left
	answered := s.answered
	s.answered = nil
	wake := q.endLocked(io.EOF, trailer == nil)
	q.mu.Unlock()
	if answered != nil {
		close(answered)
	}
	if wake {
		q.signal()
	}
	return true
}

// headers takes a header block of the response. It is called by the read goroutine.
func (s *ClientStream) headers(h *head, tooLarge, end bool) {
	switch {
	case tooLarge:
		s.fail(frame.SizeError, codes.Internal, fmt.Sprintf("peer header list size exceeded limit: %d bytes", s.c.read.blocks.maxList))
	case h.malformed != "":
		s.fail(frame.ProtocolError, codes.Internal, h.malformed)
	case !end && (s.takesMessages || s.foreign != nil):
		s.fail(frame.ProtocolError, codes.Internal, "a HEADERS frame cannot appear in the middle of a stream")
	case h.pseudo&^sawStatus != 0 || h.pseudo != 0 && (s.takesMessages || s.foreign != nil):
		s.fail(frame.ProtocolError, codes.Internal, "malformed header: pseudo-header field that does not belong there")
	case s.takesMessages || s.foreign != nil:
		s.trailers(h)
	default:
		s.firstHeaders(h, end)
	}
}

// firstHeaders takes the response headers, or the trailers of a response that has nothing else.
func (s *ClientStream) firstHeaders(h *head, end bool) {
	if h.status != "" && h.status[0] == '1' && len(h.status) == 3 {
		if end {
			s.fail(frame.ProtocolError, codes.Internal, fmt.Sprintf("protocol error: informational header with status code %s must not have END_STREAM set", h.status))
		} else if s.skipped++; s.skipped > maxInformational {
			s.fail(frame.EnhanceYourCalm, codes.Internal, fmt.Sprintf("more than %d informational responses", maxInformational))
		}
		return
	}
	if _, ok := ContentSubtype(h.contentType); !ok {
		s.foreign = foreign(h)
		if end {
			s.endedForeign()
		}
		return
	}
	if end {
		s.trailers(h)
		return
	}
	if h.badBinary != "" {
		s.failBinary(h)
		return
	}
	s.takesMessages = true
	q := &s.recv
	q.mu.Lock()
	s.header = h
	answered := s.answered
	s.answered = nil
	q.mu.Unlock()
	if answered != nil {
		close(answered)
	}
}

// maxInformational is how many informational (1xx) responses may precede the response.
const maxInformational = 100

// trailers takes the header block that ends the response.
func (s *ClientStream) trailers(h *head) {
	switch {
	case s.foreign != nil:
		s.endedForeign()
	case h.badBinary != "":
		s.failBinary(h)
	default:
		st, ok := statusOf(h)
		if !ok {
			s.fail(frame.ProtocolError, st.Code(), st.Message())
			return
		}
		left := s.endByPeer()
		s.c.read.last = nil
		s.finish(st, h, false, left)
	}
}

// endByPeer takes the END_STREAM of the server. Nobody will read what this side has still to send, so that is given up. It reports
// whether it was this that took the stream off the connection.
func (s *ClientStream) endByPeer() bool {
	c := s.c
	c.mu.Lock()
	there := s.state != streamClosed
	if s.state.canSend() {
		c.resetLocked(&s.stream, frame.NoError)
	} else {
		_ = c.advanceLocked(&s.stream, recvEnd)
	}
	c.unlock()
	return there
}

// ended implements streamSide: a gRPC response never ends with DATA.
func (s *ClientStream) ended() {
	if s.foreign != nil {
		s.endedForeign()
		return
	}
	s.endByPeer()
	s.finish(status.New(codes.Internal, "server closed the stream without sending trailers"), nil, false, false)
}

// stray implements streamSide.
func (s *ClientStream) stray(p []byte) {
	f := s.foreign
	if f == nil {
		s.fail(frame.ProtocolError, codes.Internal, "DATA frame before the response headers")
		return
	}
	f.body = append(f.body, p[:min(len(p), maxForeignBody-len(f.body))]...)
	if len(f.body) == maxForeignBody {
		s.endedForeign()
		return
	}
	if n := s.recv.refund(len(p)); n > 0 {
		s.sendWindowUpdate(n)
	}
}

// endedForeign ends a call whose response is not gRPC.
func (s *ClientStream) endedForeign() {
	text := s.foreign.text
	if len(s.foreign.body) > 0 {
		text += fmt.Sprintf("\ndata: %q", s.foreign.body)
	}
	c := s.c
	c.mu.Lock()
	c.resetLocked(&s.stream, frame.Cancel)
	c.unlock()
	s.finish(status.New(s.foreign.code, text), nil, false, false)
}

// foreign says what a response means whose headers are not gRPC's.
func foreign(h *head) *foreignResponse {
	f := &foreignResponse{code: codes.Unknown}
	switch code, err := strconv.Atoi(h.status); {
	case h.pseudo&sawStatus == 0:
		f.code, f.text = codes.Internal, "malformed header: missing HTTP status"
	case err != nil:
		f.code, f.text = codes.Internal, fmt.Sprintf("malformed http-status: %q", h.status)
	default:
		f.code = codeOfHTTPStatus(code)
		f.text = fmt.Sprintf("unexpected HTTP status code received from server: %d (%s)", code, http.StatusText(code))
	}
	if h.contentType == "" {
		f.text += "; malformed header: missing HTTP content-type"
	} else {
		f.text += fmt.Sprintf("; transport: received unexpected content-type %q", h.contentType)
	}
	return f
}

// statusOf returns the status that trailers carry, and false if they are malformed. grpc-status is the decimal form of a signed number of 32
// bits, whose bits are those of the code, so that codes from 2³¹ on, which no table has, arrive only as negative numbers.
func statusOf(h *head) (*status.Status, bool) {
	if !h.hasStatus {
		return status.New(codes.Unknown, "no grpc-status in trailers"), true
	}
	n, err := strconv.ParseInt(h.grpcStatus, 10, 32)
	if err != nil {
		return status.New(codes.Unknown, fmt.Sprintf("transport: malformed grpc-status: %v", err)), false
	}
	code := codes.Code(n)
	if code == codes.OK && h.grpcMessage == "" && len(h.fields) == 0 {
		return okStatus, true
	}
	if st := detailsOf(h, code); st != nil {
		return st, true
	}
	return status.New(code, decodeMessage(h.grpcMessage)), true
}

var okStatus = status.New(codes.OK, "")

// detailsOf returns the status in grpc-status-details-bin, nil if there is not exactly one that can be decoded. One that
// contradicts grpc-status makes the call fail.
func detailsOf(h *head, code codes.Code) *status.Status {
	v := h.metadata()["grpc-status-details-bin"]
	if len(v) != 1 {
		return nil
	}
	st := new(spb.Status)
	if proto.Unmarshal([]byte(v[0]), st) != nil {
		return nil
	}
	if st.Code != int32(code) {
		return status.Newf(codes.Internal, "grpc-status-details-bin mismatch: grpc-status=%v, grpc-message=%q, grpc-status-details-bin=%v", code, decodeMessage(h.grpcMessage), st)
	}
	return status.FromProto(st)
}

// failBinary ends the call because metadata of a response that is gRPC cannot be decoded.
func (s *ClientStream) failBinary(h *head) {
	s.fail(frame.ProtocolError, codes.Internal, fmt.Sprintf("transport: malformed %s: %v", h.badBinary, h.badReason))
}

// fail ends the call because of what the server sent.
func (s *ClientStream) fail(rst frame.ErrCode, code codes.Code, text string) {
	c := s.c
	c.mu.Lock()
	before := len(c.send.buf)
	c.resetLocked(&s.stream, rst)
	c.caused(before)
	s.finish(status.New(code, text), nil, false, false)
}

// aborted implements streamSide.
func (s *ClientStream) aborted(why abort) {
	switch {
	case why.conn != nil:
		s.finish(s.client.closeStatus(why.conn), nil, why.unprocessed, false)
	case why.unprocessed && !why.byPeer:
		s.finish(status.New(codeOfReset(why.code), why.text), nil, true, false)
	case !why.byPeer: // the server has broken a rule
		s.finish(status.New(codes.Internal, why.text), nil, false, false)
	default:
		code := codeOfReset(why.code)
		if why.code == frame.Cancel && !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
			code = codes.DeadlineExceeded // the server has seen the deadline pass first
		}
		s.finish(status.New(code, fmt.Sprintf("stream terminated by RST_STREAM with error code: %v", why.code)), nil, why.unprocessed, false)
	}
}
