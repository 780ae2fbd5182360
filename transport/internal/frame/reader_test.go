// Tests of the Reader: the same frames come out however the bytes come in, and a silent source finds the buffer given back.

package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

// A scriptedSource returns at most one piece per read. A nil piece is a time of silence.
type scriptedSource struct {
	pieces [][]byte
	err    error  // behind the last piece; io.EOF if nil
	atLast bool   // err comes along with the last bytes
	silent func() // called at each silence, when the loan has ended
	asked  []int  // the sizes of the memory offered to each read
}

func (s *scriptedSource) isSilent() bool { return len(s.pieces) > 0 && s.pieces[0] == nil }

func (s *scriptedSource) Read(p []byte) (int, error) {
	for s.isSilent() {
		s.pieces = s.pieces[1:]
	}
	s.asked = append(s.asked, len(p))
	if len(s.pieces) == 0 {
		return 0, s.end()
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) > 0 {
		return n, nil
	}
	if s.pieces = s.pieces[1:]; s.atLast && len(s.pieces) == 0 {
		return n, s.end()
	}
	return n, nil
}

func (s *scriptedSource) end() error {
	if s.err == nil {
		return io.EOF
	}
	return s.err
}

func (s *scriptedSource) ReadLazily(l Lender) (int, error) {
	p := l.Lend()
	for s.isSilent() {
		l.TakeBack()
		s.silent()
		s.pieces = s.pieces[1:]
		p = l.Lend()
	}
	if again := l.Lend(); &again[0] != &p[0] || len(again) != len(p) {
		panic("Lend returned other memory before it was taken back")
	}
	return s.Read(p)
}

// inSteps cuts b into pieces of n bytes.
func inSteps(b []byte, n int) *scriptedSource {
	return &scriptedSource{pieces: slices.Collect(slices.Chunk(b, n))}
}

// A countingPool counts the buffers that are out, and spoils those that come back.
type countingPool struct{ out, gets int }

func (p *countingPool) Get(n int) *[]byte {
	p.out++
	p.gets++
	b := bytes.Repeat([]byte{0xDB}, n) // nobody may count on zeros
	return &b
}

func (p *countingPool) Put(b *[]byte) {
	p.out--
	for i := range *b {
		(*b)[i] = 0xDB
	}
}

// data returns n bytes that are all different from their neighbours.
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// A script is some frames, as bytes and as what a reader must make of them.
type script struct {
	wire   []byte
	frames []Header
	ends   []int // offsets in wire at which a frame ends
}

func newScript(sizes ...int) *script {
	s := new(script)
	for i, n := range sizes {
		h := Header{Length: n, Type: Type(i % 12), Flags: Flags(i), StreamID: uint32(i)}
		s.wire = append(s.wire, rawFrame(h.Type, h.Flags, h.StreamID, data(n)...)...)
		s.frames = append(s.frames, h)
		s.ends = append(s.ends, len(s.wire))
	}
	return s
}

// ways are the ways to consume a payload.
var ways = []struct {
	name string
	read func(*Reader) ([]byte, error)
}{
	{"Payload", (*Reader).Payload},
	{"ReadFull", func(r *Reader) ([]byte, error) {
		p := make([]byte, r.left)
		return p, r.ReadFull(p)
	}},
	{"Fill and Buffered", func(r *Reader) (p []byte, err error) {
		for r.left > 0 && err == nil {
			err = r.Fill(1)
			p = append(p, r.Buffered()...)
		}
		return p, err
	}},
	{"ReadFull in parts, then Payload", func(r *Reader) ([]byte, error) {
		p := make([]byte, r.left/2)
		if err := r.ReadFull(p); err != nil {
			return nil, err
		}
		rest, err := r.Payload()
		return append(p, rest...), err
	}},
	{"Fill of up to 100 bytes, Buffered, ReadFull", func(r *Reader) ([]byte, error) {
		p := make([]byte, r.left)
		if err := r.Fill(100); err != nil {
			return nil, err
		}
		n := copy(p, r.Buffered())
		return p, r.ReadFull(p[n:])
	}},
}

