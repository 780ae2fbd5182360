// A checker of histories: 64 callers, servers that come and go over loopback TCP, and for each call how often it was executed and how it
// ended. What is promised is checked on that: a graceful end of a server or a connection loses no call and executes none twice, and a
// sudden one fails only what was on its way.

package faults

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	callers  = 64
	channels = 4
	// callsBetween is how many calls end well between two restarts, at least, and longBetween how many in the long form.
	callsBetween = 200
	longBetween  = 2000
	// maxAge is how old connections may become where they do.
	maxAge = 10 * time.Millisecond
	// patience is what a call may take, far more than any does, but for the time for which the process stood still; hang is when it is
	// given up.
	patience = 30 * time.Second
	hang     = 10 * patience
	// blink is how often it is looked at whether the process stands still.
	blink = 100 * time.Millisecond
	// aftermath is how long after a sudden end calls may still fail because of it. The machine may be busy.
	aftermath = 2 * time.Second
)

// A history is what is known of calls.
type history struct {
	t        *testing.T
	restarts int // how many are wanted
	between  int // how many calls end well between two of them, at least
	calls    atomic.Int64
	ended    chan struct{} // a value for so many calls that ended well

	mu       sync.Mutex // guards the fields below
	executed map[int64]int
	codes    map[codes.Code]int
	servers  int           // how many have ended
	killed   int           // how many of them suddenly
	longest  time.Duration // what a call has taken, at most
	still    time.Duration // how long the process stood still, since the machine did
	failures []failure
	stops    []span        // when servers were stopped suddenly, and when the process stood still
	lost     int           // calls that failed although nothing ended suddenly
	twice    int           // calls that were executed more than once
	refused  int           // calls that did not wait for a connection, failed, and were not executed
	latest   time.Duration // how long after a sudden stop a call has failed, at most
}

// A failure is a call that was Unavailable.
type failure struct {
	call  int64
	kind  string
	waits bool
	err   error
	at    time.Time
}

// A span is a time in which calls may fail.
type span struct{ from, until time.Time }

func newHistory(t *testing.T) *history {
	h := &history{t: t, ended: make(chan struct{}, 1), executed: make(map[int64]int), codes: make(map[codes.Code]int)}
	switch {
	case historyCalls > 0:
		h.restarts, h.between = historyCalls/longBetween, longBetween
	case full:
		h.restarts, h.between = 200, callsBetween
	default:
		h.restarts, h.between = 10, callsBetween
	}
	return h
}

func (h *history) String() string {
	return fmt.Sprintf("%d calls on %d servers: %v; %d were lost, %d executed twice, %d refused before they were executed; "+
		"the longest took %v; %d servers were stopped suddenly, and the last call failed %v after that; the process stood still for %v",
		h.calls.Load(), h.servers, h.codes, h.lost, h.twice, h.refused, h.longest, h.killed, h.latest, h.still)
}

// callKey is the metadata with the number of a call.
const callKey = "call"

// execute notes that a handler has begun.
func (h *history) execute(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	n, err := strconv.ParseInt(md.Get(callKey)[0], 10, 64)
	if err != nil {
		panic(err) // a call of somebody else's
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.executed[n]++
}

// options are those of a server whose calls are noted.
func (h *history) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			h.execute(ctx)
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			h.execute(ss.Context())
			return handler(srv, ss)
		}),
	}
}

// call makes a call and checks its end. It reports whether that was a good one.
func (h *history) call(c grpc162.EchoClient, waits bool) bool {
	n := h.calls.Add(1)
	k := call{id: uint32(n), messages: 3, size: int(n % 300), opts: []grpc.CallOption{grpc.WaitForReady(waits)}}
	if n%5 == 0 {
		k.text = "1ms"
	}
	if n%100 == 0 {
		k.size = 100_000
	}
	kind := kinds[0]
	if n%8 < 3 {
		kind = kinds[1+n%8]
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), hang)
	defer cancel()
	start := time.Now()
	err := kind.run(metadata.AppendToOutgoingContext(ctx, callKey, strconv.FormatInt(n, 10)), c, k)
	h.end(n, kind.name, waits, time.Since(start), err)
	return err == nil
}

// end notes how a call has ended. A handler begins before its call ends well, but may do so behind the end of one that failed.
func (h *history) end(n int64, kind string, waits bool, took time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.longest = max(h.longest, took)
	code := status.Code(err)
	h.codes[code]++
	times := h.executed[n]
	switch {
	case isWrong(err):
		h.t.Errorf("call %d, %s: %v", n, kind, err)
	case err == nil && times != 1:
		h.t.Errorf("call %d, %s: ended well and was executed %d times, want once", n, kind, times)
	case err == nil:
		if h.codes[codes.OK]%h.between == 0 {
			select {
			case h.ended <- struct{}{}:
			default:
			}
		}
	case code != codes.Unavailable:
		h.t.Errorf("call %d, %s: got %v, want OK or %v", n, kind, err, codes.Unavailable)
	default:
		h.failures = append(h.failures, failure{n, kind, waits, err, time.Now()})
	}
}

// watch notes for how long the process stands still, until over is closed. A machine that is paused looks like a call that hangs.
func (h *history) watch(over <-chan struct{}) {
	ticks := time.NewTicker(blink)
	defer ticks.Stop()
	for last := time.Now(); ; {
		select {
		case <-over:
			return
		case <-ticks.C:
		}
		now := time.Now()
		if d := now.Sub(last); d > 10*blink { // timers of connections may have run off too
			h.mu.Lock()
			h.still += d
			h.stops = append(h.stops, span{last, now})
			h.mu.Unlock()
		}
		last = now
	}
}

