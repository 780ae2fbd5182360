// A scenario: calls on a network with faults, under the clock of synctest. Each call ends by its deadline with a code that the fault
// explains, delivers nothing that was not sent, and leaves nothing behind. A goroutine that stays fails its bubble.

package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/testkit/faultconn"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/status"
)

const (
	// timeout is what calls are given, more than the backoff after two connections that failed, and grace what they may take beyond.
	timeout = 5 * time.Second
	grace   = 100 * time.Millisecond
	// found is when keepalive must have found that nobody is there: a tenth later than gRFC A8 says, behind the last answer.
	found      = lastAnswer + (pingTime+pingTimeout)*11/10
	lastAnswer = 5 * time.Second
	// closeLimit is what Close and Stop may take, and lastWords how long connections may take to end behind them. Stop waits for that
	// with WaitForHandlers.
	closeLimit = 100 * time.Millisecond
	lastWords  = time.Second + grace
	// tlsWords is how long crypto/tls tries to say goodbye.
	tlsWords = 5 * time.Second
	// recovery is what a call is given that waits for a connection after the fault.
	recovery = 30 * time.Second
)

// A scenario is one bubble: a channel and a server, calls, and plans for the first connections.
type scenario struct {
	seed     uint64
	up, down faultconn.Plan
	bad      int // so many connections follow the plans, the others have no faults
	kinds    []kind
	call     call
	copies   int           // calls of each kind at the same time; 0 means 1
	cancel   time.Duration // after which the application gives the calls up; 0 means never
	secure   bool          // TLS
	alive    bool          // keepalive, and time enough for it to find out that the server is gone
	options  options
}

func (s *scenario) String() string {
	names := make([]string, len(s.kinds))
	for i, k := range s.kinds {
		names[i] = k.name
	}
	return fmt.Sprintf("seed %d, %d of %s of %d messages of %d bytes, wait %q, cancel after %v, TLS %v, %v, on %d connections with up: %v; down: %v",
		s.seed, max(s.copies, 1), strings.Join(names, " and "), s.call.messages, s.call.size, s.call.text, s.cancel, s.secure, s.options.names,
		s.bad, s.up, s.down)
}

// has reports whether one of the faults is in the plans.
func (s *scenario) has(faults ...faultconn.Fault) bool {
	return slices.Contains(faults, s.up.Fault) || slices.Contains(faults, s.down.Fault)
}

// allows reports whether a call may end with the code.
func (s *scenario) allows(code codes.Code) bool {
	switch code {
	case codes.OK:
		return true
	case codes.Unavailable:
		return s.refuses() || s.alive && s.has(faultconn.Hole, faultconn.Holes) || s.has(faultconn.Reset, faultconn.Close, faultconn.HalfClose, faultconn.Garble)
	case codes.DeadlineExceeded:
		return s.has(faultconn.Hole, faultconn.Holes, faultconn.Garble) && !s.alive || s.call.text == "-"
	case codes.Canceled:
		return s.cancel > 0 || s.has(faultconn.Garble)
	}
	return s.has(faultconn.Garble) && !s.secure // what was garbled may look like anything, if nobody notices
}

// refuses reports whether calls may be refused, since a call that was given up holds its place on the server until its handler returns.
func (s *scenario) refuses() bool {
	return slices.Contains(s.options.names, narrow) && (s.cancel > 0 || s.call.text == "-")
}

// A tally counts what happened.
type tally struct {
	scenarios, happened, calls int
	codes                      map[codes.Code]int
}

func (y *tally) String() string {
	return fmt.Sprintf("%d scenarios, %d faults that happened, %d calls: %v", y.scenarios, y.happened, y.calls, y.codes)
}

