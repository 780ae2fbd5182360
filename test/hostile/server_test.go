// What the scenarios against a server share: the server under attack, and its victim, a client in good faith on a connection of its own.

package hostile

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // for compressed bombs
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// full reports whether floods shall be as long as "make hostile" has them.
func full() bool { return os.Getenv("HOSTILE") == "full" }

// times returns n, or many times as many in the full form.
func times(n, many int) int {
	if full() {
		return n * many
	}
	return n
}

// The methods of the service.
const (
	unary   = pb.Echo_Unary_FullMethodName
	collect = pb.Echo_Collect_FullMethodName
	repeat  = pb.Echo_Repeat_FullMethodName
	chat    = pb.Echo_Chat_FullMethodName
)

// An echo is the service. It counts, since what the server must refuse must not reach it.
type echo struct {
	pb.UnimplementedEchoServer
	calls   atomic.Int64 // handlers that were started, but for the victim
	running atomic.Int64 // those that have not returned
}

func (e *echo) begin() (end func()) {
	e.calls.Add(1)
	e.running.Add(1)
	return func() { e.running.Add(-1) }
}

func answerTo(r *pb.Request) *pb.Response {
	p := r.Payload
	if n := int(r.Size); n > 0 {
		p = make([]byte, n)
	}
	return &pb.Response{Payload: p}
}

// Unary implements pb.EchoServer. It looks at the metadata, as servers do.
func (e *echo) Unary(ctx context.Context, r *pb.Request) (*pb.Response, error) {
	if string(r.Payload) != victimPayload {
		defer e.begin()()
	}
	if md, ok := metadata.FromIncomingContext(ctx); !ok || len(md) == 0 {
		return nil, status.Error(codes.Internal, "no metadata")
	}
	return answerTo(r), status.Error(codes.Code(r.Code), r.Text)
}

// Collect implements pb.EchoServer.
func (e *echo) Collect(s grpc.ClientStreamingServer[pb.Request, pb.Response]) error {
	defer e.begin()()
	n := 0
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return s.SendAndClose(&pb.Response{Index: int32(n)})
		}
		if err != nil {
			return err
		}
		n += len(r.Payload)
	}
}

// Repeat implements pb.EchoServer.
func (e *echo) Repeat(r *pb.Request, s grpc.ServerStreamingServer[pb.Response]) error {
	defer e.begin()()
	for range r.Count {
		if err := s.Send(answerTo(r)); err != nil {
			return err
		}
	}
	return nil
}

// Chat implements pb.EchoServer. It keeps the metadata as long as it lasts.
func (e *echo) Chat(s grpc.BidiStreamingServer[pb.Request, pb.Response]) error {
	defer e.begin()()
	md, _ := metadata.FromIncomingContext(s.Context())
	defer runtime.KeepAlive(md)
	for {
		r, err := s.Recv()
		if err != nil {
			return nil
		}
		if err := s.Send(answerTo(r)); err != nil {
			return err
		}
	}
}

// victimPayload is what the victim says.
const victimPayload = "victim"

var anyPings = grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 1, PermitWithoutStream: true})

// A target is a server under attack.
type target struct {
	echo
	tb     testing.TB
	addr   string
	srv    *grpc.Server
	victim pb.EchoClient
	cc     *grpc.ClientConn
}

// newTarget starts a server and connects the victim. The server lets clients ping as often as they like, which is how peers find out that they
// were heard.
func newTarget(tb testing.TB, opts ...grpc.ServerOption) *target {
	tb.Helper()
	return newSizedTarget(tb, 0, opts...)
}

