// Tests of channel options that do more than set a field.

package grpc

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/backoff"
)

// optionsOf returns what options come to.
func optionsOf(opts ...DialOption) *dialOptions {
	o := defaultDialOptions()
	for _, opt := range opts {
		opt.apply(&o)
	}
	o.finish()
	return &o
}

func TestWindowsBelow64KiBAreIgnored(t *testing.T) {
	for _, n := range []int32{-1, 0, 65534, 65535, 1 << 20} {
		want := int64(n)
		if n < 65535 {
			want = 0
		}
		client := optionsOf(WithInitialWindowSize(n), WithInitialConnWindowSize(n))
		wantEqual(t, "StreamWindow", client.conn.StreamWindow, want)
		wantEqual(t, "ConnWindow", client.conn.ConnWindow, want)
		wantEqual(t, "StaticWindows", client.conn.StaticWindows, false)
		srv := NewServer(InitialWindowSize(n), InitialConnWindowSize(n))
		wantEqual(t, "server's StreamWindow", srv.opts.conn.StreamWindow, want)
		wantEqual(t, "server's ConnWindow", srv.opts.conn.ConnWindow, want)
		wantEqual(t, "server's StaticWindows", srv.opts.conn.StaticWindows, false)
	}
}

func TestStaticWindowsDoNotGrow(t *testing.T) {
	for name, o := range map[string]*dialOptions{
		"stream": optionsOf(WithStaticStreamWindowSize(1 << 20)), "connection": optionsOf(WithStaticConnWindowSize(1 << 20)),
	} {
		wantEqual(t, name+": StaticWindows", o.conn.StaticWindows, true)
		wantEqual(t, name+": the window", o.conn.StreamWindow+o.conn.ConnWindow, 1<<20)
	}
	for name, o := range map[string]ServerOption{"stream": StaticStreamWindowSize(1 << 20), "connection": StaticConnWindowSize(1 << 20)} {
		srv := NewServer(o)
		wantEqual(t, name+": server's StaticWindows", srv.opts.conn.StaticWindows, true)
		wantEqual(t, name+": server's window", srv.opts.conn.StreamWindow+srv.opts.conn.ConnWindow, 1<<20)
	}
}

func TestBufferSizeZeroMeansNone(t *testing.T) {
	for n, want := range map[int]int{-5: -1, 0: -1, 1: 1, 4096: 4096} {
		client := optionsOf(WithReadBufferSize(n), WithWriteBufferSize(n))
		srv := NewServer(ReadBufferSize(n), WriteBufferSize(n))
		wantEqual(t, "ReadBufferSize", client.conn.ReadBufferSize, want)
		wantEqual(t, "WriteBufferSize", client.conn.WriteBufferSize, want)
		wantEqual(t, "server's ReadBufferSize", srv.opts.conn.ReadBufferSize, want)
		wantEqual(t, "server's WriteBufferSize", srv.opts.conn.WriteBufferSize, want)
	}
}

func TestWriteBuffersAreKeptIfTheyAreNotShared(t *testing.T) {
	wantEqual(t, "kept by default", optionsOf().conn.KeepWriteBuffers || NewServer().opts.conn.KeepWriteBuffers, false)
	for _, shared := range []bool{false, true} {
		wantEqual(t, "kept by a channel", optionsOf(WithSharedWriteBuffer(shared)).conn.KeepWriteBuffers, !shared)
		wantEqual(t, "kept by a server", NewServer(SharedWriteBuffer(shared)).opts.conn.KeepWriteBuffers, !shared)
	}
}

func TestMaxHeaderListSizeMayBeZero(t *testing.T) {
	wantEqual(t, "without option", optionsOf().conn.MaxHeaderListSize, nil)
	for _, n := range []uint32{0, 100} {
		wantEqual(t, "MaxHeaderListSize", *optionsOf(WithMaxHeaderListSize(n)).conn.MaxHeaderListSize, n)
		wantEqual(t, "server's MaxHeaderListSize", *NewServer(MaxHeaderListSize(n)).opts.conn.MaxHeaderListSize, n)
		wantEqual(t, "HeaderTableSize", *NewServer(HeaderTableSize(n)).opts.headerTableSize, n)
	}
}

func TestMaxCallAttemptsBelowTwoMeanFive(t *testing.T) {
	for n, want := range map[int]int{-1: 5, 0: 5, 1: 5, 2: 2, 10: 10} {
		wantEqual(t, "attempts", optionsOf(WithMaxCallAttempts(n)).maxCallAttempts, want)
	}
}

func TestBackoffOptions(t *testing.T) {
	c := backoff.Config{BaseDelay: 1, Multiplier: 2, Jitter: 3, MaxDelay: 4}
	o := optionsOf(WithConnectParams(ConnectParams{Backoff: c, MinConnectTimeout: 5}))
	wantEqual(t, "backoff", o.backoff, c)
	wantEqual(t, "connect timeout", o.minConnectTimeout, 5)
	want := backoff.DefaultConfig
	want.MaxDelay = time.Minute
	wantEqual(t, "backoff of 2016", optionsOf(WithConnectParams(ConnectParams{Backoff: c}), WithBackoffMaxDelay(time.Minute)).backoff, want)
	wantEqual(t, "backoff of 2016 as a struct", optionsOf(WithBackoffConfig(BackoffConfig{MaxDelay: time.Minute})).backoff, want)
	wantEqual(t, "backoff by default", optionsOf().backoff, backoff.DefaultConfig)
}

func TestDialerOf2016GetsTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got time.Duration
		o := optionsOf(WithDialer(func(_ string, timeout time.Duration) (net.Conn, error) { got = timeout; return nil, errRefused }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := o.dialer(ctx, "a")
		wantEqual(t, "error", err, errRefused)
		wantEqual(t, "timeout", got, time.Minute)
		_, _ = o.dialer(context.Background(), "a")
		wantEqual(t, "timeout without deadline", got, 0)
	})
}

func TestNilStatsHandlersAreIgnored(t *testing.T) {
	wantEqual(t, "handlers of a channel", len(optionsOf(WithStatsHandler(nil)).statsHandlers), 0)
	wantEqual(t, "handlers of a server", len(NewServer(StatsHandler(nil)).opts.statsHandlers), 0)
}

func TestEmptyOptionsDoNothing(t *testing.T) {
	o, plain := optionsOf(EmptyDialOption{}), optionsOf()
	wantEqual(t, "channel's idle timeout", o.idleTimeout, plain.idleTimeout)
	wantEqual(t, "server's limit", NewServer(EmptyServerOption{}).opts.maxReceive, defaultMaxReceiveSize)
	wantEqual(t, "call's limit", infoOf(t, EmptyCallOption{}).maxReceive, -1)
}
