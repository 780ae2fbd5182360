// Hedging (gRFC A6): a call whose attempts run side by side. The first one is made like that of any call, each further one after a
// delay, or as soon as one has failed in a way that the policy calls not fatal. The first one that is answered is the call's, and the
// others are cancelled.
//
// No goroutine owns a hedged call. Each attempt that has a stream has one that waits for its answer, a timer begins the next attempt, and
// what follows is decided under the call's mutex. As long as the race is open, clientStream.replacing is not nil: who receives waits for
// it, and who sends hands each message to all attempts, which costs no memory beyond the call's sentBuffer.

package grpc

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// A hedge is what a hedged call has beyond others.
type hedge struct {
	cs     *clientStream
	policy *serviceconfig.HedgingPolicy
	over   chan struct{} // closed when the race is over: what clientStream.replacing is until then

	// Guarded by cs.mu:
	racing  []*attempt                      // those that have a stream and no answer
	opening map[*attempt]context.CancelFunc // those that have no stream yet
	begun   int                             // attempts, but for those that take the place of one that the server did not act on
	frozen  bool                            // no other attempt is begun
	hurry   bool                            // the next attempt that gets a stream is the call's
	timer   *time.Timer                     // begins the next attempt
	turn    int                             // which setting of the timer is the last
}

// errOutrun is how the attempts end that are not the call's.
var errOutrun = status.Error(codes.Canceled, "the hedged call goes on with another attempt")

func newHedge(cs *clientStream, p *serviceconfig.HedgingPolicy) *hedge {
	return &hedge{cs: cs, policy: p, over: make(chan struct{}), opening: make(map[*attempt]context.CancelFunc)}
}

// unary makes a unary call.
func (h *hedge) unary(m *transport.OutMessage, p payload, reply any) error {
	cs := h.cs
	cs.ended = true
	cs.sent.add(m)
	cs.sent.payloads = append(cs.sent.payloads, p)
	if err := h.start(); err != nil {
		return err
	}
	select {
	case <-h.over:
	case <-cs.parent.Done():
		return statusOf(cs.parent.Err()).Err()
	}
	err := cs.current().awaitReply(reply)
	return cs.explain(err)
}

// start begins the first attempt. It returns when an attempt has a stream, or with the error of the call if none got one.
func (h *hedge) start() error {
	cs := h.cs
	cs.mu.Lock()
	cs.replacing = h.over
	h.begun = 1
	h.opening[&cs.first] = nil
	cs.mu.Unlock()
	return h.launch(&cs.first)
}

// newAttemptLocked makes the next attempt, which is to be launched.
func (h *hedge) newAttemptLocked() *attempt {
	a := &attempt{s: new(transport.ClientStream), previous: h.begun}
	h.begun++
	h.opening[a] = nil
	return a
}

// launch gets a stream for a, or if there is none for an attempt that follows it at once. If that ends the call, it returns its error.
func (h *hedge) launch(a *attempt) error {
	for {
		a.begin(h.cs)
		err := h.open(a)
		if err == nil {
			return nil
		}
		a.finish(err)
		if a, err = h.unsent(a, err); a == nil {
			return err
		}
	}
}

// open opens a stream for a, with the whole request if that is known and one message, and lets a join the race.
func (h *hedge) open(a *attempt) error {
	ctx := a.ctx
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	h.cs.mu.Lock()
	if h.cs.replacing == nil {
		h.cs.mu.Unlock()
		return errOutrun
	}
	h.opening[a] = cancel
	var whole *transport.OutMessage
	if h.cs.ended && len(h.cs.sent.parts) == 1 {
		whole = h.cs.sent.all()[0]
	}
	h.cs.mu.Unlock()
	a.ctx = opening
	err := a.open(whole, whole != nil)
	a.ctx = ctx
	if whole != nil {
		whole.Free()
	}
	if err == nil {
		h.join(a, whole == nil)
	}
	return err
}

