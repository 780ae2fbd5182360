// Trying again (gRFC A6): when a failed attempt is followed by another one, after how long, and what it sends: the messages that
// the attempt before has sent are kept, encoded, until the call is committed to an attempt.

package grpc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	internalbackoff "google.golang.org/grpc/internal/backoff"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

const (
	// defaultRetryBuffer is how many bytes of a call's messages are kept by default, so that it can be tried again.
	defaultRetryBuffer = 256 << 10
	// retryJitter is how much the delay before an attempt varies, as a share of itself.
	retryJitter = 0.2
	// gatheredMessage is the size in bytes up to which messages that are kept are gathered, so that many small ones take little room.
	gatheredMessage = 1 << 10
	// maxPushback is what a server can say at most with it, in milliseconds: about 292 years. A larger number means that.
	maxPushback = math.MaxInt64 / int64(time.Millisecond)
	// pushbackKey is the trailer in which a server says when to try again, in milliseconds, or with a negative number not to.
	pushbackKey = "grpc-retry-pushback-ms"
)

// A retryThrottle stops retries on a channel where too many calls fail (gRFC A6). A nil throttle stops none. Its methods may be
// called concurrently.
type retryThrottle struct {
	max, ratio float64 // immutable

	mu     sync.Mutex // guards tokens
	tokens float64
}

func newRetryThrottle(c *serviceconfig.RetryThrottling) *retryThrottle {
	if c == nil {
		return nil
	}
	return &retryThrottle{max: c.MaxTokens, ratio: c.TokenRatio, tokens: c.MaxTokens}
}

// failed counts a failure that could be retried. It reports whether it may be.
func (t *retryThrottle) failed() (retry bool) {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = max(0, t.tokens-1)
	return t.tokens > t.max/2
}

// permits reports whether further attempts may be made.
func (t *retryThrottle) permits() bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tokens > t.max/2
}

// succeeded counts a call that ended well.
func (t *retryThrottle) succeeded() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.tokens = min(t.max, t.tokens+t.ratio)
	t.mu.Unlock()
}

// A retryState is how far a call has come with its attempts. It belongs to whoever makes the next attempt.
type retryState struct {
	policy      *serviceconfig.RetryPolicy // nil for none
	throttle    *retryThrottle
	made        int  // attempts that reached a server
	backoffs    int  // since the start or the last pushback
	transparent bool // an attempt that the server did not act on was replaced
}

// A verdict says what follows an attempt that failed.
type verdict struct {
	again       bool
	exhausted   bool // another attempt would follow if the policy allowed more
	transparent bool // the attempt does not count: the server's application has not seen it
	delay       time.Duration
	ended       error // why the call came to its end when it was to be tried again, nil if it did not
}

// explain makes the error of an attempt that of its call, if there were several, or were to be.
func (r *retryState) explain(v verdict, err error) error {
	switch {
	case v.ended != nil:
		return v.ended
	case !v.exhausted:
		return err
	}
	return fmt.Errorf("max retries exhausted: failed after %d attempts: %w", r.made, err)
}

// note keeps the verdict on an attempt that none follows.
func (cs *clientStream) note(v verdict) {
	cs.mu.Lock()
	cs.verdict = v
	cs.mu.Unlock()
}

// explain makes the error of the last attempt that of the call.
func (cs *clientStream) explain(err error) error {
	cs.mu.Lock()
	v := cs.verdict
	cs.mu.Unlock()
	return cs.retry.explain(v, err)
}

// judge decides what follows the attempt, which was made on a stream and has failed.
func (r *retryState) judge(s *transport.ClientStream) verdict {
	if r.refused(s) {
		return verdict{again: true, transparent: true}
	}
	if _, answered := s.Header(); answered {
		r.made++
		return verdict{}
	}
	return r.follow(s.Status().Code(), s.Trailer()[pushbackKey])
}

// refused reports whether the server has certainly not acted on the attempt, and notes that another one takes its place: once in a call.
func (r *retryState) refused(s *transport.ClientStream) bool {
	if r.transparent || !s.Unprocessed() {
		return false
	}
	r.transparent = true
	return true
}

// judgeUnsent decides what follows an attempt for which there was no stream. What the load-balancing policy drops is not tried again.
func (r *retryState) judgeUnsent(a *attempt, err error) verdict {
	if a.dropped {
		return verdict{}
	}
	return r.follow(status.Code(err), nil)
}

// follow applies the policy to an attempt that has failed with the code and the values of the pushback trailer.
func (r *retryState) follow(code codes.Code, pushback []string) verdict {
	r.made++
	if r.policy == nil {
		return verdict{}
	}
	delay, said, ok := pushbackOf(pushback)
	if !ok {
		r.throttle.failed()
		return verdict{}
	}
	if !r.policy.RetryableStatusCodes[code] || !r.throttle.failed() {
		return verdict{}
	}
	if r.made >= r.policy.MaxAttempts {
		return verdict{exhausted: true}
	}
	if said {
		r.backoffs = 0
		return verdict{again: true, delay: delay}
	}
	delay = internalbackoff.Exponential(backoff.Config{
		BaseDelay: r.policy.InitialBackoff, Multiplier: r.policy.BackoffMultiplier, Jitter: retryJitter, MaxDelay: r.policy.MaxBackoff,
	}, r.backoffs, rand.Float64())
	r.backoffs++
	return verdict{again: true, delay: delay}
}

// pushbackOf reads the values of the pushback trailer. ok is false if they forbid to try again, and if they make no sense.
func pushbackOf(values []string) (delay time.Duration, said, ok bool) {
	if len(values) == 0 {
		return 0, false, true
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || ms < 0 || len(values) > 1 {
		return 0, true, false
	}
	return time.Duration(min(ms, maxPushback)) * time.Millisecond, true, true
}

// A sentBuffer keeps what a call has sent, as long as it may have to be sent again. It is guarded by its call's mutex.
type sentBuffer struct {
	parts    []*transport.OutMessage
	open     bool      // the last part gathers small messages
	size     int       // bytes
	payloads []payload // what observers are told of when it is sent again; empty if there are none
}

// add keeps a message. The caller keeps its reference.
func (b *sentBuffer) add(m *transport.OutMessage) {
	b.size += m.Len()
	if m.Len() > gatheredMessage {
		m.Ref()
		b.parts, b.open = append(b.parts, m), false
		return
	}
	if !b.open || !b.parts[len(b.parts)-1].Gather(m) {
		part := transport.NewOutMessage()
		part.Gather(m)
		b.parts, b.open = append(b.parts, part), true
	}
}

// all returns what is kept, with references of its own. What is added later does not change it.
func (b *sentBuffer) all() []*transport.OutMessage {
	b.open = false
	parts := append([]*transport.OutMessage(nil), b.parts...)
	for _, p := range parts {
		p.Ref()
	}
	return parts
}

// drop keeps nothing any more.
func (b *sentBuffer) drop() {
	for _, p := range b.parts {
		p.Free()
	}
	*b = sentBuffer{}
}
