// Hedged calls at the same time, whose attempts end in random ways: each call ends once, as one of its attempts has or its caller, and
// leaves nothing behind on the server.

package grpc

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// No timer here is due at once: two such timers that goroutines of a bubble start at the same time crash the race detector (go.dev/issue/78156).

// randomAttempts is a service that waits for a random time, and then answers or fails at random. It counts the attempts of calls.
type randomAttempts struct {
	mu    sync.Mutex // guards the fields below
	rand  *rand.Rand
	made  map[string]int
	fatal map[string]bool
	under int // attempts under way

	ends [50]atomic.Int32 // of each call
}

func (r *randomAttempts) attempt(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	name := md["name"][0]
	r.mu.Lock()
	r.made[name]++
	r.under++
	wait, dice := time.Duration(1+r.rand.IntN(30))*time.Millisecond, r.rand.IntN(10)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.under--
		r.mu.Unlock()
	}()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case dice < 4:
		return nil
	case dice < 8:
		if dice == 7 {
			if err := SetTrailer(ctx, metadata.Pairs(pushbackKey, strconv.Itoa(int(wait.Milliseconds())-5))); err != nil {
				return err
			}
		}
		return Errorf(codes.Unavailable, "again")
	default:
		r.mu.Lock()
		r.fatal[name] = true
		r.mu.Unlock()
		return Errorf(codes.NotFound, "fatal")
	}
}

func TestHedgedCallsAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := &randomAttempts{rand: rand.New(rand.NewPCG(seed, 1)), made: map[string]int{}, fatal: map[string]bool{}}
			lis := startServer(t, testService{
				unary: func(ctx context.Context, req string) (string, error) { return req, r.attempt(ctx) },
				stream: func(ss ServerStream) error {
					if err := r.attempt(ss.Context()); err != nil {
						return err
					}
					return testService{}.handleStream(nil, ss)
				},
			})
			cc := connect(t, lis, WithDefaultServiceConfig(hedging(4, "0.01s", "")))
			var calls sync.WaitGroup
			for i := range r.ends {
				calls.Go(func() { r.check(t, i, r.call(t, cc, i)) })
			}
			calls.Wait()
			synctest.Wait()
			wantEqual(t, "attempts that are left on the server", r.under, 0)
			for i := range r.ends {
				wantEqual(t, fmt.Sprint("ends of call ", i), r.ends[i].Load(), 1)
			}
		})
	}
}

// call makes a call: a unary one, or a stream of three messages. One in five is cancelled meanwhile.
func (r *randomAttempts) call(t *testing.T, cc *ClientConn, i int) error {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "name", strconv.Itoa(i)))
	defer cancel()
	if i%5 == 0 {
		time.AfterFunc(time.Duration(i+1)*time.Millisecond/2, cancel)
	}
	counted := OnFinish(func(error) { r.ends[i].Add(1) })
	if i%2 == 0 {
		got, err := echo(ctx, cc, "x", counted)
		if err == nil {
			wantEqual(t, "reply", got, "x")
		}
		return err
	}
	s, err := cc.NewStream(ctx, bidi, streamMethod, counted)
	if err != nil {
		return err
	}
	for n := range 3 {
		if err := s.SendMsg(text(strconv.Itoa(n))); err != nil {
			break // RecvMsg has the reason
		}
		<-time.After(time.Duration(1+i%7) * time.Millisecond)
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		var m wrapperspb.StringValue
		if err := s.RecvMsg(&m); err == io.EOF {
			wantEqual(t, "messages", n, 3)
			return nil
		} else if err != nil {
			return err
		}
		wantEqual(t, "message", m.Value, strconv.Itoa(n))
	}
}

// check checks how a call has ended.
func (r *randomAttempts) check(t *testing.T, i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made, fatal := r.made[strconv.Itoa(i)], r.fatal[strconv.Itoa(i)]
	want := err == nil
	switch Code(err) {
	case codes.NotFound:
		want = fatal
	case codes.Canceled:
		want = i%5 == 0
	case codes.Unavailable:
		want = made > 0 && !fatal
	}
	if !want || made > 4 {
		t.Errorf("call %d: got %v after %d attempts, of which one was fatal: %v", i, err, made, fatal)
	}
}
