// Tests of HEADERS and CONTINUATION frames: RFC 9113 §6.2, §6.10.

package frame

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestParseHeaders(t *testing.T) {
	prio := string([]byte{0x80, 0, 0, 3, 16})
	for _, tt := range []struct {
		name       string
		flags      Flags
		p          string
		fragment   string
		dependency uint32
		want       ErrCode
	}{
		{"plain", EndHeaders, "block", "block", 0, ok},
		{"empty", EndHeaders, "", "", 0, ok},
		{"unknown flags", 0xff &^ (Padded | HasPrio), "block", "block", 0, ok},
		{"padded", Padded, "\x02block..", "block", 0, ok},
		{"padded by nothing", Padded, "\x00block", "block", 0, ok},
		{"nothing but padding", Padded, "\x03...", "", 0, ok},
		{"priority", HasPrio, prio + "block", "block", 3, ok},
		{"priority and no block", HasPrio, prio, "", 3, ok},
		{"padded with priority", Padded | HasPrio, "\x01" + prio + "block.", "block", 3, ok},
		{"padding up to the priority", Padded | HasPrio, "\x02" + prio + "..", "", 3, ok},
		{"padded without the length", Padded, "", "", 0, SizeError},
		{"padding longer than the rest", Padded, "\x06block", "", 0, ProtocolError},
		{"padding that reaches into the priority", Padded | HasPrio, "\x01" + prio, "", 0, ProtocolError},
	} {
		h := Header{len(tt.p), Headers, tt.flags, 1}
		fragment, dependency, err := ParseHeaders(h, []byte(tt.p))
		if got := codeOf(t, err); got != tt.want || string(fragment) != tt.fragment || err == nil && dependency != tt.dependency {
			t.Errorf("%s: got %q, %d, %v, want %q, %d, %v", tt.name, fragment, dependency, got, tt.fragment, tt.dependency, tt.want)
		}
		h.StreamID = 0
		if _, _, err := ParseHeaders(h, []byte(tt.p)); codeOf(t, err) != ProtocolError {
			t.Errorf("%s, on stream 0: got %v, want PROTOCOL_ERROR", tt.name, err)
		}
	}
}

func TestParseHeadersCutAtEveryByte(t *testing.T) {
	full := []byte{1, 0, 0, 0, 3, 16, 'b', 'l', 'o', 'c', 'k', '.'}
	for n := range len(full) {
		_, _, err := ParseHeaders(Header{n, Headers, Padded | HasPrio, 1}, full[:n])
		want := SizeError
		switch {
		case n == 6:
			want = ProtocolError // room for the priority, none for the padding
		case n > 6:
			want = ok
		}
		if got := codeOf(t, err); got != want {
			t.Errorf("HEADERS cut to %d bytes: got %v, want %v", n, got, want)
		}
	}
}

func TestAppendHeaderBlockSplits(t *testing.T) {
	block := []byte(strings.Repeat("0123456789", 10))
	for _, tt := range []struct {
		length, maxSize int
		want            string // frames as type, flags and length
	}{
		{0, 30, "HEADERS 0x5 0"},
		{1, 30, "HEADERS 0x5 1"},
		{29, 30, "HEADERS 0x5 29"},
		{30, 30, "HEADERS 0x5 30"},
		{31, 30, "HEADERS 0x1 30, CONTINUATION 0x4 1"},
		{60, 30, "HEADERS 0x1 30, CONTINUATION 0x4 30"},
		{100, 30, "HEADERS 0x1 30, CONTINUATION 0x0 30, CONTINUATION 0x0 30, CONTINUATION 0x4 10"},
		{3, 1, "HEADERS 0x1 1, CONTINUATION 0x0 1, CONTINUATION 0x4 1"},
	} {
		b := AppendHeaderBlock([]byte("x"), 9, EndStream, block[:tt.length], tt.maxSize)
		var frames []string
		var joined []byte
		for b = b[1:]; len(b) > 0; {
			h := parseHeader(b)
			if h.StreamID != 9 {
				t.Errorf("%v: got stream %d, want 9", h, h.StreamID)
			}
			frames = append(frames, fmt.Sprintf("%v %#x %d", h.Type, uint8(h.Flags), h.Length))
			joined = append(joined, b[HeaderLen:HeaderLen+h.Length]...)
			b = b[HeaderLen+h.Length:]
		}
		if got := strings.Join(frames, ", "); got != tt.want || !bytes.Equal(joined, block[:tt.length]) {
			t.Errorf("block of %d bytes by %d: got %s, joined %q, want %s", tt.length, tt.maxSize, got, joined, tt.want)
		}
	}
}

func TestAppendHeaderBlockWithoutEndStream(t *testing.T) {
	if got := parseHeader(AppendHeaderBlock(nil, 1, 0, []byte("b"), 9)).Flags; got != EndHeaders {
		t.Errorf("flags: got %#x, want %#x", got, EndHeaders)
	}
}
