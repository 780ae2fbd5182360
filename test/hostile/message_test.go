// Messages that are not what they say, or more than they look like (gRPC over HTTP/2, "Length-Prefixed-Message").

package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"testing"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// claim returns a prefix that announces n bytes.
func claim(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, n) }

// zeros returns n zero bytes, compressed.
func zeros(n int64) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, zeroReader{}, n)
	w.Close()
	return b.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestMessages(t *testing.T) {
	one := message(&pb.Request{Payload: []byte("x")})
	call := func(b []byte, more ...string) func(p *peer) {
		return func(p *peer) {
			p.open(1, unary, more...)
			for len(b) > 16384 {
				p.data(1, false, b[:16384])
				b = b[16384:]
			}
			p.data(1, true, b)
		}
	}
	unended := func(b []byte) func(p *peer) {
		return func(p *peer) { p.open(1, unary); p.data(1, false, b) }
	}
	newTarget(t).run(t, []row{
		{"length-over-limit", unended(claim(4<<20 + 1)), answers(1, "8")},
		{"length-over-limit-and-more", func(p *peer) { // which is dropped
			p.open(1, unary)
			p.data(1, false, append(claim(4<<20+1), make([]byte, 50_000)...))
			p.data(1, true, make([]byte, 10_000))
		}, answers(1, "8")},
		{"length-of-4-GB", unended(claim(1<<32 - 1)), answers(1, "8")},
		{"length-of-2-GiB", unended(claim(1 << 31)), answers(1, "8")},
		{"flag-2", call(prefixed(2, []byte("x"))), answers(1, "13")},
		{"flag-255", call(prefixed(255, []byte("x"))), answers(1, "13")},
		{"flag-1-without-encoding", call(prefixed(1, []byte("x"))), answers(1, "13")},
		{"flag-1-with-identity", call(prefixed(1, []byte("x")), "grpc-encoding", "identity"), answers(1, "13")},
		{"unknown-encoding", call(prefixed(1, []byte("x")), "grpc-encoding", "bogus"), answers(1, "12")},
		{"message-cut", call(one[:len(one)-1]), answers(1, "13")},
		{"prefix-cut", call(one[:3]), answers(1, "13")},
		{"no-message", call(nil), answers(1, "13", "12")},
		{"two-messages", call(append(append([]byte{}, one...), one...)), answers(1, "13", "12")},
		{"no-protobuf", call(prefixed(0, []byte{0xff, 0xff, 0xff})), answers(1, "13")},
		{"no-gzip", call(prefixed(1, []byte("rubbish")), "grpc-encoding", "gzip"), answers(1, "13")},
		{"gzip-cut", call(prefixed(1, zeros(1000)[:20]), "grpc-encoding", "gzip"), answers(1, "13")},
		{"gzip-bomb", call(prefixed(1, zeros(int64(times(8<<20, 7)))), "grpc-encoding", "gzip"), answers(1, "8")},
		{"text-with-line-breaks", call(message(&pb.Request{Code: 3, Text: "a\r\nb: c\x00\u00e9%"})), func(p *peer) {
			if got, want := p.wantStatus(1, "3"), "a%0D%0Ab: c%00%C3%A9%25"; got.text() != want {
				p.tb.Errorf("got grpc-message %q, want %q", got.text(), want)
			}
		}},
	})
}

// What a message of 64 MiB, compressed into 64 KiB, costs a server that takes 1 MiB.
func TestDecompressionBombs(t *testing.T) {
	const limit, most = 1 << 20, 8 << 20 // a buffer that grows has been several
	bomb := prefixed(1, zeros(64<<20))
	for _, tt := range []struct {
		name string
		opts []grpc.ServerOption
	}{
		{"gzip-bomb", nil},
		{"gzip-bomb-for-the-decompressor-of-2016", []grpc.ServerOption{grpc.RPCDecompressor(grpc.NewGZIPDecompressor())}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTarget(t, append(tt.opts, grpc.MaxRecvMsgSize(limit))...)
			p := s.dial(t)
			for i := range uint32(2) { // with readers that are new, and used
				before := allocated()
				p.open(nth(i), unary, "grpc-encoding", "gzip")
				p.data(nth(i), true, bomb)
				a := p.wantStatus(nth(i), "8")
				if got := allocated() - before; got > most {
					t.Errorf("allocated %d bytes, want at most %d", got, most)
				}
				if want := "grpc: received message after decompression larger than max 1048576"; a.text() != want {
					t.Errorf("got grpc-message %q, want %q", a.text(), want)
				}
			}
			if n := s.calls.Load(); n != 0 {
				t.Errorf("got %d handlers started, want none", n)
			}
			s.call()
		})
	}
}
