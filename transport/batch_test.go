// Tests of batches: what is written is what was put in, in its order, however little the connection takes at a time.

package transport

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A stingyConn takes at most so many bytes at a time, and gives an error with those that it does not take. It notes the largest Write.
type stingyConn struct {
	net.Conn
	takes   int
	err     error
	got     bytes.Buffer
	largest int
}

func (c *stingyConn) Write(p []byte) (int, error) {
	c.largest = max(c.largest, len(p))
	n, _ := c.got.Write(p[:min(len(p), c.takes)])
	if n < len(p) {
		return n, c.err
	}
	return n, nil
}

func TestBatchWithoutPayloadsIsWrittenInSteps(t *testing.T) {
	flat := payload(10_000)
	for _, limit := range []int{1, 999, 1000, 9999, 10_000, 10_001, 1 << 30} {
		b, nc := &batch{flat: flat}, &stingyConn{takes: len(flat)}
		steps := 0
		for ; !b.written(); steps++ {
			if n, err := b.write(nc, limit); err != nil || n != int64(min(limit, len(flat)-steps*limit)) {
				t.Fatalf("limit %d: step %d: got %d, %v", limit, steps, n, err)
			}
		}
		if want := (len(flat) + limit - 1) / limit; steps != want || !bytes.Equal(nc.got.Bytes(), flat) || nc.largest > limit {
			t.Errorf("limit %d: got %d bytes in %d steps of at most %d bytes, want all in %d", limit, nc.got.Len(), steps, nc.largest, want)
		}
	}
	if b := new(batch); !b.written() {
		t.Error("a batch of nothing: got that there is something to write")
	}
}

func TestBatchesAreAsLargeAsTheSocketIsQuick(t *testing.T) {
	for _, tt := range []struct {
		large, want int
		short       bool
		took        time.Duration
	}{
		{0, 2 * minBatch, true, 0},
		{0, 2 * minBatch, true, quickWrite - 1},
		{0, minBatch, true, quickWrite},
		{0, minBatch, false, 0},
		{0, minBatch, true, time.Hour},
		{maxBatch, maxBatch, true, 0},
		{maxBatch, maxBatch, true, slowWrite},
		{maxBatch, maxBatch / 2, true, slowWrite + 1},
		{maxBatch, maxBatch / 2, false, slowWrite + 1},
	} {
		b := &batch{large: tt.large, short: tt.short}
		before := b.limit()
		if b.wrote(tt.took); b.limit() != tt.want {
			t.Errorf("%d bytes, short %v, in %v: got %d for the next, want %d", before, tt.short, tt.took, b.limit(), tt.want)
		}
	}
}

func TestQuickSocketGetsLargerBatches(t *testing.T) {
	for _, vectors := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { // where writes take no time
			c := new(Client)
			c.init(&stingyConn{takes: 1 << 20}, c, ConnOptions{})
			c.vectors = vectors
			b := &batch{flat: make([]byte, 100), short: true}
			want := minBatch
			if vectors {
				want = 2 * minBatch
			}
			if err := c.write(b); err != nil || b.limit() != want {
				t.Errorf("a socket: %v: got %v, batches of %d bytes, want %d", vectors, err, b.limit(), want)
			}
		})
	}
}

func TestBatchIsWrittenInOrderWhateverTheConnectionTakes(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		var want []byte
		b := new(batch)
		var flat []byte
		for range r.IntN(6) {
			piece := payload(r.IntN(300))
			want = append(want, piece...)
			if r.IntN(2) == 0 {
				flat = append(flat, piece...)
			} else {
				b.refer(flat, piece)
			}
		}
		b.flat = flat
		nc := &stingyConn{takes: 1 + r.IntN(200), err: os.ErrDeadlineExceeded}
		total := int64(0)
		for rounds := 0; len(want) > 0; rounds++ {
			n, err := b.write(nc, 1<<20)
			total += n
			if err == nil && b.written() {
				break
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || rounds > len(want) {
				t.Fatalf("seed %d: round %d: got %v with %d bytes written, want them all", seed, rounds, err, total)
			}
		}
		if !bytes.Equal(nc.got.Bytes(), want) || total != int64(len(want)) || !b.written() {
			t.Fatalf("seed %d: got %d bytes, %d by its own count, written %v, want %d", seed, nc.got.Len(), total, b.written(), len(want))
		}
	}
}

func TestBatchThatWasWrittenHoldsNothing(t *testing.T) {
	for _, tt := range []struct {
		flat, cap int
		keep      bool
	}{{0, 0, true}, {1000, 1000, true}, {0, keptBuffer, true}, {keptBuffer + 1, keptBuffer + 1, true}, {keptBuffer, 4 * keptBuffer, true}, {keptBuffer - 1, 4 * keptBuffer, false}, {0, keptBuffer + 1, false}} {
		m := messageOf(100)
		m.Ref()
		b := &batch{flat: make([]byte, tt.flat, tt.cap)}
		b.refer(b.flat, m.head)
		b.held = append(b.held, m)
		pieces, held := b.pieces, b.held
		if _, err := b.write(&stingyConn{takes: 1 << 20}, 1<<20); err != nil {
			t.Fatal(err)
		}
		b.reset()
		if got := m.refs.Load(); got != 1 {
			t.Errorf("%d bytes: got %d references of the message, want the test's", tt.flat, got)
		}
		if got := fmt.Sprint(pieces[0], held[0]); got != "[] <nil>" {
			t.Errorf("%d bytes: got that the memory refers to %s, want nothing", tt.flat, got)
		}
		if len(b.flat) > 0 || cap(b.flat) > 0 != (tt.keep && tt.cap > 0) || !b.written() {
			t.Errorf("%d bytes: got a buffer of %d, written %v, want it kept %v", tt.flat, cap(b.flat), b.written(), tt.keep)
		}
		m.Free()
	}
}
