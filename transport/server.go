// The server's end of a connection: it accepts streams whose requests are sound, answers the others, and drains.

package transport

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/transport/internal/frame"
)

// ServerOptions are the options of the server's end.
type ServerOptions struct {
	ConnOptions
	MaxConcurrentStreams uint32          // 0 means no limit
	HeaderTableSize      *uint32         // bytes; nil means 4096, and the peer is not told
	MaxMessageSize       int             // bytes; larger messages of requests are refused
	Context              context.Context // the context of the connection, whose values those of calls inherit
	Peer                 *peer.Peer      // who the client is
	Keepalive            keepalive.ServerParameters
	Enforcement          keepalive.EnforcementPolicy
}

// A Handler takes the streams of a connection.
type Handler interface {
	// HandleStream is called for each sound request, and must not block: the read goroutine calls it, or, if too many handlers run,
	// that of the first one which returns. Whoever handles the stream calls its Finish, and then Done. If that needs the request first,
	// HandleStream leaves it to AwaitRequest.
	HandleStream(*ServerStream)
	// Closed says that the connection is closed. It is called once, without locks.
	Closed(err error)
}

// A Server is the server's end of a connection. Its methods may be called concurrently.
type Server struct {
	conn
	o       ServerOptions
	handler Handler
	turns   TurnHandler // handler, if calls may be put off; else nil
	topID   uint32      // the last stream that the client has opened; of the read goroutine
	pings   pingPolicy  // of the read goroutine

	// Guarded by conn.mu.
	lastID   uint32    // the last stream that this side may have acted on
	opened   uint64    // how many streams this side has acted on
	held     int       // bytes of the open ones' header lists beyond what each may have; see maxHeldLists
	early    earlyEnds // of streams
	drain    drainStep
	ready    bool          // NewServer has succeeded: handler is to hear of the end
	reason   string        // why the connection is drained
	drainBy  time.Duration // when the acknowledgement of drainPing is not waited for any longer, by link.now
	lifetime lifetime
	parking
}

// drainStep tells how far a graceful drain has come (RFC 9113 §6.8).
type drainStep uint8

const (
	drainNone  drainStep = iota
	drainSaid            // the client knows; streams that it opened before it knew are still accepted
	drainFinal           // the last GOAWAY named the last stream
)

// drainPing is the payload of the PING whose acknowledgement says that the client has seen the first GOAWAY of a drain.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 0, 0, 1}

// drainWait is how long the acknowledgement of drainPing is waited for.
const drainWait = 5 * time.Second

// NewServer makes nc a server connection, and waits for the client's preface and SETTINGS until nc's read deadline. It takes over
// nc. If it returns an error, the handler hears of nothing; else of the end of the connection, which may be before NewServer returns.
func NewServer(nc net.Conn, o ServerOptions, handler Handler) (*Server, error) {
	o.setDefaults()
	t := &Server{o: o, handler: handler}
	t.init(nc, t, o.ConnOptions)
	if t.socket != nil { // where there is none, in tests, time may not pass that would show that a handler blocks
		t.turns, _ = handler.(TurnHandler)
	}
	t.setKeepalive(serverKeepalive(o.Keepalive))
	t.pings.init(o.Enforcement)
	t.lifetime.init(o.Keepalive, rand.Float64())
	settings := o.settings()
	if o.MaxConcurrentStreams != 0 {
		settings = append(settings, frame.Setting{ID: frame.MaxConcurrentStreams, Value: o.MaxConcurrentStreams})
	}
	if o.HeaderTableSize != nil {
		settings = append(settings, frame.Setting{ID: frame.HeaderTableSize, Value: *o.HeaderTableSize})
		t.read.blocks.tableSize = *o.HeaderTableSize
	}
	t.start(frame.AppendSettings(nil, settings))
	if err := t.readPreface(); err != nil {
		t.endReading(err)
		<-t.done
		return nil, t.readError(err)
	}
	t.mu.Lock()
	err := t.err
	t.ready = err == nil
	t.mu.Unlock()
	if err != nil { // it cannot be written to
		t.endReading(err)
		<-t.done
		return nil, err
	}
	t.tick()
	return t, nil
}

