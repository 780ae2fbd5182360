// Tests of handlers that the goroutine runs which reads the connection. They need sockets.

package grpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// serveSocket makes srv serve a socket until the end of the test.
func serveSocket(t *testing.T, srv *Server) (address string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return lis.Addr().String()
}

// quickServer returns a server whose unary method has full credit.
func quickServer(f func(ctx context.Context, req string) (string, error)) *Server {
	srv := NewServer()
	testService{unary: f}.register(srv)
	srv.trust(fullCredit)
	return srv
}

func (s *Server) trust(n int32) { s.methods[unaryMethod].credit.n.Store(n) }

// inTurn reports whether a goroutine that should read runs the calling handler.
func inTurn() bool {
	b := make([]byte, 64<<10)
	return strings.Contains(string(b[:runtime.Stack(b, false)]), "TurnEnds")
}

// A turnClient is a client's connection that a test writes frame by frame. What it writes is kept until flush.
type turnClient struct {
	*http2.Framer
	t     *testing.T
	nc    net.Conn
	out   bytes.Buffer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newTurnClient(t *testing.T, address string) *turnClient {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	c := &turnClient{t: t, nc: nc}
	c.Framer = http2.NewFramer(&c.out, nc)
	c.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.block)
	c.out.WriteString(http2.ClientPreface)
	must(t, c.WriteSettings())
	must(t, c.WriteSettingsAck())
	c.flush()
	return c
}

// call writes a call of the unary method.
func (c *turnClient) call(id uint32, req string) {
	c.t.Helper()
	c.block.Reset()
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", unaryMethod}, {":authority", "a"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		must(c.t, c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	must(c.t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true}))
	b, err := proto.Marshal(text(req))
	must(c.t, err)
	must(c.t, c.WriteData(id, true, append([]byte{0, 0, 0, 0, byte(len(b))}, b...)))
}

// flush sends all that was written at once.
func (c *turnClient) flush() {
	c.t.Helper()
	_, err := c.nc.Write(c.out.Bytes())
	must(c.t, err)
	c.out.Reset()
}

// wantEnds reads until the streams have ended, which may be in any order, and no other one may.
func (c *turnClient) wantEnds(ids ...uint32) {
	c.t.Helper()
	open := make(map[uint32]bool)
	for _, id := range ids {
		open[id] = true
	}
	for len(open) > 0 {
		f, err := c.ReadFrame()
		must(c.t, err)
		h := f.Header()
		if h.StreamID == 0 || h.Flags&http2.FlagHeadersEndStream == 0 || h.Type != http2.FrameHeaders && h.Type != http2.FrameData {
			continue
		}
		if !open[h.StreamID] {
			c.t.Fatalf("stream %d has ended, want none but %v", h.StreamID, ids)
		}
		delete(open, h.StreamID)
	}
}

func TestReaderRunsQuickHandlers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		credit int32
		want   bool
	}{{"no credit", 0, false}, {"just not enough", enoughCredit - 2, false}, {"enough", enoughCredit, true}, {"debt", -maxDebt, false}} {
		t.Run(tt.name, func(t *testing.T) {
			in := make(chan bool, 1)
			srv := quickServer(func(context.Context, string) (string, error) { in <- inTurn(); return "", nil })
			srv.trust(tt.credit)
			c := newTurnClient(t, serveSocket(t, srv))
			c.call(1, "")
			c.flush()
			c.wantEnds(1)
			wantEqual(t, "run by the reader", <-in, tt.want)
		})
	}
}

func TestWorkersFindOutWhichMethodsAreQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which has no time but what passes here
		srv := NewServer()
		testService{unary: func(_ context.Context, req string) (string, error) {
			if req == "slow" {
				pass(time.Millisecond)
			}
			return req, nil
		}}.register(srv)
		cc := connect(t, serve(t, srv))
		m := srv.methods[unaryMethod]
		for i, req := range append(slices.Repeat([]string{"quick"}, enoughCredit), "slow", "quick") {
			wantEqual(t, "quick", m.isQuick(), i == enoughCredit)
			_, err := echo(t.Context(), cc, req)
			must(t, err)
		}
		wantEqual(t, "credit", m.credit.n.Load(), enoughCredit-workerCost+1)
	})
}

func TestAllCallsOfATurnAreAnswered(t *testing.T) {
	srv := quickServer(func(_ context.Context, req string) (string, error) { return req, nil })
	c := newTurnClient(t, serveSocket(t, srv))
	var ids []uint32
	for n := range uint32(3 * maxFlush) {
		ids = ids[:0]
		for range n {
			ids = append(ids, n*1000+2*uint32(len(ids))+1)
			c.call(ids[len(ids)-1], "")
		}
		c.flush()
		c.wantEnds(ids...)
	}
}

