// Call options: Peer, Header and Trailer at failure, OnFinish, WaitForReady and FailFast, and those that change nothing.

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
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func nilPeer() *peer.Peer { return &peer.Peer{} }

func passTap(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, nil }

func TestPeerOfACall(t *testing.T) {
	p := start(t, setup{})
	var pr peer.Peer
	if _, err := unary(within(t), p.cc, "x", grpc.Peer(&pr)); err != nil {
		t.Fatal(err)
	}
	equal(t, fmt.Sprint(pr.Addr, " ", pr.LocalAddr, " ", pr.AuthInfo), "bufconn bufconn {{NoSecurity}}")
	equal(t, pr.String(), "Peer{Addr: 'bufconn', LocalAddr: 'bufconn', AuthInfo: 'insecure'}")
}

func TestPeerOfACallThatFails(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.Aborted, "no") })})
	var pr peer.Peer
	unary(within(t), p.cc, "x", grpc.Peer(&pr))
	equal(t, fmt.Sprint(pr.Addr), "bufconn")
	dead := plain(t, acceptAndDrop(t))
	pr = peer.Peer{}
	unary(within(t), dead, "x", grpc.Peer(&pr))
	equal(t, fmt.Sprint(pr.Addr), "<nil>")
}

func TestPeerOfAStream(t *testing.T) {
	p := start(t, setup{})
	var pr peer.Peer
	stream := open(t, within(t), p.cc, grpc.Peer(&pr))
	fromContext, ok := peer.FromContext(stream.Context())
	equal(t, fmt.Sprint(ok, " ", fromContext != nil && fromContext.Addr != nil && fromContext.Addr.String() == "bufconn"), "true true")
	stream.CloseSend()
	equal(t, result(receive(stream)), "EOF")
	equal(t, fmt.Sprint(pr.Addr), "bufconn")
}

func TestOnFinishRunsOnceWithTheError(t *testing.T) {
	type count struct {
		calls int
		last  error
	}
	var c count
	option := grpc.OnFinish(func(err error) { c.calls, c.last = c.calls+1, err })
	shown := func() string {
		s := fmt.Sprint(c.calls, " ", text(c.last))
		c = count{}
		return s
	}
	good := start(t, setup{})
	bad := start(t, setup{service: failing(func() error { return status.Error(codes.Aborted, "no") })})

	unary(within(t), good.cc, "x", option)
	equal(t, shown(), "1 <nil>")
	unary(within(t), bad.cc, "x", option)
	equal(t, shown(), "1 rpc error: code = Aborted desc = no")
	for _, cc := range []*grpc.ClientConn{good.cc, bad.cc} {
		stream := open(t, within(t), cc, option)
		stream.CloseSend()
		_, err := receive(stream)
		receive(stream)
		want := "1 " + text(err)
		if text(err) == "EOF" {
			want = "1 <nil>"
		}
		equal(t, shown(), want)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	unary(cancelled, good.cc, "x", option)
	equal(t, shown(), "1 rpc error: code = Canceled desc = context canceled")
	good.cc.NewStream(metadata.AppendToOutgoingContext(within(t), "k", "\n"), echo.BidiDesc, echo.Bidi, option)
	equal(t, shown(), `1 rpc error: code = Internal desc = header key "k" contains value with non-printable ASCII characters`)
	good.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi, option, grpc.UseCompressor("none such"))
	equal(t, shown(), `1 rpc error: code = Internal desc = grpc: Compressor is not installed for requested grpc-encoding "none such"`)
	good.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi, option, grpc.CallContentSubtype("none such"))
	equal(t, shown(), "1 rpc error: code = Internal desc = no codec registered for content-subtype none such")
	good.cc.Close()
	unary(within(t), good.cc, "x", option)
	equal(t, shown(), "1 rpc error: code = Canceled desc = grpc: the client connection is closing")
	dead := plain(t, acceptAndDrop(t))
	reach(t, dead, connectivity.TransientFailure)
	unary(within(t), dead, "x", option)
	if c.calls != 1 || status.Code(c.last) != codes.Unavailable {
		t.Errorf("got %d calls, the last with %v, want one with code Unavailable", c.calls, c.last)
	}
}

