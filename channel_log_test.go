// Tests of what channels say in the log.

package grpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
)

// A logBook holds what was logged since the last look.
type logBook struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

// readLog makes everything be logged to a book, until the end of the test.
func readLog(t *testing.T) *logBook {
	b := new(logBook)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(b, io.Discard, io.Discard))
	t.Cleanup(func() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)) })
	return b
}

// lines returns what was logged since the last look, without the time.
func (b *logBook) lines() (got []string) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.bytes.String()) {
		_, line, _ = strings.Cut(line, " ") // the day
		_, line, _ = strings.Cut(line, " ") // the time
		got = append(got, strings.TrimSpace(line))
	}
	b.bytes.Reset()
	return got
}

// want checks what was logged since the last look.
func (b *logBook) want(t *testing.T, want ...string) {
	t.Helper()
	wantEqual(t, "log", "\n"+strings.Join(b.lines(), "\n"), "\n"+strings.Join(want, "\n"))
}

func TestLogOfAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := readLog(t)
		lis := startServer(t, testService{})
		r := newManual()
		r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "a"}}})
		cc := newChannel(t, "manual:///test", dialTo(lis), WithResolvers(r), WithIdleTimeout(time.Minute))
		log.want(t, `INFO: [core] channel to "manual:///test": created; target manual:///test, authority "test"`)
		for range 10 { // calls say nothing
			_, err := echo(t.Context(), cc, "x")
			must(t, err)
		}
		log.want(t,
			`INFO: [core] channel to "manual:///test": leaves idle mode`,
			`INFO: [core] channel to "manual:///test": CONNECTING`,
			`INFO: [core] channel to "manual:///test": name resolution has found 1 endpoints, 1 addresses: [a]`,
			`INFO: [core] channel to "manual:///test": load-balancing policy "pick_first"`,
			`INFO: [core] channel to "manual:///test", subchannel to [a]: CONNECTING`,
			`INFO: [core] channel to "manual:///test", subchannel to [a]: READY`,
			`INFO: [core] channel to "manual:///test": READY`)
		r.CC().ReportError(errors.New("no such host"))
		log.want(t, `WARNING: [core] channel to "manual:///test": name resolution has failed: no such host`)
		pass(2 * time.Minute)
		log.want(t,
			`INFO: [core] channel to "manual:///test": goes idle: there was no call for 1m0s`,
			`INFO: [core] channel to "manual:///test", subchannel to [a]: SHUTDOWN`,
			`INFO: [core] channel to "manual:///test", connection to a: closed: rpc error: code = Unavailable desc = grpc: the channel is going idle`,
			`INFO: [core] channel to "manual:///test": IDLE`)
		must(t, cc.Close())
		log.want(t, `INFO: [core] channel to "manual:///test": closed`)
	})
}

func TestLogOfAConnectionThatFailsAndOneThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := readLog(t)
		raw := serveRaw(t, nil)
		refused := true
		cc := newChannel(t, "passthrough:///a", WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if refused {
				refused = false
				return nil, errors.New("refused")
			}
			return raw.lis.DialContext(ctx)
		}))
		cc.Connect()
		synctest.Wait()
		const failed = `connection error: desc = "transport: Error while dialing: refused"`
		log.want(t,
			`INFO: [core] channel to "passthrough:///a": created; target passthrough:///a, authority "a"`,
			`INFO: [core] channel to "passthrough:///a": leaves idle mode`,
			`INFO: [core] channel to "passthrough:///a": CONNECTING`,
			`INFO: [core] channel to "passthrough:///a": name resolution has found 1 endpoints, 1 addresses: [a]`,
			`INFO: [core] channel to "passthrough:///a": load-balancing policy "pick_first"`,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: CONNECTING`,
			`WARNING: [core] channel to "passthrough:///a", connection to a: connecting has failed: `+failed,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: TRANSIENT_FAILURE: `+failed,
			`INFO: [core] channel to "passthrough:///a": TRANSIENT_FAILURE`)
		pass(2 * time.Second)
		log.want(t,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: IDLE`,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: CONNECTING`,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: READY`,
			`INFO: [core] channel to "passthrough:///a": READY`)
		(<-raw.conns).goAway(0, 11, "too much")
		want := []string{ // of the goroutine that reads the connection, and that of the channel's queue
			`INFO: [core] channel to "passthrough:///a", connection to a: takes no more calls: ENHANCE_YOUR_CALM, debug data "too much"`,
			`INFO: [core] channel to "passthrough:///a", connection to a: closed: connection error: desc = "transport is closing"`,
			`INFO: [core] channel to "passthrough:///a", subchannel to [a]: IDLE`,
			`INFO: [core] channel to "passthrough:///a": IDLE`,
		}
		wantEqual(t, "log", strings.Join(slices.Sorted(slices.Values(log.lines())), "\n"), strings.Join(slices.Sorted(slices.Values(want)), "\n"))
	})
}

func TestServerThatFindsPingsTooManyIsAnErrorInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := serveRaw(t, nil)
		newChannel(t, "passthrough:///a", WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return raw.lis.DialContext(ctx) })).Connect()
		synctest.Wait()
		errors := new(logBook)
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, errors))
		t.Cleanup(func() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)) })
		(<-raw.conns).goAway(0, 11, "too_many_pings")
		errors.want(t, `ERROR: [core] Client received GoAway with error code ENHANCE_YOUR_CALM and debug data equal to ASCII "too_many_pings".`)
	})
}

// A shyName must not be formatted.
type shyName struct{ t *testing.T }

func (n shyName) String() string {
	n.t.Error("formatted, want nothing to be done for a line that nobody gets")
	return ""
}

func TestLinesThatNobodyGetsAreNotFormatted(t *testing.T) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
	logInfo(shyName{t}, "%v", shyName{t})
	logWarning(shyName{t}, "%v", shyName{t})
}
