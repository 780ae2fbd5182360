// Events of stats handlers: their order and their fields, on both sides, for the four kinds of calls.
//
// A client reports what the connection's reader meets in the reader's goroutine, so that is written apart; a full duplex call
// is driven in lockstep; and the end of a server's call is waited for, because the client may see its status first.

package behaviour

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// recorder is a stats handler that writes down what it is told.
type recorder struct {
	rpc, conn journal
	ended     chan struct{} // receives at every End
	closed    chan struct{} // receives at every ConnEnd
}

func newRecorder() *recorder {
	return &recorder{ended: make(chan struct{}, 100), closed: make(chan struct{}, 100)}
}

type tagKey struct{}

func (r *recorder) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	r.rpc.note("TagRPC %s failfast=%v delayed=%v", info.FullMethodName, info.FailFast, info.NameResolutionDelay)
	return context.WithValue(ctx, tagKey{}, info.FullMethodName)
}

func (r *recorder) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	r.conn.note("TagConn %v %v", info.RemoteAddr, info.LocalAddr)
	return ctx
}

func (r *recorder) HandleConn(_ context.Context, s stats.ConnStats) {
	r.conn.note("%s client=%v", strings.TrimPrefix(fmt.Sprintf("%T", s), "*stats."), s.IsClient())
	if _, ok := s.(*stats.ConnEnd); ok {
		r.closed <- struct{}{}
	}
}

func (r *recorder) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if ctx.Value(tagKey{}) == nil {
		r.rpc.note("untagged")
	}
	r.rpc.note("%s", event(s))
	if _, ok := s.(*stats.End); ok {
		r.ended <- struct{}{}
	}
}

// event is the written form of an RPC event. Wire lengths of headers depend on HPACK's state and are left out.
func event(s stats.RPCStats) string {
	side := "server "
	if s.IsClient() {
		side = "client "
	}
	switch s := s.(type) {
	case *stats.Begin:
		return side + fmt.Sprintf("Begin failfast=%v streams=%v,%v retry=%v", s.FailFast, s.IsClientStream, s.IsServerStream, s.IsTransparentRetryAttempt)
	case *stats.InHeader:
		return side + fmt.Sprintf("InHeader %q compression=%q remote=%v local=%v header: %s", s.FullMethod, s.Compression, s.RemoteAddr, s.LocalAddr, show(s.Header))
	case *stats.OutHeader:
		return side + fmt.Sprintf("OutHeader %q compression=%q remote=%v local=%v header: %s", s.FullMethod, s.Compression, s.RemoteAddr, s.LocalAddr, show(s.Header))
	case *stats.InPayload:
		return side + fmt.Sprintf("InPayload %q %d %d %d time=%v", payload(s.Payload), s.Length, s.CompressedLength, s.WireLength, !s.RecvTime.IsZero())
	case *stats.OutPayload:
		return side + fmt.Sprintf("OutPayload %q %d %d %d time=%v", payload(s.Payload), s.Length, s.CompressedLength, s.WireLength, !s.SentTime.IsZero())
	case *stats.InTrailer:
		return side + "InTrailer " + show(s.Trailer)
	case *stats.OutTrailer:
		return side + "OutTrailer " + show(s.Trailer)
	case *stats.End:
		return side + fmt.Sprintf("End %s trailer: %s ordered=%v", text(s.Error), show(s.Trailer), !s.EndTime.Before(s.BeginTime))
	}
	return side + fmt.Sprintf("%T", s)
}

func payload(v any) string {
	if m, ok := v.(*echo.Text); ok {
		return m.Value
	}
	return fmt.Sprintf("%T", v)
}

// recorded makes a pair with a recorder at either end.
func recorded(t *testing.T, s setup) (*pair, *recorder, *recorder) {
	t.Helper()
	client, server := newRecorder(), newRecorder()
	s.client = append(s.client, grpc.WithStatsHandler(client))
	s.server = append(s.server, grpc.StatsHandler(server))
	p := start(t, s)
	reach(t, p.cc, connectivity.Ready)
	return p, client, server
}