// readPreface reads the client's preface: a fixed text, and one frame, which must be SETTINGS (RFC 9113 §3.4).
func (t *Server) readPreface() error {
	preface := make([]byte, len(frame.Preface))
	if err := t.read.frames.ReadRaw(preface); err != nil {
		return err
	}
	if string(preface) != frame.Preface {
		return faultf(frame.ProtocolError, "bogus greeting from client: %q", preface)
	}
	h, err := t.read.frames.Next()
	if err != nil {
		return err
	}
	return t.handle(h)
}

// Serve reads the connection. It is the read goroutine. It returns when the connection ends, or when TurnEnds returns false.
func (t *Server) Serve() { t.readLoop() }

// Done is closed when the connection is closed and nothing of it is left.
func (t *Server) Done() <-chan struct{} { return t.done }

// Close ends the connection and all of its streams at once.
func (t *Server) Close(err error) {
	t.mu.Lock()
	reason := t.reason
	t.mu.Unlock()
	t.close(err, frame.NoError, reason, false)
}

// Drain lets the streams end that the client has opened, and then the connection. The client is told in two steps, so that no
// stream is lost that it opens before it knows.
func (t *Server) Drain(reason string) {
	t.mu.Lock()
	defer t.unlock()
	t.startDrainLocked(reason)
}

func (t *Server) startDrainLocked(reason string) {
	if t.drain != drainNone || t.state == connClosed {
		return
	}
	t.drain, t.reason = drainSaid, reason
	t.send.buf = frame.AppendGoAway(t.send.buf, math.MaxInt32, frame.NoError, reason)
	t.send.buf = frame.AppendPing(t.send.buf, 0, drainPing)
	t.drainBy = later(t.link.now(), drainWait)
	t.dueLocked(t.drainBy)
}

// finishDrainLocked sends the second GOAWAY, which names the last stream.
func (t *Server) finishDrainLocked() {
	if t.drain != drainSaid || t.state == connClosed {
		return
	}
	t.drain, t.state = drainFinal, connDraining
	t.send.buf = frame.AppendGoAway(t.send.buf, t.lastID, frame.NoError, t.reason)
	t.send.saidLast = true
}

// headers implements role: it opens a stream, or ends the request of one.
func (t *Server) headers(id uint32, h *head, tooLarge, end bool) error {
	if s := t.stream(id); s != nil {
		return t.requestTrailers(s, h, end)
	}
	if id == 0 || id%2 == 0 {
		return faultf(frame.ProtocolError, "HEADERS on stream %d, which is not a client's", id)
	}
	last := t.topID
	t.topID = max(id, last)
	switch {
	case id <= last && t.wasReset(id):
		return nil // the client does not know yet
	case id == last:
		return faultf(frame.StreamClosed, "HEADERS on stream %d, which is closed", id)
	case id < last:
		return faultf(frame.ProtocolError, "HEADERS on stream %d, which is below the last one, %d", id, last)
	}
	return t.accept(id, h, tooLarge, end)
}

func (t *Server) wasReset(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.send.wasReset(id)
}

// takeLocked notes that this side acts on a new stream. It returns false if it must not, since the client was told that it does not; what
// comes on the stream is ignored then.
func (t *Server) takeLocked(id uint32) bool {
	if t.drain == drainFinal {
		t.send.ignore(id)
		return false
	}
	t.lastID = id
	t.opened++
	return true
}