// readScript reads frames until an error.
func readScript(r *Reader, read func(*Reader) ([]byte, error)) (headers []Header, payloads [][]byte, err error) {
	for {
		h, err := r.Next()
		if err != nil {
			return headers, payloads, err
		}
		p, err := read(r)
		if err != nil {
			return headers, payloads, err
		}
		headers, payloads = append(headers, h), append(payloads, bytes.Clone(p))
	}
}

func TestReaderDeliversFramesHoweverTheyArrive(t *testing.T) {
	small := newScript(0, 1, 8, 100, 0, 300, 3)
	large := newScript(0, 1, DefaultMaxSize, 0, DefaultMaxSize+1, 20000, 3, 0, 40000, 5)
	for _, size := range []int{-1, 0, 1, 50, 20000, 32 << 10} {
		for _, step := range []int{1, 2, 7, 9, 10, 1000, 1 << 20} {
			s := small
			if step >= 1000 {
				s = large
			}
			for _, way := range ways {
				pool := new(countingPool)
				r := NewReader(inSteps(s.wire, step), pool, size, 1<<20)
				headers, payloads, err := readScript(r, way.read)
				if err != io.EOF || !slices.Equal(headers, s.frames) {
					t.Fatalf("read ahead %d, %d bytes at a time, %s: got %v, %v, want %v, EOF", size, step, way.name, headers, err, s.frames)
				}
				for i, p := range payloads {
					if !bytes.Equal(p, data(s.frames[i].Length)) {
						t.Fatalf("read ahead %d, %d bytes at a time, %s: payload of %v is not what was sent", size, step, way.name, s.frames[i])
					}
				}
				if r.Close(); pool.out != 0 {
					t.Errorf("read ahead %d, %d bytes at a time, %s: %d buffers are out after Close", size, step, way.name, pool.out)
				}
			}
		}
	}
}

func TestReaderTellsAnEndWithinAFrameFromAnEndBetweenFrames(t *testing.T) {
	s := newScript(3, 0, 12, 40)
	for cut := range s.wire {
		want := io.ErrUnexpectedEOF
		if cut == 0 || slices.Contains(s.ends, cut) {
			want = io.EOF
		}
		for _, size := range []int{0, 16, 1 << 15} {
			for _, step := range []int{1, 7, 1000} {
				for _, way := range ways {
					_, payloads, err := readScript(NewReader(inSteps(s.wire[:cut], step), new(countingPool), size, 1<<20), way.read)
					if whole := countWhole(s.ends, cut); err != want || len(payloads) != whole {
						t.Fatalf("cut at byte %d, read ahead %d, %d at a time, %s: got %d frames, %v, want %d, %v", cut, size, step, way.name, len(payloads), err, whole, want)
					}
				}
			}
		}
	}
}

// countWhole returns how many frames are complete when the bytes end at cut.
func countWhole(ends []int, cut int) (n int) {
	for _, end := range ends {
		if end <= cut {
			n++
		}
	}
	return n
}

func TestReaderSkipsWhatWasNotConsumed(t *testing.T) {
	wire := concat(rawFrame(Data, 0, 1, data(50000)...), AppendPing(nil, 0, [8]byte{1}))
	for _, size := range []int{0, 1 << 15, 1 << 17} {
		for _, taken := range []int{0, 1, 20000, 50000} {
			r := NewReader(inSteps(wire, 1<<20), new(countingPool), size, 1<<20)
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			if err := r.ReadFull(make([]byte, taken)); err != nil || r.left != 50000-taken {
				t.Fatalf("ReadFull of %d: got %v, left %d, want %d left", taken, err, r.left, 50000-taken)
			}
			if h, err := r.Next(); err != nil || h.Type != Ping {
				t.Errorf("Next behind %d of 50000 bytes, read ahead %d: got %v, %v, want PING", taken, size, h, err)
			}
		}
	}
}

