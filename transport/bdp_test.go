// Tests of the estimate of what a link can carry, with a clock of their own.

package transport

import (
	"testing"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

// A bdpStep is one sample: bytes that arrive until the PING is due, bytes that arrive during the round trip, and its length.
type bdpStep struct {
	before, during int
	rtt            time.Duration
	window         int64 // wanted afterwards
}

func TestBandwidthDelayGrowsTheWindowWhileItIsTheLimit(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		steps []bdpStep
	}{
		{"full windows on a long link", []bdpStep{{16384, 65535, 50 * ms, 131070}, {32768, 131070, 50 * ms, 262140}, {65536, 262140, 50 * ms, 524280}}},
		{"more than the window within a round trip", []bdpStep{{16384, 200000, 50 * ms, 400000}}},
		{"two thirds are enough", []bdpStep{{16384, 43690, 50 * ms, 131070}}},
		{"less than two thirds", []bdpStep{{16384, 43689, 50 * ms, 65535}, {16384, 0, ms, 65535}}},
		{"the window does not bring more bandwidth", []bdpStep{{16384, 65535, 50 * ms, 131070}, {32768, 131070, 200 * ms, 131070}, {32768, 131070, 90 * ms, 262140}}},
		{"acknowledged at once", []bdpStep{{16384, 65535, 0, 131070}}},
		{"up to the limit", []bdpStep{{16384, 12 << 20, 50 * ms, maxWindow}}},
	} {
		var b bandwidthDelay
		b.init(65535, true)
		now := time.Unix(0, 0)
		clock := func() time.Time { return now }
		for i, s := range tt.steps {
			if !b.received(s.before, clock) {
				t.Fatalf("%s, step %d: no PING after %d bytes in a window of %d", tt.name, i, s.before, b.window.Load())
			}
			before := b.window.Load()
			if b.received(s.during, clock) {
				t.Errorf("%s, step %d: a second PING during the round trip", tt.name, i)
			}
			now = now.Add(s.rtt)
			if got, want := b.acked(now), s.window > before; got != want || b.window.Load() != s.window {
				t.Errorf("%s, step %d: got grown %v, window %d, want %v, %d", tt.name, i, got, b.window.Load(), want, s.window)
			}
		}
	}
}

func TestBandwidthDelayPingsOnceAQuarterHasArrived(t *testing.T) {
	var b bandwidthDelay
	b.init(65535, true)
	if b.received(8000, time.Now) || b.received(8382, time.Now) {
		t.Error("PING after less than a quarter of the window, want none")
	}
	if !b.received(1, time.Now) {
		t.Error("no PING after a quarter of the window")
	}
	b.acked(time.Now())
	if b.received(16382, time.Now) || !b.received(1, time.Now) {
		t.Error("the second sample does not begin after another quarter")
	}
}

func TestBandwidthDelayStopsAtTheLimit(t *testing.T) {
	var b bandwidthDelay
	b.init(maxWindow/2, true)
	b.received(maxWindow, time.Now)
	b.received(maxWindow, time.Now)
	if !b.acked(time.Now().Add(time.Second)) || b.window.Load() != maxWindow {
		t.Fatalf("window: got %d, want %d", b.window.Load(), maxWindow)
	}
	if b.received(maxWindow, time.Now) {
		t.Error("PING though the window is as large as it may be")
	}
}

func TestBandwidthDelayOff(t *testing.T) {
	for _, tt := range []struct {
		window  int64
		enabled bool
	}{{65535, false}, {maxWindow, true}, {maxWindow + 1, true}} {
		var b bandwidthDelay
		b.init(tt.window, tt.enabled)
		if b.received(1<<30, time.Now) || b.acked(time.Now()) || b.window.Load() != tt.window {
			t.Errorf("window of %d, enabled %v: got a PING or another window, want neither", tt.window, tt.enabled)
		}
	}
}

func TestAcknowledgementWithoutASampleIsIgnored(t *testing.T) {
	var b bandwidthDelay
	b.init(65535, true)
	if b.acked(time.Now()) {
		t.Error("acked without a sample: got grown, want nothing")
	}
	b.received(65535, time.Now)
	b.received(65535, time.Now)
	if now := time.Now().Add(time.Second); !b.acked(now) || b.acked(now) {
		t.Error("acked twice: want the window to grow once")
	}
}

func TestMeasurePingsAndGrowsTheWindowOfTheConnection(t *testing.T) {
	c := heldConn()
	c.bdp.init(65535, true)
	c.read.window = inWindow{size: 1 << 20, open: 1 << 20}
	c.measure(100)
	c.measure(20000)
	if got, want := string(c.send.buf), string(frame.AppendPing(nil, 0, bdpPing)); got != want {
		t.Errorf("sent: got %x, want one PING %x", got, want)
	}
	c.measure(2 << 20)
	c.measured()
	if got, want := c.read.window.size, int64(8<<20); got != want || c.bdp.window.Load() != want/2 {
		t.Errorf("window of the connection: got %d, of streams %d, want %d, %d", got, c.bdp.window.Load(), want, want/2)
	}
	c.bdp.init(10, true)
	c.measured()
	if got := c.read.window.size; got != 8<<20 {
		t.Errorf("window of the connection: got %d, want it never to shrink", got)
	}
}

// heldConn returns a connection without a network: what it has to send stays in send.buf.
func heldConn() *conn {
	c := new(conn)
	c.streams = make(map[uint32]*stream)
	c.send.init()
	c.send.writer = writerRunning // so that nobody starts it
	return c
}
