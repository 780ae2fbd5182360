// Tests of how windows grow, under a synthetic clock.

package transport

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/transport/internal/frame"
)

// pass lets time pass. It is called in a bubble of synctest only.
func pass(d time.Duration) { <-time.After(d) }

func TestShortestRoundTripIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l link
		l.init(65535, false)
		for i, tt := range []struct{ trip, want time.Duration }{
			{60 * time.Millisecond, 60 * time.Millisecond},
			{590 * time.Millisecond, 60060 * time.Microsecond}, // 600 ms later, a thousandth of rttAge
			{30 * time.Millisecond, 30 * time.Millisecond},
			{10 * time.Minute, 60*time.Millisecond + 500*time.Nanosecond}, // and the 10 ms between two PINGs
		} {
			if !l.received(pingBytes) {
				t.Fatalf("trip %d: no PING after %d bytes", i, pingBytes)
			}
			pass(tt.trip)
			if l.received(10 * pingBytes) {
				t.Errorf("trip %d: a second PING before the first was acknowledged", i)
			}
			l.acked()
			l.since = 0
			if got := time.Duration(l.rtt.Load()); got != tt.want {
				t.Errorf("trip %d of %v: got %v, want %v", i, tt.trip, got, tt.want)
			}
			l.acked() // not asked for
			if got := time.Duration(l.rtt.Load()); got != tt.want {
				t.Errorf("second acknowledgement: got %v, want still %v", got, tt.want)
			}
			pass(pingEvery)
		}
	})
}

func TestRoundTripOfNoTimeIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l link
		l.init(65535, false)
		l.received(pingBytes)
		if l.acked(); l.rtt.Load() != 1 {
			t.Errorf("acknowledged at once: got %d ns, want 1", l.rtt.Load())
		}
	})
}

func TestPingsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l link
		l.init(65535, false)
		check := func(n int, want bool) {
			t.Helper()
			if got := l.received(n); got != want {
				t.Errorf("%d bytes: got PING %v, want %v", n, got, want)
			}
			l.acked()
		}
		check(pingBytes-1, false)
		check(1, true)
		check(pingBytes-1, false)
		pass(pingEvery)
		check(0, false)
		check(1, true)
		pass(pingEvery - 1)
		check(5*pingBytes, false)
		pass(1)
		check(pingBytes-1, false)
		check(1, true)
	})
}

func TestFixedWindowsNeedNoPing(t *testing.T) {
	var l link
	l.init(1<<20, true)
	for range 2 {
		if l.received(1 << 30) {
			t.Error("got a PING, want none")
		}
	}
	w, p := inWindow{size: 1 << 20}, pace{bytes: 1 << 30}
	l.rtt.Store(int64(time.Hour))
	l.window.Store(8 << 20)
	if p.grow(&w, &l, 0); w.size != 1<<20 {
		t.Errorf("got a window of %d, want it as it was", w.size)
	}
}

func TestWindowGrowsForAReaderThatKeepsUp(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name        string
		size, bytes int64
		took, rtt   time.Duration
		want        int64
	}{
		{"a window within a round trip", 65536, 65536, 50 * ms, 50 * ms, 131072},
		{"a window within four round trips", 65536, 65536, 200*ms - 1, 50 * ms, 131072},
		{"a window in four round trips", 65536, 65536, 200 * ms, 50 * ms, 65536},
		{"half a window within two round trips", 65536, 32768, 100*ms - 1, 50 * ms, 131072},
		{"half a window in two round trips", 65536, 32768, 100 * ms, 50 * ms, 65536},
		{"too little to tell", 65536, 32767, 0, 50 * ms, 65536},
		{"at once", 65536, 65536, 0, 1, 131072},
		{"round trip unknown", 65536, 65536, 0, 0, 65536},
		{"a slow reader", 65536, 65536, time.Minute, 50 * ms, 65536},
		{"a slow reader, for days", 65536, 65536, 100 * 24 * time.Hour, 50 * ms, 65536},
		{"a slow reader of a large window, for an hour", maxWindow / 2, maxWindow, time.Hour, 50 * ms, maxWindow / 2},
		{"a slow link", maxWindow / 2, maxWindow / 2, time.Second, 100 * time.Hour, maxWindow},
		{"up to the limit", maxWindow - 1, maxWindow, 0, 50 * ms, maxWindow},
		{"at the limit", maxWindow, maxWindow, 0, 50 * ms, maxWindow},
		{"above the limit", maxWindow + 5, maxWindow, 0, 50 * ms, maxWindow + 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkGrowth(t, tt.size, tt.bytes, tt.want, tt.took, tt.rtt) })
		})
	}
}

