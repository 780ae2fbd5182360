// One RPC on the client's side as the application sees it: its options and deadline, its attempts, and the end that comes once.

package grpc

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/callctx"
	"google.golang.org/grpc/internal/callkey"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// NewStream starts a streaming RPC. The method is "/service/method". The error carries a status. Generated code calls it; it may be
// called concurrently. See ClientStream for what must be done so that the stream's resources are freed.
func (cc *ClientConn) NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error) {
	opts = cc.withDefaults(opts)
	if i := cc.opts.streamInterceptor; i != nil {
		return i(ctx, desc, cc, method, newStream, opts...)
	}
	return newStream(ctx, desc, cc, method, opts...)
}

// NewClientStream is ClientConn.NewStream as a function, which generated code of the first years calls.
//
// Deprecated: use ClientConn.NewStream.
func NewClientStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption) (ClientStream, error) {
	return cc.NewStream(ctx, desc, method, opts...)
}

// A clientContext is the context of a streaming RPC.
type clientContext struct {
	callctx.Context
	cs *clientStream // nil if the RPC is unary
}

// Value implements context.Context.
func (c *clientContext) Value(key any) any {
	switch key.(type) {
	case callkey.Call:
		return c.cs
	case callkey.Peer:
		return c.cs.peer()
	}
	return c.Context.Context.Value(key)
}

// String names the context without its contents, which may be secret.
func (c *clientContext) String() string { return "grpc call " + c.cs.method }

// newStream is a streaming RPC without its interceptors.
func newStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption) (ClientStream, error) {
	cs, err := newClientStream(ctx, desc, cc, nil, method, opts)
	if err != nil {
		return nil, err
	}
	return cs.open()
}

// A clientStream is one RPC. A unary one is made of unary alone; the methods of ClientStream are for streaming ones.
type clientStream struct {
	cc            *ClientConn
	desc          *StreamDesc
	method        string
	opts          []CallOption
	info          callInfo
	comp          compression // of what is sent
	accept        string      // the compressors that the call accepts
	pickers       *pickers
	waitForReady  bool
	waitedForName bool
	parent        context.Context // the caller's, with the timeout of the service config
	cancel        func()          // frees that timeout; nil if there is none
	entered       bool            // the channel counts the RPC
	retry         retryState
	hedge         *hedge  // nil unless the service config has a hedging policy for the method
	first         attempt // the memory of the first attempt
	memory        *callMemory

	// Of streaming RPCs:
	ctx       clientContext // ends with the RPC
	stopWatch func() bool   // ends the watch over parent; nil if there is none
	sendDone  bool          // of the sending goroutine: CloseSend was called
	received  bool          // of the receiving goroutine: the one response was received

	mu        sync.Mutex    // guards the fields below
	opened    bool          // the first attempt to open a stream has returned
	attempt   *attempt      // the current one
	replacing chan struct{} // closed when it is known which attempt takes its place; nil if that is known
	verdict   verdict       // on the last attempt that failed
	committed bool          // the current attempt is the last
	sent      sentBuffer
	ended     bool // the client has said that no message follows
	over      bool
	reported  bool          // and everybody who is to hear of the end has
	report    chan struct{} // closed when that is so; made when somebody waits for it
}

// callContext returns the context that attempts derive theirs from.
func (cs *clientStream) callContext() context.Context {
	if cs.ctx.cs != nil {
		return &cs.ctx
	}
	return cs.parent
}

// open starts a streaming RPC.
func (cs *clientStream) open() (ClientStream, error) {
	if err := cs.start(); err != nil {
		cs.finish(err)
		return nil, err
	}
	return cs, nil
}

// start opens the first attempt of a streaming RPC.
func (cs *clientStream) start() error {
	cs.ctx.Context.Context, cs.ctx.cs = cs.parent, cs
	cs.attempt = &cs.first
	if cs.parent.Done() != nil {
		cs.stopWatch = context.AfterFunc(cs.parent, cs.parentDone)
	}
	err := cs.openFirst()
	cs.mu.Lock()
	cs.opened = true
	cs.mu.Unlock()
	if err == nil && cs.ctx.Err() != nil { // parentDone may have come too early to see the stream
		err = statusOf(cs.ctx.Err()).Err()
	}
	return err
}

// openFirst opens the first attempt, or one that follows it as long as they get no stream.
func (cs *clientStream) openFirst() error {
	if cs.hedge != nil {
		return cs.hedge.start()
	}
	cs.first.begin(cs)
	err := cs.first.open(nil, false)
	if err == nil {
		return nil
	}
	cs.first.finish(err)
	a, err := cs.openNext(cs.retry.judgeUnsent(&cs.first, err), err)
	if err == nil {
		cs.attempt = a // nobody else looks at it before opened is set
	}
	return err
}

