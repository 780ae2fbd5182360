// Package mem as codecs of users meet it: whose memory is pooled, when it goes back, and what parts and readers of buffers hold on to.

package behaviour

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/mem"
)

// A countedPool counts what is taken from it and put back.
type countedPool struct{ gets, puts int }

func (p *countedPool) Get(n int) *[]byte {
	p.gets++
	b := make([]byte, n)
	return &b
}

func (p *countedPool) Put(*[]byte) { p.puts++ }

// counted returns a buffer whose memory goes back to p.
func (p *countedPool) counted(n int) mem.Buffer {
	b := slices.Repeat([]byte("x"), n)
	return mem.NewBuffer(&b, p)
}

func TestBuffersThatArePooled(t *testing.T) {
	for _, tc := range []struct {
		size int
		want string
	}{
		{1, "pooled=false NewBuffer: 0 back; Copy: 0 taken, 0 back"},
		{1024, "pooled=false NewBuffer: 0 back; Copy: 0 taken, 0 back"},
		{1025, "pooled=true NewBuffer: 1 back; Copy: 1 taken, 1 back"},
	} {
		var p, q countedPool
		p.counted(tc.size).Free()
		mem.Copy(make([]byte, tc.size), &q).Free()
		equal(t, fmt.Sprintf("pooled=%v NewBuffer: %d back; Copy: %d taken, %d back", !mem.IsBelowBufferPoolingThreshold(tc.size), p.puts, q.gets, q.puts), tc.want)
	}
	b := make([]byte, 5000)
	free := mem.NewBuffer(&b, nil) // belongs to nobody
	free.Free()
	free.Free()
	equal(t, fmt.Sprint(free.Len()), "5000")
}

func TestUsesOfAFreedBuffer(t *testing.T) {
	for _, tc := range []struct {
		name string
		use  func(mem.Buffer)
		want string
	}{
		{"read", func(b mem.Buffer) { b.ReadOnlyData() }, "Cannot read freed buffer"},
		{"length", func(b mem.Buffer) { b.Len() }, "Cannot read freed buffer"},
		{"reference", mem.Buffer.Ref, "Cannot ref freed buffer"},
		{"free", mem.Buffer.Free, "Cannot free freed buffer"},
		{"slice", func(b mem.Buffer) { b.Slice(0, 1) }, "Cannot slice freed buffer"},
		{"split", func(b mem.Buffer) { mem.SplitUnsafe(b, 1) }, "Cannot split freed buffer"},
		{"consume", func(b mem.Buffer) { mem.ReadUnsafe(make([]byte, 1), b) }, "Cannot read freed buffer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := new(countedPool).counted(2000)
			b.Free()
			defer func() { equal(t, fmt.Sprint(recover()), tc.want) }()
			tc.use(b)
		})
	}
}

// Each part of a buffer holds its memory, whatever becomes of the others.
func TestPartsOfABuffer(t *testing.T) {
	for _, tc := range []struct {
		name string
		cut  func(mem.Buffer) (one, other mem.Buffer)
		want string
	}{
		{"slice", func(b mem.Buffer) (mem.Buffer, mem.Buffer) { return b, b.Slice(5, 15) }, "2000 and 10, 0 back, 1 back"},
		{"slice of all", func(b mem.Buffer) (mem.Buffer, mem.Buffer) { return b, b.Slice(0, 2000) }, "2000 and 2000, 0 back, 1 back"},
		{"slice of nothing", func(b mem.Buffer) (mem.Buffer, mem.Buffer) { return b, b.Slice(7, 7) }, "2000 and 0, 1 back, 1 back"},
		{"split", func(b mem.Buffer) (mem.Buffer, mem.Buffer) { return mem.SplitUnsafe(b, 500) }, "500 and 1500, 0 back, 1 back"},
		{"reference", func(b mem.Buffer) (mem.Buffer, mem.Buffer) { b.Ref(); return b, b }, "2000 and 2000, 0 back, 1 back"},
		{"materialized", func(b mem.Buffer) (mem.Buffer, mem.Buffer) {
			return b, mem.BufferSlice{b}.MaterializeToBuffer(mem.NopBufferPool{})
		}, "2000 and 2000, 0 back, 1 back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p countedPool
			one, other := tc.cut(p.counted(2000))
			got := fmt.Sprintf("%d and %d", one.Len(), other.Len())
			one.Free()
			got += fmt.Sprintf(", %d back", p.puts)
			other.Free()
			equal(t, got+fmt.Sprintf(", %d back", p.puts), tc.want)
		})
	}
}

func TestReaderOfBuffers(t *testing.T) {
	var p countedPool
	all := mem.BufferSlice{p.counted(1500), mem.SliceBuffer("abc"), p.counted(1500)}
	r := all.Reader()
	all.Free()
	n, err := r.Read(make([]byte, 1501))
	equal(t, fmt.Sprint(n, err, r.Remaining(), p.puts), "1501 <nil> 1502 1")
	parts, err := r.Peek(3, nil)
	equal(t, fmt.Sprintf("%q %v", parts, err), `["bc" "x"] <nil>`)
	_, err = r.Peek(1503, nil)
	equal(t, text(err), "insufficient bytes in reader")
	c, err := r.ReadByte()
	equal(t, fmt.Sprintf("%c %v", c, err), "b <nil>")
	n, err = r.Discard(2000)
	equal(t, fmt.Sprint(n, err, r.Remaining(), p.puts), "1501 insufficient bytes in reader 0 2")
	_, err = r.Read(make([]byte, 1))
	equal(t, fmt.Sprint(err, r.Close()), "EOF <nil>")
}

func TestReadAllIntoBuffers(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    io.Reader
		want string
	}{
		{"all", strings.NewReader(strings.Repeat("y", 100_000)), "100000 bytes, <nil>, 0 not back"},
		{"nothing", strings.NewReader(""), "0 bytes, <nil>, 0 not back"},
		{"error", io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errors.New("broken"))), "3 bytes, broken, 0 not back"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p countedPool
			all, err := mem.ReadAll(tc.r, &p)
			n := all.Len()
			all.Free()
			equal(t, fmt.Sprintf("%d bytes, %v, %d not back", n, err, p.gets-p.puts), tc.want)
		})
	}
}