// join takes an attempt into the race that has a stream. With replay it gets what the call has sent.
func (h *hedge) join(a *attempt, replay bool) {
	cs := h.cs
	cs.mu.Lock()
	delete(h.opening, a)
	if cs.replacing == nil {
		cs.mu.Unlock()
		a.finish(errOutrun)
		return
	}
	if cs.attempt.conn == nil {
		cs.attempt = a
	}
	h.racing = append(h.racing, a)
	if replay {
		a.s.Queue(cs.sent.all(), cs.ended)
	}
	payloads := cs.sent.payloads
	var outrun []*attempt
	if h.hurry {
		outrun = h.decideLocked(a)
	} else {
		h.beginInLocked(h.policy.HedgingDelay)
	}
	cs.mu.Unlock()
	a.obs.outPayloads(payloads)
	finishAll(outrun, errOutrun)
	go h.watch(a) // owned by the attempt; ends when that is answered or over
}

// beginInLocked begins another attempt after a delay, if there may be one.
func (h *hedge) beginInLocked(delay time.Duration) {
	if h.timer != nil {
		h.timer.Stop()
	}
	if h.mayBeginLocked() {
		h.turn++
		turn := h.turn
		h.timer = time.AfterFunc(delay, func() { h.beginNext(turn) })
	}
}

func (h *hedge) mayBeginLocked() bool { return !h.frozen && h.begun < h.policy.MaxAttempts }

// exhaustedLocked reports whether another attempt would follow if the policy allowed more.
func (h *hedge) exhaustedLocked() bool { return !h.frozen && h.begun >= h.policy.MaxAttempts }

// beginNext begins another attempt because the timer says so.
func (h *hedge) beginNext(turn int) {
	cs := h.cs
	cs.mu.Lock()
	if cs.replacing == nil || turn != h.turn || !h.mayBeginLocked() {
		cs.mu.Unlock()
		return
	}
	if !cs.retry.throttle.permits() {
		h.frozen = true
		if h.idleLocked() {
			h.decideLocked(nil)
		}
		cs.mu.Unlock()
		return
	}
	a := h.newAttemptLocked()
	cs.mu.Unlock()
	_ = h.launch(a) // the call's error is where the receiver finds it
}

// idleLocked reports whether no attempt is under way.
func (h *hedge) idleLocked() bool { return len(h.racing)+len(h.opening) == 0 }

// watch waits for the answer to an attempt in the race.
func (h *hedge) watch(a *attempt) {
	answered := a.s.AwaitHeader() != nil
	st := a.s.Status()
	cs := h.cs
	cs.mu.Lock()
	at := slices.Index(h.racing, a)
	if at < 0 { // the race is over
		cs.mu.Unlock()
		return
	}
	h.racing = slices.Delete(h.racing, at, at+1)
	var outrun []*attempt
	var again *attempt
	switch {
	case answered || st.Code() == codes.OK:
		outrun = h.decideLocked(a)
	case cs.retry.refused(a.s):
		again = &attempt{s: new(transport.ClientStream), previous: a.previous, transparent: true}
		h.opening[again] = nil
	case h.failedLocked(st.Code(), a.s.Trailer()[pushbackKey]):
		outrun = h.decideLocked(a)
		cs.retry.made, cs.verdict.exhausted = h.begun, h.exhaustedLocked() && h.policy.NonFatalStatusCodes[st.Code()]
	default:
		cs.attempt, cs.verdict.ended = a, nil // in case that no other attempt follows
	}
	over := cs.replacing == nil
	cs.mu.Unlock()
	finishAll(outrun, errOutrun)
	if !over {
		a.seeTrailer()
		a.finish(st.Err())
	}
	if again != nil {
		_ = h.launch(again) // as in beginNext
	}
}

// failedLocked decides what follows an answer that is not OK. It reports whether that is the call's.
func (h *hedge) failedLocked(code codes.Code, pushback []string) (over bool) {
	delay, _, ok := pushbackOf(pushback)
	notFatal := h.policy.NonFatalStatusCodes[code]
	if (notFatal || !ok) && (!h.cs.retry.throttle.failed() || !ok) {
		h.frozen = true
	}
	if !notFatal {
		return true
	}
	if h.mayBeginLocked() {
		if len(h.opening) == 0 {
			h.beginInLocked(delay)
		}
		return false
	}
	return h.idleLocked()
}

