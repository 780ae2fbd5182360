// Tests of keepalive pings: when they are sent, what becomes of a connection without answers, and how many of them a server bears.

package transport

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

func TestClientGivesUpAServerThatAnswersNoPing(t *testing.T) {
	for _, tt := range []struct {
		name        string
		params      keepalive.ClientParameters
		ping, close time.Duration
	}{
		{"by default", keepalive.ClientParameters{Time: 10 * time.Second}, 10 * time.Second, 30 * time.Second},
		{"least time", keepalive.ClientParameters{Time: time.Millisecond, Timeout: time.Second}, 10 * time.Second, 11 * time.Second},
		{"long timeout", keepalive.ClientParameters{Time: 100 * time.Second, Timeout: 200 * time.Second}, 100 * time.Second, 300 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, e := dialPeer(t, ClientOptions{Keepalive: tt.params}, false)
				s := openCall(t, c)
				p.want("0s HEADERS 1")
				letPass(tt.close - time.Millisecond)
				p.want(tt.ping.String() + " PING alive")
				if err := c.Err(); err != nil {
					t.Fatalf("a moment before the timeout: got %v, want the connection to live", err)
				}
				letPass(time.Millisecond)
				p.want(tt.close.String()+` GOAWAY 0 NO_ERROR "keepalive ping without an answer"`, tt.close.String()+" end")
				e.want(t, `closed connection error: desc = "keepalive ping failed to receive ACK within timeout"`)
				want := status.New(codes.Unavailable, "keepalive ping failed to receive ACK within timeout")
				if got := s.Status(); got.String() != want.String() {
					t.Errorf("status of the call: got %v, want %v", got, want)
				}
			})
		})
	}
}

func TestClientPingsAgainAfterEachAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, e := dialPeer(t, ClientOptions{Keepalive: keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: true}}, true)
		letPass(40 * time.Second)
		// Answers are noticed with a tenth of the time's delay.
		p.want("10s PING alive", "21s PING alive", "32s PING alive")
		e.want(t)
	})
}

func TestClientDoesNotPingWhileItHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{Keepalive: keepalive.ClientParameters{Time: 10 * time.Second}}, true)
		openCall(t, c)
		for range 10 {
			letPass(8 * time.Second)
			p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1) })
		}
		p.want("0s HEADERS 1")
		// The last one came at 80 seconds.
		letPass(11 * time.Second)
		if got := p.take(); len(got) != 1 || got[0] < "1m30s" || got[0] > "1m31s PING alive" {
			t.Errorf("got %q, want one PING between 1m30s and 1m31s", got)
		}
	})
}

func TestClientWithoutStreamsPingsWithTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{Keepalive: keepalive.ClientParameters{Time: 10 * time.Second}}, false)
		letPass(time.Hour)
		p.want()
		openCall(t, c)
		p.want("1h0m0s HEADERS 1", "1h0m0s PING alive")
		letPass(20 * time.Second)
		p.want(`1h0m20s GOAWAY 0 NO_ERROR "keepalive ping without an answer"`, "1h0m20s end")
		e.want(t, `closed connection error: desc = "keepalive ping failed to receive ACK within timeout"`)
	})
}

func TestClientWithoutKeepaliveSendsNoPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		openCall(t, c)
		letPass(10000 * time.Hour)
		p.want("0s HEADERS 1")
	})
}

func TestClientTellsOfTooManyPingsAfterADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, e := dialPeer(t, ClientOptions{}, false)
		openCall(t, c)
		p.say(func(f *http2.Framer) error { return f.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, []byte("max_age")) })
		e.want(t, "draining max_age")
		p.say(func(f *http2.Framer) error {
			return f.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
		})
		e.want(t, "draining max_age", "draining too_many_pings")
	})
}

func TestServerPingsASilentClient(t *testing.T) {
	for _, tt := range []struct {
		name        string
		params      keepalive.ServerParameters
		ping, close time.Duration
	}{
		{"by default", keepalive.ServerParameters{}, 2 * time.Hour, 2*time.Hour + 20*time.Second},
		{"least time", keepalive.ServerParameters{Time: 1, Timeout: 5 * time.Second}, time.Second, 6 * time.Second},
		{"given", keepalive.ServerParameters{Time: time.Minute, Timeout: time.Second}, time.Minute, 61 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p, k := acceptPeer(t, ServerOptions{Keepalive: tt.params}, false)
				letPass(tt.close - time.Millisecond)
				p.want(tt.ping.String() + " PING alive")
				letPass(time.Millisecond)
				p.want(tt.close.String()+` GOAWAY 0 NO_ERROR "keepalive ping without an answer"`, tt.close.String()+" end")
				if len(k.ends) != 1 {
					t.Errorf("ends: got %q, want one", k.ends)
				}
			})
		})
	}
}

func TestServerBearsAnsweredPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := acceptPeer(t, ServerOptions{Keepalive: keepalive.ServerParameters{Time: time.Minute}}, true)
		letPass(time.Hour)
		// Each takes 60 seconds, and its answer is noticed when the write is looked at, after 5.
		if got, want := len(p.take()), 55; got != want {
			t.Errorf("pings in an hour: got %d, want %d", got, want)
		}
		select {
		case <-s.Done():
			t.Error("the connection has ended")
		default:
		}
	})
}

// pingsBorne returns how many pings at an interval the client may send before the connection ends, up to 10.
func pingsBorne(t *testing.T, e keepalive.EnforcementPolicy, every time.Duration, withStream bool) (n int) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := acceptPeer(t, ServerOptions{Enforcement: e, Keepalive: keepalive.ServerParameters{Time: 1000 * time.Hour}}, true)
		id := "0"
		if withStream {
			p.request(1)
			id = "1"
		}
		for n = range 10 {
			p.take()
			p.ping()
			heard := p.take()
			if len(heard) == 1 {
				letPass(every)
				continue
			}
			at := time.Since(p.start).String()
			if want := at + " GOAWAY " + id + ` ENHANCE_YOUR_CALM "too_many_pings"`; len(heard) < 2 || heard[1] != want {
				t.Errorf("got %q, want the acknowledgement and %s", heard, want)
			}
			letPass(closeGrace)
			<-s.Done()
			return
		}
		n = 10
	})
	return n
}

func TestServerEndsConnectionsWithTooManyPings(t *testing.T) {
	for _, tt := range []struct {
		name       string
		policy     keepalive.EnforcementPolicy
		every      time.Duration
		withStream bool
		want       int
	}{
		{"at once", keepalive.EnforcementPolicy{}, 0, true, 3},
		{"at once without streams", keepalive.EnforcementPolicy{}, 0, false, 3},
		{"by default with a stream", keepalive.EnforcementPolicy{}, 5 * time.Minute, true, 10},
		{"a little too often", keepalive.EnforcementPolicy{}, 5*time.Minute - 1, true, 3},
		{"by default without streams", keepalive.EnforcementPolicy{}, 5 * time.Minute, false, 3},
		{"rarely without streams", keepalive.EnforcementPolicy{}, 2 * time.Hour, false, 10},
		{"a little too often without streams", keepalive.EnforcementPolicy{}, 2*time.Hour - 1, false, 3},
		{"permitted without streams", keepalive.EnforcementPolicy{PermitWithoutStream: true}, 5 * time.Minute, false, 10},
		{"own time", keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}, time.Second, false, 10},
		{"own time, too often", keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}, time.Second - 1, false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := pingsBorne(t, tt.policy, tt.every, tt.withStream); got != tt.want {
				t.Errorf("pings every %v: got %d borne, want %d", tt.every, got, tt.want)
			}
		})
	}
}

func emptyMessage() *OutMessage {
	m := NewOutMessage()
	m.SetPayload(false, m.Reserve(mem.DefaultBufferPool(), 0))
	return m
}

func TestWhatAServerSendsMakesUpForPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, k := acceptPeer(t, ServerOptions{}, true)
		p.request(1)
		s := k.stream(0)
		p.ping()
		for range 20 { // as often as a client that times round trips while it gets data
			p.ping()
			p.ping()
			if err := s.Write(emptyMessage()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		for _, h := range p.take() {
			if h == "0s end" {
				t.Fatal("the connection has ended, want the pings to be borne")
			}
		}
		p.ping() // makes up
		p.ping()
		p.ping()
		p.ping()
		if got := p.take(); len(got) < 2 || got[len(got)-2] != `0s GOAWAY 1 ENHANCE_YOUR_CALM "too_many_pings"` {
			t.Errorf("without data in between: got %q, want a GOAWAY", got)
		}
	})
}
