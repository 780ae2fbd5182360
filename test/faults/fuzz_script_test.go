// What the fuzz targets of whole connections have in common: a script of frames, good ones and others, written with x/net's Framer. What
// comes back is checked in fuzz_listener_test.go.

package faults

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A script is the peer of the connection that is tested.
type script struct {
	framer *http2.Framer
	block  bytes.Buffer
	coder  *hpack.Encoder
	rest   []byte
	last   uint32 // the last stream that there is, odd
	astray bool   // what was sent may end within a frame, or say what this end does not know of
	gone   bool   // GOAWAY was sent
	listener
}

func newScript(t *testing.T, nc net.Conn, rest []byte) *script {
	p := &script{framer: http2.NewFramer(nc, nil), rest: rest, last: 1}
	p.framer.AllowIllegalWrites = true
	p.coder = hpack.NewEncoder(&p.block)
	p.listener.init(t, nc)
	return p
}

func (p *script) next() int {
	if len(p.rest) == 0 {
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return int(b)
}

// take returns the next n bytes of the script, or fewer if there are no more.
func (p *script) take(n int) []byte {
	n = min(n, len(p.rest))
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// stream returns the id of a stream: mostly one that exists.
func (p *script) stream() uint32 {
	switch b := p.next(); b % 8 {
	case 0:
		return 0
	case 1:
		return uint32(b)
	case 2:
		return p.last + 2
	default:
		return p.last - min(2*uint32(b%3), p.last-1)
	}
}

// fields writes a header block. The flags say: 1 that its end is missing, 2 that it ends the stream, 4 that it has a priority, 8 that it comes
// in two frames; what is above them is the padding.
func (p *script) fields(id uint32, flags int, fields []string) {
	p.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = p.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	first, rest := p.block.Bytes(), []byte(nil)
	if flags&8 != 0 {
		first, rest = first[:len(first)/2], first[len(first)/2:]
	}
	param := http2.HeadersFrameParam{
		StreamID: id, BlockFragment: first, EndHeaders: flags&1 == 0 && rest == nil, EndStream: flags&2 != 0, PadLength: uint8(flags >> 4),
	}
	if flags&4 != 0 {
		param.Priority = http2.PriorityParam{StreamDep: p.stream(), Weight: 16}
	}
	_ = p.framer.WriteHeaders(param)
	if rest != nil {
		_ = p.framer.WriteContinuation(id, flags&1 == 0, rest)
	}
}

// maxPieces is how many frames a message is written in, about: scripts of many more take seconds, which looks as if something hung.
const maxPieces = 1000

// pieces writes DATA in frames whose size the script says.
func (p *script) pieces(id uint32, end bool, data []byte) {
	size := max(1+p.next()*64, len(data)/maxPieces)
	for len(data) > size {
		_ = p.framer.WriteData(id, false, data[:size])
		data = data[size:]
	}
	_ = p.framer.WriteData(id, end, data)
}

// message returns a message with its prefix.
func message(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(payload))), payload...)
}

// Values that are special somewhere.
var (
	specialIncrements = []uint32{0, 1, 100, 65535, 1 << 20, 1<<31 - 1}
	specialSettings   = []uint32{0, 1, 2, 100, 16383, 16384, 65535, 1<<24 - 1, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1}
	specialPings      = [][8]byte{{}, {'d', 'r', 'a', 'i', 'n', 0, 0, 1}, {'r', 't', 't', 0, 0, 0, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 8}}
	pauses            = []time.Duration{0, 0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 12 * time.Second}
)

// common does one of 11 steps that either end can do. Errors of writing are not looked at: the connection may be over.
func (p *script) common(op int) {
	f := p.framer
	switch op % 11 {
	case 0:
		id, n := p.stream(), specialIncrements[p.next()%len(specialIncrements)]
		p.granted[id] += int64(n)
		_ = f.WriteWindowUpdate(id, n)
	case 1:
		_ = f.WriteRSTStream(p.stream(), http2.ErrCode(p.next()%16))
	case 2:
		s := http2.Setting{ID: http2.SettingID(p.next() % 9), Val: specialSettings[p.next()%len(specialSettings)]}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			p.initial = max(p.initial, int64(s.Val))
		case http2.SettingMaxFrameSize:
			p.largest = max(p.largest, s.Val)
		}
		_ = f.WriteSettings(s)
	case 3:
		b := p.next()
		_ = f.WritePing(b&1 == 1, specialPings[b>>1%len(specialPings)])
	case 4:
		p.gone = true
		_ = f.WriteGoAway(p.stream(), http2.ErrCode(p.next()%16), p.take(p.next()%32))
	case 5:
		kind := http2.FrameType(p.next() % 12)
		p.gone = p.gone || kind == http2.FrameGoAway
		p.astray = p.astray || kind == http2.FrameSettings || kind == http2.FrameWindowUpdate
		_ = f.WriteRawFrame(kind, http2.Flags(p.next()), p.stream(), p.take(p.next()%64))
	case 6:
		_ = f.WriteContinuation(p.stream(), p.next()&1 == 1, p.take(p.next()%32))
	case 7:
		p.astray = true
		_, _ = p.nc.Write(p.take(p.next() % 16))
	case 8:
		synctest.Wait()
		<-time.After(pauses[p.next()%len(pauses)])
	case 9:
		b := p.next()
		_ = f.WriteDataPadded(p.stream(), b&1 == 1, bytes.Repeat(p.take(b>>2&7), 1<<(b>>5)), make([]byte, b>>1&1*7))
	case 10:
		p.pause()
	}
}
