// What the write goroutine writes at once: bytes that were copied together, and payloads that were not, in between.

package transport

import (
	"net"
	"time"
)

const (
	minBatch      = 256 << 10            // bytes of messages that go into one batch for a socket, unless an option says otherwise, at first
	maxBatch      = 1 << 20              // and at most
	turnsPerBatch = 4                    // of streams that wait for each other
	quickWrite    = 2 * time.Millisecond // the next batches are twice as large if one that streams had more for is written in less
	slowWrite     = 8 * time.Millisecond // and half as large if one takes longer: what is to be sent meanwhile waits
)

// A batch is what is written at once. It belongs to the write goroutine.
type batch struct {
	flat   []byte        // the bytes that were copied
	cut    int           // how many of them are in pieces, or were written
	pieces net.Buffers   // flat cut into pieces, with payloads that are referred to in between; empty if there are none
	rest   net.Buffers   // what is left of pieces while they are written; else nil
	held   []*OutMessage // messages that pieces refer to
	short  bool          // a stream had more to send than a turn
	large  int           // bytes of messages that go into a batch for a socket, if more than minBatch
}

// refer adds a payload that stays where it is; flat is all that was copied so far.
func (b *batch) refer(flat, payload []byte) {
	if len(flat) > b.cut {
		b.pieces = append(b.pieces, flat[b.cut:])
	}
	b.pieces = append(b.pieces, payload)
	b.cut = len(flat)
}

// write writes what has not been written yet, of bytes that were copied at most limit. It returns how much that was.
func (b *batch) write(nc net.Conn, limit int) (int64, error) {
	if len(b.pieces) == 0 {
		n, err := nc.Write(b.flat[b.cut:min(len(b.flat), b.cut+limit)])
		b.cut += n
		return int64(n), err
	}
	if len(b.flat) > b.cut {
		b.pieces = append(b.pieces, b.flat[b.cut:])
		b.cut = len(b.flat)
	}
	if b.rest == nil {
		b.rest = b.pieces
	}
	return b.rest.WriteTo(nc)
}

// limit returns how many bytes of messages go into a batch for a socket.
func (b *batch) limit() int { return max(b.large, minBatch) }

// wrote learns from the time that it took to write the batch how large the next ones should be.
func (b *batch) wrote(took time.Duration) {
	switch {
	case took > slowWrite:
		b.large = b.limit() / 2
	case took < quickWrite && b.short:
		b.large = min(2*b.limit(), maxBatch)
	}
}

// written reports whether all was written.
func (b *batch) written() bool { return len(b.rest) == 0 && b.cut == len(b.flat) }

// reusable returns the memory of what was written, to be used again. A large buffer stays as long as batches use a good part of it: to grow
// another for each costs a stream of small messages a third of its time.
func reusable(b []byte) []byte {
	if cap(b) > keptBuffer && len(b) < cap(b)/4 {
		return nil
	}
	return b[:0]
}

// reset frees what was written.
func (b *batch) reset() {
	for i, m := range b.held {
		m.Free()
		b.held[i] = nil
	}
	clear(b.pieces)
	b.pieces, b.rest, b.held, b.cut, b.short = b.pieces[:0], nil, b.held[:0], 0, false
	b.flat = reusable(b.flat)
}
