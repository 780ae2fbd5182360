// From a stream to its handler and back: route, interceptors, handler, status. A unary method is handled like a stream that receives
// once and sends once.

package grpc

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/transport"
)

// HandleStream implements transport.Handler. It is called by the goroutine that reads the connection.
func (c *serverConn) HandleStream(st *transport.ServerStream) {
	ss := newServerStream(c.s, st)
	if h := c.s.opts.tap; h != nil {
		ctx, err := h(ss.ctx, &tap.Info{FullMethodName: st.Method(), Header: st.Metadata().Copy()})
		if err != nil {
			ss.refuse(tapStatus(err))
			return
		}
		ss.ctx = ctx
	}
	c.s.handlers.Add(1)
	if !st.Complete() && ss.needsRequest() {
		st.AwaitRequest() // calls Begin
		return
	}
	if st.MayBePutOff() && ss.m.isQuick() {
		c.turn.add(ss)
		return
	}
	c.s.workers.run(ss)
}

// tapStatus is the status of a call that the tap has refused.
func tapStatus(err error) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	return status.New(codes.PermissionDenied, err.Error())
}

// refuse ends an RPC that was not handled.
func (ss *serverStream) refuse(st *status.Status) {
	_ = ss.st.Finish(st, nil) // the client is gone, or gets to know
	ss.st.Done()
}

// handle handles the RPC. It is run by a worker, by the read goroutine if the handler is quick, or, if the RPC is over, by whoever has ended it.
func (ss *serverStream) handle() {
	defer ss.s.handlers.Done()
	defer ss.st.Done()
	if labelsOn && !ss.over {
		ss.label()
		defer unlabel()
	}
	m := ss.m
	if m == nil {
		m = ss.s.unknownMethod(ss.st.Method())
	}
	ss.observe(m)
	if ss.s.opts.panics != nil {
		ss.finish(ss.runRecovering(m))
	} else {
		ss.finish(ss.run(m))
	}
}

// run runs the handler of a method, nil if there is none.
func (ss *serverStream) run(m *method) (*transport.OutMessage, error) {
	switch {
	case ss.over:
		return nil, statusOf(ss.st.Context().Err()).Err()
	case m == nil:
		return nil, ss.s.noMethod(ss.st.Method())
	case m.unary != nil:
		return ss.handleMeasured(m)
	default:
		return nil, ss.handleStream(m)
	}
}

// observe begins to watch the RPC, if anybody does.
func (ss *serverStream) observe(m *method) {
	o := &ss.s.opts
	if len(o.statsHandlers) == 0 && !stats.On() {
		return
	}
	ss.obs = newObserver(ss.ctx, o.statsHandlers, false, &stats.RPCTagInfo{FullMethodName: ss.st.Method()})
	ss.ctx = ss.obs.context(ss.ctx)
	p := ss.st.Peer()
	ss.obs.inHeader(&headerEvent{
		md: ss.st.Metadata().Copy(), compression: ss.st.RecvCompress(), wireLength: ss.st.HeaderLen(), method: ss.st.Method(), remote: p.Addr,
		local: p.LocalAddr,
	})
	if ss.begun = m != nil; !ss.begun { // what is no method neither begins nor ends
		return
	}
	if m.unary != nil {
		ss.obs.begin(false, false, false, false)
	} else {
		ss.obs.begin(false, m.stream.ClientStreams, m.stream.ServerStreams, false)
	}
}

// unknownMethod returns the method that handles all unknown ones, nil if they are refused, or the path is none of a method.
func (s *Server) unknownMethod(path string) *method {
	if _, _, ok := cutMethod(path); !ok || s.opts.unknown == nil {
		return nil
	}
	return &method{stream: s.opts.unknown}
}

// noMethod says why a path leads nowhere.
func (s *Server) noMethod(path string) error {
	service, name, ok := cutMethod(path)
	if !ok {
		return status.Errorf(codes.Unimplemented, "malformed method name: %q", path)
	}
	if s.services[service] == nil {
		return status.Errorf(codes.Unimplemented, "unknown service %v", service)
	}
	return status.Errorf(codes.Unimplemented, "unknown method %v for service %v", name, service)
}

// cutMethod splits "/service/method".
func cutMethod(path string) (service, method string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// handleUnary handles a unary RPC. The reply is encoded, so that it goes out together with the status.
func (ss *serverStream) handleUnary(m *method) (*transport.OutMessage, error) {
	ss.oneRequest = true
	if err := ss.begin(); err != nil {
		return nil, err
	}
	v, err := m.unary(m.impl, ss.ctx, ss.RecvMsg, ss.s.opts.unaryInterceptor)
	if err != nil {
		return nil, handlerError(err)
	}
	reply, n, err := ss.encode(v)
	if err != nil {
		return nil, err
	}
	if ss.obs != nil {
		ss.obs.reply, ss.obs.replySize = v, n
	}
	return reply, nil
}

// handleMeasured is handleUnary, and notes how long that took if nothing but the handler can have taken the time, and nobody else measures.
func (ss *serverStream) handleMeasured(m *method) (*transport.OutMessage, error) {
	if ss.inTurn || !ss.st.Complete() {
		return ss.handleUnary(m)
	}
	begun := time.Now()
	reply, err := ss.handleUnary(m)
	m.credit.note(time.Since(begun), false)
	return reply, err
}

// handleStream handles a streaming RPC.
func (ss *serverStream) handleStream(m *method) error {
	ss.oneRequest = !m.stream.ClientStreams
	if err := ss.begin(); err != nil {
		return err
	}
	if i := ss.s.opts.streamInterceptor; i != nil {
		info := &StreamServerInfo{FullMethod: ss.st.Method(), IsClientStream: m.stream.ClientStreams, IsServerStream: m.stream.ServerStreams}
		return handlerError(i(m.impl, ss, info, m.stream.Handler))
	}
	return handlerError(m.stream.Handler(m.impl, ss))
}

// handlerError gives the error of a handler a status, if it has none.
func handlerError(err error) error {
	if err == nil {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return st.Err()
	}
	return status.FromContextError(err).Err()
}

// finish ends the RPC with the status of err, behind the reply if there is one.
func (ss *serverStream) finish(reply *transport.OutMessage, err error) {
	st := okStatus
	if err != nil {
		st = status.Convert(err)
	}
	sent := ss.st.Finish(st, reply)
	if ss.obs == nil {
		return
	}
	if reply != nil {
		ss.tellHeader()
		ss.obs.outPayload(ss.obs.reply, ss.obs.replySize)
		ss.obs.reply = nil // the stream lasts until the client has taken it
	}
	if sent == nil {
		ss.obs.outTrailer(ss.st.Trailer())
	}
	if ss.begun {
		ss.obs.end(nil, err)
	}
}

var okStatus = status.New(codes.OK, "")
