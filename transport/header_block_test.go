// Tests of the decoder of header blocks: its caches never change what plain HPACK decoding would find.

package transport

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/transport/internal/frame"
)

// A plainDecoder is the reference: HPACK decoding without caches, under the same limits.
type plainDecoder struct {
	hp       *hpack.Decoder
	maxList  uint64
	cur      parsed
	tooLarge bool
	length   int
}

func newPlainDecoder(maxList uint64) *plainDecoder {
	d := &plainDecoder{maxList: maxList}
	d.hp = hpack.NewDecoder(frame.DefaultTableSize, func(f hpack.HeaderField) {
		switch size := d.cur.size + uint64(f.Size()); {
		case size > d.maxList:
			d.tooLarge = true
		case size > uint64(12*d.length+65536):
			d.cur.fault(fmt.Sprintf("header list of more than %d bytes in a block of %d", size, d.length))
		default:
			d.cur.add(f)
			return
		}
		d.hp.SetEmitEnabled(false)
	})
	return d
}

func (d *plainDecoder) decode(block []byte) (p parsed, tooLarge bool, err error) {
	d.cur, d.tooLarge, d.length = parsed{coded: len(block)}, false, len(block)
	d.hp.SetEmitEnabled(true)
	lead, late := sizeUpdates(block)
	if late {
		return d.cur, false, errors.New("late change of the table's size")
	}
	for i := 0; i < lead; i = skipInt(block, i, 5) { // x/net takes a second change of the size only while its table is empty
		if _, err := d.hp.Write(block[i:skipInt(block, i, 5)]); err != nil {
			return d.cur, false, err
		}
		d.hp.Close()
	}
	block = block[lead:]
	if _, err = d.hp.Write(block); err == nil {
		err = d.hp.Close()
	}
	return d.cur, d.tooLarge, err
}

// decodeBoth decodes the block with both and compares. It reports whether there was no error.
func decodeBoth(t *testing.T, d *blockDecoder, plain *plainDecoder, block []byte) bool {
	t.Helper()
	want, wantLarge, wantErr := plain.decode(block)
	h, large, err := d.decode(block)
	if wantErr != nil || err != nil {
		var fault *frame.Error
		if (err == nil) != (wantErr == nil) || !errors.As(err, &fault) || fault.Code != frame.CompressionError {
			t.Fatalf("block %x: got error %v, want %v as COMPRESSION_ERROR", block, err, wantErr)
		}
		return false
	}
	if large != wantLarge || !reflect.DeepEqual(h.parsed, want) {
		t.Fatalf("block %x:\ngot  %+v, too large %v\nwant %+v, too large %v", block, h.parsed, large, want, wantLarge)
	}
	if d.length != len(block) {
		t.Fatalf("block %x: got a length of %d bytes, want %d", block, d.length, len(block))
	}
	if d.cur != nil || d.tooLarge {
		t.Fatalf("block %x: something of it is left in the decoder", block)
	}
	return true
}

// A blockWriter writes header blocks by hand.
type blockWriter struct{ b []byte }

func (w *blockWriter) integer(first byte, bits uint, n uint64) {
	most := uint64(1)<<bits - 1
	if n < most {
		w.b = append(w.b, first|byte(n))
		return
	}
	w.b = append(w.b, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		w.b = append(w.b, byte(n)|0x80)
	}
	w.b = append(w.b, byte(n))
}

