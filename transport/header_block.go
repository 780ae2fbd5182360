// Header blocks to and from bytes. HPACK (RFC 7541) itself is done by x/net's coder; this file saves most of the trips to it,
// since most blocks of a connection are repetitions: while the dynamic table stands still, equal bytes are equal fields.

package transport

import (
	"fmt"
	"hash/maphash"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/transport/internal/frame"
)

const (
	maxCachedBlocks   = 64   // decoded blocks kept per connection
	maxCachedBlockLen = 128  // bytes of an encoded block that is kept
	maxCachedList     = 8192 // bytes of a decoded block that is kept, by the measure of RFC 9113 §6.5.2
	maxIndexedField   = 1024 // bytes of name and value; larger fields never enter the table of 4 KiB

	// listPerByte is how many bytes of a header list, by the measure of RFC 9113 §6.5.2, a byte of its block may stand for: a field of two
	// bytes counts 34 and takes three. maxExpansion is by how many times the size of the table a list may exceed that: 64 KiB by
	// default. More than once the table takes the same entries over and over.
	listPerByte  = 12
	maxExpansion = 16
)

// scanBlock looks over an encoded block. indexed is the length of its leading run of indexed fields, which mean the same as
// long as the table does; stable tells that no part of the block changes the table.
func scanBlock(b []byte) (indexed int, stable bool) {
	i := 0
	for i < len(b) && b[i]&0x80 != 0 {
		if i = skipInt(b, i, 7); i < 0 {
			return 0, false
		}
	}
	indexed = i
	for i < len(b) {
		if b[i]&0x80 == 0 && b[i]&0xe0 != 0 { // literal with incremental indexing, or a change of the table's size
			return indexed, false
		}
		if i = skipField(b, i); i < 0 {
			return indexed, false
		}
	}
	return indexed, true
}

// sizeUpdates returns the length of the changes of the table's size that a block begins with. late tells whether there are others behind,
// which there must not be (RFC 7541 §4.2).
func sizeUpdates(b []byte) (lead int, late bool) {
	for i := 0; i >= 0 && i < len(b); {
		switch {
		case b[i]&0xe0 != 0x20:
			i = skipField(b, i)
		case i > lead:
			return lead, true
		default:
			if i = skipInt(b, i, 5); i > 0 {
				lead = i
			}
		}
	}
	return lead, false
}

// skipField returns the position behind the field at i, -1 if it is cut off. A change of the table's size is none.
func skipField(b []byte, i int) int {
	var bits uint = 4
	switch {
	case b[i]&0x80 != 0:
		return skipInt(b, i, 7)
	case b[i]&0x40 != 0:
		bits = 6
	}
	named := b[i]&(1<<bits-1) != 0
	i = skipInt(b, i, bits)
	if !named {
		i = skipString(b, i)
	}
	return skipString(b, i)
}

// skipInt returns the position behind the integer with a prefix of n bits at i, -1 if it is cut off.
func skipInt(b []byte, i int, n uint) int {
	mask := byte(1<<n - 1)
	if b[i]&mask != mask {
		return i + 1
	}
	for i++; i < len(b); i++ {
		if b[i]&0x80 == 0 {
			return i + 1
		}
	}
	return -1
}