// events are the written RPC events: those that the connection's reader reports to a client, then all others.
func (r *recorder) events() string {
	var reader, others []string
	for _, line := range strings.Split(r.rpc.String(), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "client InHeader") || strings.HasPrefix(line, "client InTrailer") {
			reader = append(reader, line)
		} else {
			others = append(others, line)
		}
	}
	return strings.Join(append(reader, others...), "\n")
}

// dialogue sends each text and waits for what came of it, so that both sides' events have one order.
func dialogue(t *testing.T, p *pair, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(within(t), "k", "v")
	stream, err := p.cc.NewStream(ctx, desc, method, opts...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []string{"a", "b"} {
		if i == 1 && !desc.ClientStreams {
			break
		}
		stream.SendMsg(echo.Of(s))
		if desc.ClientStreams && desc.ServerStreams {
			receive(stream)
		}
	}
	stream.CloseSend()
	for err = nil; err == nil && desc.ServerStreams; {
		_, err = receive(stream)
	}
	if !desc.ServerStreams {
		receive(stream)
	}
}

func TestStatsOfEachKindOfCall(t *testing.T) {
	for i, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			p, client, server := recorded(t, setup{service: &echo.Service{}})
			if kind.name == "unary" {
				unary(metadata.AppendToOutgoingContext(within(t), "k", "v"), p.cc, "a")
			} else {
				dialogue(t, p, kind.desc, kind.method)
			}
			wait(t, client.ended, "End at the client")
			wait(t, server.ended, "End at the server")
			equal(t, client.events(), clientStats[i])
			equal(t, server.events(), serverStats[i])
		})
	}
}

var clientStats = []string{
	`client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/Unary failfast=true delayed=false
client Begin failfast=true streams=false,false retry=false
client OutHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: k=["v"] user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client End <nil> trailer:  ordered=true`,
	`client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/ClientStream failfast=true delayed=false
client Begin failfast=true streams=true,false retry=false
client OutHeader "/parity.Echo/ClientStream" compression="" remote=bufconn local=bufconn header: k=["v"] user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client OutPayload "b" 3 3 8 time=true
client InPayload "ab" 4 4 9 time=true
client End <nil> trailer:  ordered=true`,
	`client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/ServerStream failfast=true delayed=false
client Begin failfast=true streams=false,true retry=false
client OutHeader "/parity.Echo/ServerStream" compression="" remote=bufconn local=bufconn header: k=["v"] user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client End <nil> trailer:  ordered=true`,
	`client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/Bidi failfast=true delayed=false
client Begin failfast=true streams=true,true retry=false
client OutHeader "/parity.Echo/Bidi" compression="" remote=bufconn local=bufconn header: k=["v"] user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client OutPayload "b" 3 3 8 time=true
client InPayload "b" 3 3 8 time=true
client End <nil> trailer:  ordered=true`,
}

var serverStats = []string{
	`TagRPC /parity.Echo/Unary failfast=false delayed=false
server InHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] k=["v"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=false,false retry=false
server InPayload "a" 3 3 8 time=true
server OutHeader "" compression="" remote=<nil> local=<nil> header:
server OutPayload "a" 3 3 8 time=true
server OutTrailer
server End <nil> trailer: nil ordered=true`,
	`TagRPC /parity.Echo/ClientStream failfast=false delayed=false
server InHeader "/parity.Echo/ClientStream" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] k=["v"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=true,false retry=false
server InPayload "a" 3 3 8 time=true
server InPayload "b" 3 3 8 time=true
server OutHeader "" compression="" remote=<nil> local=<nil> header:
server OutPayload "ab" 4 4 9 time=true
server OutTrailer
server End <nil> trailer: nil ordered=true`,
	`TagRPC /parity.Echo/ServerStream failfast=false delayed=false
server InHeader "/parity.Echo/ServerStream" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] k=["v"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=false,true retry=false
server InPayload "a" 3 3 8 time=true
server OutHeader "" compression="" remote=<nil> local=<nil> header:
server OutPayload "a" 3 3 8 time=true
server OutTrailer
server End <nil> trailer: nil ordered=true`,
	`TagRPC /parity.Echo/Bidi failfast=false delayed=false
server InHeader "/parity.Echo/Bidi" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] k=["v"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=true,true retry=false
server InPayload "a" 3 3 8 time=true
server OutHeader "" compression="" remote=<nil> local=<nil> header:
server OutPayload "a" 3 3 8 time=true
server InPayload "b" 3 3 8 time=true
server OutPayload "b" 3 3 8 time=true
server OutTrailer
server End <nil> trailer: nil ordered=true`,
}

