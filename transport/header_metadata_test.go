// Tests of metadata as fields of a header block, and of content types.

package transport

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
)

func TestMetadataThereAndBack(t *testing.T) {
	md := metadata.MD{"a": {"1", "2"}, "b.c_d-9": {""}, "x-bin": {"\x00\xff", "", "plain", "a,b"}, "grpc-previous-rpc-attempts": {"3"}, "grpc-retry-pushback-ms": {"5"}}
	added := [][]string{{"A", "3", "Mixed-Case", "v"}, nil, {"X-Bin", "\r\n"}}
	fields, err := appendMetadata(nil, md, added)
	if err != nil {
		t.Fatal(err)
	}
	h := new(head)
	for _, f := range fields {
		h.add(f)
	}
	want := metadata.MD{"a": {"1", "2", "3"}, "b.c_d-9": {""}, "mixed-case": {"v"}, "x-bin": {"\x00\xff", "", "plain", "a,b", "\r\n"},
		"grpc-previous-rpc-attempts": {"3"}, "grpc-retry-pushback-ms": {"5"}}
	if got := h.metadata(); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %#v, want %#v", got, want)
	}
	if h.malformed != "" || h.badBinary != "" {
		t.Errorf("got malformed %q, bad %q, want neither", h.malformed, h.badBinary)
	}
}

func TestAppendMetadataKeepsWhatIsThere(t *testing.T) {
	fields, err := appendMetadata(fieldsOf("first", "1"), metadata.MD{"second": {"2"}}, [][]string{{"third", "3", "odd"}})
	if want := fieldsOf("first", "1", "second", "2", "third", "3"); err != nil || !slices.Equal(fields, want) {
		t.Errorf("got %v, %v, want %v", fields, err, want)
	}
}