// checkGrowth reads so many bytes in a time, and compares the window then.
func checkGrowth(t *testing.T, size, consumed, want int64, took, rtt time.Duration) {
	var l link
	l.init(size, false)
	l.rtt.Store(int64(rtt))
	w, p := inWindow{size: size}, pace{bytes: consumed}
	pass(took)
	if p.grow(&w, &l, 0); w.size != want || l.window.Load() != want {
		t.Errorf("got a window of %d, %d earned, want %d", w.size, l.window.Load(), want)
	}
	again := p.bytes == 0 && p.since == took
	if want := consumed >= size/2 && size < maxWindow; again != want {
		t.Errorf("got measuring anew %v, want %v", again, want)
	}
}

func TestWindowCatchesUpWithWhatOtherStreamsHaveEarned(t *testing.T) {
	var l link
	l.init(100, false)
	l.earned(1000)
	w, p := inWindow{size: 100}, pace{bytes: 7}
	for _, want := range []int64{400, 1000, 1000} {
		if p.grow(&w, &l, 0); w.size != want {
			t.Errorf("got a window of %d, want %d", w.size, want)
		}
	}
	if p.bytes != 0 {
		t.Errorf("got %d bytes of the old pace, want a new one", p.bytes)
	}
}

func TestEarnedOnlyGrows(t *testing.T) {
	var l link
	l.init(100, false)
	var done sync.WaitGroup
	for i := range int64(8) {
		done.Go(func() {
			for n := range int64(1000) {
				l.earned(n + i*100)
			}
		})
	}
	done.Wait()
	if got, want := l.window.Load(), int64(999+700); got != want {
		t.Errorf("got %d, want %d, the most of all", got, want)
	}
	if l.earned(5); l.window.Load() != 999+700 {
		t.Errorf("got %d, want no less than before", l.window.Load())
	}
}

func TestMeasurePingsAndGrowsTheWindowOfTheConnection(t *testing.T) {
	c := heldConn()
	c.link.init(65535, false)
	c.read.window = inWindow{size: 1 << 20, open: 1 << 20}
	c.measure(100)
	c.measure(pingBytes)
	c.measure(pingBytes)
	if got, want := c.send.buf, frame.AppendPing(nil, 0, linkPing); !bytes.Equal(got, want) {
		t.Errorf("sent: got %x, want one PING %x", got, want)
	}
	c.link.earned(4 << 20)
	if c.measured(); c.read.window.size != 8<<20 {
		t.Errorf("window of the connection: got %d, want twice what a stream has earned", c.read.window.size)
	}
	c.link.init(10, false)
	if c.measured(); c.read.window.size != 8<<20 {
		t.Errorf("window of the connection: got %d, want it never to shrink", c.read.window.size)
	}
	c.link.init(8<<20, true)
	if c.measured(); c.read.window.size != 8<<20 {
		t.Errorf("window of the connection: got %d, want it as it was: windows are fixed", c.read.window.size)
	}
}

func TestStreamsBeginWithMoreOnceLargeMessagesWereRead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		initial int64
		read    []int64
		fixed   bool
		want    []int64 // that streams begin with then
	}{
		{"small messages", 65535, []int64{32767}, false, nil},
		{"large messages", 65535, []int64{32768, 128 << 10}, false, []int64{midInitialWindow}},
		{"larger messages", 65535, []int64{128<<10 + 1, 8 << 20}, false, []int64{maxInitialWindow}},
		{"larger and larger messages", 65535, []int64{40000, 200000}, false, []int64{midInitialWindow, maxInitialWindow}},
		{"an option says more", 1 << 20, []int64{4 << 20}, false, nil},
		{"an option says less", 300 << 10, []int64{100 << 10, 4 << 20}, false, []int64{maxInitialWindow}},
		{"windows are fixed", 65535, []int64{1 << 20}, true, nil},
	} {
		c := heldConn()
		c.streamWindow = tt.initial
		c.link.init(tt.initial, tt.fixed)
		old := &stream{c: c, id: 1}
		c.addLocked(old)
		old.recv.window.open -= 1000
		c.read.window = inWindow{size: 65535, open: 65535}
		for _, n := range tt.read {
			c.link.earned(2 * n)
			for range 2 { // the second time must change nothing
				c.measured()
			}
		}
		want, settings := tt.initial, []byte(nil)
		for _, want = range tt.want {
			settings = frame.AppendSettings(settings, []frame.Setting{{ID: frame.InitialWindowSize, Value: uint32(want)}})
		}
		later := &stream{c: c, id: 3}
		c.addLocked(later)
		if got := old.recv.window; got != (inWindow{size: want, open: want - 1000}) {
			t.Errorf("%s: the old stream has the window %+v, want %d, of which 1000 are used", tt.name, got, want)
		}
		if got := c.read.window.size; !tt.fixed && got < 2*want {
			t.Errorf("%s: the window of the connection is %d, want room for two streams", tt.name, got)
		}
		if got := later.recv.window; got != (inWindow{size: want, open: want}) {
			t.Errorf("%s: the later stream has the window %+v, want %d", tt.name, got, want)
		}
		if !bytes.Equal(c.send.buf, settings) {
			t.Errorf("%s: sent %x, want %x", tt.name, c.send.buf, settings)
		}
	}
}