// suddenly returns how long before t the last sudden end was that may be why a call fails, and whether there was one.
func (h *history) suddenly(t time.Time) (ago time.Duration, ok bool) {
	for _, s := range h.stops {
		if t.After(s.from) && t.Before(s.until.Add(aftermath)) {
			ago, ok = max(0, t.Sub(s.until)), true
		}
	}
	return ago, ok
}

// check judges what has failed, and fails the test if a handler ran twice for a call, or if a call took too long.
func (h *history) check() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.longest > patience+h.still {
		h.t.Errorf("a call took %v, of which the process stood still for %v: want at most %v", h.longest, h.still, patience)
	}
	for _, f := range h.failures {
		ago, sudden := h.suddenly(f.at)
		times := h.executed[f.call]
		switch {
		case sudden:
			h.latest = max(h.latest, ago)
		case f.waits || times > 0 || h.killed > 0:
			h.lost++
			h.t.Errorf("call %d, %s: lost, executed %d times: %v", f.call, f.kind, times, f.err)
		default:
			h.refused++
			h.t.Logf("call %d, %s: refused: %v", f.call, f.kind, f.err)
		}
	}
	for n, times := range h.executed {
		if times > 1 {
			h.twice++
			h.t.Errorf("call %d was executed %d times, want at most once", n, times)
		}
	}
}

// A fleet is a server at a time. A new one listens before the old one stops, as behind a balancer of connections.
type fleet struct {
	h       *history
	opts    []grpc.ServerOption
	dialled func() // hears of each connection; may be nil
	current atomic.Pointer[running]
}

type running struct {
	*grpc.Server
	addr string
	done chan error // what Serve returned
}

// start makes another server the current one, and returns the one before.
func (f *fleet) start() (old *running) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.h.t.Fatal(err)
	}
	r := &running{Server: grpc.NewServer(append(f.opts, f.h.options()...)...), addr: lis.Addr().String(), done: make(chan error, 1)}
	grpc162.RegisterEchoServer(r, echo{})
	go func() { r.done <- r.Serve(lis) }() // ends with the server
	return f.current.Swap(r)
}

// dial connects to the current server.
func (f *fleet) dial(ctx context.Context, _ string) (net.Conn, error) {
	for {
		r := f.current.Load()
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr)
		if err == nil && f.dialled != nil {
			f.dialled()
		}
		if err == nil || f.current.Load() == r || ctx.Err() != nil {
			return nc, err
		}
	}
}

// run has all callers call until script returns, and checks the history.
func (f *fleet) run(script func()) {
	t := f.h.t
	f.start()
	var over atomic.Bool
	var wg, watching sync.WaitGroup
	end := make(chan struct{})
	watching.Go(func() { f.h.watch(end) })
	for range channels {
		cc, err := grpc.NewClient("passthrough:///fleet", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(f.dial))
		if err != nil {
			t.Fatal(err)
		}
		defer cc.Close()
		for i := range callers / channels {
			wg.Go(func() {
				for ok := true; !over.Load(); { // who has failed waits for a connection
					ok = f.h.call(grpc162.NewEchoClient(cc), i%4 > 0 || !ok)
				}
			})
		}
	}
	script()
	over.Store(true)
	wg.Wait()
	f.stop(f.current.Load(), (*grpc.Server).GracefulStop)
	close(end)
	watching.Wait()
	f.h.check()
	t.Log(f.h)
}

// stop ends a server, and waits for it.
func (f *fleet) stop(r *running, how func(*grpc.Server)) {
	how(r.Server)
	f.h.mu.Lock()
	f.h.servers++
	f.h.mu.Unlock()
	if err := <-r.done; err != nil {
		f.h.t.Errorf("Serve: got %v, want nil after the end", err)
	}
}

func TestGracefulRestartsLoseNoCall(t *testing.T) {
	f := &fleet{h: newHistory(t)}
	f.run(func() {
		for range f.h.restarts {
			<-f.h.ended
			f.stop(f.start(), (*grpc.Server).GracefulStop)
		}
	})
}

func TestSuddenStopsFailOnlyWhatIsOnItsWay(t *testing.T) {
	f := &fleet{h: newHistory(t)}
	f.run(func() {
		for range f.h.restarts {
			<-f.h.ended
			old := f.start()
			now := time.Now()
			f.h.mu.Lock()
			f.h.stops = append(f.h.stops, span{now, now})
			f.h.killed++
			f.h.mu.Unlock()
			f.stop(old, (*grpc.Server).Stop)
		}
	})
	if ok, failed := f.h.codes[codes.OK], f.h.codes[codes.Unavailable]; failed > callers*f.h.restarts || ok < f.h.restarts*f.h.between/2 {
		t.Errorf("%d calls failed over %d stops, %d did not: want at most %d to fail at a stop", failed, f.h.restarts, ok, callers)
	}
}

// Connections that are told to end come in all ways at once here: for their age, and with their server.
func TestConnectionsThatAgeLoseNoCall(t *testing.T) {
	f := &fleet{h: newHistory(t), opts: []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: maxAge})}}
	var conns atomic.Int64
	f.dialled = func() { conns.Add(1) }
	f.run(func() {
		for i := range f.h.restarts {
			<-f.h.ended
			if i%10 == 9 {
				f.stop(f.start(), (*grpc.Server).GracefulStop)
			}
		}
	})
	t.Logf("%d connections", conns.Load())
	if got := int(conns.Load()); got < f.h.restarts {
		t.Errorf("got %d connections in %d rounds, want more that came to their age", got, f.h.restarts)
	}
}