func (w *blockWriter) text(s string, huffman bool) {
	if huffman {
		w.integer(0x80, 7, hpack.HuffmanEncodeLength(s))
		w.b = hpack.AppendHuffmanString(w.b, s)
		return
	}
	w.integer(0, 7, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *blockWriter) indexed(n uint64) { w.integer(0x80, 7, n) }
func (w *blockWriter) resize(n uint64)  { w.integer(0x20, 5, n) }

// The kinds of literals of RFC 7541 §6.2.
const (
	incremental = 0x40
	plainly     = 0
	neverIndex  = 0x10
)

// literal writes a field whose name is at index, or name if index is 0.
func (w *blockWriter) literal(kind byte, index uint64, name, value string, huffman bool) {
	bits := uint(4)
	if kind == incremental {
		bits = 6
	}
	if w.integer(kind, bits, index); index == 0 {
		w.text(name, huffman)
	}
	w.text(value, huffman)
}

func TestScanBlock(t *testing.T) {
	long := strings.Repeat("v", 300)
	for _, tt := range []struct {
		name    string
		write   func(w *blockWriter)
		indexed int
		stable  bool
	}{
		{"empty", func(w *blockWriter) {}, 0, true},
		{"indexed", func(w *blockWriter) { w.indexed(2); w.indexed(62) }, 2, true},
		{"large index", func(w *blockWriter) { w.indexed(127); w.indexed(1000) }, 5, true},
		{"literal", func(w *blockWriter) { w.literal(plainly, 0, "n", "v", false) }, 0, true},
		{"literal never indexed", func(w *blockWriter) { w.literal(neverIndex, 0, "n", "v", true) }, 0, true},
		{"literal with an indexed name", func(w *blockWriter) { w.literal(plainly, 62, "", "v", false); w.literal(neverIndex, 5, "", long, true) }, 0, true},
		{"indexed, literal, indexed", func(w *blockWriter) { w.indexed(2); w.literal(plainly, 0, "n", long, false); w.indexed(3) }, 1, true},
		{"empty strings", func(w *blockWriter) { w.indexed(2); w.literal(plainly, 0, "", "", false) }, 1, true},
		{"incremental", func(w *blockWriter) { w.indexed(2); w.literal(incremental, 0, "n", "v", false) }, 1, false},
		{"incremental behind a literal", func(w *blockWriter) {
			w.literal(plainly, 0, "n", "v", false)
			w.literal(incremental, 1, "", "v", false)
		}, 0, false},
		{"resize", func(w *blockWriter) { w.resize(100); w.indexed(2) }, 0, false},
		{"late resize", func(w *blockWriter) { w.indexed(2); w.resize(4096) }, 1, false},
		{"cut index", func(w *blockWriter) { w.indexed(2); w.b = append(w.b, 0xff, 0x80) }, 0, false},
		{"cut index behind a literal", func(w *blockWriter) { w.literal(plainly, 0, "n", "v", false); w.b = append(w.b, 0xff) }, 0, false},
		{"cut index of a name", func(w *blockWriter) { w.indexed(2); w.b = append(w.b, 0x0f) }, 1, false},
		{"cut before the value", func(w *blockWriter) { w.indexed(2); w.b = append(w.b, 0, 1, 'n') }, 1, false},
		{"cut in the name", func(w *blockWriter) { w.indexed(2); w.b = append(w.b, 0, 2, 'n') }, 1, false},
		{"cut before the name", func(w *blockWriter) { w.b = append(w.b, 0) }, 0, false},
		{"cut in a length", func(w *blockWriter) { w.b = append(w.b, 0, 0x7f, 0x80) }, 0, false},
		{"cut before a length goes on", func(w *blockWriter) { w.b = append(w.b, 0, 0x7f) }, 0, false},
		{"endless length", func(w *blockWriter) { w.b = append(w.b, 0, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0) }, 0, false},
		{"length of 4 GiB", func(w *blockWriter) { w.b = append(w.b, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f) }, 0, false},
	} {
		var w blockWriter
		tt.write(&w)
		if indexed, stable := scanBlock(w.b); indexed != tt.indexed || stable != tt.stable {
			t.Errorf("%s: scanBlock(%x): got %d, %v, want %d, %v", tt.name, w.b, indexed, stable, tt.indexed, tt.stable)
		}
	}
}

func TestBlocksThatComeAgainAreNotDecodedAgain(t *testing.T) {
	d := &blockDecoder{maxList: 1 << 20}
	var first, again, other blockWriter
	first.literal(incremental, 0, "x", "1", false)
	again.indexed(2)
	again.indexed(62)
	other.indexed(2)
	other.indexed(62)
	other.literal(plainly, 0, "grpc-timeout", "1S", false)
	heads := make(map[*head]bool)
	for _, b := range [][]byte{first.b, again.b, again.b, other.b, other.b, again.b} {
		h, _, err := d.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		heads[h] = true
	}
	if got, want := len(heads), 1+1+2; got != want {
		t.Errorf("got %d heads for 6 blocks, want %d: one for each different block without literals, one for each other", got, want)
	}
}

func TestCachedBlocksAreForgottenWhenTheTableChanges(t *testing.T) {
	var x blockWriter
	x.indexed(62)
	for _, tt := range []struct {
		name   string
		change func(w *blockWriter)
	}{
		{"incremental", func(w *blockWriter) { w.literal(incremental, 0, "x", "2", false) }},
		{"incremental behind a known run", func(w *blockWriter) { w.indexed(62); w.literal(incremental, 0, "x", "2", false) }},
		{"incremental behind a literal", func(w *blockWriter) {
			w.literal(plainly, 0, "a", "b", false)
			w.literal(incremental, 0, "x", "2", false)
		}},
		{"resize to nothing and back, then incremental", func(w *blockWriter) { w.resize(0); w.resize(4096); w.literal(incremental, 0, "y", "2", false) }},
	} {
		d, plain := &blockDecoder{maxList: 1 << 20}, newPlainDecoder(1<<20)
		var set, change blockWriter
		set.literal(incremental, 0, "x", "1", false)
		tt.change(&change)
		decodeBoth(t, d, plain, set.b)
		decodeBoth(t, d, plain, x.b)
		if len(d.cache) != 1 {
			t.Fatalf("got %d cached blocks, want 1", len(d.cache))
		}
		decodeBoth(t, d, plain, change.b)
		if len(d.cache) != 0 {
			t.Errorf("%s: got %d cached blocks after it, want 0", tt.name, len(d.cache))
		}
		decodeBoth(t, d, plain, x.b)
	}
}

func TestTableStaysInStepAfterAListThatIsTooLarge(t *testing.T) {
	const limit = 200
	d, plain := &blockDecoder{maxList: limit}, newPlainDecoder(limit)
	var set, large, huge, check blockWriter
	set.literal(incremental, 0, "x", "1", false)
	for i := range 10 {
		large.indexed(2)
		large.literal(incremental, 0, fmt.Sprint("n", i), strings.Repeat("v", 50), i%2 == 0)
		large.literal(plainly, 0, "lit", "eral", true)
	}
	for range 50 {
		huge.indexed(62)
	}
	for i := range uint64(11) {
		check.b = check.b[:0]
		check.indexed(62 + i)
		for _, b := range [][]byte{set.b, large.b, check.b, huge.b, check.b, huge.b, large.b, check.b, huge.b[:1]} {
			if !decodeBoth(t, d, plain, b) {
				t.Fatal("a list that is too large ended the connection")
			}
		}
	}
}

func TestListSizeLimit(t *testing.T) {
	var w blockWriter
	w.literal(plainly, 0, "name", "value", false)
	w.literal(plainly, 0, "a", "b", false)
	const size = 4 + 5 + 32 + 1 + 1 + 32
	for limit, want := range map[uint64]bool{size: false, size - 1: true, 41: true, 40: true} {
		d := &blockDecoder{maxList: limit}
		h, large, err := d.decode(w.b)
		if err != nil || large != want || large && h.size > limit {
			t.Errorf("list of %d bytes, limit %d: got too large %v, %d bytes kept, %v, want %v", size, limit, large, h.size, err, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	d, plain := &blockDecoder{maxList: 1 << 30}, newPlainDecoder(1<<30)
	var set blockWriter
	for i := range 4 {
		set.literal(incremental, 0, "n", strings.Repeat(fmt.Sprint(i), 900), false)
	}
	decodeBoth(t, d, plain, set.b)
	for n := range 3 * maxCachedBlocks {
		for _, fields := range []int{1, 8, 20, maxCachedBlockLen, maxCachedBlockLen + 1} { // of 0.9 KiB each
			var w blockWriter
			for i := range fields - 1 {
				w.indexed(62 + uint64(n>>(i%8)&3))
			}
			w.indexed(1 + uint64(n%61))
			decodeBoth(t, d, plain, w.b)
		}
		for key, h := range d.cache {
			if len(key) > maxCachedBlockLen || h.size > maxCachedList {
				t.Fatalf("got a block of %d bytes, decoded %d, in the cache, limits %d, %d", len(key), h.size, maxCachedBlockLen, maxCachedList)
			}
		}
		if len(d.cache) == 0 || len(d.cache) > maxCachedBlocks {
			t.Fatalf("got %d blocks in the cache, want 1 to %d", len(d.cache), maxCachedBlocks)
		}
	}
}

func TestHpackErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		block []byte
	}{
		{"hpack-index-0", []byte{0x80}},
		{"hpack-index-out-of-range", []byte{0xff, 0x7f}},
		{"hpack-name-out-of-range", []byte{0x0f, 0x7f, 1, 'v'}},
		{"hpack-integer-overflow", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
		{"hpack-size-update-above-the-limit", []byte{0x3f, 0xe2, 0x1f}},
		{"hpack-late-size-update", []byte{0x40, 1, 'n', 1, 'v', 0x20}},
		{"hpack-late-size-update, empty table", []byte{0x82, 0x20}},
		{"hpack-late-size-update behind an early one", []byte{0x20, 0x82, 0x3f, 0xe1, 0x1f}},
		{"hpack-cut", []byte{0x82, 0x40, 1, 'n', 5, 'v'}},
		{"hpack-eos-in-huffman", []byte{0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 'v'}},
		{"hpack-padding-longer-than-7-bits", []byte{0x00, 1, 'n', 0x82, 0x1f, 0xff}},
		{"hpack-padding-of-zeros", []byte{0x00, 1, 'n', 0x81, 0x18}},
	} {
		d, plain := &blockDecoder{maxList: 1 << 20}, newPlainDecoder(1<<20)
		if decodeBoth(t, d, plain, tt.block) {
			t.Errorf("%s: got no error", tt.name)
		}
	}
}

func TestSizeUpdates(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		lead int
		late bool
	}{
		{"none", []byte{0x82, 0x40, 1, 'n', 1, 'v'}, 0, false},
		{"one", []byte{0x20, 0x82}, 1, false},
		{"two", []byte{0x20, 0x3f, 0xe1, 0x1f, 0x82}, 4, false},
		{"alone", []byte{0x3f, 0xe1, 0x1f}, 3, false},
		{"late", []byte{0x82, 0x20}, 0, true},
		{"late behind an incremental literal", []byte{0x41, 1, 0x20, 0x20}, 0, true},
		{"looks like one within a string", []byte{0x40, 1, 0x20, 1, 0x20, 0x0f, 0x01, 1, 0x20}, 0, false},
		{"cut", []byte{0x20, 0x3f, 0xe1}, 1, false},
		{"cut alone", []byte{0x3f, 0x80}, 0, false},
	} {
		if lead, late := sizeUpdates(tt.b); lead != tt.lead || late != tt.late {
			t.Errorf("%s: sizeUpdates(%x): got %d, %v, want %d, %v", tt.name, tt.b, lead, late, tt.lead, tt.late)
		}
	}
}

func TestTableMayChangeItsSizeTwiceBeforeABlock(t *testing.T) {
	d, plain := &blockDecoder{maxList: 1 << 20}, newPlainDecoder(1<<20)
	var set, twice blockWriter
	set.literal(incremental, 0, "x", "1", false)
	twice.resize(100)
	twice.resize(200)
	twice.indexed(62)
	for _, b := range [][]byte{set.b, twice.b} {
		if !decodeBoth(t, d, plain, b) {
			t.Fatalf("block %x: got an error, want none", b)
		}
	}
}

// A string is part of a list that is too large, not an error of coding: the connection lives.
func TestStringLongerThanTheListIsOnlyTooLarge(t *testing.T) {
	for _, huffman := range []bool{false, true} {
		d, plain := &blockDecoder{maxList: 100}, newPlainDecoder(100)
		var w, after blockWriter
		w.literal(incremental, 0, "x", "1", false)
		w.literal(incremental, 0, "long", strings.Repeat("v", 500), huffman)
		after.indexed(63)
		decodeBoth(t, d, plain, w.b)
		if !decodeBoth(t, d, plain, after.b) {
			t.Errorf("huffman %v: the table is out of step", huffman)
		}
	}
}

func TestListThatRepeatsTheTableIsMalformed(t *testing.T) {
	for _, tt := range []struct {
		table uint32 // 0 for the default
		refs  int
		ok    bool
	}{{0, 16, true}, {0, 18, false}, {64 << 10, 18, true}, {64 << 10, 300, false}} {
		d := &blockDecoder{maxList: 16 << 20, tableSize: tt.table}
		var w blockWriter
		w.literal(incremental, 0, "x", strings.Repeat("v", 4000), false)
		if _, _, err := d.decode(w.b); err != nil {
			t.Fatal(err)
		}
		w.b = nil
		for range tt.refs {
			w.indexed(62)
		}
		h, _, err := d.decode(w.b)
		if err != nil || (h.malformed == "") != tt.ok {
			t.Errorf("table of %d bytes, %d references to 4 kB: got malformed %q, error %v, want sound %v", tt.table, tt.refs, h.malformed, err, tt.ok)
		}
		w.b = []byte{0x80 | 62}
		if h, _, err = d.decode(w.b); err != nil || h.malformed != "" || len(h.fields) != 1 {
			t.Errorf("block after it: got %d fields, malformed %q, error %v, want 1 field", len(h.fields), h.malformed, err)
		}
	}
}

func TestTableSizeThatThePeerWasTold(t *testing.T) {
	var w blockWriter
	w.resize(8192)
	for told, ok := range map[uint32]bool{0: false, 4096: false, 8191: false, 8192: true, 65536: true} {
		d := &blockDecoder{maxList: 1 << 20, tableSize: told}
		if _, _, err := d.decode(w.b); (err == nil) != ok {
			t.Errorf("resize to 8192, told %d: got %v, want ok %v", told, err, ok)
		}
	}
}

// FuzzBlocks makes header blocks out of its input: runs of indexed fields, literals of all kinds, changes of the table's size,
// blocks that come again, and rubbish.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("\x02\x00x\x41\x81\x00\x05\x81\x00\x05\x82\x00"), false)
	f.Add([]byte{2, 3, 1, 1, 60, 9, 1, 60, 9, 8, 2, 5, 1, 60, 9, 8, 1, 6, 1, 0, 61, 3, 1, 2, 4, 1, 2, 9, 8, 0, 8, 1}, true)
	f.Add([]byte{2, 1, 1, 9, 0, 61, 9, 8, 1, 7, 0, 0, 9, 7, 255, 2, 1, 1, 9, 0, 61, 9, 8, 0}, false)
	f.Add(bytes.Repeat([]byte{2, 7, 3, 0, 61, 0, 62, 9, 8, 0}, 20), true)
	f.Add([]byte{10, 0x80, 9, 10, 0x3f, 10, 0xff, 10, 0x7f, 9}, false)
	f.Fuzz(func(t *testing.T, script []byte, tight bool) {
		testkit.LimitTime(t)
		maxList := uint64(1 << 20)
		if tight {
			maxList = 150
		}
		d, plain := &blockDecoder{maxList: maxList}, newPlainDecoder(maxList)
		for _, block := range scriptBlocks(script) {
			if !decodeBoth(t, d, plain, block) {
				return
			}
		}
	})
}

// scriptBlocks returns the blocks that a fuzz input describes.
func scriptBlocks(script []byte) (blocks [][]byte) {
	names := []string{":path", "x", "x-bin", "te", "grpc-timeout", "cookie", "", "Bad"}
	values := []string{"", "trailers", "YQ", "value", strings.Repeat("long", 20), strings.Repeat("longer", 200), "\xff", "a\n"}
	next := func() (b byte) {
		if len(script) > 0 {
			b, script = script[0], script[1:]
		}
		return b
	}
	var w blockWriter
	for len(script) > 0 {
		switch op := next(); op % 11 {
		case 0, 1:
			w.indexed(uint64(next()))
		case 2, 3, 4:
			a := next()
			w.literal([]byte{incremental, plainly, neverIndex}[op%11-2], 0, names[a&7], values[a>>3&7], a&0x80 != 0)
		case 5, 6:
			a := next()
			w.literal([]byte{incremental, plainly}[op%11-5], uint64(next()), "", values[a&7], a&0x80 != 0)
		case 7:
			w.resize(uint64(next()) * 17)
		case 8:
			if len(blocks) > 0 {
				blocks = append(blocks, blocks[int(next())%len(blocks)])
			}
		case 9:
			blocks = append(blocks, w.b)
			w.b = nil
		case 10:
			w.b = append(w.b, next())
		}
	}
	return append(blocks, w.b)
}