func TestSeveralOnFinish(t *testing.T) {
	var order []string
	note := func(s string) grpc.CallOption { return grpc.OnFinish(func(error) { order = append(order, s) }) }
	p := start(t, setup{client: []grpc.DialOption{grpc.WithDefaultCallOptions(note("default"))}})
	unary(within(t), p.cc, "x", note("a"), note("b"))
	equal(t, strings.Join(order, " "), "default a b")
}

func TestHeaderAndTrailerOptionsOfAStream(t *testing.T) {
	p := start(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
		s.SetHeader(metadata.Pairs("h", "1"))
		s.SetTrailer(metadata.Pairs("t", "2"))
		return s.SendMsg(echo.Of("m"))
	}}})
	var header, trailer metadata.MD
	stream := open(t, within(t), p.cc, grpc.Header(&header), grpc.Trailer(&trailer))
	equal(t, result(receive(stream)), `"m"`)
	equal(t, result(receive(stream)), "EOF")
	equal(t, show(header)+"; "+show(trailer), `content-type=["application/grpc"] h=["1"]; t=["2"]`)
}

func TestOptionsThatAreRefused(t *testing.T) {
	p := start(t, setup{})
	for _, tc := range []struct {
		name string
		opt  grpc.CallOption
		want string
	}{
		{"unknown compressor", grpc.UseCompressor("none such"),
			`rpc error: code = Internal desc = grpc: Compressor is not installed for requested grpc-encoding "none such"`},
		{"empty compressor", grpc.UseCompressor(""), `"x"`},
		{"identity", grpc.UseCompressor("identity"), `"x"`},
		{"unknown content-subtype", grpc.CallContentSubtype("none such"),
			"rpc error: code = Internal desc = no codec registered for content-subtype none such"},
		{"empty content-subtype", grpc.CallContentSubtype(""), `"x"`},
		{"content-subtype in capitals", grpc.CallContentSubtype("PROTO"), `"x"`},
		{"authority on plain text", grpc.CallAuthority("a.example"), `"x"`},
		{"empty authority", grpc.CallAuthority(""), `"x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, result(unary(within(t), p.cc, "x", tc.opt)), tc.want)
			_, err := p.cc.NewStream(within(t), echo.BidiDesc, echo.Bidi, tc.opt)
			if err != nil {
				equal(t, text(err), tc.want)
			}
		})
	}
}

func TestContentTypeThatTheServerSees(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	for _, tc := range []struct {
		name string
		opts []grpc.CallOption
		want string
	}{
		{"none", nil, `:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`},
		{"proto", []grpc.CallOption{grpc.CallContentSubtype("proto")},
			`:authority=["server"] content-type=["application/grpc+proto"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`},
		{"capitals", []grpc.CallOption{grpc.CallContentSubtype("PROTO")},
			`:authority=["server"] content-type=["application/grpc+proto"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`},
		{"static method", []grpc.CallOption{grpc.StaticMethod()},
			`:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := unary(within(t), p.cc, "x", tc.opts...); err != nil {
				t.Fatal(err)
			}
			equal(t, show(wait(t, seen, "call")), tc.want)
		})
	}
}

func TestFailFastOptionsOnADeadChannel(t *testing.T) {
	lis := listen(t)
	lis.Close()
	cc := plain(t, lis.Addr().String())
	reach(t, cc, connectivity.TransientFailure)
	cancelled, cancel := context.WithCancel(within(t))
	blocked := make(chan error, 2)
	for _, tc := range []struct {
		name string
		opts []grpc.CallOption
		want string
	}{
		{"default", nil,
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ADDR: connect: connection refused"`},
		{"FailFast", []grpc.CallOption{grpc.FailFast(true)},
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ADDR: connect: connection refused"`},
		{"last wins", []grpc.CallOption{grpc.WaitForReady(true), grpc.WaitForReady(false)},
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ADDR: connect: connection refused"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, result(unary(within(t), cc, "x", tc.opts...)), tc.want)
		})
	}
	for _, opt := range []grpc.CallOption{grpc.FailFast(false), grpc.WaitForReady(true)} {
		go func() {
			_, err := unary(cancelled, cc, "x", opt)
			blocked <- err
		}()
	}
	cancel()
	for range 2 {
		oneOf(t, text(wait(t, blocked, "blocked call")),
			`rpc error: code = Canceled desc = latest balancer error: connection error: desc = "transport: Error while dialing: dial tcp ADDR: connect: connection refused"`,
			"rpc error: code = Canceled desc = context canceled")
	}
}
