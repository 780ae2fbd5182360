// A call that a server of net/http has accepted: the same ServerStream, whose bytes come from a http.Request and go to a
// http.ResponseWriter. Nothing of the connection is ours: neither its limits, nor keepalive, nor its end.

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An exchange is the request and the response of a call of net/http. It belongs to net/http again when ServeHTTP returns, which
// may be before the call's handler does.
type exchange struct {
	o       *ServerOptions
	w       http.ResponseWriter
	control *http.ResponseController
	body    io.ReadCloser
	stopped context.Context
	link    link             // of fixed windows: the flow control is net/http's
	scratch [smallChunk]byte // of the reader
	turn    chan struct{}    // holds a value while nobody uses w
	ended   bool             // the trailers were set; belongs to whose turn it is

	mu      sync.Mutex // guards the fields below
	writing bool       // a message is being written to w
	over    bool       // w and body must not be used any more
}

// errStopping is the status of calls that end because the server does.
var errStopping = status.New(codes.Unavailable, "transport: the server is stopping")

// ServeHTTP serves one call that net/http has accepted. A request that is none of gRPC is answered; a sound one is given to the
// handler, which must see to it that Finish and Done are called. ServeHTTP returns when the context of the call ends: with the call, at
// its deadline, when the client is gone, or when stopped ends; then it tells the handler Closed. The options count as far as they
// concern calls.
func ServeHTTP(w http.ResponseWriter, r *http.Request, stopped context.Context, o ServerOptions, handler Handler) {
	defer handler.Closed(nil)
	h, timeout, ok := acceptHTTP(w, r)
	if !ok {
		return
	}
	o.setDefaults()
	s := newHTTPStream(&o, h, w, r)
	s.http.stopped = stopped
	defer context.AfterFunc(r.Context(), func() { s.end(r.Context().Err()) })()
	defer context.AfterFunc(stopped, func() { s.end(context.Canceled) })()
	if h.hasTimeout {
		s.setLimit(timeout)
		s.startTimer()
	}
	if h.hasTimeout && timeout <= 0 {
		s.end(context.DeadlineExceeded)
	} else {
		handler.HandleStream(s)
	}
	<-s.ctx.Done()
	s.http.leave(s)
}

// acceptHTTP returns the header of a request and its timeout, or answers why it is none of gRPC.
func acceptHTTP(w http.ResponseWriter, r *http.Request) (h *head, timeout time.Duration, ok bool) {
	h = httpHead(r)
	var err error
	if h.hasTimeout {
		timeout, err = parseTimeout(h.timeout)
	}
	_, known := ContentSubtype(h.contentType)
	_, flusher := w.(http.Flusher)
	switch {
	case r.ProtoMajor != 2:
		http.Error(w, "gRPC requires HTTP/2", http.StatusHTTPVersionNotSupported)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, fmt.Sprintf("invalid gRPC request method %q", r.Method), http.StatusMethodNotAllowed)
	case h.malformed != "":
		http.Error(w, "malformed request: "+h.malformed, http.StatusBadRequest)
	case !known:
		http.Error(w, fmt.Sprintf("invalid gRPC request content-type %q", h.contentType), http.StatusUnsupportedMediaType)
	case !flusher:
		http.Error(w, "gRPC requires a ResponseWriter supporting http.Flusher", http.StatusInternalServerError)
	case err != nil:
		http.Error(w, fmt.Sprintf("malformed grpc-timeout: %v", err), http.StatusBadRequest)
	case h.badBinary != "":
		http.Error(w, fmt.Sprintf("malformed binary metadata %q in header %q: %v", h.badValue, h.badBinary, h.badReason), http.StatusBadRequest)
	default:
		return h, timeout, true
	}
	return nil, 0, false
}

// httpHead returns the header of a request in the form that it has when it comes by a connection of this package. The path is that of
// the URL as it was sent, which middleware may have shortened.
func httpHead(r *http.Request) *head {
	h := new(head)
	h.method, h.path, h.authority, h.pseudo = r.Method, r.URL.RequestURI(), r.Host, sawMethod|sawPath
	if r.Host != "" {
		h.pseudo |= sawAuthority
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) { // of several faults, the same is told each time
		for _, v := range r.Header[name] {
			h.add(hpack.HeaderField{Name: strings.ToLower(name), Value: v})
		}
	}
	return h
}

func newHTTPStream(o *ServerOptions, h *head, w http.ResponseWriter, r *http.Request) *ServerStream {
	x := &exchange{o: o, w: w, control: http.NewResponseController(w), body: r.Body, turn: make(chan struct{}, 1)}
	x.turn <- struct{}{}
	x.link.init(0, true)
	s := &ServerStream{req: h, http: x, subtype: rawSubtype(h.contentType)}
	s.recv.pool, s.recv.limit, s.recv.link = o.Pool, o.MaxMessageSize, &x.link
	s.ctx.s, s.ctx.Context.Context = s, o.Context
	return s
}