func TestLargeCallsAreNoReasonForSlowReadersToGetMore(t *testing.T) {
	q, _ := newQueue(65535)
	q.limit = 60_000
	arriveAll(t, q, wireOf(60_000))
	q.ended = true // a unary call
	if _, _, err := q.take(); err != nil || q.link.window.Load() != 2*60_005 {
		t.Errorf("got %v, %d bytes earned, want two messages", err, q.link.window.Load())
	}
	q, _ = newQueue(65535)
	q.limit, q.window.open = 8<<20, 8<<20
	arriveAll(t, q, wireOf(4<<20))
	q.ended = true
	if _, _, err := q.take(); err != nil || q.link.window.Load() != maxInitialWindow {
		t.Errorf("got %v, %d bytes earned, want %d: what other streams get whatever their pace", err, q.link.window.Load(), maxInitialWindow)
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

func TestWindowHoldsTwoMessages(t *testing.T) {
	for _, tt := range []struct {
		fixed               bool
		size, message, want int64
	}{
		{false, 64 << 10, 100, 64 << 10},
		{false, 64 << 10, 1 << 20, 2 << 20},
		{false, 4 << 20, 1 << 20, 4 << 20},
		{false, 64 << 10, 12 << 20, maxWindow},
		{true, 64 << 10, 1 << 20, 64 << 10},
	} {
		var l link
		l.init(64<<10, tt.fixed)
		l.rtt.Store(1)
		w, p := inWindow{size: tt.size}, pace{since: -time.Hour}
		if p.grow(&w, &l, tt.message); w.size != tt.want {
			t.Errorf("window of %d bytes, fixed %t, after a message of %d: got %d, want %d", tt.size, tt.fixed, tt.message, w.size, tt.want)
		}
	}
}

func TestWindowOfTheConnectionStaysLegal(t *testing.T) {
	for _, initial := range []int64{1 << 30, frame.MaxWindow} {
		c := heldConn()
		c.link.init(initial, false)
		c.read.window = inWindow{size: defaultConnWindow, open: defaultConnWindow}
		c.measured()
		if c.read.window.renew(); c.read.window.open > frame.MaxWindow {
			t.Errorf("streams with windows of %d bytes: got %d bytes for the connection, limit %d", initial, c.read.window.open, frame.MaxWindow)
		}
	}
}

// sendMessage ends a request with a message of n bytes, without regard to windows.
func (p *scriptedPeer) sendMessage(id uint32, n int) {
	b := wireOf(n)
	p.say(func(f *http2.Framer) error {
		for len(b) > 0 {
			part := b[:min(len(b), 16<<10)]
			if b = b[len(part):]; f.WriteData(id, len(b) == 0, part) != nil {
				break
			}
		}
		return nil
	})
}

// sendLarge has the peer send messages, each on a stream that open returns and nobody has read from yet. The third and the fifth one are more than
// a stream begins with otherwise.
func (p *scriptedPeer) sendLarge(open func(i int, id uint32) *stream) {
	for i, n := range []int{40_000, 40_000, 200_000, 200_000, 900_000} {
		id := uint32(2*i + 1)
		s := open(i, id)
		p.sendMessage(id, n)
		m, err := s.receive()
		if err != nil || len(m.Payload) != n {
			p.t.Errorf("message %d: got %d bytes, %v, want %d", i, len(m.Payload), err, n)
		}
		s.recv.release()
		<-time.After(pingEvery)
	}
	for _, heard := range p.take() {
		if strings.Contains(heard, "GOAWAY") || strings.Contains(heard, "FLOW_CONTROL") {
			p.t.Errorf("got %s, want no complaint", heard)
		}
	}
}

func TestClientMaySendMoreAtOnceAfterLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, k := acceptPeer(t, ServerOptions{MaxMessageSize: 1 << 20}, true)
		p.sendLarge(func(i int, id uint32) *stream {
			p.request(id)
			return &k.stream(i).stream
		})
	})
}

func TestServerMaySendMoreAtOnceAfterLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, true)
		p.sendLarge(func(_ int, id uint32) *stream {
			s := openCall(t, c)
			p.headers(id, false, ":status", "200", "content-type", "application/grpc")
			synctest.Wait()
			return &s.stream
		})
	})
}
