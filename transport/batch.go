// What the write goroutine writes at once: bytes that were copied together, and payloads that were not, in between.

package transport

import "net"

// A batch is what is written at once. It belongs to the write goroutine.
type batch struct {
	flat   []byte        // the bytes that were copied
	cut    int           // how many of them are in pieces, or were written
	pieces net.Buffers   // flat cut into pieces, with payloads that are referred to in between; empty if there are none
	rest   net.Buffers   // what is left of pieces while they are written; else nil
	held   []*OutMessage // messages that pieces refer to
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

// written reports whether all was written.
func (b *batch) written() bool { return len(b.rest) == 0 && b.cut == len(b.flat) }

// reset frees what was written. A large buffer stays as long as batches use a good part of it: to grow another for each costs a stream of
// small messages a third of its time.
func (b *batch) reset() {
	for i, m := range b.held {
		m.Free()
		b.held[i] = nil
	}
	clear(b.pieces)
	b.pieces, b.rest, b.held, b.cut = b.pieces[:0], nil, b.held[:0], 0
	if cap(b.flat) > keptBuffer && len(b.flat) < cap(b.flat)/4 {
		b.flat = nil
	}
	b.flat = b.flat[:0]
}
