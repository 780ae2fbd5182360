// The stage for scripts of servers against our client: one channel, one server whose first connection plays the script, and the check of what
// every script must leave behind: a call that has ended in time with the right status, a channel that works, no goroutine.

package hostile

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

const (
	// prompt is the longest time from the begin of a script to the end of its call, if that does not wait for its deadline.
	prompt = 5 * time.Second
	// short is the deadline of calls that wait for it. It begins when the channel has a connection.
	short = 200 * time.Millisecond
	// pause is how long a channel whose attempt to connect has failed waits before the next, so that the call hears of the first.
	pause = 500 * time.Millisecond
)

// Which connection serves the call that follows a script.
type after int

const (
	sameConn after = iota // the script's
	newConn               // another one
)

// A script is what a server does with the first connection and the first call on it.
type script struct {
	name     string
	dial     []grpc.DialOption                                    // of the channel
	settings []http2.Setting                                      // of the server's preface
	instead  func(nc net.Conn)                                    // instead of everything HTTP/2, if not nil
	early    func(p *peer)                                        // behind the preface
	play     func(p *peer, id uint32)                             // when the call's HEADERS are there
	later    func(p *peer)                                        // when the call has ended
	call     func(ctx context.Context, cc *grpc.ClientConn) error // an exchange of one message, if nil
	ready    bool                                                 // the channel has a connection before the call
	deadline bool                                                 // the call ends at its deadline, which is short; implies ready
	want     string                                               // the status of the call, "Code: message"; "OK" for none; a final "…" stands for anything
	then     after
	memory   uint64 // the most bytes that client and server together may allocate, 0 for any
}

// A stage is a server that plays a script on its first connection, and is good on all others.
type stage struct {
	t     *testing.T
	s     *script
	lis   net.Listener
	ended chan struct{} // closed when the call has ended
	over  chan struct{} // closed when the script is over

	mu    sync.Mutex
	conns int
}

// runScripts plays scripts, beside each other but for those whose memory is measured, and returns when all are over.
func runScripts(t *testing.T, scripts []script) {
	t.Run("scripts", func(t *testing.T) {
		for i := range scripts {
			t.Run(scripts[i].name, func(t *testing.T) {
				if scripts[i].memory == 0 {
					t.Parallel()
				}
				scripts[i].run(t)
			})
		}
	})
}

// run plays the script.
func (s *script) run(t *testing.T) {
	st := newStage(t, s)
	cc := st.channel()
	defer cc.Close()
	call, limit := s.call, prompt
	if call == nil {
		call = one
	}
	if s.deadline {
		limit = short
	}
	before := allocated()
	if s.ready || s.deadline {
		st.connects(cc)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begun := time.Now()
	err := call(ctx, cc)
	if took := time.Since(begun); took > limit+prompt/2 {
		t.Errorf("the call took %v, want at most %v", took, limit)
	}
	if got := outcome(err); !matches(got, s.want) {
		t.Errorf("call: got %q, want %q", got, s.want)
	}
	if s.memory > 0 {
		if got := allocated() - before; got > s.memory {
			t.Errorf("allocated %d bytes, want at most %d", got, s.memory)
		}
	}
	close(st.ended)
	st.recovers(cc)
}

// connects waits until the channel has a connection.
func (st *stage) connects(cc *grpc.ClientConn) {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	cc.Connect()
	for s := cc.GetState(); s != connectivity.Ready; s = cc.GetState() {
		if !cc.WaitForStateChange(ctx, s) {
			st.t.Fatalf("channel: got state %v after %v, want %v", s, patience, connectivity.Ready)
		}
	}
}

// recovers checks that the channel works, on the connection that it should.
func (st *stage) recovers(cc *grpc.ClientConn) {
	st.t.Helper()
	select {
	case <-st.over:
	case <-time.After(patience):
		st.t.Fatal("the script is not over")
	}
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	err := exchange(ctx, cc, grpc.WaitForReady(true))
	for st.s.then == newConn && status.Code(err) == codes.Unavailable { // the client may not have seen yet that the script's connection has ended
		err = exchange(ctx, cc, grpc.WaitForReady(true))
	}
	if err != nil {
		st.t.Errorf("next call: got %v, want OK", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.s.then == sameConn && st.conns != 1 || st.s.then == newConn && st.conns < 2 {
		st.t.Errorf("the next call was on connection %d", st.conns)
	}
}

func newStage(t *testing.T, s *script) *stage {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	st := &stage{t: t, s: s, lis: lis, ended: make(chan struct{}), over: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		for nc, err := lis.Accept(); err == nil; nc, err = lis.Accept() {
			st.mu.Lock()
			st.conns++
			first := st.conns == 1
			st.mu.Unlock()
			serving.Go(func() { st.serve(nc, first) })
		}
	})
	t.Cleanup(func() {
		lis.Close()
		serving.Wait()
	})
	return st
}

// channel makes a channel to the server.
func (st *stage) channel() *grpc.ClientConn {
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), connectWithin(patience)}
	cc, err := grpc.NewClient("passthrough:///"+st.lis.Addr().String(), append(opts, st.s.dial...)...)
	if err != nil {
		st.t.Fatal(err)
	}
	return cc
}

