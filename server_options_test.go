// Tests of server options that do more than set a field. Those that have a twin among the options of channels are in dialoptions_test.go.

package grpc

import (
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport"
)

func TestDefaultsOfAServer(t *testing.T) {
	o := NewServer().opts
	wantEqual(t, "MaxRecvMsgSize", o.maxReceive, 4<<20)
	wantEqual(t, "MaxSendMsgSize", o.maxSend, math.MaxInt32)
	wantEqual(t, "MaxConcurrentStreams", o.maxConcurrentStreams, 0)
	wantEqual(t, "ConnectionTimeout", o.connectionTimeout, 120*time.Second)
	wantEqual(t, "NumStreamWorkers", o.workers, 0)
	wantEqual(t, "WaitForHandlers", o.waitForHandlers, false)
	wantEqual(t, "HeaderTableSize", o.headerTableSize, nil)
	wantEqual(t, "KeepaliveParams", o.keepalive, keepalive.ServerParameters{})
	wantEqual(t, "KeepaliveEnforcementPolicy", o.enforcement, keepalive.EnforcementPolicy{})
	wantEqual(t, "options of connections", o.conn, transport.ConnOptions{Pool: mem.DefaultBufferPool()})
}

func TestNegativeLimitsOfAServerMeanZero(t *testing.T) {
	for _, n := range []int{-1, 0, 5} {
		srv := NewServer(MaxRecvMsgSize(n), MaxSendMsgSize(n))
		wantEqual(t, "maxReceive", srv.opts.maxReceive, max(n, 0))
		wantEqual(t, "maxSend", srv.opts.maxSend, max(n, 0))
		wantEqual(t, "maxReceive by its old name", NewServer(MaxMsgSize(n)).opts.maxReceive, max(n, 0))
	}
}

func TestNumStreamWorkersAreKept(t *testing.T) {
	wantEqual(t, "workers to keep", NewServer(NumStreamWorkers(3)).workers.keep, 3)
}

func TestMaxConcurrentStreamsMakesCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}, MaxConcurrentStreams(1)))
		first := openStream(t, cc, bidi)
		opened := make(chan ClientStream)
		go func() { opened <- openStream(t, cc, bidi) }()
		synctest.Wait()
		select {
		case <-opened:
			t.Fatal("the second call has begun beside the first")
		default:
		}
		must(t, first.CloseSend())
		wantEqual(t, "end of the first call", first.RecvMsg(text("")), io.EOF)
		must(t, (<-opened).CloseSend())
	})
}
