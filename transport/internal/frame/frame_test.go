// Tests of the frame header and of the names in texts; and what the other tests of the package share.

package frame

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// ok stands for no error in tables of error codes.
const ok = ErrCode(1 << 30)

// codeOf returns the code of a frame error, ok for nil.
func codeOf(t testing.TB, err error) ErrCode {
	t.Helper()
	var fault *Error
	switch {
	case err == nil:
		return ok
	case !errors.As(err, &fault):
		t.Fatalf("got error %v (%T), want *frame.Error", err, err)
	case fault.Text == "":
		t.Errorf("error with code %v has no text", fault.Code)
	}
	return fault.Code
}

// concat returns the parts one after the other.
func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// rawFrame returns a frame with any payload.
func rawFrame(ty Type, f Flags, id uint32, payload ...byte) []byte {
	return append(AppendHeader(nil, ty, f, id, len(payload)), payload...)
}

func TestHeaderRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		h    Header
		wire string
	}{
		{Header{0, Data, 0, 0}, "000000000000000000"},
		{Header{1, Headers, EndStream | EndHeaders, 1}, "000001010500000001"},
		{Header{0x010203, Continuation, 0xff, 0x7fffffff}, "01020309ff7fffffff"},
		{Header{LargestMaxSize, 0xfe, HasPrio | Padded, 0x01020304}, "fffffffe2801020304"},
	} {
		b := AppendHeader([]byte("x"), tt.h.Type, tt.h.Flags, tt.h.StreamID, tt.h.Length)
		if got := fmt.Sprintf("%x", b[1:]); b[0] != 'x' || got != tt.wire {
			t.Errorf("AppendHeader of %v behind %q: got %s, want %s", tt.h, b[:1], got, tt.wire)
		}
		if got := parseHeader(b[1:]); got != tt.h {
			t.Errorf("parseHeader(%s): got %v, want %v", tt.wire, got, tt.h)
		}
	}
}

func TestReservedBitOfTheStreamIDIsIgnored(t *testing.T) {
	b := []byte{0, 0, 8, byte(Ping), 0, 0x80, 0, 0, 5}
	if got := parseHeader(b).StreamID; got != 5 {
		t.Errorf("stream of %x: got %d, want 5 (RFC 9113 §4.1)", b, got)
	}
}

func TestTypeString(t *testing.T) {
	for ty, want := range []string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION", "frame type 0xa"} {
		if got := Type(ty).String(); got != want {
			t.Errorf("Type(%d).String: got %q, want %q", ty, got, want)
		}
	}
	if got, want := Type(255).String(), "frame type 0xff"; got != want {
		t.Errorf("Type(255).String: got %q, want %q", got, want)
	}
}

func TestHeaderString(t *testing.T) {
	h := Header{Length: 12, Type: Data, Flags: EndStream | Padded, StreamID: 7}
	if got, want := h.String(), "DATA on stream 7, flags 0x9, 12 bytes"; got != want {
		t.Errorf("String: got %q, want %q", got, want)
	}
}

func TestFlagsHasWantsAllOfThem(t *testing.T) {
	for _, tt := range []struct {
		f, v Flags
		want bool
	}{
		{0, 0, true}, {0, EndStream, false}, {EndStream, EndStream, true}, {EndHeaders, EndStream, false},
		{EndStream | EndHeaders, EndHeaders, true}, {EndStream, EndStream | EndHeaders, false}, {0xff, EndStream | HasPrio, true},
	} {
		if got := tt.f.Has(tt.v); got != tt.want {
			t.Errorf("Flags(%#x).Has(%#x): got %v, want %v", tt.f, tt.v, got, tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	err := errorf(SizeError, "%d bytes", 7)
	if got, want := err.Error(), "connection error: FRAME_SIZE_ERROR: 7 bytes"; got != want {
		t.Errorf("Error: got %q, want %q", got, want)
	}
}

func TestPrefaceIsThatOfTheRFC(t *testing.T) {
	if want := "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a"; fmt.Sprintf("%x", Preface) != want {
		t.Errorf("Preface: got %x, want %s (RFC 9113 §3.4)", Preface, want)
	}
}