func TestNobodyWaitsForAHandlerThatBlocks(t *testing.T) {
	release := make(chan struct{})
	blocked := make(chan bool, 1)
	srv := quickServer(func(_ context.Context, req string) (string, error) {
		if req == "block" {
			blocked <- inTurn()
			<-release
		}
		return req, nil
	})
	c := newTurnClient(t, serveSocket(t, srv))
	c.call(1, "block")
	c.call(3, "of the same turn")
	c.call(5, "of the same turn")
	c.flush()
	c.wantEnds(3, 5)
	wantEqual(t, "the reader blocks", <-blocked, true)
	wantEqual(t, "the method is quick", srv.methods[unaryMethod].isQuick(), false)
	c.call(7, "of a later turn")
	c.flush()
	c.wantEnds(7)
	srv.trust(fullCredit)
	c.call(9, "block")
	c.call(11, "of the same turn as the second that blocks")
	c.flush()
	c.wantEnds(11)
	wantEqual(t, "the next reader blocks", <-blocked, true)
	close(release)
	c.wantEnds(1, 9)
}

func TestCallFailsWhenItsReaderWasRelieved(t *testing.T) {
	relieved, release := make(chan struct{}), make(chan struct{})
	srv := quickServer(func(ctx context.Context, req string) (string, error) {
		if req == "fail" {
			<-relieved
			_ = SendHeader(ctx, metadata.MD{"no\nname": {""}}) // which ends the call
			<-release
		}
		return req, nil
	})
	defer close(release)
	c := newTurnClient(t, serveSocket(t, srv))
	c.call(1, "fail")
	c.call(3, "")
	c.flush()
	c.wantEnds(3)
	close(relieved)
	must(t, c.nc.SetDeadline(time.Now().Add(3*time.Second))) // nothing else flushes
	c.wantEnds(1)
}

// endingSlowly is a stats handler that takes time when calls end.
type endingSlowly struct{ stats.Handler }

func (endingSlowly) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (endingSlowly) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (endingSlowly) HandleConn(context.Context, stats.ConnStats)                       {}
func (endingSlowly) HandleRPC(_ context.Context, e stats.RPCStats) {
	if _, ok := e.(*stats.End); ok {
		<-time.After(time.Millisecond)
	}
}

func TestTurnsEndWithASlowCall(t *testing.T) {
	recovers := RecoverPanics(func(context.Context, string, any, []byte) error { return errors.New("panic") })
	for _, tt := range []struct {
		name string
		end  func()
		opts []ServerOption
	}{
		{"a handler", func() { <-time.After(time.Millisecond) }, nil},
		{"a handler that panics", func() { <-time.After(time.Millisecond); panic("x") }, []ServerOption{recovers}},
		{"a handler that ends its goroutine", func() { <-time.After(time.Millisecond); runtime.Goexit() }, nil},
		{"a stats handler", func() {}, []ServerOption{StatsHandler(endingSlowly{})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := make(chan bool, 3)
			srv := NewServer(tt.opts...)
			testService{unary: func(_ context.Context, req string) (string, error) {
				in <- inTurn()
				if req == "slow" {
					tt.end()
				}
				return req, nil
			}}.register(srv)
			srv.trust(enoughCredit)
			c := newTurnClient(t, serveSocket(t, srv))
			c.call(1, "slow")
			c.call(3, "")
			c.flush()
			wantEqual(t, "the slow one is of a turn", <-in, true)
			wantEqual(t, "the next one is", <-in, false)
			c.call(5, "")
			c.flush()
			wantEqual(t, "the last one is", <-in, false)
		})
	}
}

func TestReaderSurvivesHandlersThatEndTheirGoroutine(t *testing.T) {
	srv := quickServer(func(_ context.Context, req string) (string, error) {
		if req == "end" {
			runtime.Goexit()
		}
		return req, nil
	})
	c := newTurnClient(t, serveSocket(t, srv))
	for id := uint32(1); id < 30; id += 6 {
		c.call(id, "before")
		c.call(id+2, "end")
		c.call(id+4, "behind")
		c.flush()
		c.wantEnds(id, id+4)
	}
	c.nc.Close()
	srv.GracefulStop() // which waits for goroutines that are not there, or for too few, if they were counted wrongly
}

func TestRelievedHandlersMayEndTheirGoroutine(t *testing.T) {
	release := make(chan struct{})
	srv := quickServer(func(_ context.Context, req string) (string, error) {
		if req == "end" {
			<-release
			runtime.Goexit()
		}
		return req, nil
	})
	c := newTurnClient(t, serveSocket(t, srv))
	c.call(1, "end")
	c.call(3, "behind")
	c.flush()
	c.wantEnds(3) // the handler was relieved
	close(release)
	srv.Stop() // the goroutine that reads now ends, too, and each of both has a count of its own or none
	srv.GracefulStop()
}

