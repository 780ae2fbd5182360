// Floods of frames that cost their sender next to nothing: what each costs the processor, at either end. The race detector has costs of its own.

//go:build !race && !poison

package hostile

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

const (
	// maxCost is the most processor time for costFrames frames, twice that if each is answered, beside some for what else goes on. It includes
	// the peer's and the system's. What is usual is a tenth.
	maxCost    = 800 * time.Millisecond
	costFrames = 600_000
	elseCost   = 100 * time.Millisecond
)

// A cheap flood repeats frames.
type cheap struct {
	name  string
	frame func(p *peer, i uint32) // writes one frame of a round of a thousand, which are sent again and again
	twice bool                    // each frame is answered with another one
}

// cheaps are the floods that both ends bear. Stream 1 is open, and stream last is the last one.
func cheaps(last uint32) []cheap {
	return []cheap{
		{name: "ping", frame: func(p *peer, _ uint32) { p.do(p.WritePing(false, [8]byte{1})) }, twice: true},
		{name: "ping-ack", frame: func(p *peer, _ uint32) { p.do(p.WritePing(true, [8]byte{1})) }},
		{name: "settings", frame: func(p *peer, _ uint32) { p.do(p.WriteSettings()) }, twice: true},
		{name: "settings-of-the-table", frame: func(p *peer, i uint32) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: i % 2 << 12}))
		}, twice: true},
		{name: "settings-ack", frame: func(p *peer, _ uint32) { p.do(p.WriteSettingsAck()) }},
		{name: "priority", frame: func(p *peer, i uint32) { p.do(p.WritePriority(nth(i), http2.PriorityParam{})) }},
		{name: "window-update", frame: func(p *peer, _ uint32) { p.do(p.WriteWindowUpdate(0, 1)) }},
		{name: "window-update-of-a-stream", frame: func(p *peer, _ uint32) { p.do(p.WriteWindowUpdate(1, 1)) }},
		{name: "window-update-of-a-closed-stream", frame: func(p *peer, _ uint32) { p.do(p.WriteWindowUpdate(last, 1)) }},
		{name: "rst-of-a-closed-stream", frame: func(p *peer, _ uint32) { p.do(p.WriteRSTStream(last, http2.ErrCodeCancel)) }},
		{name: "data-of-a-stream-that-was-reset", frame: func(p *peer, _ uint32) { p.data(last, false, []byte{1}) }},
		{name: "goaway", frame: func(p *peer, _ uint32) { p.do(p.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)) }},
		{name: "unknown", frame: func(p *peer, i uint32) { p.frame(http2.FrameType(10+i%240), 0xff, i, 1, 2, 3) }},
	}
}

// thousand returns a thousand frames as bytes.
func (c *cheap) thousand(p *peer) []byte {
	var b bytes.Buffer
	p.flush()
	p.w.Reset(&b)
	for i := range uint32(1000) {
		c.frame(p, i)
	}
	p.flush()
	p.w.Reset(p)
	return b.Bytes()
}

// cost makes the flood, and checks what it has cost when the other end has taken all of it.
func (c *cheap) cost(t *testing.T, p *peer) {
	t.Helper()
	n := times(costFrames/10, 10)
	thousand := c.thousand(p)
	p.flush()
	before := processor()
	taken := make(chan error, 1)
	_ = p.nc.SetDeadline(time.Now().Add(3 * patience))
	go func() { // ends with what it waits for, or with the connection
		taken <- p.skipTo([8]byte{'e', 'n', 'd'})
	}()
	for range n / 1000 {
		if _, err := p.nc.Write(thousand); err != nil {
			break // skipTo says why
		}
	}
	p.do(p.WritePing(false, [8]byte{'e', 'n', 'd'}))
	p.flush()
	if err := <-taken; err != nil {
		t.Fatalf("flood: got %v, want it to be borne", err)
	}
	took, most := processor()-before, maxCost*time.Duration(n)/costFrames
	if c.twice {
		most *= 2
	}
	most += elseCost
	t.Logf("%v for %d frames, limit %v", took, n, most)
	if took > most {
		t.Errorf("got %v of processor time for %d frames, want at most %v", took, n, most)
	}
}

// skipTo reads, as cheaply as can be, to the acknowledgement of a PING, which is the last thing that the other end says.
func (p *peer) skipTo(ping [8]byte) error {
	b, end := make([]byte, 64<<10), append([]byte{0, 0, 8, byte(http2.FramePing), byte(http2.FlagPingAck), 0, 0, 0, 0}, ping[:]...)
	kept := 0
	for {
		n, err := p.nc.Read(b[kept:])
		if bytes.Contains(b[:kept+n], end) {
			return nil
		}
		if err != nil {
			return err
		}
		n += kept
		kept = min(n, len(end)-1)
		copy(b, b[n-kept:n])
	}
}

func TestCheapFramesAreCheapForServers(t *testing.T) {
	for _, c := range cheaps(3) {
		t.Run(c.name, func(t *testing.T) {
			s := newTarget(t)
			p := s.dial(t)
			p.open(1, chat)
			p.open(3, collect)
			p.do(p.WriteWindowUpdate(3, 0)) // which resets it
			p.wantReset(3, protocolError)
			c.cost(t, p)
			s.call()
		})
	}
}

func TestCheapFramesAreCheapForClients(t *testing.T) {
	for _, c := range cheaps(3) {
		t.Run(c.name, func(t *testing.T) {
			open, over := make(chan *peer), make(chan struct{})
			cc := channelTo(t, listen(t, func(nc net.Conn) {
				p := accept(t, nc)
				p.until("the first call", func(h *heard) bool { return h.Type == http2.FrameHeaders && h.StreamID == 1 })
				p.until("the second call", func(h *heard) bool { return h.Type == http2.FrameHeaders && h.StreamID == 3 })
				p.do(p.WriteWindowUpdate(3, 0)) // which resets it
				p.wantReset(3, protocolError)
				open <- p
				<-over
			}))
			defer close(over)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 2 {
				if _, err := cc.NewStream(ctx, both, method); err != nil {
					t.Fatal(err)
				}
			}
			c.cost(t, <-open)
		})
	}
}

// window-dribble: grants of one byte, for each of which a stream has one to send.
func TestDribbledWindowsAreCheap(t *testing.T) {
	const streams = 1000
	c := cheap{frame: func(p *peer, i uint32) { p.do(p.WriteWindowUpdate(nth(i), 1)) }, twice: true}
	s := newTarget(t)
	c.cost(t, s.dribbled(t, streams))
	s.call()
}
