// Header blocks on their way in: a HEADERS frame and the CONTINUATION frames behind it (RFC 9113 §4.3, §6.2, §6.10). A block is decoded when
// it is complete. How many frames and bytes it may have, and how long it may take, is bounded.

package transport

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	// spareContinuations is how many CONTINUATION frames a block may have beyond those that the largest header list needs, and how many
	// times the initial maximum of a frame it may be larger than that list.
	spareContinuations = 8
	// maxEmptyContinuations is how many CONTINUATION frames of a block may be empty.
	maxEmptyContinuations = 4
	// maxBlockTime is how long a block may take from its first frame to its last.
	maxBlockTime = 10 * time.Second
)

// An openBlock is a header block whose CONTINUATION frames have not all arrived.
type openBlock struct {
	id     uint32 // 0 if there is none
	end    bool   // END_STREAM came with its HEADERS
	loop   bool   // its HEADERS say that the stream depends on itself
	frames uint64 // CONTINUATION frames so far
	empty  int    // those of them that were empty
	bytes  []byte // of the block so far
}

// maxContinuations returns how many CONTINUATION frames a block may have.
func (d *blockDecoder) maxContinuations() uint64 {
	return spareContinuations + (d.maxList+frame.DefaultMaxSize-1)/frame.DefaultMaxSize
}

// checkSize returns an error if a block has grown too large for a header list that is accepted, however it is coded.
func (d *blockDecoder) checkSize(id uint32, bytes int) error {
	if limit := d.maxContinuations() * frame.DefaultMaxSize; uint64(bytes) > limit {
		return faultf(frame.EnhanceYourCalm, "header block of stream %d has %d bytes, limit %d", id, bytes, limit)
	}
	return nil
}

// onHeaders takes a HEADERS frame.
func (c *conn) onHeaders(h frame.Header) error {
	if err := c.read.blocks.checkSize(h.StreamID, h.Length); err != nil {
		return err
	}
	p, err := c.read.frames.Payload()
	if err != nil {
		return err
	}
	fragment, dependency, err := frame.ParseHeaders(h, p)
	if err != nil {
		return err
	}
	b := openBlock{id: h.StreamID, end: h.Flags.Has(frame.EndStream), loop: dependency == h.StreamID, bytes: fragment}
	if h.Flags.Has(frame.EndHeaders) {
		return c.onBlock(&b)
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(maxBlockTime)) // a net.Conn without deadlines has no limit of time
	b.bytes = bytes.Clone(fragment)
	c.read.block = b
	return nil
}

// onContinuation takes a CONTINUATION frame.
func (c *conn) onContinuation(h frame.Header) error {
	b := &c.read.block
	if b.id == 0 {
		return faultf(frame.ProtocolError, "CONTINUATION without HEADERS on stream %d", h.StreamID)
	}
	if err := c.countContinuation(h); err != nil {
		return err
	}
	p, err := c.read.frames.Payload()
	if err != nil {
		return err
	}
	b.bytes = append(b.bytes, p...)
	if !h.Flags.Has(frame.EndHeaders) {
		return nil
	}
	done := *b
	*b = openBlock{}
	_ = c.nc.SetReadDeadline(time.Time{})
	return c.onBlock(&done)
}

// countContinuation checks a CONTINUATION frame against the limits of its block.
func (c *conn) countContinuation(h frame.Header) error {
	b, d := &c.read.block, &c.read.blocks
	if b.frames++; b.frames > d.maxContinuations() {
		return faultf(frame.EnhanceYourCalm, "header block of stream %d has %d CONTINUATION frames, limit %d", b.id, b.frames, d.maxContinuations())
	}
	if h.Length == 0 && !h.Flags.Has(frame.EndHeaders) {
		if b.empty++; b.empty > maxEmptyContinuations {
			return faultf(frame.EnhanceYourCalm, "header block of stream %d has %d empty CONTINUATION frames, limit %d", b.id, b.empty, maxEmptyContinuations)
		}
	}
	return d.checkSize(b.id, len(b.bytes)+h.Length)
}

// onBlock takes a complete header block. It is decoded in any case, so that the tables of both ends stay alike.
func (c *conn) onBlock(b *openBlock) error {
	hd, tooLarge, err := c.read.blocks.decode(b.bytes)
	if err != nil {
		return err
	}
	if b.loop { // an error of the stream alone (RFC 7540 §5.3.1)
		hd = &head{parsed: parsed{malformed: fmt.Sprintf("stream %d depends on itself", b.id)}}
	}
	return c.role.headers(b.id, hd, tooLarge, b.end)
}

// lateBlock turns the error of a read whose deadline has passed within a header block into what it means.
func (c *conn) lateBlock(err error) error {
	if b := &c.read.block; b.id != 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return faultf(frame.EnhanceYourCalm, "header block of stream %d is not complete after %v", b.id, maxBlockTime)
	}
	return err
}
