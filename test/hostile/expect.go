// What a test wants to hear from the other end of a peer's connection.

package hostile

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// until reads frames until one is what is wanted, and returns it. That the connection ends before fails the test.
func (p *peer) until(what string, is func(*heard) bool) heard {
	p.tb.Helper()
	for {
		h, err := p.next()
		if err != nil {
			p.tb.Fatalf("connection: got %v, want %s", err, what)
		}
		if is(&h) {
			return h
		}
		if h.Type == http2.FrameGoAway && h.code != http2.ErrCodeNo {
			p.tb.Fatalf("got GOAWAY %v %q, want %s", h.code, h.data, what)
		}
	}
}

// wantGoAway reads until a GOAWAY, which must have one of the codes, and then until the connection is closed, as it must be.
func (p *peer) wantGoAway(codes ...http2.ErrCode) heard {
	p.tb.Helper()
	for {
		h, err := p.next()
		if err != nil {
			p.tb.Fatalf("connection: got %v, want GOAWAY with %v", err, codes)
		}
		if h.Type != http2.FrameGoAway {
			continue
		}
		p.wantOneOf(h, codes)
		p.wantClosed()
		return h
	}
}

func (p *peer) wantOneOf(h heard, codes []http2.ErrCode) {
	p.tb.Helper()
	for _, c := range codes {
		if h.code == c {
			return
		}
	}
	p.tb.Fatalf("%v: got %v %q, want %v", h.Type, h.code, h.data, codes)
}

// wantClosed reads until the other end has closed the connection.
func (p *peer) wantClosed() {
	p.tb.Helper()
	for {
		if _, err := p.next(); err != nil {
			if !isEnd(err) {
				p.tb.Fatalf("connection: got %v, want its end", err)
			}
			return
		}
	}
}

// isEnd reports whether an error of reading says that the connection was closed or reset.
func isEnd(err error) bool {
	op := (*net.OpError)(nil)
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// wantReset reads until a stream is reset, which must be with one of the codes.
func (p *peer) wantReset(id uint32, codes ...http2.ErrCode) heard {
	p.tb.Helper()
	h := p.until("RST_STREAM", func(h *heard) bool { return h.Type == http2.FrameRSTStream && h.StreamID == id })
	p.wantOneOf(h, codes)
	return h
}

// An answer is what arrived on a stream until it ended.
type answer struct {
	header, trailer heard // header is the zero value if there were trailers only
	data            []byte
	reset           bool
	code            http2.ErrCode // of the reset
}

// status returns the gRPC status, "" if there is none.
func (a *answer) status() string { return a.trailer.field("grpc-status") }

// text returns the message of the gRPC status.
func (a *answer) text() string { return a.trailer.field("grpc-message") }

// answer reads until a stream ends, by END_STREAM or by a reset.
func (p *peer) answer(id uint32) answer {
	p.tb.Helper()
	var a answer
	p.until("the end of a stream", func(h *heard) bool {
		if h.StreamID != id {
			return false
		}
		switch {
		case h.Type == http2.FrameRSTStream:
			a.reset, a.code = true, h.code
			return true
		case h.Type == http2.FrameData:
			a.data = append(a.data, h.data...)
		case h.Type == http2.FrameHeaders && h.end():
			a.trailer = *h
		case h.Type == http2.FrameHeaders:
			a.header = *h
		}
		return h.end()
	})
	return a
}

// wantStatus reads until a stream ends, which must be with one of the gRPC statuses.
func (p *peer) wantStatus(id uint32, statuses ...string) answer {
	p.tb.Helper()
	a := p.answer(id)
	for _, s := range statuses {
		if !a.reset && a.status() == s {
			return a
		}
	}
	p.tb.Fatalf("stream %d: got grpc-status %q %q (reset %v %v), want %s", id, a.status(), a.text(), a.reset, a.code, strings.Join(statuses, " or "))
	return a
}

// wantAlive checks that the other end still answers a PING.
func (p *peer) wantAlive() {
	p.tb.Helper()
	p.do(p.WritePing(false, [8]byte{'a', 'l', 'i', 'v', 'e'}))
	p.until("the acknowledgement of a PING", func(h *heard) bool { return h.Type == http2.FramePing && h.Flags.Has(http2.FlagPingAck) })
}

// A tally is what a peer has heard in all.
type tally struct {
	frames map[http2.FrameType]int
	goAway *heard // the last GOAWAY, nil if there was none
	err    error  // how reading ended, nil if with what was waited for
}

// drain reads all that comes until the connection ends, in a goroutine of its own, which writes nothing. The channel gives the result.
func (p *peer) drain() <-chan tally { return p.drainTo(0) }

// drainTo is drain, but reads no further than to the end of a stream.
func (p *peer) drainTo(last uint32) <-chan tally {
	_ = p.nc.SetReadDeadline(time.Time{})
	done := make(chan tally, 1)
	go func() {
		t := tally{frames: make(map[http2.FrameType]int)}
		for t.err == nil {
			var h heard
			if h, t.err = p.read(); t.err != nil {
				break
			}
			if t.frames[h.Type]++; h.Type == http2.FrameGoAway {
				t.goAway = &h
			}
			if last != 0 && h.StreamID == last && h.end() {
				break
			}
		}
		done <- t
	}()
	return done
}

// wantTally returns what drain gives, which must come in time.
func (p *peer) wantTally(done <-chan tally) tally {
	p.tb.Helper()
	select {
	case t := <-done:
		return t
	case <-time.After(patience):
		p.tb.Fatalf("reading has not ended after %v", patience)
		return tally{}
	}
}
