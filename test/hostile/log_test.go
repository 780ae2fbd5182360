// What peers say may be secret: however wrong it is, it is not logged.

package hostile

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// secret is a value that must not appear in the log.
const secret = "Bearer-0123456789abcdef"

// wantUnlogged fails the test if the secret was logged.
func wantUnlogged(t *testing.T, seen <-chan string) {
	t.Helper()
	select {
	case line := <-seen:
		t.Errorf("logged: %s", line)
	default:
	}
}

func TestServerLogsNoValues(t *testing.T) {
	seen := theLog.watch(t, secret)
	s := newTarget(t, grpc.MaxHeaderListSize(8192))
	for _, fields := range [][]string{
		request(unary, "authorization", secret),
		request(unary, "authorization", secret+"\n"),
		request(unary, "Authorization", secret),
		request(unary, "authorization-bin", secret+"!"),
		request(unary, "connection", secret),
		request("/no/method", "authorization", secret),
		request(unary, "authorization", secret, "large", strings.Repeat("v", 9000)),
		without("content-type", "authorization", secret),
		with(":method", "GET"),
	} {
		p := s.dial(t)
		p.headers(1, true, append(fields, "cookie", secret)...)
		p.answer(1)
		p.frame(0, 0, 0, 1) // which ends the connection while the list is known
		p.wantGoAway(protocolError)
	}
	s.call()
	wantUnlogged(t, seen)
}

func TestClientLogsNoValues(t *testing.T) {
	seen := theLog.watch(t, secret)
	calling := func(ctx context.Context, cc *grpc.ClientConn) error {
		return one(metadata.AppendToOutgoingContext(ctx, "authorization", secret), cc)
	}
	runScripts(t, []script{
		{name: "sound", call: calling, play: headAndOK(grpcHead("set-cookie", secret)...), want: "OK"},
		{name: "wrong value", call: calling, play: headAndOK(grpcHead("set-cookie", secret+"\n")...), want: "Internal: …"},
		{name: "wrong base64", call: calling, play: headAndOK(grpcHead("cookie-bin", secret+"!")...), want: "Internal: …"},
		{name: "trailers without status", call: calling, play: messageAnd("set-cookie", secret), want: "Unknown: …"},
		{name: "end of the connection", call: calling, play: func(p *peer, id uint32) {
			p.response(id, "set-cookie", secret)
			p.flush()
			p.nc.Close()
		}, want: "Unavailable: …", then: newConn},
	})
	wantUnlogged(t, seen)
}