// openNext opens an attempt that follows one that has ended with v and err. The error is that of the call.
func (cs *clientStream) openNext(v verdict, err error) (*attempt, error) {
	for v.again {
		a, ended := cs.next(v)
		if ended != nil {
			return nil, ended
		}
		a.begin(cs)
		if err = a.open(nil, false); err == nil {
			return a, nil
		}
		a.finish(err)
		v = cs.retry.judgeUnsent(a, err)
	}
	return nil, cs.retry.explain(v, err)
}

// parentDone ends the RPC because the caller's context has ended.
func (cs *clientStream) parentDone() {
	err := cs.parent.Err()
	cs.ctx.Finish(err)
	cs.mu.Lock()
	opened := cs.opened
	cs.mu.Unlock()
	if opened {
		cs.finish(statusOf(err).Err())
	}
}

// peer returns who the current attempt is made with, nil before it has a stream.
func (cs *clientStream) peer() *peer.Peer {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !cs.opened {
		return nil
	}
	return cs.attempt.peer()
}

// current returns the attempt to use. It waits while one is being replaced.
func (cs *clientStream) current() *attempt {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.currentLocked()
}

// currentLocked is current for a caller that holds cs.mu, which is unlocked while it waits.
func (cs *clientStream) currentLocked() *attempt {
	for cs.replacing != nil {
		wait := cs.replacing
		cs.mu.Unlock()
		<-wait
		cs.mu.Lock()
	}
	return cs.attempt
}

// settled returns the attempt that the call ends with, whatever comes.
func (cs *clientStream) settled() *attempt {
	if cs.hedge != nil {
		cs.hedge.settle()
	}
	a := cs.current()
	cs.commit()
	return a
}

// commit says that no other attempt will be made.
func (cs *clientStream) commit() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.commitLocked()
}

func (cs *clientStream) commitLocked() {
	if !cs.committed {
		cs.committed = true
		cs.sent.drop()
	}
}

// replace tries to put another attempt in the place of a, which has failed. It reports whether there is one to go on with.
func (cs *clientStream) replace(a *attempt) bool {
	cs.mu.Lock()
	if cs.attempt != a || cs.replacing != nil { // somebody else was faster
		replaced := cs.currentLocked() != a
		cs.mu.Unlock()
		return replaced
	}
	if cs.over || cs.committed || a.s.Status() == nil { // without a status, it failed for a reason that another attempt has too
		cs.mu.Unlock()
		return false
	}
	done := make(chan struct{})
	cs.replacing = done
	cs.mu.Unlock()
	b := cs.tryAgain(a)
	cs.mu.Lock()
	cs.replacing = nil
	if b == nil {
		cs.commitLocked()
	}
	cs.mu.Unlock()
	close(done)
	return b != nil
}

// tryAgain makes the attempt that follows a, and lets it send what a has sent. It returns nil if none follows.
func (cs *clientStream) tryAgain(a *attempt) *attempt {
	v := cs.retry.judge(a.s)
	if !v.again {
		cs.note(v)
		return nil
	}
	a.finish(a.s.Status().Err())
	b, err := cs.openNext(v, nil)
	if err != nil {
		cs.note(verdict{ended: err})
		return nil
	}
	cs.mu.Lock()
	if cs.over {
		cs.mu.Unlock()
		b.finish(statusOf(context.Canceled).Err())
		return nil
	}
	cs.attempt = b
	b.s.Queue(cs.sent.all(), cs.ended)
	payloads := cs.sent.payloads
	cs.mu.Unlock()
	b.obs.outPayloads(payloads)
	return b
}

// next waits as long as the verdict says, and returns another attempt, unless the call ends meanwhile.
func (cs *clientStream) next(v verdict) (*attempt, error) {
	if v.delay > 0 {
		timer := time.NewTimer(v.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-cs.callContext().Done():
			return nil, statusOf(cs.callContext().Err()).Err()
		}
	}
	return &attempt{s: new(transport.ClientStream), transparent: v.transparent, previous: cs.retry.made}, nil
}

// Header implements ClientStream. If there are no headers, RecvMsg has the reason.
func (cs *clientStream) Header() (metadata.MD, error) {
	for {
		a := cs.current()
		if md := a.s.AwaitHeader(); md != nil {
			cs.commit()
			return md.Copy(), nil
		}
		if !cs.replace(a) {
			return nil, nil
		}
	}
}

// Trailer implements ClientStream.
func (cs *clientStream) Trailer() metadata.MD {
	return cs.settled().trailer()
}

// Context implements ClientStream.
func (cs *clientStream) Context() context.Context {
	return cs.settled().ctx
}

