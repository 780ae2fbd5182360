// A test of what callers find who have seen the state of a channel.

package grpc

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/grpclog"
)

// A pickWhenReady is a log that picks when a channel says in it that it is ready: the state is known to all by then.
type pickWhenReady struct {
	cc     *ClientConn
	waited chan bool
}

func (p *pickWhenReady) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(p.cc.name().String()+": READY")) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, waited, _ := p.cc.live.Load().pickers.pick(balancer.PickInfo{Ctx: ctx}, false)
		p.waited <- waited
	}
	return len(line), nil
}

func TestWhoSeesThatAChannelIsReadyNeedNotWait(t *testing.T) {
	cc := connect(t, serve(t, NewServer()))
	p := &pickWhenReady{cc, make(chan bool, 10)}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(p, io.Discard, io.Discard))
	t.Cleanup(func() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)) })
	cc.Connect()
	wantEqual(t, "a call had to wait", <-p.waited, false)
}