// newSizedTarget is newTarget, with as many bytes of buffers for each of the server's connections; 0 leaves the system's.
func newSizedTarget(tb testing.TB, size int, opts ...grpc.ServerOption) *target {
	tb.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	t := &target{tb: tb, addr: lis.Addr().String(), srv: grpc.NewServer(append([]grpc.ServerOption{anyPings}, opts...)...)}
	pb.RegisterEchoServer(t.srv, t)
	served := make(chan error, 1)
	go func() { served <- t.srv.Serve(sizedListener{lis, size}) }()
	if t.cc, err = grpc.NewClient(t.addr, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		tb.Fatal(err)
	}
	t.victim = pb.NewEchoClient(t.cc)
	tb.Cleanup(func() {
		t.cc.Close()
		t.srv.Stop()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	t.call()
	return t
}

// call makes a call of the victim, which must succeed, and returns how long it took.
func (t *target) call() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	r, err := t.victim.Unary(ctx, &pb.Request{Payload: []byte(victimPayload)})
	if err != nil || string(r.Payload) != victimPayload {
		t.tb.Errorf("victim: got %v and error %v, want its own payload", r, err)
	}
	return time.Since(begun)
}

// beside makes calls of the victim for as long as the attack takes, and one after it. None may fail.
func (t *target) beside(attack func()) {
	t.tb.Helper()
	before := t.percentile(200)
	var stop atomic.Bool
	var took []time.Duration
	var calls sync.WaitGroup
	calls.Go(func() {
		for !stop.Load() && !t.tb.Failed() {
			took = append(took, t.call())
		}
	})
	defer func() { // the attack may end the test
		stop.Store(true)
		calls.Wait()
		t.call()
		if p, limit := p99(took, pauses), max(100*time.Millisecond, 20*before); full() && len(took) >= 100 && p > limit {
			t.tb.Errorf("victim: got a 99th percentile of %v in %d calls, want at most %v", p, len(took), limit)
		}
	}()
	attack()
}

// percentile makes n calls in the full form, and returns the 99th percentile of their times.
func (t *target) percentile(n int) time.Duration {
	var took []time.Duration
	for range n {
		if full() {
			took = append(took, t.call())
		}
	}
	return p99(took, 0)
}

// pauses is how many calls of the victim may be slow however few there are: if the machine stands still, one call is.
const pauses = 10

// p99 returns the 99th percentile, or what all but so many outliers are below if that is less.
func p99(d []time.Duration, outliers int) time.Duration {
	if len(d) <= outliers {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)*99/100, len(d)-1-outliers)]
}

// dial connects a peer that has said the preface and SETTINGS, and has heard that the server is there.
func (t *target) dial(tb testing.TB, settings ...http2.Setting) *peer {
	tb.Helper()
	p := dial(tb, t.addr, settings...)
	p.wantAlive()
	return p
}

// message returns a request as a message on the wire.
func message(r *pb.Request) []byte {
	b, err := proto.Marshal(r)
	if err != nil {
		panic(err) // never: it is a sound message
	}
	return prefixed(0, b)
}

// A row is an input, and what must become of it.
type row struct {
	name string
	say  func(p *peer)
	want func(p *peer)
}

// run says the inputs, each on a connection of its own, beside the victim.
func (t *target) run(tt *testing.T, rows []row, settings ...http2.Setting) {
	t.beside(func() {
		for _, r := range rows {
			tt.Run(r.name, func(tt *testing.T) {
				p := t.dial(tt, settings...)
				r.say(p)
				r.want(p)
			})
		}
	})
}

// goAway wants the connection to end with a code.
func goAway(codes ...http2.ErrCode) func(*peer) {
	return func(p *peer) {
		p.tb.Helper()
		p.wantGoAway(codes...)
	}
}

// resets wants a stream to be reset with a code, and the connection to live.
func resets(id uint32, codes ...http2.ErrCode) func(*peer) {
	return func(p *peer) {
		p.tb.Helper()
		p.wantReset(id, codes...)
		p.wantAlive()
	}
}

// answers wants a stream to end with a status, and the connection to live.
func answers(id uint32, statuses ...string) func(*peer) {
	return func(p *peer) {
		p.tb.Helper()
		p.wantStatus(id, statuses...)
		p.wantAlive()
	}
}