// unsent decides what follows an attempt that got no stream: the attempt that it returns, or if nothing is under way any more the end of
// the call with the error that it returns. The others go on.
func (h *hedge) unsent(a *attempt, err error) (*attempt, error) {
	cs := h.cs
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(h.opening, a)
	if cs.replacing == nil {
		return nil, nil
	}
	if a.dropped || !h.policy.NonFatalStatusCodes[status.Code(err)] || !cs.retry.throttle.failed() {
		h.frozen = true
	}
	cs.retry.made = h.begun
	err = cs.retry.explain(verdict{exhausted: h.exhaustedLocked()}, err)
	switch {
	case h.mayBeginLocked() && len(h.opening) == 0:
		cs.verdict.ended = err
		return h.newAttemptLocked(), nil
	case !h.idleLocked():
		return nil, nil
	}
	h.decideLocked(nil)
	cs.verdict.ended = err
	return nil, err
}

// decideLocked ends the race. The call goes on with a, or as it is if a is nil. It returns the attempts that are to be cancelled.
func (h *hedge) decideLocked(a *attempt) (outrun []*attempt) {
	cs := h.cs
	if a != nil {
		cs.attempt, cs.verdict = a, verdict{}
	}
	if h.timer != nil {
		h.timer.Stop()
	}
	for _, cancel := range h.opening {
		if cancel != nil {
			cancel()
		}
	}
	outrun = slices.DeleteFunc(h.racing, func(o *attempt) bool { return o == a })
	h.racing = nil
	cs.commitLocked()
	cs.replacing = nil
	close(h.over)
	return outrun
}

// endLocked ends the race because the call ends with err.
func (h *hedge) endLocked(err error) (outrun []*attempt) {
	if h.cs.replacing == nil {
		return nil
	}
	var last *attempt
	if n := len(h.racing); n > 0 {
		last = h.racing[n-1]
	}
	outrun = h.decideLocked(last)
	h.cs.verdict.ended = err
	return outrun
}

// settle ends the race now, since the call cannot go on with several attempts.
func (h *hedge) settle() {
	h.cs.mu.Lock()
	outrun := h.settleLocked()
	h.cs.mu.Unlock()
	finishAll(outrun, errOutrun)
}

// settleLocked makes the attempt the call's on which most was sent, or if none has a stream the first one that gets one.
func (h *hedge) settleLocked() (outrun []*attempt) {
	if h.cs.replacing == nil {
		return nil
	}
	if len(h.racing) == 0 {
		h.hurry = true
		return nil
	}
	return h.decideLocked(slices.MinFunc(h.racing, func(a, b *attempt) int { return a.s.Queued() - b.s.Queued() }))
}

// send hands a message, whose reference it takes over, or if that is nil only the end of what is sent, to all attempts. It returns false
// if the race is over, so that the message is the only attempt's.
func (h *hedge) send(m *transport.OutMessage, p payload, last bool) bool {
	cs := h.cs
	cs.mu.Lock()
	if h.hurry {
		cs.currentLocked()
	}
	if cs.replacing == nil {
		cs.mu.Unlock()
		return false
	}
	cs.ended = last
	var messages []*transport.OutMessage
	if m != nil {
		messages = []*transport.OutMessage{m}
		cs.sent.add(m)
		cs.sent.payloads = append(cs.sent.payloads, p)
	}
	to := slices.Clone(h.racing)
	for _, a := range to {
		if m != nil {
			m.Ref()
		}
		a.s.Queue(messages, last)
	}
	var outrun []*attempt
	if cs.sent.size > cs.info.retryBuffer {
		outrun = h.settleLocked()
	}
	cs.mu.Unlock()
	finishAll(outrun, errOutrun)
	if m != nil {
		for _, a := range to {
			a.obs.outPayload(p.v, p.n)
		}
		m.Free()
	}
	return true
}

// elsewhere reports whether a pick is to be made again, for a backend that no attempt in the race has: repeated says how often it was, at
// most once for each of them. It gives the pick back then.
func (h *hedge) elsewhere(p picked, repeated *int) bool {
	h.cs.mu.Lock()
	again := *repeated < len(h.racing) && slices.ContainsFunc(h.racing, func(a *attempt) bool { return a.conn == p.conn })
	h.cs.mu.Unlock()
	if !again {
		return false
	}
	*repeated++
	if p.result.Done != nil {
		p.result.Done(balancer.DoneInfo{})
	}
	return true
}

// finishAll ends attempts.
func finishAll(attempts []*attempt, err error) {
	for _, a := range attempts {
		a.finish(err)
	}
}
