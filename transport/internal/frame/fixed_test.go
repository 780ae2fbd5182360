// Tests of the frames of fixed size: RFC 9113 §6.3, §6.4, §6.7, §6.9.

package frame

import (
	"fmt"
	"testing"
)

func TestCheckFixed(t *testing.T) {
	for _, tt := range []struct {
		h    Header
		want ErrCode
	}{
		{Header{5, Priority, 0, 1}, ok},
		{Header{4, Priority, 0, 1}, ok}, // a stream error, which is the caller's
		{Header{5, Priority, 0, 0}, ProtocolError},
		{Header{4, RSTStream, 0, 1}, ok},
		{Header{4, RSTStream, 0xff, 1}, ok},
		{Header{4, RSTStream, 0, 0}, ProtocolError},
		{Header{3, RSTStream, 0, 1}, SizeError},
		{Header{5, RSTStream, 0, 1}, SizeError},
		{Header{0, RSTStream, 0, 1}, SizeError},
		{Header{4, WindowUpdate, 0, 1}, ok},
		{Header{4, WindowUpdate, 0, 0}, ok},
		{Header{3, WindowUpdate, 0, 1}, SizeError},
		{Header{5, WindowUpdate, 0, 0}, SizeError},
		{Header{0, WindowUpdate, 0, 0}, SizeError},
		{Header{8, Ping, 0, 0}, ok},
		{Header{8, Ping, Ack, 0}, ok},
		{Header{8, Ping, 0, 1}, ProtocolError},
		{Header{7, Ping, 0, 0}, SizeError},
		{Header{9, Ping, Ack, 0}, SizeError},
		{Header{0, Ping, 0, 0}, SizeError},
		{Header{1, Data, 0, 0}, ok}, // not of fixed size: not its business
	} {
		if got := codeOf(t, CheckFixed(tt.h)); got != tt.want {
			t.Errorf("CheckFixed(%v): got %v, want %v", tt.h, got, tt.want)
		}
	}
}

func TestPriorityDependencyWithoutTheExclusiveBit(t *testing.T) {
	for _, tt := range []struct {
		p    []byte
		want uint32
	}{{[]byte{0, 0, 0, 3, 16}, 3}, {[]byte{0x80, 0, 0, 3, 16}, 3}, {[]byte{0xff, 0xff, 0xff, 0xff, 0}, MaxWindow}} {
		if got := PriorityDependency(tt.p); got != tt.want {
			t.Errorf("PriorityDependency(%x): got %d, want %d", tt.p, got, tt.want)
		}
	}
}

func TestFixedFramesOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"RST_STREAM", AppendRSTStream(nil, 3, Cancel), "000004030000000003" + "00000008"},
		{"RST_STREAM with an unknown code", AppendRSTStream(nil, 3, 0xfedcba98), "000004030000000003" + "fedcba98"},
		{"WINDOW_UPDATE", AppendWindowUpdate(nil, 0, MaxWindow), "000004080000000000" + "7fffffff"},
		{"PING", AppendPing(nil, 0, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}), "000008060000000000" + "0102030405060708"},
		{"acknowledgement of PING", AppendPing(nil, Ack, [8]byte{7: 9}), "000008060100000000" + "0000000000000009"},
	} {
		if got := fmt.Sprintf("%x", tt.got); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFixedFramesRoundTrip(t *testing.T) {
	for _, n := range []uint32{0, 1, 0x01020304, MaxWindow} {
		if got := ParseRSTStream(AppendRSTStream(nil, 1, ErrCode(n))[HeaderLen:]); got != ErrCode(n) {
			t.Errorf("RST_STREAM with code %d: got %d", n, got)
		}
		if got := ParseWindowUpdate(AppendWindowUpdate(nil, 1, n)[HeaderLen:]); got != n {
			t.Errorf("WINDOW_UPDATE of %d: got %d", n, got)
		}
	}
	if got := ParseWindowUpdate([]byte{0x80, 0, 0, 1}); got != 1 {
		t.Errorf("WINDOW_UPDATE with the reserved bit: got %d, want 1 (RFC 9113 §6.9)", got)
	}
}