func TestDiscardNotesAnEnd(t *testing.T) {
	r := NewReader(inSteps(rawFrame(Data, 0, 1, data(50)...)[:20], 100), new(countingPool), 1<<15, 1<<20)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(); err != io.ErrUnexpectedEOF {
		t.Errorf("Discard: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("Next: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestReaderWithoutReadAheadAsksForNoMoreThanTheFrame(t *testing.T) {
	consume := map[string]func(*Reader) error{
		"Payload": func(r *Reader) error { _, err := r.Payload(); return err },
		"Discard": (*Reader).Discard,
		"Buffered": func(r *Reader) (err error) {
			for r.left > 0 && err == nil {
				err = r.Fill(1)
				r.Buffered()
			}
			return err
		},
	}
	const large = DefaultMaxSize + 100 // does not fit into the buffer
	for name, f := range consume {
		src := inSteps(newScript(8, 100, 0, large, 4).wire, 1<<20)
		r := NewReader(src, new(countingPool), 0, 1<<20)
		for range 5 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			if err := f(r); err != nil {
				t.Fatal(err)
			}
		}
		want := []int{9, 8, 9, 100, 9, 9, HeaderLen + DefaultMaxSize, 100 - HeaderLen, 9, 4}
		if name == "Payload" {
			want = []int{9, 8, 9, 100, 9, 9, DefaultMaxSize, large - DefaultMaxSize, 9, 4}
		}
		if !slices.Equal(src.asked, want) {
			t.Errorf("%s: got %d reads of %v… bytes, want %v", name, len(src.asked), src.asked[:min(20, len(src.asked))], want)
		}
	}
}

func TestReaderReadsAheadAsFarAsItWasTold(t *testing.T) {
	src := inSteps(newScript(8, 8, 8).wire, 20)
	r := NewReader(src, new(countingPool), 40, 1<<20)
	if _, _, err := readScript(r, (*Reader).Payload); err != io.EOF {
		t.Fatal(err)
	}
	if want := []int{40, 40, 40, 40}; !slices.Equal(src.asked, want) {
		t.Errorf("got reads of %v bytes, want %v", src.asked, want)
	}
}

func TestReaderGivesItsBufferBackWhileTheSourceIsSilent(t *testing.T) {
	ping := AppendPing(nil, 0, [8]byte{5})
	pool, silences := new(countingPool), 0
	src := &scriptedSource{silent: func() {
		if silences++; pool.out != 0 {
			t.Errorf("silence %d: got %d buffers out, want 0", silences, pool.out)
		}
	}}
	src.pieces = [][]byte{nil, ping, nil, nil, ping[:HeaderLen], nil, ping[HeaderLen:], concat(ping, ping), nil, ping}
	r := NewReader(src, pool, 1<<15, 1<<20)
	headers, payloads, err := readScript(r, (*Reader).Payload)
	if err != io.EOF || len(headers) != 5 || silences != 5 {
		t.Errorf("got %d frames, %d silences, %v, want 5, 5, EOF", len(headers), silences, err)
	}
	for i, p := range payloads {
		if !bytes.Equal(p, ping[HeaderLen:]) {
			t.Errorf("PING %d: got %x, want %x", i, p, ping[HeaderLen:])
		}
	}
}

func TestReaderKeepsItsBufferWhileSomethingIsInIt(t *testing.T) {
	ping, pool := AppendPing(nil, 0, [8]byte{5}), new(countingPool)
	src := &scriptedSource{pieces: [][]byte{ping[:4], nil, ping[4:]}, silent: func() { t.Error("a half read header was given back") }}
	r := NewReader(src, pool, 1<<15, 1<<20)
	if h, err := r.Next(); err != nil || h.Type != Ping {
		t.Fatalf("Next: got %v, %v, want PING", h, err)
	}
	if r.Release(); pool.out != 1 || r.BufferedLen() != 8 {
		t.Errorf("Release with 8 bytes buffered: got %d buffers out, %d bytes, want 1, 8", pool.out, r.BufferedLen())
	}
	if _, err := r.Payload(); err != nil {
		t.Fatal(err)
	}
	if r.Release(); pool.out != 0 || r.BufferedLen() != 0 {
		t.Errorf("Release with nothing buffered: got %d buffers out, %d bytes, want none", pool.out, r.BufferedLen())
	}
	r.Release()
	if pool.out != 0 {
		t.Errorf("second Release: got %d buffers out, want 0", pool.out)
	}
}

func TestCloseGivesTheBufferBackWhateverIsInIt(t *testing.T) {
	pool := new(countingPool)
	r := NewReader(inSteps(newScript(100).wire, 1000), pool, 1<<15, 1<<20)
	r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if r.Close(); pool.out != 0 || pool.gets != 1 {
		t.Errorf("Close: got %d of %d buffers out, want 0 of 1", pool.out, pool.gets)
	}
}

func TestReaderRefusesLargeFrames(t *testing.T) {
	r := NewReader(inSteps(newScript(100, 101).wire, 1000), new(countingPool), 1<<15, 100)
	if h, err := r.Next(); err != nil || h.Length != 100 {
		t.Fatalf("frame of 100 bytes, limit 100: got %v, %v", h, err)
	}
	h, err := r.Next()
	if codeOf(t, err) != SizeError || h.Length != 101 {
		t.Errorf("frame of 101 bytes, limit 100: got %v, %v, want its header and FRAME_SIZE_ERROR", h, err)
	}
}

func TestReadFullReadsPastTheBuffer(t *testing.T) {
	src := &scriptedSource{pieces: [][]byte{rawFrame(Data, 0, 1, data(5000)...)}}
	r := NewReader(src, new(countingPool), 1000, 1<<20)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 5000)
	if err := r.ReadFull(p); err != nil || !bytes.Equal(p, data(5000)) || r.left != 0 || r.BufferedLen() != 0 {
		t.Errorf("ReadFull: got %v, right bytes %v, %d left, %d buffered", err, bytes.Equal(p, data(5000)), r.left, r.BufferedLen())
	}
	if want := []int{1000, 5000 - (1000 - HeaderLen)}; !slices.Equal(src.asked, want) {
		t.Errorf("got reads of %v bytes, want %v: the rest goes straight to its place", src.asked, want)
	}
}

// TestAfterLargePayloadLittleIsReadAhead reads two large payloads past the buffer, and small frames behind them.
func TestAfterLargePayloadLittleIsReadAhead(t *testing.T) {
	const large, ahead = 100_000, 40_000
	src := inSteps(newScript(large, large, 3, 3).wire, 1<<20)
	r := NewReader(src, new(countingPool), ahead, 1<<20)
	for i, n := range []int{large, large, 3, 3} {
		if h, err := r.Next(); err != nil || h.Length != n {
			t.Fatalf("frame %d: got %v, %v, want %d bytes", i, h, err, n)
		}
		r.Buffered() // as much as comes with the header
		if err := r.ReadFull(make([]byte, r.left)); err != nil {
			t.Fatal(err)
		}
	}
	// The first read of a frame's header reads ahead, the one behind a large payload does not, and what is left goes to its place.
	if want := []int{ahead, HeaderLen + large - ahead, glance, HeaderLen + large - glance, glance}; !slices.Equal(src.asked, want) {
		t.Errorf("got reads of %v bytes, want %v", src.asked, want)
	}
}

func TestPayloadOverwritesNothingOfTheNextFrame(t *testing.T) {
	s := newScript(100000, 70000, 1)
	r := NewReader(inSteps(s.wire, 1<<20), new(countingPool), 1<<15, 1<<20)
	var kept [][]byte
	for range s.frames {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		p, err := r.Payload()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, p)
	}
	for i, p := range kept { // payloads larger than the buffer have memory of their own
		if !bytes.Equal(p, data(s.frames[i].Length)) {
			t.Errorf("payload of %v changed later", s.frames[i])
		}
	}
}

