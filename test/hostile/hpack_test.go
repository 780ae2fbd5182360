// Header blocks that break the rules of HPACK (RFC 7541), or use them to make a server work or remember.

package hostile

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

func TestHpackErrorsEndTheConnection(t *testing.T) {
	var rows []row
	for _, tt := range []struct {
		name  string
		block []byte
	}{
		{"hpack-index-0", []byte{0x80}},
		{"hpack-index-out-of-range", []byte{0xff, 0x7f}},
		{"hpack-name-out-of-range", []byte{0x0f, 0x7f, 1, 'v'}},
		{"hpack-integer-overflow", append(bytes.Repeat([]byte{0xff}, 12), 0x7f)},
		{"hpack-size-update-above-the-limit", []byte{0x3f, 0xe2, 0x1f}},
		{"hpack-late-size-update", []byte{0x82, 0x20}},
		{"hpack-cut", []byte{0x82, 0x40, 1, 'n', 5, 'v'}},
		{"hpack-cut-integer", []byte{0x82, 0xff, 0x80}},
		{"hpack-string-of-4-GiB", []byte{0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 'v'}},
		{"hpack-eos-in-huffman", []byte{0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 'v'}},
		{"hpack-padding-longer-than-7-bits", []byte{0x00, 1, 'n', 0x82, 0x1f, 0xff}},
		{"hpack-padding-of-zeros", []byte{0x00, 1, 'n', 0x81, 0x18}},
	} {
		rows = append(rows, row{tt.name, func(p *peer) { p.headerBlock(1, true, tt.block) }, goAway(http2.ErrCodeCompression)})
	}
	newTarget(t).run(t, rows)
}

// After a refusal the next block must mean what its sender means (CVE-2023-32731).
func TestHpackTablesStayInStep(t *testing.T) {
	inStep := func(refused func(p *peer), want func(p *peer)) row {
		return row{say: func(p *peer) {
			refused(p)
			want(p)
			p.open(3, unary, "marker", "in step") // refers to what the refused block has entered
			p.data(3, true, message(&pb.Request{}))
		}, want: answers(3, "0")}
	}
	rows := []row{
		inStep(func(p *peer) { p.headers(1, true, request(unary, "marker", "in step", "Upper", "x")...) }, resets(1, protocolError)),
		inStep(func(p *peer) { p.open(1, unary, "marker", "in step", "grpc-timeout", "x"); p.data(1, true, nil) }, answers(1, "13")),
		inStep(func(p *peer) {
			p.open(1, unary, "marker", "in step", "large", strings.Repeat("v", 9000))
		}, resets(1, sizeError)),
	}
	for i, name := range []string{"hpack-in-step-after-a-malformed-request", "hpack-in-step-after-a-refusal", "hpack-in-step-after-a-list-that-is-too-large"} {
		rows[i].name = name
	}
	newTarget(t, grpc.MaxHeaderListSize(8192)).run(t, rows)
}

func TestHpackTableChangesOfThePeer(t *testing.T) {
	s := newTarget(t)
	s.run(t, []row{
		{"hpack-table-resized-twice", func(p *peer) {
			p.enc.SetMaxDynamicTableSize(0)
			p.enc.SetMaxDynamicTableSize(2000)
			p.open(1, unary)
			p.data(1, true, message(&pb.Request{}))
		}, answers(1, "0")},
		{"hpack-encoder-stays-at-4-kB", func(p *peer) {
			p.do(p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30}))
			for id := uint32(1); id < 201; id += 2 { // many different statuses; our decoder refuses a larger table
				p.open(id, unary)
				p.data(id, true, message(&pb.Request{Code: 3, Text: strings.Repeat(strconv.Itoa(int(id)), 100)}))
				p.wantStatus(id, "3")
			}
		}, answersAfter(201)},
	})
}

// answersAfter wants a sound call on a stream to succeed.
func answersAfter(id uint32) func(p *peer) {
	return func(p *peer) {
		p.tb.Helper()
		say, want := sound(id)
		say(p)
		want(p)
	}
}

