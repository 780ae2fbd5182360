// Tests of GOAWAY frames: RFC 9113 §6.8.

package frame

import (
	"fmt"
	"testing"
)

func TestParseGoAway(t *testing.T) {
	full := []byte{0x80, 0, 0, 5, 0, 0, 0, 11, 'b', 'y', 'e'}
	for _, tt := range []struct {
		name  string
		id    uint32
		p     []byte
		last  uint32
		code  ErrCode
		debug string
		want  ErrCode
	}{
		{"with debug data and the reserved bit", 0, full, 5, EnhanceYourCalm, "bye", ok},
		{"without debug data", 0, full[:8], 5, EnhanceYourCalm, "", ok},
		{"unknown code, largest id", 0, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MaxWindow, 1<<32 - 1, "", ok},
		{"on a stream", 1, full, 0, 0, "", ProtocolError},
	} {
		last, code, debug, err := ParseGoAway(Header{len(tt.p), GoAway, 0, tt.id}, tt.p)
		if got := codeOf(t, err); got != tt.want || last != tt.last || code != tt.code || string(debug) != tt.debug {
			t.Errorf("%s: got %d, %v, %q, %v, want %d, %v, %q, %v", tt.name, last, code, debug, got, tt.last, tt.code, tt.debug, tt.want)
		}
	}
	for n := range 8 {
		if _, _, _, err := ParseGoAway(Header{n, GoAway, 0, 0}, full[:n]); codeOf(t, err) != SizeError {
			t.Errorf("GOAWAY of %d bytes: got %v, want FRAME_SIZE_ERROR", n, err)
		}
	}
}

func TestAppendGoAway(t *testing.T) {
	if got, want := fmt.Sprintf("%x", AppendGoAway(nil, 7, ProtocolError, "no")), "00000a070000000000"+"00000007"+"00000001"+"6e6f"; got != want {
		t.Errorf("AppendGoAway: got %s, want %s", got, want)
	}
}
