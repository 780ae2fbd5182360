// Faults that gRPC libraries have had in their clients, each as the test that would have found it. The numbers are those of grpc/grpc-go.

package hostile

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// listen serves the connections of a listener until the end of the test, each in a goroutine of its own.
func listen(t *testing.T, serve func(nc net.Conn)) (address string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for nc, err := lis.Accept(); err == nil; nc, err = lis.Accept() {
			serving.Go(func() {
				defer nc.Close()
				serve(nc)
			})
		}
	})
	t.Cleanup(func() {
		lis.Close()
		serving.Wait()
	})
	return lis.Addr().String()
}

// channelTo makes a channel that is closed when the test ends.
func channelTo(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// echoServer serves any method by sending back what it receives. It returns its address.
func echoServer(t *testing.T, opts ...grpc.ServerOption) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(append(opts, grpc.UnknownServiceHandler(func(_ any, ss grpc.ServerStream) error {
		for {
			m := new(wrapperspb.StringValue)
			if err := ss.RecvMsg(m); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := ss.SendMsg(m); err != nil {
				return err
			}
		}
	}))...)
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	t.Cleanup(func() {
		s.Stop()
		<-served
	})
	return lis.Addr().String()
}

// #1936, #1854, #3728: a goroutine for each stream that is not read to its end.
func TestClientStreamsNeedNoGoroutines(t *testing.T) {
	const streams = 1000
	resets := make(chan int, 1)
	address := listen(t, func(nc net.Conn) {
		p := accept(t, nc)
		seen := make(map[uint32]int)
		for {
			h, err := p.next()
			if err != nil {
				return
			}
			if h.Type == http2.FrameRSTStream {
				if seen[h.StreamID]++; seen[h.StreamID] > 1 {
					t.Errorf("stream %d was reset %d times, want once", h.StreamID, seen[h.StreamID])
				}
				if len(seen) == streams {
					resets <- len(seen)
				}
			}
		}
	})
	cc := channelTo(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := cc.NewStream(ctx, both, method); err != nil { // connects
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range streams - 1 {
		if _, err := cc.NewStream(ctx, both, method); err != nil {
			t.Fatal(err)
		}
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d streams have %d goroutines, want none", streams, more)
	}
	cancel()
	select {
	case <-resets:
	case <-time.After(patience):
		t.Errorf("not all of %d streams that were given up were reset", streams)
	}
}

// #9191: OnFinish ran twice when a stream ended in two ways at once. #2104, #8514: Header and Trailer raced with the reader.
func TestClientStreamsEndOnceHoweverTheyEnd(t *testing.T) {
	const streams = 300
	cc := channelTo(t, echoServer(t))
	var finished atomic.Int32
	var working sync.WaitGroup
	for i := range streams {
		ctx, cancel := context.WithCancel(t.Context())
		cs, err := cc.NewStream(ctx, both, method, grpc.OnFinish(func(error) { finished.Add(1) }))
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			m := wrapperspb.String("x")
			for range 1 + i%3*10 {
				if cs.SendMsg(m) != nil {
					return
				}
			}
			if i%3 == 0 {
				_ = cs.CloseSend()
			}
		})
		working.Go(func() {
			for err := error(nil); err == nil; {
				err = cs.RecvMsg(new(wrapperspb.StringValue))
			}
			cs.Trailer()
		})
		working.Go(func() {
			if _, err := cs.Header(); err != nil && status.Code(err) != codes.Canceled {
				t.Errorf("Header: got %v, want none or Canceled", err)
			}
			if i%3 != 0 {
				cancel()
			}
		})
		t.Cleanup(cancel)
	}
	working.Wait()
	if n := finished.Load(); n != streams {
		t.Errorf("OnFinish ran %d times for %d streams", n, streams)
	}
}

// #674, #262, #1060: places on the connection were lost with calls that were cancelled while they waited for one.
func TestClientGivesPlacesOfCancelledCallsBack(t *testing.T) {
	address := listen(t, func(nc net.Conn) {
		p := accept(t, nc, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		open := make(map[uint32]bool)
		for {
			h, err := p.next()
			if err != nil {
				return
			}
			switch {
			case h.Type == http2.FrameHeaders:
				if open[h.StreamID] = true; len(open) > 1 {
					t.Errorf("got %d streams, want 1 at a time", len(open))
				}
			case h.Type == http2.FrameRSTStream:
				delete(open, h.StreamID)
			}
			if h.end() && h.StreamID > 1 { // the first is not answered
				p.ok(h.StreamID, "fine")
				delete(open, h.StreamID)
			}
		}
	})
	cc := channelTo(t, address)
	hold, release := context.WithCancel(t.Context())
	if _, err := cc.NewStream(hold, both, method); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 100 {
		waiting.Go(func() {
			if _, err := cc.NewStream(ctx, both, method); status.Code(err) != codes.Canceled {
				t.Errorf("got %v, want Canceled", err)
			}
		})
	}
	cancel()
	waiting.Wait()
	release()
	for range 100 { // each takes the only place, and gives it back
		if err := exchange(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
	}
}

// #7662, #8425, #5358: closing waited for a peer that reads nothing.
func TestClientClosesThoughTheServerReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { // ends with the HEADERS of the call
			p := accept(t, far, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			p.do(p.WriteWindowUpdate(0, 1<<30))
			for h, err := p.next(); err == nil && h.Type != http2.FrameHeaders; h, err = p.next() {
			}
		}()
		cc, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return near, nil }))
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { failed <- upload(1<<20)(t.Context(), cc) }() // ends with the channel
		synctest.Wait()                                          // it is blocked
		begun := time.Now()
		cc.Close()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("Close took %v, want at most 1s", took)
		}
		if err := <-failed; outcome(err) != "Canceled: grpc: the client connection is closing" {
			t.Errorf("call: got %v, want Canceled", err)
		}
	})
}

// #8655, #8786: what a connect attempt had begun was left behind when it was given up.
func TestClientLeavesNothingOfAttemptsThatAreGivenUp(t *testing.T) {
	for range 20 {
		begun := make(chan struct{})
		var open atomic.Int32
		cc, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() { // a server that takes the preface and says nothing; ends with the connection
					_, _ = io.Copy(io.Discard, far)
					open.Add(-1)
				}()
				open.Add(1)
				close(begun)
				return near, nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		cc.Connect()
		<-begun
		cc.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for open.Load() > 0 && ctx.Err() == nil {
			runtime.Gosched()
		}
		if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			t.Error("the connection is still open")
		}
		cancel()
	}
}
