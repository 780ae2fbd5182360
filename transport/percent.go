// The percent-encoding of grpc-message (gRPC over HTTP/2, "Status-Message").

package transport

import (
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// plainInMessage reports whether a byte of a grpc-message stands for itself.
func plainInMessage(c byte) bool { return c >= ' ' && c <= '~' && c != '%' }

// encodeMessage returns the message as it may stand in a header: printable ASCII, with everything else percent-encoded.
// What is not UTF-8 becomes U+FFFD first.
func encodeMessage(msg string) string {
	i := 0
	for i < len(msg) && plainInMessage(msg[i]) {
		i++
	}
	if i == len(msg) {
		return msg
	}
	if !utf8.ValidString(msg) {
		msg = string([]rune(msg)) // each invalid byte becomes U+FFFD
	}
	b := make([]byte, 0, len(msg)+16)
	for _, c := range []byte(msg) {
		if plainInMessage(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// decodeMessage undoes encodeMessage. It never fails: an escape that is none stays as it is.
func decodeMessage(msg string) string {
	if strings.IndexByte(msg, '%') < 0 {
		return msg
	}
	b := make([]byte, 0, len(msg))
	for i := 0; i < len(msg); i++ {
		if msg[i] == '%' && i+2 < len(msg) {
			if hi, lo := unhex(msg[i+1]), unhex(msg[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, msg[i])
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