// skipString returns the position behind the string at i, -1 if it is cut off.
func skipString(b []byte, i int) int {
	if i < 0 || i >= len(b) {
		return -1
	}
	n := uint64(b[i] & 0x7f)
	i++
	if n == 0x7f {
		for shift := uint(0); ; shift += 7 {
			if i >= len(b) || shift > 28 {
				return -1
			}
			c := b[i]
			i++
			n += uint64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
	}
	if n > uint64(len(b)-i) {
		return -1
	}
	return i + int(n)
}

// A blockDecoder decodes the header blocks that arrive on one connection, in order. It belongs to the read goroutine.
type blockDecoder struct {
	hp        *hpack.Decoder // made at the first block
	tableSize uint32         // bytes; what SETTINGS_HEADER_TABLE_SIZE told the peer
	maxList   uint64         // bytes; the largest header list that is kept
	cur       *head          // being decoded
	length    int            // bytes of the block, encoded
	held      int            // bytes of its list beyond what is free; 0 if the list is shared with other blocks
	tooLarge  bool           // whether cur is larger than maxList and so was cut off
	cache     map[string]*head
}

// decode decodes a block. A block larger than the limit is decoded, so that the table stays in step, but cut off.
// An error is a connection error.
func (d *blockDecoder) decode(block []byte) (h *head, tooLarge bool, err error) {
	d.length, d.held = len(block), 0
	n, stable := scanBlock(block)
	if !stable {
		clear(d.cache)
		d.reset()
		if err := d.writeUpdates(block); err != nil {
			return nil, false, err
		}
		return d.end()
	}
	base := d.cache[string(block[:n])]
	switch {
	case base != nil && n == len(block):
		return base, false, nil
	case base == nil:
		d.reset()
		if err := d.write(block[:n]); err != nil {
			return nil, false, err
		}
		base = d.cur
		base.coded = n
		if n <= maxCachedBlockLen && base.size <= maxCachedList && !d.tooLarge {
			if d.cache == nil || len(d.cache) >= maxCachedBlocks {
				d.cache = make(map[string]*head)
			}
			d.cache[string(block[:n])] = base
		}
	}
	if n == len(block) {
		return d.end()
	}
	if !d.tooLarge {
		d.cur = &head{parsed: base.parsed}
		d.cur.fields = base.fields[:len(base.fields):len(base.fields)]
		d.hp.SetEmitEnabled(true)
	}
	if err := d.write(block[n:]); err != nil {
		return nil, false, err
	}
	return d.end()
}

// largestTable returns how large, in bytes, the peer may make the table.
func (d *blockDecoder) largestTable() uint32 { return max(d.tableSize, frame.DefaultTableSize) }

// reset makes ready for the first field of a block. The length of strings needs no limit of its own: blocks have one.
func (d *blockDecoder) reset() {
	if d.hp == nil {
		d.hp = hpack.NewDecoder(frame.DefaultTableSize, d.emit)
		d.hp.SetAllowedMaxDynamicTableSize(d.largestTable())
	}
	d.cur, d.tooLarge = new(head), false
	d.hp.SetEmitEnabled(true)
}

// writeUpdates decodes a block that may change the table's size: at its beginning only, but there several times (RFC 7541 §4.2).
func (d *blockDecoder) writeUpdates(block []byte) error {
	lead, late := sizeUpdates(block)
	if late {
		return &frame.Error{Code: frame.CompressionError, Text: "header block: change of the table's size behind a field"}
	}
	for i := 0; i < lead; {
		next := skipInt(block, i, 5)
		if err := d.write(block[i:next]); err != nil {
			return err
		}
		_ = d.hp.Close() // so that the coder takes another one; nothing is cut off
		i = next
	}
	return d.write(block[lead:])
}

// write decodes a part of the block.
func (d *blockDecoder) write(part []byte) error {
	if _, err := d.hp.Write(part); err != nil {
		return &frame.Error{Code: frame.CompressionError, Text: "header block: " + err.Error()}
	}
	return nil
}

// end returns the block.
func (d *blockDecoder) end() (h *head, tooLarge bool, err error) {
	if err := d.hp.Close(); err != nil {
		return nil, false, &frame.Error{Code: frame.CompressionError, Text: "header block: " + err.Error()}
	}
	h, tooLarge = d.cur, d.tooLarge
	h.coded = d.length
	d.held = max(0, int(h.size)-listPerByte*d.length-freeList)
	d.cur, d.tooLarge = nil, false
	return h, tooLarge, nil
}

func (d *blockDecoder) emit(f hpack.HeaderField) {
	size := d.cur.size + uint64(f.Size())
	switch {
	case size > d.maxList:
		d.tooLarge = true
	case size > listPerByte*uint64(d.length)+maxExpansion*uint64(d.largestTable()):
		d.cur.fault(fmt.Sprintf("header list of more than %d bytes in a block of %d", size, d.length))
	default:
		d.cur.add(f)
		return
	}
	d.hp.SetEmitEnabled(false)
}

// A blockEncoder encodes the header blocks that leave on one connection, in the order in which they are written. It is guarded
// by the connection's mutex.
type blockEncoder struct {
	hp      *hpack.Encoder // made at the first block; writes to out
	out     []byte         // the block being encoded
	version uint32         // counts the changes of the table

	requests map[string]requestBlock // by path
	header   responseBlock           // the last response header without metadata
	ok       responseBlock           // the trailer of a call that succeeded, without metadata

	seed maphash.Seed
	seen *[256]uint32 // hashes of fields that were sent once and not yet indexed
}

// A requestBlock is the encoded part of a request's block that does not vary from call to call.
type requestBlock struct {
	authority, subtype, encoding, accept string
	version                              uint32
	block                                []byte
}

// A responseBlock is an encoded block and what it was made of.
type responseBlock struct {
	subtype, encoding string
	version           uint32
	block             []byte
}

// Write implements io.Writer for the HPACK coder.
func (e *blockEncoder) Write(p []byte) (int, error) {
	e.out = append(e.out, p...)
	return len(p), nil
}

// begin starts a block.
func (e *blockEncoder) begin() {
	if e.hp == nil {
		e.hp = hpack.NewEncoder(e)
		e.seed = maphash.MakeSeed()
		e.version = 1
	}
	e.out = e.out[:0]
}

// setTableSize takes over the peer's SETTINGS_HEADER_TABLE_SIZE. The table never grows past its initial 4096 bytes. A change empties it: a
// block may have to tell of two changes, and decoders are about (x/net's is one) that take the second for late unless the first leaves the
// table empty.
func (e *blockEncoder) setTableSize(n uint32) {
	e.begin()
	e.hp.SetMaxDynamicTableSize(0)
	e.hp.SetMaxDynamicTableSize(min(n, frame.DefaultTableSize))
	e.version++ // so that the next block begins with a field that hp writes, and before it the change of the size
}

// indexed appends a field in the shortest form, which may enter it into the table.
func (e *blockEncoder) indexed(name, value string) {
	_ = e.hp.WriteField(hpack.HeaderField{Name: name, Value: value}) // writes to memory
}

// varying appends a field that may or may not come again: the first time as it is, from the second time on indexed.
func (e *blockEncoder) varying(name, value string) {
	if len(name)+len(value) > maxIndexedField {
		e.literal(name, value)
		return
	}
	var h maphash.Hash
	h.SetSeed(e.seed)
	h.WriteString(name)
	h.WriteByte(0)
	h.WriteString(value)
	sum := uint32(h.Sum64()) | 1
	if e.seen == nil {
		e.seen = new([256]uint32)
	}
	if slot := &e.seen[sum>>24]; *slot != sum {
		*slot = sum
		e.literal(name, value)
		return
	}
	at := len(e.out)
	e.indexed(name, value)
	if _, stable := scanBlock(e.out[at:]); !stable {
		e.version++
	}
}

// literal appends a field that leaves the table alone (RFC 7541 §6.2.2, literal without indexing, new name).
func (e *blockEncoder) literal(name, value string) {
	e.out = append(e.out, 0)
	e.out = appendHpackString(e.out, name)
	e.out = appendHpackString(e.out, value)
}

// appendHpackString appends a string without Huffman coding (RFC 7541 §5.2).
func appendHpackString(b []byte, s string) []byte {
	if n := len(s); n < 0x7f {
		b = append(b, byte(n))
	} else {
		b = append(b, 0x7f)
		for n -= 0x7f; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		b = append(b, byte(n))
	}
	return append(b, s...)
}

// settle closes a part of a block that begins at byte at: it reports whether the part may be kept for later calls, and notes
// if it changed the table.
func (e *blockEncoder) settle(at int) (keep bool) {
	if _, stable := scanBlock(e.out[at:]); !stable {
		e.version++
		return false
	}
	return len(e.out)-at <= 4*maxCachedBlockLen
}
