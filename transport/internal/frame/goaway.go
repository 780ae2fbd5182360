// GOAWAY frames (RFC 9113 §6.8).

package frame

import "encoding/binary"

// ParseGoAway returns what a GOAWAY says: the last stream that the peer may have processed, its reason, and its debug data,
// which is valid as long as p is.
func ParseGoAway(h Header, p []byte) (lastID uint32, code ErrCode, debug []byte, err error) {
	if err := onConnection(h); err != nil {
		return 0, 0, nil, err
	}
	if len(p) < 8 {
		return 0, 0, nil, errorf(SizeError, "GOAWAY of %d bytes, want at least 8", len(p))
	}
	return binary.BigEndian.Uint32(p) & (1<<31 - 1), ErrCode(binary.BigEndian.Uint32(p[4:])), p[8:], nil
}

// AppendGoAway appends a GOAWAY frame.
func AppendGoAway(b []byte, lastID uint32, code ErrCode, debug string) []byte {
	b = AppendHeader(b, GoAway, 0, 0, 8+len(debug))
	b = binary.BigEndian.AppendUint32(b, lastID)
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return append(b, debug...)
}