// SendMsg implements ClientStream. The message of an RPC that has only one ends the sending half.
func (cs *clientStream) SendMsg(v any) error {
	if cs.sendDone {
		err := status.Error(codes.Internal, "SendMsg called after CloseSend")
		cs.finish(err)
		return err
	}
	m, n, err := cs.encode(v)
	if err != nil {
		cs.finish(err)
		return err
	}
	cs.sendDone = !cs.desc.ClientStreams
	if cs.hedge != nil && cs.hedge.send(m, payload{v, n}, cs.sendDone) {
		return nil
	}
	a := cs.keep(m, payload{v, n}, cs.sendDone)
	if a.s.Write(m, cs.sendDone) == nil {
		a.obs.outPayload(v, n)
		return nil
	}
	a.s.AwaitHeader() // or the status, which may come a moment after the end, and says whether another attempt follows
	if !cs.replace(a) && cs.desc.ClientStreams {
		return io.EOF
	}
	return nil // or RecvMsg has the reason
}

// encode makes a message ready to be sent.
func (cs *clientStream) encode(v any) (*transport.OutMessage, sizes, error) {
	if p, ok := v.(*PreparedMsg); ok {
		return p.message(cs.info.maxSend)
	}
	return encode(cs.info.codec, v, &cs.comp, cs.info.maxSend, cs.cc.opts.pool)
}

// keep notes a message that is about to be sent on the attempt that it returns, so that it can be sent again on another one; a nil
// message, that nothing more will be sent.
func (cs *clientStream) keep(m *transport.OutMessage, p payload, last bool) *attempt {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	a := cs.currentLocked()
	cs.ended = cs.ended || last
	if m == nil || cs.committed {
		return a
	}
	if cs.retry.policy == nil && a.s.Accepted() { // an attempt that a server has taken up is only made again by a policy
		cs.commitLocked()
		return a
	}
	cs.sent.add(m)
	if a.obs != nil {
		cs.sent.payloads = append(cs.sent.payloads, p)
	}
	if cs.sent.size > cs.info.retryBuffer {
		cs.commitLocked()
	}
	return a
}

// CloseSend implements ClientStream.
func (cs *clientStream) CloseSend() error {
	if !cs.sendDone {
		cs.sendDone = true
		if cs.hedge == nil || !cs.hedge.send(nil, payload{}, true) {
			cs.keep(nil, payload{}, true).s.CloseSend()
		}
	}
	return nil
}

// RecvMsg implements ClientStream.
func (cs *clientStream) RecvMsg(v any) error {
	if cs.received {
		return io.EOF
	}
	for {
		a := cs.current()
		err := a.receive(v)
		switch {
		case err == nil && cs.desc.ServerStreams:
			cs.commit()
			return nil
		case err == nil:
			cs.received = true
			cs.finish(nil)
			a.drop()
			return nil
		case err == io.EOF:
			cs.finish(nil)
			a.drop()
			return err
		case !a.gotReply && cs.replace(a):
			continue
		}
		err = cs.explain(err)
		cs.finish(err)
		a.drop()
		return err
	}
}

// finish ends the RPC. Only the first call counts; others wait until it is done, so that the caller of RecvMsg finds what options such as
// Header have promised. It is not for finish to drop what was not received: it may not be the receiver who calls.
func (cs *clientStream) finish(err error) {
	cs.mu.Lock()
	if cs.over {
		cs.awaitReportLocked()
		cs.mu.Unlock()
		return
	}
	cs.over = true
	var outrun []*attempt
	if cs.hedge != nil {
		outrun = cs.hedge.endLocked(err)
	}
	cs.commitLocked()
	a := cs.attempt
	cs.mu.Unlock()
	a.end(err)
	finishAll(outrun, err)
	if err == nil {
		cs.retry.throttle.succeeded()
	}
	if a.conn != nil {
		for _, o := range cs.opts {
			o.after(&cs.info, a)
		}
	}
	if cs.stopWatch != nil {
		cs.stopWatch()
	}
	if cs.ctx.cs != nil {
		cs.ctx.Finish(context.Canceled)
	}
	cs.reportFinish(err)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.reported = true; cs.report != nil {
		close(cs.report)
	}
}

// awaitReportLocked waits until the first call of finish has done all it does. It unlocks cs.mu while it waits.
func (cs *clientStream) awaitReportLocked() {
	if cs.reported {
		return
	}
	if cs.report == nil {
		cs.report = make(chan struct{})
	}
	wait := cs.report
	cs.mu.Unlock()
	<-wait
	cs.mu.Lock()
}

// reportFinish frees what the RPC holds of its channel, and tells those who asked that it is over.
func (cs *clientStream) reportFinish(err error) {
	if cs.cancel != nil {
		cs.cancel()
	}
	if cs.entered {
		cs.cc.leave()
	}
	for _, f := range cs.info.onFinish {
		f(err)
	}
}