func TestNextIsBuffered(t *testing.T) {
	first, second := rawFrame(Data, 0, 3, data(10)...), rawFrame(Data, 0, 5, data(20)...)
	for _, tt := range []struct {
		name     string
		buffered []byte // behind the header of the first frame
		consumed int    // bytes of the first frame's payload
		id       uint32
		want     bool
	}{
		{"all there", concat(first[9:], second), 0, 5, true},
		{"all there, payload consumed", concat(first[9:], second), 10, 5, true},
		{"another stream", concat(first[9:], second), 10, 3, false},
		{"first byte missing", concat(first[9:], second[:28]), 10, 5, false},
		{"header only", concat(first[9:], second[:9]), 4, 5, false},
		{"header cut", concat(first[9:], second[:8]), 4, 5, false},
		{"nothing behind", first[9:], 10, 5, false},
		{"payload not there", first[9:15], 3, 5, false},
		{"empty frame", concat(first[9:], rawFrame(Data, EndStream, 5)), 10, 5, true},
	} {
		r := NewReader(inSteps(concat(first[:9], tt.buffered), 1000), new(countingPool), 1<<15, 1<<20)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if err := r.ReadFull(make([]byte, tt.consumed)); err != nil {
			t.Fatal(err)
		}
		if got := r.NextIsBuffered(tt.id); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if got, want := r.BufferedLen(), len(tt.buffered)-tt.consumed; got != want {
			t.Errorf("%s: BufferedLen: got %d, want %d", tt.name, got, want)
		}
	}
	if NewReader(inSteps(nil, 1), new(countingPool), 0, 1<<20).NextIsBuffered(0) {
		t.Error("NextIsBuffered of a new Reader: got true, want false")
	}
}