func TestStatsOfAFailedCall(t *testing.T) {
	p, client, server := recorded(t, setup{service: answering(func(ctx context.Context) error {
		grpc.SetTrailer(ctx, metadata.Pairs("t", "1"))
		return status.Error(codes.Aborted, "no")
	})})
	unary(within(t), p.cc, "a")
	wait(t, client.ended, "End at the client")
	wait(t, server.ended, "End at the server")
	equal(t, client.events(), `client InTrailer content-type=["application/grpc"] t=["1"]
TagRPC /parity.Echo/Unary failfast=true delayed=false
client Begin failfast=true streams=false,false retry=false
client OutHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client End rpc error: code = Aborted desc = no trailer: content-type=["application/grpc"] t=["1"] ordered=true`)
	equal(t, server.events(), `TagRPC /parity.Echo/Unary failfast=false delayed=false
server InHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=false,false retry=false
server InPayload "a" 3 3 8 time=true
server OutTrailer t=["1"]
server End rpc error: code = Aborted desc = no trailer: nil ordered=true`)
}

func TestStatsOfACallWithHeaderTrailerAndCompression(t *testing.T) {
	p, client, server := recorded(t, setup{service: answering(func(ctx context.Context) error {
		grpc.SetHeader(ctx, metadata.Pairs("h", "1"))
		return grpc.SetTrailer(ctx, metadata.Pairs("t", "1"))
	})})
	unary(within(t), p.cc, "a", grpc.UseCompressor("shout"), grpc.WaitForReady(true))
	wait(t, client.ended, "End at the client")
	wait(t, server.ended, "End at the server")
	equal(t, client.events(), `client InHeader "" compression="shout" remote=<nil> local=<nil> header: content-type=["application/grpc"] h=["1"]
client InTrailer t=["1"]
TagRPC /parity.Echo/Unary failfast=false delayed=false
client Begin failfast=false streams=false,false retry=false
client OutHeader "/parity.Echo/Unary" compression="shout" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client End <nil> trailer: t=["1"] ordered=true`)
	equal(t, server.events(), `TagRPC /parity.Echo/Unary failfast=false delayed=false
server InHeader "/parity.Echo/Unary" compression="shout" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]
server Begin failfast=false streams=false,false retry=false
server InPayload "a" 3 3 8 time=true
server OutHeader "" compression="shout" remote=<nil> local=<nil> header: h=["1"]
server OutPayload "a" 3 3 8 time=true
server OutTrailer t=["1"]
server End <nil> trailer: nil ordered=true`)
}