func TestRelievedHandlersDoNotPayForTheirTime(t *testing.T) {
	release := make(chan struct{})
	srv := quickServer(func(context.Context, string) (string, error) { <-release; return "", nil })
	c := newTurnClient(t, serveSocket(t, srv))
	credit := &srv.methods[unaryMethod].credit.n
	c.call(1, "")
	c.flush()
	for credit.Load() == fullCredit {
		runtime.Gosched() // until the watch has come
	}
	debt := credit.Load()
	close(release)
	c.wantEnds(1)
	c.nc.Close()
	srv.GracefulStop()
	wantEqual(t, "credit", credit.Load(), debt)
}

func TestCallsThatWereNotBegunWhenTheConnectionEnds(t *testing.T) {
	ended := make(chan error, 2)
	both := make(chan struct{})
	srv := quickServer(func(ctx context.Context, _ string) (string, error) {
		ended <- ctx.Err()
		<-both
		return "", nil
	})
	c := newTurnClient(t, serveSocket(t, srv))
	c.call(1, "")
	c.call(3, "")
	must(t, c.WriteData(99, true, nil)) // which ends the connection in the same turn
	c.flush()
	for range 2 {
		wantEqual(t, "context of the handler", <-ended, context.Canceled)
	}
	close(both)
}

func TestServerStopsWhileAReaderRunsAHandler(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop func(*Server)
	}{
		{"Stop", (*Server).Stop},
		{"GracefulStop", func(s *Server) {
			go s.Stop()
			s.GracefulStop()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			running := make(chan struct{})
			ended := make(chan error, 1)
			srv := quickServer(func(ctx context.Context, _ string) (string, error) {
				close(running)
				<-ctx.Done()
				ended <- ctx.Err()
				return "", nil
			})
			c := newTurnClient(t, serveSocket(t, srv))
			c.call(1, "")
			c.flush()
			<-running
			tt.stop(srv)
			wantEqual(t, "context of the handler", <-ended, context.Canceled)
			if _, err := io.Copy(io.Discard, c.nc); err != nil {
				t.Errorf("the connection ends with %v, want a clean end", err)
			}
		})
	}
}

func TestGracefulStopWaitsForAHandlerThatTheReaderRuns(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	srv := quickServer(func(_ context.Context, req string) (string, error) {
		close(running)
		<-release
		return req, nil
	})
	cc := newChannel(t, "passthrough:///"+serveSocket(t, srv))
	answer := make(chan error, 1)
	go func() {
		got, err := echo(context.Background(), cc, "x")
		if err == nil && got != "x" {
			err = errors.New("got " + got)
		}
		answer <- err
	}()
	<-running
	stopped := make(chan struct{})
	go func() {
		srv.GracefulStop()
		close(stopped)
	}()
	wantEqual(t, "stopped before the handler returns", isClosed(stopped), false)
	close(release)
	must(t, <-answer)
	<-stopped
}

func TestPanicsInTurnsAreRecovered(t *testing.T) {
	srv := NewServer(RecoverPanics(func(context.Context, string, any, []byte) error { return status.Error(codes.DataLoss, "panicked") }))
	testService{unary: func(context.Context, string) (string, error) { panic("x") }}.register(srv)
	srv.trust(fullCredit)
	cc := newChannel(t, "passthrough:///"+serveSocket(t, srv))
	for range 3 {
		_, err := echo(context.Background(), cc, "")
		wantStatus(t, "call", err, "DataLoss: panicked")
	}
}

func TestCredit(t *testing.T) {
	ms := int32(time.Millisecond / creditTime)
	for _, tt := range []struct {
		name   string
		before int32
		took   time.Duration
		inTurn bool
		want   int32
	}{
		{"quick", 0, 0, false, 1},
		{"just quick", 10, quickTime, true, 11},
		{"full", fullCredit, 0, true, fullCredit},
		{"slow, of a worker", 100, 30 * time.Microsecond, false, 100 - workerCost},
		{"slower, of a worker", 0, time.Hour, false, -workerCost},
		{"slow, of a reader", 0, time.Millisecond, true, -ms},
		{"slower, of a reader", fullCredit, 2 * time.Millisecond, true, fullCredit - 2*ms},
		{"endless", fullCredit, 1 << 62, true, fullCredit - maxDebt},
		{"endless, again", fullCredit - maxDebt, 1 << 62, true, -maxDebt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c credit
			c.n.Store(tt.before)
			c.note(tt.took, tt.inTurn)
			wantEqual(t, "credit", c.n.Load(), tt.want)
		})
	}
}