// run runs a scenario in a bubble of its own. It returns how many faults have happened.
func (s *scenario) run(t *testing.T, y *tally) (happened int) {
	y.scenarios++
	synctest.Test(t, func(t *testing.T) {
		lis := faultconn.Listen(s.seed, func(n int) (up, down faultconn.Plan) {
			if n < s.bad {
				return s.up, s.down
			}
			return faultconn.Plan{}, faultconn.Plan{}
		})
		serverCreds, clientCreds := s.credentials()
		srv := grpc.NewServer(append(s.options.server, grpc.Creds(serverCreds))...)
		grpc162.RegisterEchoServer(srv, echo{})
		go srv.Serve(lis) // ends with Stop
		opts := append(s.options.client, grpc.WithTransportCredentials(clientCreds), grpc.WithContextDialer(lis.Dial))
		cc, err := grpc.NewClient("passthrough:///faults", opts...)
		if err != nil {
			t.Fatal(err)
		}
		s.callAll(t, cc, y)
		if s.alive || !s.has(faultconn.Hole, faultconn.Holes, faultconn.Garble) {
			s.callAgain(t, cc, y)
		}
		s.within(t, closeLimit, "Close of the channel", func() { cc.Close() })
		limit := closeLimit
		if slices.Contains(s.options.names, waits) {
			limit = lastWords
		}
		s.within(t, limit, "Stop of the server", srv.Stop)
		happened = lis.Happened()
		linger := lastWords
		if s.secure {
			linger += tlsWords
		}
		<-time.After(linger) // the clock of a bubble stands still when this function returns
	})
	y.happened += happened
	if out := loans.Out(); len(out) > 0 {
		t.Errorf("%v: %d buffers did not come back, want 0; one: %s", s, len(out), out[0])
	}
	return happened
}

// callAll makes calls of each kind at the same time, and checks their ends.
func (s *scenario) callAll(t *testing.T, cc *grpc.ClientConn, y *tally) {
	var wg sync.WaitGroup
	n := len(s.kinds) * max(s.copies, 1)
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = s.callOne(t, cc, s.kinds[i%len(s.kinds)], uint32(i)) })
	}
	wg.Wait()
	for i, err := range errs {
		name := s.kinds[i%len(s.kinds)].name
		code := status.Code(err)
		y.calls++
		y.codes[code]++
		switch {
		case isWrong(err) && (s.secure || !s.has(faultconn.Garble)):
			t.Errorf("%v: %s: %v", s, name, err)
		case !isWrong(err) && !s.allows(code):
			t.Errorf("%v: %s: got %v, which the fault does not explain", s, name, err)
		}
	}
}

// callOne makes a call, and checks that it ends in time.
func (s *scenario) callOne(t *testing.T, cc *grpc.ClientConn, k kind, id uint32) error {
	limit := timeout
	if s.alive {
		limit = found
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if s.cancel > 0 {
		stop := time.AfterFunc(s.cancel, cancel)
		defer stop.Stop()
	}
	start, c := time.Now(), s.call
	c.id = id
	err := k.run(ctx, grpc162.NewEchoClient(cc), c)
	if s.cancel > 0 {
		limit = min(limit, s.cancel)
	}
	if took := time.Since(start); took > limit+grace {
		t.Errorf("%v: %s ended after %v with %v, want at most %v", s, k.name, took, err, limit+grace)
	}
	return err
}

// callAgain checks that the channel has got over the fault.
func (s *scenario) callAgain(t *testing.T, cc *grpc.ClientConn, y *tally) {
	ctx, cancel := context.WithTimeout(t.Context(), recovery)
	defer cancel()
	err := unary(ctx, grpc162.NewEchoClient(cc), call{id: 99, size: 10, opts: []grpc.CallOption{grpc.WaitForReady(true)}})
	y.calls++
	y.codes[status.Code(err)]++
	// A fault that is still to come may hit this call.
	if err != nil && (status.Code(err) != codes.Unavailable || !s.allows(codes.Unavailable)) {
		t.Errorf("%v: call after the fault: got %v, want it to succeed", s, err)
	}
}

func (s *scenario) within(t *testing.T, limit time.Duration, what string, f func()) {
	start := time.Now()
	f()
	if took := time.Since(start); took > limit {
		t.Errorf("%v: %s took %v, want at most %v", s, what, took, limit)
	}
}

func newTally() *tally { return &tally{codes: make(map[codes.Code]int)} }