func TestStatsOfACallThatNeverLeft(t *testing.T) {
	p, client, _ := recorded(t, setup{})
	unary(within(t), p.cc, "a", grpc.UseCompressor("none such"))
	unary(metadata.AppendToOutgoingContext(within(t), "k", "\n"), p.cc, "a")
	equal(t, client.events(), "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	client.rpc.reset()
	unary(ctx, p.cc, "a")
	equal(t, client.events(), "")
}

func TestStatsOfAnUnknownMethod(t *testing.T) {
	for _, tc := range []struct{ method, server string }{
		{"/parity.Echo/Missing", `TagRPC /parity.Echo/Missing failfast=false delayed=false
server InHeader "/parity.Echo/Missing" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]
server OutTrailer`},
		{"/none/Such", `TagRPC /none/Such failfast=false delayed=false
server InHeader "/none/Such" compression="" remote=bufconn local=bufconn header: :authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]
server OutTrailer`},
		{"malformed", `untagged
server OutTrailer`},
	} {
		t.Run(tc.method, func(t *testing.T) {
			p, client, server := recorded(t, setup{})
			p.cc.Invoke(within(t), tc.method, echo.Of("x"), new(echo.Text))
			wait(t, client.ended, "End at the client")
			p.server.GracefulStop()
			want := tc.server
			if tc.method == "malformed" {
				want = differ{"malformed-method-stats", strings.ReplaceAll(sameEvents, "METHOD", tc.method)}.or(t, want)
			}
			equal(t, server.events(), want)
		})
	}
}

// sameEvents are the server's events of a method that it does not serve.
const sameEvents = `TagRPC METHOD failfast=false delayed=false
server InHeader "METHOD" compression="" remote=bufconn local=bufconn header: :authority=["server"] ` +
	`content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]
server OutTrailer`

// A call on an idle channel nearly always waits for the connection: of a few, one must.
func TestStatsOfACallThatWaitsForItsConnection(t *testing.T) {
	p := start(t, setup{})
	var events string
	for range 10 {
		client := newRecorder()
		unary(within(t), p.dial(t, grpc.WithStatsHandler(client)), "a")
		if events = client.events(); strings.Contains(events, "DelayedPickComplete") {
			break
		}
	}
	equal(t, events, `client InHeader "" compression="" remote=<nil> local=<nil> header: content-type=["application/grpc"]
client InTrailer
TagRPC /parity.Echo/Unary failfast=true delayed=false
client Begin failfast=true streams=false,false retry=false
client *stats.DelayedPickComplete
client OutHeader "/parity.Echo/Unary" compression="" remote=bufconn local=bufconn header: user-agent=["grpc-go/1.85.0"]
client OutPayload "a" 3 3 8 time=true
client InPayload "a" 3 3 8 time=true
client End <nil> trailer:  ordered=true`)
}

func TestStatsOfSeveralHandlers(t *testing.T) {
	var order journal
	a, b := &named{name: "a", j: &order}, &named{name: "b", j: &order}
	p := start(t, setup{client: []grpc.DialOption{grpc.WithStatsHandler(a), grpc.WithStatsHandler(nil), grpc.WithStatsHandler(b)}})
	unary(within(t), p.cc, "x")
	equal(t, order.String(), "tag a\ntag b\na *stats.Begin\nb *stats.Begin\na *stats.End\nb *stats.End")
}

// named is a stats handler that notes its own name at the first event and in tags.
type named struct {
	name string
	j    *journal
}

func (n *named) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	n.j.note("tag %s", n.name)
	return ctx
}
func (n *named) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s.(type) {
	case *stats.Begin, *stats.End:
		n.j.note("%s %T", n.name, s)
	}
}
func (n *named) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (n *named) HandleConn(context.Context, stats.ConnStats)                       {}

func TestStatsOfConnections(t *testing.T) {
	p, client, server := recorded(t, setup{})
	unary(within(t), p.cc, "x")
	p.cc.Close()
	wait(t, client.closed, "ConnEnd at the client")
	wait(t, server.closed, "ConnEnd at the server")
	equal(t, client.conn.String(), "TagConn bufconn bufconn\nConnBegin client=true\nConnEnd client=true")
	equal(t, server.conn.String(), "TagConn bufconn bufconn\nConnBegin client=false\nConnEnd client=false")
}

func TestOutgoingTagsAndTraceArrive(t *testing.T) {
	seen := make(chan string, 1)
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		seen <- fmt.Sprintf("%q %q", stats.Tags(ctx), stats.Trace(ctx))
		return nil
	})})
	ctx := stats.SetTrace(stats.SetTags(within(t), []byte("tags")), []byte("trace"))
	if _, err := unary(ctx, p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	equal(t, wait(t, seen, "call"), `"tags" "trace"`)
}