// connectWithin is the option of a channel whose attempts to connect may take so long, or pause if that is longer.
func connectWithin(d time.Duration) grpc.DialOption {
	return grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: pause, Multiplier: 1, MaxDelay: pause}, MinConnectTimeout: d})
}

// serve takes one connection.
func (st *stage) serve(nc net.Conn, first bool) {
	defer nc.Close()
	if !first {
		st.good(accept(st.t, nc), 0)
		return
	}
	if st.s.instead != nil {
		st.s.instead(nc)
		close(st.over)
		return
	}
	p := accept(st.t, nc, st.s.settings...)
	if st.s.early != nil {
		st.s.early(p)
		p.flush()
	}
	var played uint32
	if st.s.play != nil {
		played = st.request(p)
		st.s.play(p, played)
		p.flush()
	}
	if st.s.later != nil {
		<-st.ended
		st.s.later(p)
		p.flush()
	}
	close(st.over)
	st.good(p, played)
}

// request waits for the HEADERS of a call, 0 if none come.
func (st *stage) request(p *peer) uint32 {
	for {
		h, err := p.next()
		if err != nil || h.Type == http2.FrameHeaders {
			return h.StreamID
		}
	}
}

// good answers all calls but one until the connection ends, each when its request is complete.
func (st *stage) good(p *peer, except uint32) {
	for {
		h, err := p.next()
		if err != nil {
			return
		}
		if h.end() && h.StreamID != except {
			p.ok(h.StreamID, "fine")
			p.flush()
		}
	}
}

// ok answers a call with one message.
func (p *peer) ok(id uint32, text string) {
	p.response(id)
	p.data(id, false, prefixed(0, encoded(text)))
	p.headers(id, true, "grpc-status", "0")
}

// encoded returns a StringValue of less than 128 bytes as protocol buffer.
func encoded(text string) []byte { return append([]byte{0x0a, byte(len(text))}, text...) }

const method = "/hostile.Test/Call"

// exchange is a call of one message each way.
func exchange(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	return cc.Invoke(ctx, method, wrapperspb.String("hello"), new(wrapperspb.StringValue), opts...)
}

// one is exchange without options.
func one(ctx context.Context, cc *grpc.ClientConn) error { return exchange(ctx, cc) }

// both describes streams both ways.
var both = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// upload sends messages of a size in bytes until one cannot be sent, and returns why.
func upload(size int) func(ctx context.Context, cc *grpc.ClientConn) error {
	return func(ctx context.Context, cc *grpc.ClientConn) error {
		cs, err := cc.NewStream(ctx, both, method)
		if err != nil {
			return err
		}
		for m := wrapperspb.String(strings.Repeat("u", size)); err == nil; {
			err = cs.SendMsg(m)
		}
		if err == io.EOF {
			err = cs.RecvMsg(new(wrapperspb.StringValue))
		}
		return err
	}
}

// download receives messages until the end, and returns why that came, nil for a good one.
func download(ctx context.Context, cc *grpc.ClientConn) error {
	cs, err := cc.NewStream(ctx, both, method)
	if err != nil {
		return err
	}
	if err := cs.CloseSend(); err != nil {
		return err
	}
	for {
		if err := cs.RecvMsg(new(wrapperspb.StringValue)); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// outcome is the written form of a status.
func outcome(err error) string {
	if err == nil {
		return "OK"
	}
	st, ok := status.FromError(err)
	if !ok {
		return "no status: " + err.Error()
	}
	return st.Code().String() + ": " + st.Message()
}

// matches reports whether got is what is wanted.
func matches(got, want string) bool {
	if start, ok := strings.CutSuffix(want, "…"); ok {
		return strings.HasPrefix(got, start)
	}
	return got == want
}

// allocated returns how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
