// What both ends say of themselves at the beginning of a connection, as options set it, and limits that the other end sets.

package behaviour

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// introduction shows the SETTINGS that an end begins with, in the order of their names, and the window that it gives the connection.
// What it says on purpose of its own is left out: the largest frame, the limit of header lists by default, and, since pushes are
// nothing that either takes, SETTINGS_ENABLE_PUSH.
func introduction(t *testing.T, c *raw.Conn) string {
	t.Helper()
	c.Framer.WritePing(false, [8]byte{})
	window := uint32(65535)
	var settings []string
	for {
		f, err := c.Framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			f.ForeachSetting(func(s http2.Setting) error {
				switch s.ID {
				case http2.SettingMaxFrameSize, http2.SettingEnablePush:
				default:
					settings = append(settings, s.String())
				}
				return nil
			})
		case *http2.WindowUpdateFrame:
			window += f.Increment
		case *http2.PingFrame:
			slices.Sort(settings)
			return fmt.Sprint(strings.Join(settings, " "), " window ", window)
		}
	}
}

func TestSettingsThatOptionsOfAServerSet(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []grpc.ServerOption
		want string
	}{
		{"streams", []grpc.ServerOption{grpc.MaxConcurrentStreams(7)}, "[MAX_CONCURRENT_STREAMS = 7]"},
		{"no streams, which means any number", []grpc.ServerOption{grpc.MaxConcurrentStreams(0)}, ""},
		{"window", []grpc.ServerOption{grpc.InitialWindowSize(100_000)}, "[INITIAL_WINDOW_SIZE = 100000]"},
		{"window that is too small", []grpc.ServerOption{grpc.InitialWindowSize(65534)}, ""},
		{"header table", []grpc.ServerOption{grpc.HeaderTableSize(8192)}, "[HEADER_TABLE_SIZE = 8192]"},
		{"no header table", []grpc.ServerOption{grpc.HeaderTableSize(0)}, "[HEADER_TABLE_SIZE = 0]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := append(tc.opts, grpc.InitialConnWindowSize(2_000_000), grpc.MaxHeaderListSize(5000))
			got := introduction(t, rawClient(t, start(t, setup{server: opts})))
			equal(t, strings.TrimSpace(strings.Replace(got, "[MAX_HEADER_LIST_SIZE = 5000] window 2000000", "", 1)), tc.want)
		})
	}
}

// introduced makes a channel with the options, and returns the client's end of its first connection.
func introduced(t *testing.T, opts ...grpc.DialOption) *raw.Conn {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	cc := plain(t, "x", append(opts, grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return near, nil }))...)
	cc.Connect()
	return raw.Server(t, far)
}

func TestSettingsThatOptionsOfAChannelSet(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []grpc.DialOption
		want string
	}{
		{"window", []grpc.DialOption{grpc.WithInitialWindowSize(100_000)}, "[INITIAL_WINDOW_SIZE = 100000]"},
		{"window that stays", []grpc.DialOption{grpc.WithStaticStreamWindowSize(100_000)}, "[INITIAL_WINDOW_SIZE = 100000]"},
		{"window that is too small", []grpc.DialOption{grpc.WithInitialWindowSize(65534)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := append(tc.opts, grpc.WithInitialConnWindowSize(2_000_000), grpc.WithMaxHeaderListSize(5000))
			c := introduced(t, opts...)
			got := introduction(t, c)
			go c.Drain() // ends with the test
			equal(t, strings.TrimSpace(strings.Replace(got, "[MAX_HEADER_LIST_SIZE = 5000] window 2000000", "", 1)), tc.want)
		})
	}
}

// manyFields is a header list of more than 500 bytes, by the measure of RFC 9113 §6.5.2, in small fields.
func manyFields() (pairs []string) {
	for i := range 20 {
		pairs = append(pairs, fmt.Sprintf("key-%d", i), "v")
	}
	return pairs
}

func TestAnswersWithLargeHeaderLists(t *testing.T) {
	want := differ{"header-list-text", "rpc error: code = Internal desc = peer header list size exceeded limit: 500 bytes; RST_STREAM FRAME_SIZE_ERROR"}.or(t,
		"rpc error: code = Internal desc = peer header list size exceeded limit; RST_STREAM FRAME_SIZE_ERROR")
	for name, do := range map[string]func(*raw.Conn, uint32){
		"header": func(c *raw.Conn, id uint32) { c.Headers(id, false, response(manyFields()...)...) },
		"trailer": func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Headers(id, true, append(manyFields(), "grpc-status", "0")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan string, 1)
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				id, _ := c.Request()
				if id == 0 || !c.Until(id) {
					return
				}
				do(c, id)
				said <- c.Transcript(id)
				c.Drain()
			})
			_, err := unary(within(t), plain(t, addr, grpc.WithMaxHeaderListSize(500)), "x")
			equal(t, text(err)+"; "+wait(t, said, "reset"), want)
		})
	}
}

// opens counts the streams that a client opens on a connection before it acknowledges a PING which follows the nth of them.
func opens(c *raw.Conn, n int) (count int) {
	for {
		f, err := c.Next()
		if err != nil {
			return count
		}
		switch f.(type) {
		case *http2.MetaHeadersFrame:
			if count++; count == n {
				c.Framer.WritePing(false, [8]byte{'n'})
			}
		case *http2.PingFrame:
			return count
		}
	}
}

func TestStreamsOfAClientWhoseServerNamesNoLimit(t *testing.T) {
	const calls = 150
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	cc := plain(t, "x", grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return near, nil }))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for range calls {
		go unary(ctx, cc, "x") // ends with ctx
	}
	equal(t, fmt.Sprint(opens(raw.Server(t, far), calls)), fmt.Sprint(calls))
	go io.Copy(io.Discard, far) // ends with the test
}

func TestCallThatWaitsForAStreamLeavesAConnectionThatGoesAway(t *testing.T) {
	first, waiting := make(chan struct{}), make(chan struct{})
	addr := raw.Listen(t, func(n int, c *raw.Conn) {
		if n == 0 {
			c.Framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		}
		id, _ := c.Request()
		if n == 0 {
			close(first)
			<-waiting
			c.GoAway(id, http2.ErrCodeNo, "bye")
		}
		c.Headers(id, true, response("grpc-status", "10", "grpc-message", fmt.Sprint("connection ", n))...)
		c.Drain()
	})
	cc := plain(t, addr)
	results := make(chan string, 2)
	call := func() { results <- result(unary(within(t), cc, "x")) }
	go call()
	wait(t, first, "call")
	go call()
	ctx, cancel := context.WithTimeout(within(t), short)
	defer cancel()
	equal(t, text(ask(ctx, cc)), "rpc error: code = DeadlineExceeded desc = context deadline exceeded") // no stream is to be had, so that call waits too
	close(waiting)
	got := []string{wait(t, results, "answer"), wait(t, results, "answer")}
	slices.Sort(got)
	equal(t, strings.Join(got, " | "), "rpc error: code = Aborted desc = connection 0 | rpc error: code = Aborted desc = connection 1")
}
