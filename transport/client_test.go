// Tests of a client's connection: GOAWAY, drain, and how many streams are open at a time.

package transport

import (
	"context"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

// goAway says that streams above last were not acted on.
func (p *scriptedPeer) goAway(last uint32, code http2.ErrCode, debug string) {
	p.say(func(f *http2.Framer) error { return f.WriteGoAway(last, code, []byte(debug)) })
	synctest.Wait()
}

func TestGoAwayEndsTheStreamsAboveTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{}, false)
		first, second, third := openCall(t, c), openCall(t, c), openCall(t, c)
		p.take()
		p.goAway(3, http2.ErrCodeNo, "bye")
		e.want(t, "draining bye")
		for i, s := range []*ClientStream{first, second, third} {
			want, unprocessed := "none", false
			if i == 2 {
				want, unprocessed = "Unavailable: "+ErrDraining.Desc, true
			}
			if got := shown(s); got != want || s.Unprocessed() != unprocessed {
				t.Errorf("stream %d: got %q, unprocessed %v, want %q, %v", s.id, got, s.Unprocessed(), want, unprocessed)
			}
		}
		p.goAway(1, http2.ErrCodeNo, "bye") // it may lower the last stream
		if got := shown(second); got != "Unavailable: "+ErrDraining.Desc || !second.Unprocessed() {
			t.Errorf("stream 3 behind a second GOAWAY: got %q, want that it was not acted on", got)
		}
		if err := c.Open(t.Context(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a"}, nil, false); err != ErrDraining {
			t.Errorf("another call: got %v, want %v", err, ErrDraining)
		}
		p.grpcHeaders(1, true, "grpc-status", "0")
		p.want("0s RST_STREAM 1 NO_ERROR", `0s GOAWAY 0 NO_ERROR ""`, "0s end")
		if got := shown(first); got != "OK: " {
			t.Errorf("stream 1: got %q, want OK", got)
		}
	})
}

func TestTheEndOfAConnectionNamesAnEarlierGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		p.goAway(1, http2.ErrCodeEnhanceYourCalm, "too much")
		p.nc.Close()
		synctest.Wait()
		want := `Unavailable: closing transport due to: connection error: desc = "error reading from server: EOF", ` +
			`received prior goaway: code: ENHANCE_YOUR_CALM, debug data: "too much"`
		if got := shown(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestDrainLetsStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{}, false)
		s := openCall(t, c)
		p.take()
		c.Drain()
		p.want()
		if err := c.Open(t.Context(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a"}, nil, false); err != ErrDraining {
			t.Errorf("another call: got %v, want %v", err, ErrDraining)
		}
		p.grpcHeaders(1, true, "grpc-status", "0")
		p.want("0s RST_STREAM 1 NO_ERROR", `0s GOAWAY 0 NO_ERROR ""`, "0s end")
		if got := shown(s); got != "OK: " {
			t.Errorf("got %q, want OK", got)
		}
		e.want(t, `closed connection error: desc = "transport is closing"`)
	})
}

func TestCallsWaitForTheStreamsThatTheServerAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		allow := func(n uint32) {
			p.say(func(f *http2.Framer) error {
				return f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n})
			})
			synctest.Wait()
		}
		allow(1)
		openCall(t, c)
		p.take()
		results := make(chan error, 3)
		for range 3 {
			go func() { // ends when it has a stream, or the connection has ended
				results <- c.Open(context.Background(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a", MaxMessageSize: 1}, nil, false)
			}()
			synctest.Wait()
		}
		p.want()
		allow(3)
		p.want("0s HEADERS 3", "0s HEADERS 5")
		p.grpcHeaders(1, true, "grpc-status", "0")
		p.want("0s RST_STREAM 1 NO_ERROR", "0s HEADERS 7")
		for range 3 {
			if err := <-results; err != nil {
				t.Errorf("got %v, want a stream", err)
			}
		}
		allow(0)
		go func() {
			results <- c.Open(context.Background(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a", MaxMessageSize: 1}, nil, false)
		}()
		synctest.Wait()
		c.Close(ErrConnClosing)
		if err := <-results; err != ErrConnClosing {
			t.Errorf("a call that waits at the end: got %v, want %v", err, ErrConnClosing)
		}
	})
}
