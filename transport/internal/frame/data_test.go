// Tests of DATA frames: RFC 9113 §6.1.

package frame

import "testing"

func TestCheckData(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    Header
		want ErrCode
	}{
		{"on a stream", Header{5, Data, 0, 1}, ok},
		{"empty", Header{0, Data, EndStream, 1}, ok},
		{"all flags", Header{1, Data, 0xff, 1}, ok},
		{"on stream 0", Header{5, Data, 0, 0}, ProtocolError},
		{"padded without room for the length", Header{0, Data, Padded, 1}, SizeError},
	} {
		if got := codeOf(t, CheckData(tt.h)); got != tt.want {
			t.Errorf("CheckData, %s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestDataLen(t *testing.T) {
	for _, tt := range []struct {
		length int
		pad    byte
		n      int
		want   ErrCode
	}{
		{1, 0, 0, ok}, {6, 0, 5, ok}, {6, 4, 1, ok}, {6, 5, 0, ok}, {256, 255, 0, ok}, {LargestMaxSize, 255, LargestMaxSize - 256, ok},
		{1, 1, 0, ProtocolError}, {6, 6, 0, ProtocolError}, {6, 255, 0, ProtocolError}, {255, 255, 0, ProtocolError},
	} {
		n, err := DataLen(Header{tt.length, Data, Padded, 1}, tt.pad)
		if got := codeOf(t, err); n != tt.n || got != tt.want {
			t.Errorf("DataLen of %d bytes with %d of padding: got %d, %v, want %d, %v", tt.length, tt.pad, n, got, tt.n, tt.want)
		}
	}
}
