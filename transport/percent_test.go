// Tests of the percent-encoding of grpc-message: what comes out is printable ASCII, and decodes to what went in.

package transport

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/internal/testkit"
)

func TestEncodeMessage(t *testing.T) {
	for _, tt := range []struct{ msg, want string }{
		{"", ""},
		{"plain text ~", "plain text ~"},
		{"100%", "100%25"},
		{"%41", "%2541"},
		{"a\r\nb\tc\x00\x1f\x7f", "a%0D%0Ab%09c%00%1F%7F"},
		{"Grüße, 世界", "Gr%C3%BC%C3%9Fe, %E4%B8%96%E7%95%8C"},
		{"\xff", "%EF%BF%BD"},
		{"a\xc3(b", "a%EF%BF%BD(b"},
		{"\xed\xa0\x80", "%EF%BF%BD%EF%BF%BD%EF%BF%BD"}, // a surrogate
		{"ok\xf0\x9f\x98", "ok%EF%BF%BD%EF%BF%BD%EF%BF%BD"},
		{"\ufffd", "%EF%BF%BD"},
	} {
		if got := encodeMessage(tt.msg); got != tt.want {
			t.Errorf("encodeMessage(%q): got %s, want %s", tt.msg, got, tt.want)
		}
	}
}

func TestDecodeMessageNeverFails(t *testing.T) {
	for _, tt := range []struct{ msg, want string }{
		{"", ""}, {"plain", "plain"}, {"%41%42", "AB"}, {"%c3%BC", "ü"}, {"%2541", "%41"}, {"%00", "\x00"}, {"%ff", "\xff"},
		{"%", "%"}, {"%4", "%4"}, {"a%", "a%"}, {"%zz", "%zz"}, {"%4z", "%4z"}, {"%z4", "%z4"}, {"%%41", "%A"}, {"%4%41", "%4A"}, {"%41%", "A%"}, {"%41%4", "A%4"},
		{"%G0%0g%/0%:0%@0%`0", "%G0%0g%/0%:0%@0%`0"}, {"ü%41", "üA"},
	} {
		if got := decodeMessage(tt.msg); got != tt.want {
			t.Errorf("decodeMessage(%q): got %q, want %q", tt.msg, got, tt.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "plain", "100%", "%41", "\r\n", "ü", "\xff", "a\xc3(", "%E4%B8", "\x7f~ "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, msg string) {
		testkit.LimitTime(t)
		wire := encodeMessage(msg)
		if i := strings.IndexFunc(wire, func(r rune) bool { return r < 0x20 || r > 0x7e }); i >= 0 {
			t.Errorf("encodeMessage(%q): got %q, want printable ASCII", msg, wire)
		}
		want := msg
		if !utf8.ValidString(msg) {
			want = string([]rune(msg))
		}
		if got := decodeMessage(wire); got != want {
			t.Errorf("%q by %s: got %q, want %q", msg, wire, got, want)
		}
		if got := decodeMessage(msg); len(got) > len(msg) || strings.IndexByte(msg, '%') < 0 && got != msg {
			t.Errorf("decodeMessage(%q): got %q", msg, got)
		}
	})
}
