// The client's end of a connection: it opens streams, as many at a time as the server allows, and obeys GOAWAY.

package transport

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// streamsBeforeSettings is how many streams a client opens before it knows what the server allows.
	streamsBeforeSettings = 100
	// lastUsableID is the stream id after which a client turns to a new connection: three quarters of all there are.
	lastUsableID = math.MaxInt32 / 4 * 3
)

// ClientOptions are the options of the client's end.
type ClientOptions struct {
	ConnOptions
	Scheme    string // the value of :scheme, "http" or "https"
	UserAgent string
	Keepalive keepalive.ClientParameters
}

// ClientEvents is told what becomes of a connection. The methods are called without locks and must not block.
type ClientEvents interface {
	// Draining says that the connection takes no more calls because of a GOAWAY, or because it has run out of stream ids. It may be called
	// again with another reason.
	Draining(reason GoAwayReason)
	// Closed says that the connection is closed, before its streams end because of that. It is called once, with or without Draining before.
	Closed(err error)
}

// A GoAwayReason says why a server wants a connection to end.
type GoAwayReason struct {
	Code  uint32 // of RFC 9113 §7
	Debug string // debug data, cut to what is worth logging
}

// String returns the name of the code, and the debug data.
func (r GoAwayReason) String() string {
	return fmt.Sprintf("%v, debug data %q", frame.ErrCode(r.Code), r.Debug)
}

// TooManyPings reports whether the server was annoyed by keepalive pings (gRFC A8).
func (r GoAwayReason) TooManyPings() bool {
	return frame.ErrCode(r.Code) == frame.EnhanceYourCalm && r.Debug == tooManyPings
}

// A Client is the client's end of a connection. Its methods may be called concurrently.
type Client struct {
	conn
	scheme, userAgent string
	events            ClientEvents
	settled           chan struct{} // closed by the read goroutine at the server's first SETTINGS
	isSettled         bool          // of the read goroutine

	// Guarded by conn.mu.
	nextID     uint32
	maxStreams int64
	waiters    slotQueue
	lastGoAway *GoAwayReason // nil if there was none
	goAwayID   uint32        // its last stream id
	watched    bool          // NewClient has succeeded: events is to hear of the end
	missed     bool          // the end came before
}

// NewClient makes nc a client connection: it sends the preface and waits for the server's, until ctx ends. It takes over nc. An
// error is a ConnectionError, of which events need not be told.
func NewClient(ctx context.Context, nc net.Conn, o ClientOptions, events ClientEvents) (*Client, error) {
	o.setDefaults()
	t := &Client{
		scheme: o.Scheme, userAgent: o.UserAgent, events: events, settled: make(chan struct{}),
		nextID: 1, maxStreams: streamsBeforeSettings, goAwayID: math.MaxUint32,
	}
	t.init(nc, t, o.ConnOptions)
	t.setKeepalive(clientKeepalive(o.Keepalive))
	t.start(frame.AppendSettings([]byte(frame.Preface), append(o.settings(), frame.Setting{ID: frame.EnablePush, Value: 0})))
	go t.readLoop() // owned by the connection; ends with it
	select {
	case <-t.settled:
	case <-t.done:
	case <-ctx.Done():
		err := connectionErrorf(true, ctx.Err(), "failed to receive server preface within timeout")
		t.close(err, frame.SettingsTimeout, "no SETTINGS from the server in time", false)
		<-t.done
		return nil, err
	}
	if !t.wasSettled() {
		return nil, t.Err()
	}
	t.watch()
	t.tick()
	return t, nil
}

// watch makes events hear of the end of the connection, at once if it has ended.
func (t *Client) watch() {
	t.mu.Lock()
	t.watched = true
	missed := t.missed
	t.mu.Unlock()
	if missed {
		t.events.Closed(t.Err())
	}
}

// Err returns why the connection was closed, nil if it was not.
func (t *Client) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Done is closed when the connection is closed and nothing of it is left.
func (t *Client) Done() <-chan struct{} { return t.done }

// RemoteAddr returns the address of the server.
func (t *Client) RemoteAddr() net.Addr { return t.nc.RemoteAddr() }

// LocalAddr returns the address of this end.
func (t *Client) LocalAddr() net.Addr { return t.nc.LocalAddr() }

// Close ends the connection and all of its streams, which fail with err.
func (t *Client) Close(err error) { t.close(err, frame.NoError, "client transport shutdown", false) }

// Drain lets the streams end that there are, and then the connection.
func (t *Client) Drain() {
	t.mu.Lock()
	t.drainLocked()
	t.unlock()
}

func (t *Client) drainLocked() {
	if t.state == connOpen {
		t.state = connDraining
		t.waiters.wakeAll()
	}
}

