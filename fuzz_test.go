// FuzzTarget and FuzzDecode: what a channel makes of any target, and what a call makes of any message.

package grpc

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"", "localhost:50051", "dns:///host:1", "dns://1.1.1.1/host", "passthrough:///a b", "unix:/tmp/s", "unix:///tmp/s", ":80", "[::1]:80", "%", "a%zz", "host:1?x#y",
		"unknown://x/y", "dns:host", "dns:///", "x\x00y", "ü:1", "passthrough:%2f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		testkit.LimitTime(t)
		cc, err := NewClient(target, WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return
		}
		defer cc.Close()
		canonical := cc.CanonicalTarget()
		if scheme, _, ok := strings.Cut(canonical, ":"); !ok || cc.builderOf(strings.ToLower(scheme)) == nil {
			t.Errorf("%q: got the canonical target %q, whose scheme nobody knows", target, canonical)
		}
		if i := strings.IndexFunc(cc.authority, func(r rune) bool { return r <= ' ' || r >= 0x7f }); i >= 0 {
			t.Errorf("%q: got the authority %q, want printable ASCII", target, cc.authority)
		}
	})
}

// rawBytes is a codec that takes messages as they are.
type rawBytes struct{}

func (rawBytes) Name() string { return "bytes" }

func (rawBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawBytes) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("plain"), uint8(0), uint8(0), uint16(100))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffKL\x04\x02\x00"), uint8(1), uint8(1), uint16(3))
	const member = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03KLL\x04\x00-s\x07\xf0\x03\x00\x00\x00" // of "aaa"
	for _, p := range []string{member, member + member, member + "x", member[:len(member)-1], member[:len(member)-8] + "\x00" + member[len(member)-7:]} {
		f.Add([]byte(p), uint8(1), uint8(1), uint16(3))
	}
	f.Add(bytes.Repeat([]byte{0}, 5000), uint8(2), uint8(1), uint16(4999))
	f.Fuzz(func(t *testing.T, p []byte, flag, name uint8, limit uint16) {
		testkit.LimitTime(t)
		pool := mem.DefaultBufferPool()
		codec := messageCodec(codecV2{rawBytes{}})
		d := decoder{codec: codec, encoding: []string{"", gzip.Name, "identity", "none"}[name%4], limit: int(limit), server: name&4 == 4, pool: pool}
		d.comp = &compression{now: encoding.GetCompressor(d.encoding)}
		var got []byte
		switch _, err := d.decode(transport.InMessage{Flag: flag, Payload: p}, &got); {
		case err == nil && flag == 0 && !bytes.Equal(got, p):
			t.Errorf("plain message of %d bytes: got %d others", len(p), len(got))
		case err == nil && flag != 0 && (flag != 1 || d.encoding != gzip.Name || len(got) > int(limit)):
			t.Errorf("flag %d, encoding %q, limit %d: got %d bytes, want an error", flag, d.encoding, limit, len(got))
		case err != nil && (flag == 0 || !isDecodeCode(status.Code(err))):
			t.Errorf("flag %d, encoding %q: got %v", flag, d.encoding, err)
		}
		sameByOldGzip(t, d, transport.InMessage{Flag: flag, Payload: p})
		gzipThereAndBack(t, codec, p, int(limit), pool)
	})
}

// sameByOldGzip decodes a message with gzip, by today's compressor and by the decompressor of 2016.
func sameByOldGzip(t *testing.T, d decoder, m transport.InMessage) {
	var now, then []byte
	d.encoding, d.comp = gzip.Name, &compression{now: encoding.GetCompressor(gzip.Name)}
	_, err := d.decode(m, &now)
	d.comp = &compression{undo: NewGZIPDecompressor()}
	if _, old := d.decode(m, &then); status.Code(old) != status.Code(err) || !bytes.Equal(now, then) {
		t.Errorf("flag %d, limit %d: got %d bytes, %v, and by the old decompressor %d, %v", m.Flag, d.limit, len(now), err, len(then), old)
	}
}

func isDecodeCode(c codes.Code) bool {
	return c == codes.Internal || c == codes.ResourceExhausted || c == codes.Unimplemented
}

// gzipThereAndBack encodes a message with gzip and decodes it again.
func gzipThereAndBack(t *testing.T, codec messageCodec, p []byte, limit int, pool mem.BufferPool) {
	comp := compression{name: gzip.Name, now: encoding.GetCompressor(gzip.Name)}
	out, _, err := encode(codec, &p, &comp, 1<<30, pool)
	if err != nil {
		t.Fatalf("encode of %d bytes: %v", len(p), err)
	}
	defer out.Free()
	d := decoder{codec: codec, encoding: gzip.Name, limit: limit, pool: pool}
	d.comp = &comp
	flag := byte(0)
	if out.Compressed() {
		flag = 1
	}
	var got []byte
	_, err = d.decode(transport.InMessage{Flag: flag, Payload: out.Payload()}, &got)
	switch tooLarge := flag == 1 && len(p) > limit; {
	case tooLarge && status.Code(err) != codes.ResourceExhausted:
		t.Errorf("%d bytes with a limit of %d: got %v, want %v", len(p), limit, err, codes.ResourceExhausted)
	case !tooLarge && (err != nil || !bytes.Equal(got, p)):
		t.Errorf("%d bytes there and back: got %d, %v", len(p), len(got), err)
	}
}