// requestTrailers takes a header block on a stream that is open: legal in HTTP/2, without meaning in gRPC.
func (t *Server) requestTrailers(s *stream, h *head, end bool) error {
	switch {
	case !t.mayReceive(s):
		if !t.abort(s, frame.StreamClosed, "HEADERS behind END_STREAM") {
			return nil
		}
	case !end:
		t.abort(s, frame.ProtocolError, "HEADERS in the middle of a stream")
	case h.trailerFault() != "":
		t.abort(s, frame.ProtocolError, h.trailerFault())
	case s.expect > 0:
		t.abort(s, frame.ProtocolError, "content-length does not match the data")
	default:
		t.peerEnded(s)
	}
	return nil
}

// accept opens a stream, or answers why not.
func (t *Server) accept(id uint32, h *head, tooLarge, end bool) error {
	switch why := h.requestFault(); {
	case tooLarge:
		return t.refuse(id, frame.SizeError)
	case why != "", end && h.length() > 0: // RFC 9113 §8.1.1
		return t.refuse(id, frame.ProtocolError)
	}
	s, bad := t.newStream(id, h)
	if bad != nil {
		return t.answer(id, bad, end)
	}
	t.mu.Lock()
	if t.state == connClosed {
		t.mu.Unlock()
		return ErrConnClosing
	}
	if code := t.refusalLocked(s); code != frame.NoError {
		t.mu.Unlock()
		return t.refuse(id, code)
	}
	if !t.takeLocked(id) {
		t.mu.Unlock()
		return nil
	}
	t.held += s.held
	t.send.unread.begun++
	now := t.beginLocked(s)
	t.addLocked(&s.stream)
	t.unlock()
	s.startTimer()
	if t.read.last = &s.stream; end {
		t.peerEnded(&s.stream)
	} else if err := t.handleBuffered(id); err != nil {
		s.recv.close() // there will be no handler
		return err
	}
	if now {
		if s.whole = t.read.last == nil; s.MayBePutOff() { // by peerEnded
			t.read.turn++
		}
		t.handler.HandleStream(s)
	}
	return nil
}

// refuse resets a stream that was not opened. An error says that the connection is closed.
func (t *Server) refuse(id uint32, code frame.ErrCode) error {
	t.mu.Lock()
	if t.state == connClosed {
		t.mu.Unlock()
		return ErrConnClosing
	}
	before := len(t.send.buf)
	if t.takeLocked(id) {
		t.send.reset(id, code)
	}
	t.caused(before)
	t.endedEarly()
	return nil
}

// A refusal is the answer to a request that is legal HTTP/2 but no gRPC.
type refusal struct {
	httpStatus string
	subtype    string
	status     rpcStatus
}

// check returns why a request is no gRPC, nil if it is, and its timeout (0 if it has none).
func (t *Server) check(h *head) (timeout time.Duration, hasTimeout bool, bad *refusal) {
	subtype, ok := ContentSubtype(h.contentType)
	var err error
	if h.hasTimeout {
		timeout, err = parseTimeout(h.timeout)
	}
	switch {
	case h.hosts > 1:
		bad = &refusal{"400", subtype, rpcStatus{code: codes.Internal, message: fmt.Sprintf("num values of :authority: %v, num values of host: %v, both must only have 1 value as per HTTP/2 spec", bits.OnesCount8(h.pseudo&sawAuthority), h.hosts)}}
	case !ok:
		bad = &refusal{"415", "", rpcStatus{code: codes.InvalidArgument, message: fmt.Sprintf("invalid gRPC request content-type %q", h.contentType)}}
	case h.badBinary != "":
		bad = &refusal{"400", subtype, rpcStatus{code: codes.Internal, message: fmt.Sprintf("malformed binary metadata %q in header %q: %v", h.badValue, h.badBinary, h.badReason)}}
	case err != nil:
		bad = &refusal{"400", subtype, rpcStatus{code: codes.Internal, message: fmt.Sprintf("malformed grpc-timeout: %v", err)}}
	case h.pseudo&sawAuthority == 0 && h.hosts == 0: // an empty one is that of passthrough://name and of passthrough:///
		bad = &refusal{"400", subtype, rpcStatus{code: codes.Internal, message: "no host or :authority header present"}}
	case h.method != "POST":
		bad = &refusal{"405", subtype, rpcStatus{code: codes.Internal, message: fmt.Sprintf("Received a HEADERS frame with :method %q which should be POST", h.method)}}
	case h.hasTimeout && timeout <= 0:
		bad = &refusal{"200", subtype, rpcStatus{code: codes.DeadlineExceeded, message: context.DeadlineExceeded.Error()}}
	}
	return timeout, h.hasTimeout, bad
}