// Open opens the stream s for a call, with its first message and its end if they are known. It takes over m. It waits until the
// server has room for the stream or ctx ends. The error is ErrConnClosing, ErrDraining, ErrHeaderListSize, that of ctx or a
// StreamError; nothing was sent then.
func (t *Client) Open(ctx context.Context, s *ClientStream, h *CallHeader, m *OutMessage, end bool) error {
	rh := requestHeader{CallHeader: h, scheme: t.scheme, userAgent: t.userAgent}
	err := rh.setFields()
	if err == nil {
		err = t.open(ctx, s, &rh, m, end)
	}
	if err != nil && m != nil {
		m.Free()
	}
	return err
}

// setFields turns metadata into fields.
func (h *requestHeader) setFields() (err error) {
	for _, md := range h.Credentials {
		for k, v := range md {
			if err := ValidatePair(k, v); err != nil {
				return streamErrorf(codes.Internal, "%v", err)
			}
			if h.fields, err = appendField(h.fields, k, v); err != nil {
				return err
			}
		}
	}
	if h.Metadata != nil || h.Added != nil {
		if h.fields, err = appendMetadata(h.fields, h.Metadata, h.Added); err != nil {
			return err
		}
	}
	if h.PickMD != nil {
		if err := ValidateMetadata(h.PickMD, nil); err != nil {
			return streamErrorf(codes.Internal, "%v", err)
		}
		if h.fields, err = appendMetadata(h.fields, h.PickMD, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *Client) open(ctx context.Context, s *ClientStream, h *requestHeader, m *OutMessage, end bool) error {
	s.init(t, h.Deadline, h.MaxMessageSize)
	t.mu.Lock()
	var block []byte
	err := t.slotLocked(ctx)
	if err == nil {
		err = t.checkLocked(h)
	}
	if err == nil {
		block, err = t.send.blocks.request(h)
	}
	if err != nil {
		t.waiters.wake(t.maxStreams - int64(len(t.streams))) // another call may use the turn of this one
		t.mu.Unlock()
		return err
	}
	s.id = t.nextID
	t.nextID += 2
	f := frame.Flags(0)
	if end && m == nil {
		f = frame.EndStream
		s.state = streamHalfClosedLocal
	}
	t.send.buf = frame.AppendHeaderBlock(t.send.buf, s.id, f, block, min(t.send.maxFrame, frame.DefaultMaxSize))
	t.addLocked(&s.stream)
	if t.clock.dormant {
		t.awakeLocked()
	}
	if m != nil {
		t.sendMessageLocked(&s.stream, m, end)
	}
	if exhausted := t.nextID > lastUsableID; exhausted {
		t.drainLocked()
		defer t.events.Draining(GoAwayReason{Debug: "stream ids are used up"})
	}
	if end {
		t.flushLocked()
	} else {
		t.unlock()
	}
	return nil
}

// checkLocked returns why the header cannot be sent now, nil if it can, and settles its timeout.
func (t *Client) checkLocked(h *requestHeader) error {
	if limit := t.send.maxList; limit != noListLimit && h.listSize() > limit {
		return ErrHeaderListSize{Size: h.listSize(), Limit: limit}
	}
	if !h.Deadline.IsZero() {
		if h.timeout = time.Until(h.Deadline); h.timeout <= 0 {
			return context.DeadlineExceeded
		}
	}
	return nil
}

// slotLocked waits until another stream may be opened. It unlocks conn.mu while it waits.
func (t *Client) slotLocked(ctx context.Context) error {
	for waited := false; ; waited = true {
		switch {
		case t.state == connClosed:
			return ErrConnClosing
		case t.state == connDraining:
			return ErrDraining
		case int64(len(t.streams)) < t.maxStreams && (waited || t.waiters.empty()):
			return nil
		}
		w := t.waiters.join(waited)
		t.mu.Unlock()
		var err error
		select {
		case <-w.turn:
		case <-ctx.Done():
			err = ctx.Err()
		}
		t.mu.Lock()
		t.waiters.leave(w)
		if err != nil {
			return err
		}
	}
}

// headers implements role.
func (t *Client) headers(id uint32, h *head, tooLarge, end bool) error {
	s := t.stream(id)
	if s == nil {
		if id == 0 || t.idle(id) {
			return faultf(frame.ProtocolError, "HEADERS on stream %d, which the client did not open", id)
		}
		return nil
	}
	if end {
		t.read.last = nil // it is over, and must not be kept
	}
	s.side.(*ClientStream).headers(h, tooLarge, end)
	return nil
}

// idle implements role.
func (t *Client) idle(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return id%2 == 0 || id >= t.nextID
}

// settingFault implements role (RFC 9113 §6.5.2).
func (t *Client) settingFault(s frame.Setting) string {
	if s.ID == frame.EnablePush && s.Value != 0 {
		return "SETTINGS_ENABLE_PUSH of 1 from a server"
	}
	return ""
}

// settings implements role.
func (t *Client) settings(maxStreams int64) {
	t.mu.Lock()
	switch {
	case maxStreams >= 0:
		t.maxStreams = maxStreams
	case !t.isSettled:
		t.maxStreams = math.MaxUint32
	}
	t.waiters.wake(t.maxStreams - int64(len(t.streams)))
	t.unlock()
	if !t.isSettled {
		t.isSettled = true
		close(t.settled)
	}
}

// peerGoAway implements role (RFC 9113 §6.8). Streams above the last id were not acted on.
func (t *Client) peerGoAway(lastID uint32, code frame.ErrCode, debug []byte) error {
	if lastID > 0 && lastID%2 == 0 {
		return faultf(frame.ProtocolError, "GOAWAY with the even last stream id %d", lastID)
	}
	reason := GoAwayReason{Code: uint32(code), Debug: string(debug[:min(len(debug), 8*maxDebugData)])}
	t.mu.Lock()
	if lastID > t.goAwayID {
		t.mu.Unlock()
		return faultf(frame.ProtocolError, "GOAWAY raises the last stream id from %d to %d", t.goAwayID, lastID)
	}
	t.lastGoAway, t.goAwayID = &reason, lastID
	first := t.state == connOpen
	t.drainLocked()
	var dropped []*stream
	for id, s := range t.streams {
		if id > lastID {
			dropped = append(dropped, s)
			s.state = streamClosed
			t.removeLocked(s)
		}
	}
	t.mu.Unlock()
	if first || reason.TooManyPings() {
		t.events.Draining(reason)
	}
	for _, s := range dropped {
		s.side.aborted(abort{code: frame.RefusedStream, text: ErrDraining.Desc, unprocessed: true})
	}
	t.mu.Lock()
	t.unlock() // closes the connection if nothing is left
	return nil
}

// ping implements role.
func (t *Client) ping(bool, bool) error { return nil }

// pingAck implements role.
func (t *Client) pingAck([8]byte) {}

// turnEnds implements role: there is nothing to put off.
func (t *Client) turnEnds(bool) bool { return true }

// removedLocked implements role.
func (t *Client) removedLocked(*stream) { t.waiters.wake(t.maxStreams - int64(len(t.streams))) }

// tickLocked implements role: a client keeps its connection as long as the server does.
func (t *Client) tickLocked(time.Duration) (time.Duration, *ending) { return never, nil }

// pingError implements role.
func (t *Client) pingError(time.Duration) error {
	return connectionErrorf(true, nil, "keepalive ping failed to receive ACK within timeout")
}

// lastIDLocked implements role: a client takes no streams.
func (t *Client) lastIDLocked() uint32 { return 0 }

// drainedLocked implements role.
func (t *Client) drainedLocked() bool { return true }

// peerName implements role.
func (t *Client) peerName() string { return "server" }

// readsOn implements role: calls that are under way may have their answers.
func (t *Client) readsOn() bool {
	t.mu.Lock()
	on, first := len(t.streams) > 0, t.state == connOpen
	if on {
		t.drainLocked()
	}
	t.mu.Unlock()
	if on && first {
		t.events.Draining(GoAwayReason{Debug: "it cannot be written to"})
	}
	return on
}

// readError implements role.
func (t *Client) readError(err error) error {
	if !t.isSettled {
		return connectionErrorf(true, err, "error reading server preface: %v", err)
	}
	return connectionErrorf(true, err, "error reading from server: %v", err)
}

// closed implements role.
func (t *Client) closed(err error) {
	t.mu.Lock()
	t.waiters.wakeAll()
	watched := t.watched
	t.missed = !watched
	t.mu.Unlock()
	if watched {
		t.events.Closed(err)
	}
}

// wasSettled reports whether the server's first SETTINGS have arrived.
func (t *Client) wasSettled() bool {
	select {
	case <-t.settled:
		return true
	default:
		return false
	}
}

// closeStatus is the status of the calls that the end of the connection ends: that of err if it carries one.
func (t *Client) closeStatus(err error) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.lastGoAway; g != nil && *g != (GoAwayReason{}) {
		return status.Newf(codes.Unavailable, "closing transport due to: %v, received prior goaway: code: %v, debug data: %q", err, frame.ErrCode(g.Code), g.Debug)
	}
	if c, ok := err.(ConnectionError); ok {
		return status.New(codes.Unavailable, c.Desc)
	}
	return status.New(codes.Unavailable, err.Error())
}
