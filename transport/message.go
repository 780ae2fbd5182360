// The length-prefixed message on its way out: one flag byte, four bytes of length, the payload (gRPC over HTTP/2,
// "Length-Prefixed-Message"). It is encoded once and then only referred to, by the connection that writes it and by the retry
// buffer that may need it again.

package transport

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/mem"
)

const (
	// PrefixLen is the size in bytes of what precedes each message.
	PrefixLen = 5
	// smallMessage is the size in bytes up to which an OutMessage keeps its memory from one use to the next.
	smallMessage = 2 << 10
)

// An OutMessage is an encoded message with its prefix. It is immutable once it was given to a stream, and reference counted:
// NewOutMessage gives one reference, and every write takes one over.
type OutMessage struct {
	head  []byte          // the prefix, followed by the payload if that is in one piece
	rest  mem.BufferSlice // the payload if it came in pieces; then head is the prefix alone
	size  int             // bytes of prefix and payload
	refs  atomic.Int32
	buf   *[]byte // the memory of head if it came from pool
	pool  mem.BufferPool
	small []byte // the memory of head otherwise; it stays with the OutMessage
}

var outMessages = sync.Pool{New: func() any { return new(OutMessage) }}

// NewOutMessage returns an empty message.
func NewOutMessage() *OutMessage {
	m := outMessages.Get().(*OutMessage)
	m.refs.Store(1)
	return m
}

// Reserve returns memory with room for the prefix and n bytes of payload. Its length is that of the prefix: the payload is to be
// appended to it, and the result passed to SetPayload.
func (m *OutMessage) Reserve(pool mem.BufferPool, n int) []byte {
	n += PrefixLen
	switch {
	case n > smallMessage:
		m.pool, m.buf = pool, bufpool.GetDirty(pool, n)
		return (*m.buf)[:PrefixLen]
	case cap(m.small) < n:
		m.small = make([]byte, PrefixLen, max(n, 256))
	}
	return m.small[:PrefixLen]
}

// SetPayload completes the message with what was appended to the memory from Reserve.
func (m *OutMessage) SetPayload(compressed bool, b []byte) {
	m.head, m.size = b, len(b)
	putPrefix(b, compressed, len(b)-PrefixLen)
}

// SetPieces completes the message with a payload in pieces, whose references it takes over.
func (m *OutMessage) SetPieces(compressed bool, payload mem.BufferSlice) {
	m.head = m.Reserve(nil, 0)
	m.rest, m.size = payload, PrefixLen+payload.Len()
	putPrefix(m.head, compressed, payload.Len())
}

// Gather adds a complete message behind those that are there: to the peer, it is the same whether they come one by one or at once.
// It returns false if there is no room. It is for messages that are kept, before they are given to a stream.
func (m *OutMessage) Gather(other *OutMessage) bool {
	if cap(m.small) < smallMessage {
		m.small = make([]byte, 0, smallMessage)
	}
	if m.head == nil {
		m.head = m.small[:0]
	}
	if m.size+other.size > smallMessage {
		return false
	}
	m.head = other.appendTo(m.head, 0, other.size)
	m.size = len(m.head)
	return true
}

func putPrefix(b []byte, compressed bool, n int) {
	b[0] = 0
	if compressed {
		b[0] = 1
	}
	binary.BigEndian.PutUint32(b[1:], uint32(n))
}

// Payload returns a copy of the payload.
func (m *OutMessage) Payload() []byte { return m.appendTo(nil, PrefixLen, m.size-PrefixLen) }

// Compressed reports whether the payload is compressed.
func (m *OutMessage) Compressed() bool { return m.head[0] == 1 }

// Len returns the size in bytes of prefix and payload.
func (m *OutMessage) Len() int { return m.size }

// Ref adds a reference.
func (m *OutMessage) Ref() { m.refs.Add(1) }

// Free drops a reference. After the last one the memory is used again.
func (m *OutMessage) Free() {
	if m.refs.Add(-1) > 0 {
		return
	}
	if m.buf != nil {
		m.pool.Put(m.buf)
	}
	bufpool.Overwrite(m.small[:cap(m.small)])
	m.rest.Free()
	m.head, m.rest, m.size, m.buf, m.pool = nil, nil, 0, nil, nil
	outMessages.Put(m)
}

// appendTo appends the n bytes from off on to b.
func (m *OutMessage) appendTo(b []byte, off, n int) []byte {
	m.each(off, n, func(p []byte) { b = append(b, p...) })
	return b
}

// each calls f for the pieces of the n bytes from off on.
func (m *OutMessage) each(off, n int, f func([]byte)) {
	if off < len(m.head) {
		p := m.head[off:min(off+n, len(m.head))]
		f(p)
		off, n = off+len(p), n-len(p)
	}
	at := len(m.head)
	for i := 0; n > 0; i++ {
		p := m.rest[i].ReadOnlyData()
		if off < at+len(p) {
			q := p[off-at : min(off-at+n, len(p))]
			f(q)
			off, n = off+len(q), n-len(q)
		}
		at += len(p)
	}
}