// receive is ServerStream.Recv: it reads no further than to the end of the chunk in which a message is complete.
func (x *exchange) receive(q *recvQueue) (InMessage, error) {
	for {
		if m, _, err := q.take(); m.Payload != nil || err != nil {
			return m, err
		}
		var n int
		var err error
		if p := q.reserve(maxFrameSize); p != nil {
			n, err = x.body.Read(p)
			q.commit(n)
		} else {
			n, err = x.body.Read(x.scratch[:])
			q.put(x.scratch[:n], 0)
		}
		if err != nil {
			q.end(requestEnd(err), false)
		}
	}
}

// requestEnd returns what the end of a request's body means to the reader of messages.
func requestEnd(err error) error {
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case err == io.EOF:
		return io.EOF
	case errors.As(err, &tooLarge):
		return streamErrorf(codes.ResourceExhausted, "transport: reading the request: %v", err)
	}
	return context.Canceled // the client is gone
}

// enter waits for the turn to use w. It returns false if nobody may any more.
func (x *exchange) enter() bool {
	<-x.turn
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		x.exit()
	}
	return !x.over
}

// exit gives the turn back.
func (x *exchange) exit() { x.turn <- struct{}{} }

// setWriting says whether a message is being written.
func (x *exchange) setWriting(on bool) {
	x.mu.Lock()
	x.writing = on
	x.mu.Unlock()
}

// interrupt ends what waits for w and for body. What waits for w is waiting for a client that reads too slowly: its stream is reset.
func (x *exchange) interrupt() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return
	}
	x.body.Close() // wakes its reader
	if x.writing {
		_ = x.control.SetWriteDeadline(time.Unix(1, 0)) // if there is none, the client decides how long it takes
	}
}

// sendHeader is ServerStream.SendHeader. What a response says is settled in the turn in which it is written, here and below: others may have
// something to say meanwhile, or end it.
func (x *exchange) sendHeader(s *ServerStream) error {
	if !x.enter() {
		return ErrStreamDone
	}
	defer x.exit()
	h, err := s.takeFirstHeader()
	if err != nil {
		return err
	}
	return x.put(s, h, nil)
}

// send is ServerStream.Write.
func (x *exchange) send(s *ServerStream, m *OutMessage) error {
	defer m.Free()
	if !x.enter() {
		return ErrStreamDone
	}
	defer x.exit()
	h, err := s.takeHeader()
	if err != nil {
		return err
	}
	return x.put(s, h, m)
}

// finish is ServerStream.Finish. Only the first call counts.
func (x *exchange) finish(s *ServerStream, st *status.Status, m *OutMessage) error {
	if m != nil {
		defer m.Free()
	}
	if !x.enter() {
		return ErrStreamDone
	}
	defer x.exit()
	if x.ended {
		return ErrStreamDone
	}
	x.ended = true
	t, h, err := s.ending(x.verdict(st), m != nil)
	if err != nil {
		m = nil
	}
	if t.only {
		h = &responseHeader{subtype: t.subtype}
	}
	err = x.put(s, h, m)
	x.putTrailers(t)
	return err
}

// put writes headers and a message as far as they are there, and flushes: what net/http has not sent when the response ends gets a
// content-length.
func (x *exchange) put(s *ServerStream, h *responseHeader, m *OutMessage) error {
	if h != nil {
		x.putHeader(h)
	}
	if m != nil {
		x.setWriting(true)
		defer x.setWriting(false)
		if s.ctx.Err() != nil { // and nobody would interrupt what begins now
			return ErrStreamDone
		}
		m.each(0, m.Len(), func(p []byte) { _, _ = x.w.Write(p) }) // Flush says whether it went out
	}
	if x.control.Flush() != nil {
		s.end(context.Canceled) // the client is gone
		return ErrStreamDone
	}
	return nil
}

// putHeader writes response headers.
func (x *exchange) putHeader(h *responseHeader) {
	header := x.w.Header()
	header["Date"] = nil // net/http adds none
	header["Trailer"] = []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"}
	header.Set("Content-Type", contentTypeOf(h.subtype))
	if h.encoding != "" {
		header.Set("Grpc-Encoding", h.encoding)
	}
	for _, f := range h.fields {
		header.Add(f.Name, f.Value)
	}
	x.w.WriteHeader(http.StatusOK)
}

// putTrailers sets the trailers, which net/http sends when ServeHTTP returns.
func (x *exchange) putTrailers(t *trailers) {
	header := x.w.Header()
	header.Set("Grpc-Status", strconv.Itoa(int(t.status.code)))
	if t.status.message != "" {
		header.Set("Grpc-Message", encodeMessage(t.status.message))
	}
	if t.status.details != "" {
		header.Set("Grpc-Status-Details-Bin", encodeBinary(t.status.details))
	}
	for _, f := range t.fields {
		header.Add(http.TrailerPrefix+f.Name, f.Value)
	}
}

// leave ends the response, unless it is complete, and the use of w and body: they are net/http's again.
func (x *exchange) leave(s *ServerStream) {
	_ = s.Finish(status.FromContextError(s.ctx.Err()), nil)
	<-x.turn
	x.mu.Lock()
	x.over = true
	x.mu.Unlock()
	x.exit()
}

// verdict returns the status with which the call ends if its handler says st.
func (x *exchange) verdict(st *status.Status) *status.Status {
	if st.Code() != codes.OK && x.stopped.Err() != nil {
		return errStopping
	}
	return st
}