func TestReadRaw(t *testing.T) {
	for _, step := range []int{1, 5, 1000} {
		for _, size := range []int{0, 1 << 15} {
			r := NewReader(inSteps(concat([]byte(Preface), AppendSettingsAck(nil)), step), new(countingPool), size, 1<<20)
			p := make([]byte, len(Preface))
			if err := r.ReadRaw(p); err != nil || string(p) != Preface {
				t.Errorf("ReadRaw: got %q, %v, want the preface", p, err)
			}
			if h, err := r.Next(); err != nil || h != (Header{0, Settings, Ack, 0}) {
				t.Errorf("Next behind ReadRaw: got %v, %v, want SETTINGS", h, err)
			}
		}
	}
	for n, want := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF} {
		r := NewReader(inSteps([]byte(Preface[:n]), 1), new(countingPool), 0, 1<<20)
		if err := r.ReadRaw(make([]byte, 24)); err != want {
			t.Errorf("ReadRaw with %d bytes there: got %v, want %v", n, err, want)
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	s := newScript(8, 8)
	for _, tt := range []struct {
		name   string
		cut    int
		frames int
	}{{"at once", 0, 0}, {"within a header", 5, 0}, {"within a payload", 12, 0}, {"between frames", 17, 1}, {"behind all", 34, 2}} {
		for _, atLast := range []bool{false, true} {
			src := &scriptedSource{pieces: [][]byte{s.wire[:tt.cut]}, err: broken, atLast: atLast}
			if tt.cut == 0 {
				src.pieces = nil
			}
			headers, _, err := readScript(NewReader(src, new(countingPool), 1<<15, 1<<20), (*Reader).Payload)
			if err != broken || len(headers) != tt.frames {
				t.Errorf("%s, error with the last bytes %v: got %d frames, %v, want %d, %v", tt.name, atLast, len(headers), err, tt.frames, broken)
			}
		}
	}
}

// An example of what a reader goroutine does.
func ExampleReader() {
	r := NewReader(inSteps(concat(AppendPing(nil, 0, [8]byte{1, 2, 3}), AppendWindowUpdate(nil, 1, 100)), 5), new(countingPool), 32<<10, DefaultMaxSize)
	for {
		h, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		p, _ := r.Payload()
		fmt.Printf("%v: %x\n", h, p)
	}
	// Output:
	// PING on stream 0, flags 0x0, 8 bytes: 0102030000000000
	// WINDOW_UPDATE on stream 1, flags 0x0, 4 bytes: 00000064
	// EOF
}