func TestReservedNamesAreNeverTakenFromMetadata(t *testing.T) {
	reserved := []string{"content-type", "user-agent", "grpc-message-type", "grpc-encoding", "grpc-message", "grpc-status", "grpc-timeout", "te", ":path", ":authority", ":x", ":",
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length"}
	for _, name := range reserved {
		md := metadata.MD{name: {"v\r\n"}}
		added := [][]string{{strings.ToUpper(name), "v"}}
		if got, err := appendMetadata(nil, md, added); err != nil || len(got) != 0 {
			t.Errorf("%q: got %v, %v, want nothing", name, got, err)
		}
	}
	for _, name := range []string{"grpc-previous-rpc-attempts", "grpc-retry-pushback-ms", "grpc-tags-bin", "grpc-status-details-bin", "contenttype", "te-x"} {
		if got, err := appendMetadata(nil, metadata.MD{name: {"v"}}, nil); err != nil || len(got) != 1 {
			t.Errorf("%q: got %v, %v, want one field", name, got, err)
		}
	}
}

func TestValidateMetadata(t *testing.T) {
	badKey := func(k string) string { return `header key "` + k + `" contains illegal characters not in [0-9a-z-_.]` }
	badValue := func(k string) string {
		return `header key "` + k + `" contains value with non-printable ASCII characters`
	}
	for _, tt := range []struct{ k, v, want string }{
		{"a", "v", ""}, {"0-9._", " ~", ""}, {"a", "", ""}, {"x-bin", "\x00\xff\r\n", ""}, {"-bin", "\x00", ""},
		{":path", "\r\n", ""}, {":", "", ""}, // never sent
		{"", "v", "there is an empty key in the header"},
		{"A", "v", badKey("A")}, {"a b", "v", badKey("a b")}, {"a\n", "v", `header key "a\n" contains illegal characters not in [0-9a-z-_.]`},
		{"a:b", "v", badKey("a:b")}, {"a/b", "v", badKey("a/b")}, {"é", "v", badKey("é")}, {"~", "v", badKey("~")}, {"A-bin", "v", badKey("A-bin")},
		{"a", "\r", badValue("a")}, {"a", "v\n", badValue("a")}, {"a", "\x00", badValue("a")}, {"a", "\t", badValue("a")}, {"a", "\x7f", badValue("a")},
		{"a", "é", badValue("a")}, {"a", "\x1f", badValue("a")}, {"abin", "\x01", badValue("abin")},
	} {
		check := func(by string, err error) {
			t.Helper()
			if got := errorText(err); got != tt.want {
				t.Errorf("%q: %q by %s: got %q, want %q", tt.k, tt.v, by, got, tt.want)
			}
		}
		check("ValidatePair", ValidatePair(tt.k, tt.v))
		check("ValidateMetadata", ValidateMetadata(metadata.MD{"good": {"v"}, tt.k: {"v", tt.v}}, nil))
		if strings.ToLower(tt.k) == tt.k {
			check("ValidateMetadata of added pairs", ValidateMetadata(nil, [][]string{{"good", "v"}, {"good", "v", strings.ToUpper(tt.k), tt.v}}))
		}
	}
}

func TestAppendMetadataRefusesWhatMayNotStandInAHeader(t *testing.T) {
	badName := func(k string) string {
		return fmt.Sprintf("stream error: code = Internal desc = %q", fmt.Sprintf("invalid header field name %q", k))
	}
	badValue := func(k string) string {
		return fmt.Sprintf("stream error: code = Internal desc = %q", fmt.Sprintf("invalid header field value for %q", k))
	}
	for _, tt := range []struct{ k, v, want string }{
		{"a", "v", ""}, {"a", "", ""}, {"a", "\t é\xff", ""}, {"~!", "v", ""}, {"x-bin", "\x00\r\n\x7f", ""},
		{"", "v", badName("")}, {"A", "v", badName("A")}, {"a b", "v", badName("a b")}, {"a\n", "v", badName("a\n")}, {"a:b", "v", badName("a:b")},
		{"a/b", "v", badName("a/b")}, {"é", "v", badName("é")}, {"A-bin", "v", badName("A-bin")}, {"\x7f", "v", badName("\x7f")},
		{"a", "\r", badValue("a")}, {"a", "v\n", badValue("a")}, {"a", "\x00", badValue("a")}, {"a", "\x7f", badValue("a")}, {"a", "\x1f", badValue("a")},
	} {
		fields, err := appendMetadata(nil, metadata.MD{tt.k: {tt.v}}, nil)
		if got := errorText(err); got != tt.want || (len(fields) == 1) != (tt.want == "") {
			t.Errorf("%q: %q: got %v, %q, want %q", tt.k, tt.v, fields, got, tt.want)
		}
		if strings.ToLower(tt.k) != tt.k {
			continue
		}
		_, err = appendMetadata(nil, nil, [][]string{{"good", "v", strings.ToUpper(tt.k), tt.v}})
		if got := errorText(err); got != tt.want {
			t.Errorf("added %q: %q: got %q, want %q", tt.k, tt.v, got, tt.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestContentSubtype(t *testing.T) {
	for _, tt := range []struct {
		contentType, want string
		ok                bool
	}{
		{"application/grpc", "", true}, {"application/grpc+proto", "proto", true}, {"application/grpc;charset=utf-8", "charset=utf-8", true},
		{"application/grpc+PROTO", "proto", true}, {"application/grpc+", "", true}, {"application/grpc;", "", true}, {"application/grpc+a+b", "a+b", true},
		{"", "", false}, {"application/grp", "", false}, {"application/grpcx", "", false}, {"application/grpc-web", "", false}, {"application/grpc ", "", false},
		{"Application/GRPC", "", false}, {"application/json", "", false}, {" application/grpc", "", false}, {"text/html; application/grpc", "", false},
	} {
		if got, ok := ContentSubtype(tt.contentType); got != tt.want || ok != tt.ok {
			t.Errorf("ContentSubtype(%q): got %q, %v, want %q, %v", tt.contentType, got, ok, tt.want, tt.ok)
		}
	}
	for _, subtype := range []string{"", "proto", "json"} {
		if got, ok := ContentSubtype(contentTypeOf(subtype)); got != subtype || !ok {
			t.Errorf("contentTypeOf(%q) back: got %q, %v", subtype, got, ok)
		}
	}
}

func TestWhatIsSentIsNotMalformed(t *testing.T) {
	for c := range 256 {
		for _, name := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c)}), "a", "a-bin"} {
			fields, err := appendMetadata(nil, metadata.MD{name: {string([]byte{byte(c)})}}, nil)
			if err != nil {
				continue
			}
			h := new(head)
			for _, f := range fields {
				h.add(f)
			}
			if h.malformed != "" || h.badBinary != "" {
				t.Errorf("%q with the value %#x: sent, but the receiver finds: %s%s", name, c, h.malformed, h.badBinary)
			}
		}
	}
}