func TestHeaderLists(t *testing.T) {
	fields := func(n, size int) []string {
		var f []string
		for i := range n {
			f = append(f, "key-"+strconv.Itoa(i), strings.Repeat("~", size)) // which Huffman coding makes no shorter
		}
		return f
	}
	open := func(p *peer, f []string) { // in as many frames as it needs
		b := p.block(request(unary, f...)...)
		part := b[:min(len(b), 16384)]
		b = b[len(part):]
		p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: part, EndHeaders: len(b) == 0}))
		for len(b) > 0 {
			part = b[:min(len(b), 16384)]
			b = b[len(part):]
			p.do(p.WriteContinuation(1, len(b) == 0, part))
		}
		p.data(1, true, message(&pb.Request{}))
	}
	newTarget(t).run(t, []row{
		{"metadata-7kB", func(p *peer) { open(p, fields(7, 1000)) }, answers(1, "0")},
		{"metadata-256kB", func(p *peer) { open(p, fields(4, 64<<10)) }, answers(1, "0")},
		{"metadata-5000-fields", func(p *peer) { open(p, fields(5000, 10)) }, answers(1, "0")},
		{"metadata-20MB", func(p *peer) { open(p, fields(5, 4<<20)) }, goAway(calm)},
		{"metadata-just-above-16MB", func(p *peer) { open(p, fields(16, 1<<20)) }, resets(1, sizeError)},
	})
	newTarget(t, grpc.MaxHeaderListSize(8192)).run(t, []row{
		{"limit-8kB-metadata-7kB", func(p *peer) { open(p, fields(7, 1000)) }, answers(1, "0")},
		{"limit-8kB-metadata-9kB", func(p *peer) { open(p, fields(9, 1000)) }, resets(1, sizeError)},
		{"limit-8kB-one-value-of-100kB", func(p *peer) { open(p, fields(1, 100<<10)) }, resets(1, sizeError)},
		{"limit-8kB-metadata-256kB", func(p *peer) { open(p, fields(4, 64<<10)) }, goAway(calm)},
	})
}

// literal encodes fields in a way that leaves the table alone (RFC 7541 §6.2.2). Names and values are shorter than 127 bytes.
func literal(fields []string) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		b = append(append(b, 0, byte(len(fields[i]))), fields[i]...)
		b = append(append(b, byte(len(fields[i+1]))), fields[i+1]...)
	}
	return b
}

// bomb returns a block that enters a field into the table, and one that refers to it n times.
func bomb(p *peer, name, value string, n int) (enter, refer []byte) {
	enter = p.block(append(request(unary), name, value)...)
	return enter, append(literal(request(unary)), bytes.Repeat([]byte{0x80 | 62}, n)...)
}

// Lists that are thousands of times as large as their blocks are refused, and nothing of them is kept.
func TestHpackBombs(t *testing.T) {
	bombs := []struct {
		name, field, value string
		refs, streams      int
	}{
		{"hpack-bomb", "x", strings.Repeat("v", 3900), 4154, 24},
		{"hpack-bomb-small", "x", "", 12000, 48},
		{"hpack-bomb-bin", "x-bin", strings.Repeat("YWFh", 975), 4154, 24},
	}
	s := newTarget(t)
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			s.beside(func() {
				p := s.dial(t)
				before := alive()
				enter, refer := bomb(p, b.field, b.value, b.refs)
				p.headerBlock(1, true, enter)
				for i := range b.streams {
					id := uint32(2*i + 3)
					p.headerBlock(id, false, refer)
					p.wantReset(id, protocolError)
				}
				p.wantAlive()
				wantGrowth(t, before, 1<<20)
			})
		})
	}
}

// zero-length-headers (CVE-2019-9516): a field without a name and a value takes three bytes, and nothing of it is kept.
func TestZeroLengthHeaders(t *testing.T) {
	s := newTarget(t)
	p := s.dial(t)
	block := append(literal(request(unary)), make([]byte, 3*5000)...)
	before := allocated()
	for i := range uint32(10) {
		p.headerBlock(nth(i), true, block)
		p.wantReset(nth(i), protocolError)
	}
	p.wantAlive()
	if got, most := allocated()-before, uint64(1<<20); got > most {
		t.Errorf("allocated %d bytes for %d, want at most %d", got, 10*len(block), most)
	}
	s.call()
}
