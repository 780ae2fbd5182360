// Tests of how a server's connections end: idle, old, drained.

package transport

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// ackDrain acknowledges the PING of a drain.
func (p *scriptedPeer) ackDrain() {
	p.say(func(f *http2.Framer) error { return f.WritePing(true, drainPing) })
}

const goAwayAll = 1<<31 - 1

// wantDrain checks that a drain has begun at the given time, and takes part in it.
func (p *scriptedPeer) wantDrain(at time.Duration, reason string, last int, then ...string) {
	p.t.Helper()
	p.want(fmt.Sprintf("%v GOAWAY %d NO_ERROR %q", at, goAwayAll, reason), fmt.Sprintf("%v PING drain", at))
	p.ackDrain()
	p.want(append([]string{fmt.Sprintf("%v GOAWAY %d NO_ERROR %q", at, last, reason)}, then...)...)
}

func TestIdleConnectionIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, k := acceptPeer(t, ServerOptions{Keepalive: keepalive.ServerParameters{MaxConnectionIdle: time.Minute}}, false)
		letPass(50 * time.Second)
		p.request(1)
		call := k.stream(0)
		letPass(time.Hour)
		_ = call.Finish(status.New(codes.OK, ""), nil)
		call.Done()
		p.want("1h0m50s HEADERS 1", "1h0m50s RST_STREAM 1 NO_ERROR")
		letPass(30 * time.Second)
		p.request(3)
		call = k.stream(1)
		_ = call.Finish(status.New(codes.OK, ""), nil)
		call.Done()
		p.take()
		letPass(time.Minute - 1)
		p.want()
		letPass(1)
		at := time.Hour + 2*time.Minute + 20*time.Second
		p.wantDrain(at, "max_idle", 3, at.String()+" end")
		p.nc.Close()
		<-s.Done()
	})
}

func TestConnectionThatNeverHadAStreamIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, _ := acceptPeer(t, ServerOptions{Keepalive: keepalive.ServerParameters{MaxConnectionIdle: time.Minute}}, false)
		letPass(time.Minute - 1)
		p.want()
		letPass(1)
		p.wantDrain(time.Minute, "max_idle", 0, "1m0s end")
	})
}

func TestOldConnectionIsDrainedAndThenClosed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		grace time.Duration
		open  time.Duration // how long the connection lives on with a stream
	}{
		{"without limit", 0, 1000 * time.Hour},
		{"with grace", time.Minute, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				params := keepalive.ServerParameters{MaxConnectionAge: time.Hour, MaxConnectionAgeGrace: tt.grace, Time: 10000 * time.Hour}
				s, p, k := acceptPeer(t, ServerOptions{Keepalive: params}, false)
				p.request(1)
				call := k.stream(0)
				s.mu.Lock()
				age := s.lifetime.age
				s.mu.Unlock()
				if age < 54*time.Minute || age > 66*time.Minute {
					t.Errorf("got an age of %v, want 1h ± 10 %%", age)
				}
				letPass(age - 1)
				p.want()
				letPass(1)
				p.wantDrain(age, "max_age", 1)
				letPass(tt.open - 1)
				if err := call.Context().Err(); err != nil {
					t.Fatalf("within the grace: got %v, want the call to live", err)
				}
				p.want()
				if tt.grace == 0 {
					return
				}
				letPass(1)
				at := age + tt.grace
				p.want(at.String() + " end")
				if got := call.Context().Err(); got != context.Canceled {
					t.Errorf("after the grace: got %v, want %v", got, context.Canceled)
				}
			})
		})
	}
}

func TestLifetimeJitter(t *testing.T) {
	for _, tt := range []struct {
		age    time.Duration
		random float64
		want   time.Duration
	}{
		{0, 0.5, never},
		{100 * time.Second, 0, 90 * time.Second},
		{100 * time.Second, 0.5, 100 * time.Second},
		{100 * time.Second, 0.75, 105 * time.Second},
		{never, 1, never},
	} {
		var l lifetime
		l.init(keepalive.ServerParameters{MaxConnectionAge: tt.age}, tt.random)
		if l.age != tt.want {
			t.Errorf("age of %v, random %v: got %v, want %v", tt.age, tt.random, l.age, tt.want)
		}
		if l.idle != never || l.grace != never || l.end != never {
			t.Errorf("what is not given: got idle %v, grace %v, end %v, want no limit", l.idle, l.grace, l.end)
		}
	}
}

func TestDrainGoesOnWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, k := acceptPeer(t, ServerOptions{}, false)
		s.Drain("why")
		s.Drain("again")
		p.request(1)
		call := k.stream(0) // the client does not know yet
		letPass(drainWait)
		p.want(fmt.Sprintf("0s GOAWAY %d NO_ERROR %q", goAwayAll, "why"), "0s PING drain", `5s GOAWAY 1 NO_ERROR "why"`)
		_ = call.Finish(status.New(codes.OK, ""), nil)
		call.Done()
		p.want("5s HEADERS 1", "5s RST_STREAM 1 NO_ERROR", "5s end")
	})
}

func TestStreamsBehindTheLastGoAwayAreNotProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, k := acceptPeer(t, ServerOptions{}, false)
		p.request(1)
		k.stream(0)
		s.Drain("why")
		p.ackDrain()
		p.ackDrain() // twice does no harm
		p.want(fmt.Sprintf("0s GOAWAY %d NO_ERROR %q", goAwayAll, "why"), "0s PING drain", `0s GOAWAY 1 NO_ERROR "why"`)
		p.request(3)
		p.say(func(f *http2.Framer) error { return f.WriteData(3, false, []byte("abc")) })
		p.headers(5, true, "x", "malformed")
		p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(3, 1) })
		p.say(func(f *http2.Framer) error { return f.WriteRSTStream(3, http2.ErrCodeCancel) })
		p.want()
		if len(k.streams) != 1 {
			t.Errorf("got %d streams, want 1", len(k.streams))
		}
		s.Close(ErrConnClosing)
		p.want("0s end")
	})
}

func TestServerSetUpFaultsAreTold(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  func(p *scriptedPeer)
		want string
	}{
		{"no client", func(p *scriptedPeer) { _, _ = p.nc.Write([]byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")) },
			`0s GOAWAY 0 PROTOCOL_ERROR "bogus greeting from client: \"GET / HTTP/1.1\\r\\nHost: a.\""`},
		{"no SETTINGS", func(p *scriptedPeer) {
			_, _ = p.nc.Write([]byte(http2.ClientPreface))
			p.ping()
		}, `0s GOAWAY 0 PROTOCOL_ERROR "first frame is PING on stream 0, flags 0x0, 8 bytes, want SETTINGS"`},
		{"silence", func(p *scriptedPeer) { _, _ = p.nc.Write([]byte(http2.ClientPreface)) },
			`10s GOAWAY 0 SETTINGS_TIMEOUT "no preface and SETTINGS in time"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, nc := newPeer(t, false)
				go p.listen() // ends with the connection
				go tt.say(p)  // ends when the server has read it, or is gone
				_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
				k := new(streamKeeper)
				_, err := NewServer(nc, ServerOptions{Context: context.Background()}, k)
				if err == nil {
					t.Fatal("got no error")
				}
				if got := p.take(); len(got) != 2 || got[0] != tt.want {
					t.Errorf("got %q, want %s and the end", got, tt.want)
				}
				if len(k.ends) > 0 {
					t.Errorf("the handler has heard of %q, want it not to hear of the connection", k.ends)
				}
			})
		})
	}
}