// answer ends a stream that was not opened with a complete response, or resets it if the client does not take as much. An error says that
// the connection is closed.
func (t *Server) answer(id uint32, r *refusal, end bool) error {
	t.mu.Lock()
	if t.state == connClosed {
		t.mu.Unlock()
		return ErrConnClosing
	}
	if !t.takeLocked(id) {
		t.mu.Unlock()
		return nil
	}
	d := &t.send
	before := len(d.buf)
	if d.maxList != noListLimit && r.status.listSize()+uint64(len(r.subtype)) > d.maxList {
		d.reset(id, frame.InternalError)
		t.caused(before)
		return nil
	}
	block := d.blocks.refusal(r)
	d.buf = frame.AppendHeaderBlock(d.buf, id, frame.EndStream, block, frame.DefaultMaxSize)
	if !end {
		d.reset(id, frame.NoError)
	}
	t.caused(before)
	return nil
}

// idle implements role.
func (t *Server) idle(id uint32) bool {
	return id%2 == 0 || id > t.topID
}

// settingFault implements role.
func (t *Server) settingFault(frame.Setting) string { return "" }

// settings implements role.
func (t *Server) settings(int64) {}

// peerGoAway implements role: what a client says of the streams that a server opens concerns nobody.
func (t *Server) peerGoAway(uint32, frame.ErrCode, []byte) error { return nil }

// ping implements role.
func (t *Server) ping(spoke, idle bool) error {
	if !t.pings.allows(t.link.now(), spoke, idle) {
		return faultf(frame.EnhanceYourCalm, tooManyPings)
	}
	return nil
}

// pingAck implements role.
func (t *Server) pingAck(data [8]byte) {
	if data == drainPing {
		t.mu.Lock()
		t.finishDrainLocked()
		t.unlock()
	}
}

// removedLocked implements role.
func (t *Server) removedLocked(s *stream) {
	ss := s.side.(*ServerStream)
	if !ss.handled { // and will not be, if it was not yet
		ss.recv.close()
	}
	t.letGoLocked(ss)
	if t.lifetime.idle != never && len(t.streams) == 0 {
		t.lifetime.idleSince = t.link.now()
	}
}

// pingError implements role.
func (t *Server) pingError(timeout time.Duration) error {
	return connectionErrorf(true, nil, "transport: keepalive ping has had no answer within %v", timeout)
}

// lastIDLocked implements role.
func (t *Server) lastIDLocked() uint32 { return t.lastID }

// drainedLocked implements role.
func (t *Server) drainedLocked() bool { return t.drain == drainFinal }

// peerName implements role.
func (t *Server) peerName() string { return "client" }

// readsOn implements role: requests that cannot be answered are of no use.
func (t *Server) readsOn() bool { return false }

// readError implements role.
func (t *Server) readError(err error) error {
	if !t.read.settled {
		return connectionErrorf(false, err, "transport: http2Server.HandleStreams failed to receive the preface from client: %v", err)
	}
	return connectionErrorf(true, err, "error reading from client: %v", err)
}

// closed implements role.
func (t *Server) closed(err error) {
	t.mu.Lock()
	ready := t.ready
	t.mu.Unlock()
	if ready {
		t.handler.Closed(err)
	}
}
