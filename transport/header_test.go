// Tests of what header fields mean: which make a block malformed (RFC 9113 §8.2-8.3), and metadata in both directions.

package transport

import (
	"encoding/base64"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/metadata"
)

// fieldsOf returns pairs of names and values as fields.
func fieldsOf(pairs ...string) (fields []hpack.HeaderField) {
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return fields
}

// headOf returns the block with the given names and values.
func headOf(pairs ...string) *head {
	h := new(head)
	for _, f := range fieldsOf(pairs...) {
		h.add(f)
	}
	return h
}

// goodRequest is the beginning of a sound request.
var goodRequest = []string{":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "x", "content-type", "application/grpc", "te", "trailers"}

// requestWith returns a sound request and more.
func requestWith(pairs ...string) *head { return headOf(slices.Concat(goodRequest, pairs)...) }

func TestFieldRules(t *testing.T) {
	without := func(name string) *head {
		i := slices.Index(goodRequest, name)
		return headOf(slices.Concat(goodRequest[:i], goodRequest[i+2:])...)
	}
	for _, tt := range []struct {
		name string
		h    *head
		want string // "" for none
	}{
		{"sound", requestWith(), ""},
		{"good-obs-text-value", requestWith("x", "caf\xe9 \xff"), ""},
		{"tab and space in a value", requestWith("x", "a\tb c"), ""},
		{"DEL in a value", requestWith("x", "\x7f"), ""},
		{"empty value", requestWith("x", ""), ""},
		{"every byte of a token", requestWith("!#$%&'*+-.^_`|~0189az", "v"), ""},
		{"duplicate regular field", requestWith("x", "1", "x", "2"), ""},
		{"no :authority", without(":authority"), ""},
		{"name-empty", requestWith("", "v"), `invalid header field name ""`},
		{"upper case", requestWith("Foo", "v"), "invalid header field name " + strconv.Quote("Foo")},
		{"space in a name", requestWith("a b", "v"), "invalid header field name " + strconv.Quote("a b")},
		{"colon in a name", requestWith("a:b", "v"), "invalid header field name " + strconv.Quote("a:b")},
		{"control byte in a name", requestWith("a\x01", "v"), "invalid header field name " + strconv.Quote("a\x01")},
		{"CR in a name", requestWith("a\r", "v"), "invalid header field name " + strconv.Quote("a\r")},
		{"DEL in a name", requestWith("a\x7f", "v"), "invalid header field name " + strconv.Quote("a\x7f")},
		{"obs-text in a name", requestWith("caf\xe9", "v"), "invalid header field name " + strconv.Quote("caf\xe9")},
		{"slash in a name", requestWith("a/b", "v"), "invalid header field name " + strconv.Quote("a/b")},
		{"CR in a value", requestWith("x", "a\rb"), `invalid header field value for "x"`},
		{"LF in a value", requestWith("x", "a\nb"), `invalid header field value for "x"`},
		{"NUL in a value", requestWith("x", "a\x00b"), `invalid header field value for "x"`},
		{"LF in a pseudo-header", headOf(":method", "PO\nST"), "illegal byte in the value of :method"},
		{"connection", requestWith("connection", "close"), "connection-specific field connection"},
		{"keep-alive", requestWith("keep-alive", "1"), "connection-specific field keep-alive"},
		{"proxy-connection", requestWith("proxy-connection", "close"), "connection-specific field proxy-connection"},
		{"transfer-encoding", requestWith("transfer-encoding", "chunked"), "connection-specific field transfer-encoding"},
		{"upgrade", requestWith("upgrade", "h2c"), "connection-specific field upgrade"},
		{"te: gzip", requestWith("te", "gzip"), "te other than trailers"},
		{"te: trailers, gzip", requestWith("te", "trailers, gzip"), "te other than trailers"},
		{"duplicate :method", headOf(":method", "POST", ":method", "POST"), "pseudo-header field :method twice"},
		{"duplicate :scheme", headOf(":scheme", "a", ":scheme", ""), "pseudo-header field :scheme twice"},
		{"duplicate :path", headOf(":path", "/a", ":path", "/b"), "pseudo-header field :path twice"},
		{"duplicate :authority", headOf(":authority", "a", ":authority", "b"), "pseudo-header field :authority twice"},
		{"duplicate :status", headOf(":status", "200", ":status", "200"), "pseudo-header field :status twice"},
		{"unknown pseudo-header", headOf(":protocol", "websocket"), "unknown pseudo-header field"},
		{"nameless pseudo-header", headOf(":", "v"), "unknown pseudo-header field"},
		{"late pseudo-header", headOf("x", "v", ":method", "POST"), "pseudo-header field :method behind a regular field"},
		{":status in a request", headOf(slices.Concat([]string{":status", "200"}, goodRequest)...), ":status in a request"},
		{"no :method", without(":method"), "no :method"},
		{"no :scheme", without(":scheme"), "no :scheme"},
		{"no :path", without(":path"), "no :path, or an empty one"},
		{"empty :path", headOf(":method", "POST", ":scheme", "http", ":path", ""), "no :path, or an empty one"},
		{"content-length", requestWith("content-length", "12"), ""},
		{"content-length that is no number", requestWith("content-length", "12a"), "content-length that is no number"},
		{"negative content-length", requestWith("content-length", "-1"), "content-length that is no number"},
		{"content-length with a sign", requestWith("content-length", "+1"), "content-length that is no number"},
		{"empty content-length", requestWith("content-length", ""), "content-length that is no number"},
		{"content-length of two values", requestWith("content-length", "5", "content-length", "6"), "content-length that is no number"},
		{"content-length twice", requestWith("content-length", "5", "content-length", "5"), ""},
		{"huge content-length", requestWith("content-length", "9223372036854775808"), "content-length that is no number"},
		{"the first fault counts", requestWith("Foo", "v", "connection", "close"), "invalid header field name " + strconv.Quote("Foo")},
	} {
		if got := tt.h.requestFault(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFaultsQuoteNoValues(t *testing.T) {
	for _, pairs := range [][]string{{"x", "secret\r"}, {":method", "secret\n"}, {"connection", "secret"}, {"te", "secret"}, {"content-length", "secret"}, {"x-bin", "!secret"}} {
		h := requestWith(pairs...)
		if got := h.requestFault() + h.badBinary; got == "" || strings.Contains(got, "secret") {
			t.Errorf("%q: got %q, want a text without the value", pairs, got)
		}
	}
}

func TestTrailerFault(t *testing.T) {
	for _, tt := range []struct {
		h    *head
		want string
	}{
		{headOf("x", "v"), ""}, {headOf(), ""}, {headOf(":status", "200"), "pseudo-header field in trailers"}, {headOf("A", "v"), `invalid header field name "A"`},
		{headOf(":method", "POST", "A", "v"), `invalid header field name "A"`},
	} {
		if got := tt.h.trailerFault(); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.h.fields, got, tt.want)
		}
	}
}

func TestContentLength(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  int64
	}{{"0", 0}, {"7", 7}, {"9223372036854775807", 1<<63 - 1}, {"", -1}, {"x", -1}, {"-1", -1}, {" 1", -1}} {
		if got := headOf("content-length", tt.value).length(); got != tt.want {
			t.Errorf("content-length %q: got %d, want %d", tt.value, got, tt.want)
		}
	}
	if got := headOf().length(); got != -1 {
		t.Errorf("no content-length: got %d, want -1", got)
	}
}

func TestFieldsGoWhereTheyBelong(t *testing.T) {
	pairs := []string{
		":method", "POST", ":scheme", "https", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc", "user-agent", "ua", "grpc-encoding", "gzip",
		"grpc-accept-encoding", "gzip,identity", "grpc-timeout", "1S", "grpc-status", "5", "grpc-message", "m%20", "host", "h", "host", "i", "content-length", "9",
		"te", "trailers", "grpc-message-type", "t", "x", "1", "x-bin", "YQ",
	}
	got := headOf(pairs...).parsed
	var size uint64
	for _, s := range pairs {
		size += uint64(len(s))
	}
	want := parsed{
		method: "POST", scheme: "https", path: "/s/m", authority: "a", contentType: "application/grpc", userAgent: "ua", encoding: "gzip",
		acceptEncoding: "gzip,identity", timeout: "1S", hasTimeout: true, hasStatus: true, host: "i", grpcStatus: "5", grpcMessage: "m%20", contentLength: "9",
		fields: fieldsOf("grpc-accept-encoding", "gzip,identity", "content-length", "9", "x", "1", "x-bin", "YQ"),
		size:   size + 32*uint64(len(pairs)/2), hosts: 2, pseudo: sawMethod | sawScheme | sawPath | sawAuthority, regular: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := headOf("grpc-accept-encoding", "a,b", "grpc-accept-encoding", "c").acceptEncoding; got != "a,b,c" {
		t.Errorf("grpc-accept-encoding twice: got %q, want a,b,c", got)
	}
	if got := headOf(":status", "200").parsed; got.status != "200" || got.pseudo != sawStatus {
		t.Errorf(":status: got %q, want 200", got.status)
	}
}

// TestRepeatedFieldsCostWhatTheyAre guards against work that grows with the square of a block: on the wire each of these fields
// is one byte.
func TestRepeatedFieldsCostWhatTheyAre(t *testing.T) {
	for _, name := range []string{"grpc-accept-encoding", "content-type", "user-agent", "host", "te", "content-length", "cookie", "x", "x-bin", ":path"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h := new(head)
		for range 20000 {
			h.add(hpack.HeaderField{Name: name, Value: "YWJj"})
		}
		h.metadata()
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
			t.Errorf("20000 fields %s of 4 bytes: got %d MiB allocated, want at most 32", name, got>>20)
		}
	}
}

func TestTimeoutOfARequest(t *testing.T) {
	for _, tt := range []struct {
		pairs []string
		want  string // of the refusal
		code  codes.Code
	}{
		{nil, "", 0},
		{[]string{"grpc-timeout", "1S"}, "", 0},
		{[]string{"grpc-timeout", ""}, `malformed grpc-timeout: transport: timeout string is too short: ""`, codes.Internal},
		{[]string{"grpc-timeout", "-1S"}, `malformed grpc-timeout: strconv.ParseUint: parsing "-1": invalid syntax`, codes.Internal},
		{[]string{"grpc-timeout", "0n"}, "context deadline exceeded", codes.DeadlineExceeded},
	} {
		_, limited, bad := new(Server).check(requestWith(tt.pairs...))
		switch {
		case limited != (tt.pairs != nil):
			t.Errorf("%q: got limited %v", tt.pairs, limited)
		case bad == nil && tt.want != "":
			t.Errorf("%q: got no refusal, want %s", tt.pairs, tt.want)
		case bad != nil && (bad.status.message != tt.want || bad.status.code != tt.code):
			t.Errorf("%q: got %v, %s, want %v, %s", tt.pairs, bad.status.code, bad.status.message, tt.code, tt.want)
		}
	}
}

func TestMetadataOfABlock(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    *head
		want metadata.MD
	}{
		{"nothing", headOf(), metadata.MD{}},
		{"what the receiver is shown", requestWith("user-agent", "ua", "grpc-timeout", "1S", "grpc-encoding", "gzip"),
			metadata.MD{":authority": {"x"}, "content-type": {"application/grpc"}, "user-agent": {"ua"}}},
		{"host for :authority", headOf(":method", "POST", "host", "h"), metadata.MD{":authority": {"h"}}},
		{":authority before host", headOf(":method", "POST", ":authority", "a", "host", "h"), metadata.MD{":authority": {"a"}}},
		{"empty :authority before host", headOf(":method", "POST", ":authority", "", "host", "h"), metadata.MD{":authority": {""}}},
		{"empty host for :authority", headOf(":method", "POST", "host", ""), metadata.MD{":authority": {""}}},
		{"neither", headOf(":method", "POST"), metadata.MD{}},
		{"host of a response", headOf(":status", "200", "host", "h"), metadata.MD{"host": {"h"}}},
		{"order and duplicates", headOf("x", "1", "y", "2", "x", "3", "x", "1"), metadata.MD{"x": {"1", "3", "1"}, "y": {"2"}}},
		{"no splitting of text", headOf("x", "1,2"), metadata.MD{"x": {"1,2"}}},
		{"binary, unpadded", headOf("x-bin", "AP8", "x-bin", "YWJj"), metadata.MD{"x-bin": {"\x00\xff", "abc"}}},
		{"binary, padded", headOf("x-bin", "AP8=", "y-bin", "YQ=="), metadata.MD{"x-bin": {"\x00\xff"}, "y-bin": {"a"}}},
		{"binary, joined by commas", headOf("x-bin", "YQ,YWI=,YWJj", "x-bin", "YQ=="), metadata.MD{"x-bin": {"a", "ab", "abc", "a"}}},
		{"binary, empty", headOf("x-bin", ""), metadata.MD{"x-bin": {""}}},
		{"a name of nothing but the suffix", headOf("-bin", "YQ"), metadata.MD{"-bin": {"a"}}},
	} {
		if got := tt.h.metadata(); !maps.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%s: got %#v, want %#v", tt.name, got, tt.want)
		}
	}
}

func TestMetadataIsMadeOnce(t *testing.T) {
	h := headOf("x", "1", "y-bin", "YQ")
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			if got := h.metadata(); len(got["x"]) != 1 || len(got["y-bin"]) != 1 {
				t.Errorf("got %v, want one value each", got)
			}
		})
	}
	done.Wait()
	if n := testing.AllocsPerRun(10, func() { h.metadata() }); n != 0 {
		t.Errorf("metadata of the same block again: got %v allocations, want 0", n)
	}
}

// binaryValues are values of -bin fields.
var binaryValues = []struct {
	value string
	ok    bool
}{
	{"", true}, {"YQ", true}, {"YQ==", true}, {"YWI", true}, {"YWI=", true}, {"YWJj", true}, {"+/8", true}, {"YR", true},
	{strings.Repeat("YWJj", 1000) + "YQ", true}, {strings.Repeat("YWJj", 1000) + "YQ==", true}, {"YQ,YQ==,", true},
	{"Y", false}, {"YWJjY", false}, {"YQ=", false}, {"YQ===", false}, {"YWJj=", false}, {"YWJj==", false}, {"YWJj====", false}, {"YWI==", false},
	{"=", false}, {"==", false}, {"====", false}, {"Y===", false}, {"YQ==YQ==", false}, {"Y=Q=", false}, {"-_8", false}, {"Y Q", false}, {"!", false},
	{"YQ,!", false}, {"YQ, YQ", false}, {strings.Repeat("YWJj", 1000) + "Y", false}, {strings.Repeat("YWJj", 1000) + "!", false}, {strings.Repeat("YWJj", 256) + "=", false},
}

func TestMalformedBinaryIsNoted(t *testing.T) {
	for _, tt := range binaryValues {
		h := headOf("a-bin", "YQ", "x-bin", tt.value, "y-bin", "!")
		want := "x-bin"
		if tt.ok {
			want = "y-bin"
		}
		if h.badBinary != want || h.malformed != "" {
			t.Errorf("value %.20q of %d bytes: got %q is bad, malformed %q, want %q", tt.value, len(tt.value), h.badBinary, h.malformed, want)
		}
	}
}

func FuzzBinary(f *testing.F) {
	for _, tt := range binaryValues {
		f.Add(tt.value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		testkit.LimitTime(t)
		if got, err := decodeBinary(encodeBinary(value)); err != nil || string(got) != value {
			t.Errorf("%q there and back: got %q, %v", value, got, err)
		}
		if got, err := decodeBinary(base64.StdEncoding.EncodeToString([]byte(value))); err != nil || string(got) != value {
			t.Errorf("%q, padded: got %q, %v", value, got, err)
		}
		if valueFault(value) {
			return // never comes so far
		}
		good, all := 0, strings.Split(value, ",")
		for _, v := range all {
			if _, err := decodeBinary(v); err == nil {
				good++
			}
		}
		if got, want := checkBinary(value) == nil, good == len(all); got != want {
			t.Errorf("checkBinary(%q): got %v, want %v", value, got, want)
		}
		if got := len(headOf("x-bin", value).metadata()["x-bin"]); got != good {
			t.Errorf("metadata of %q: got %d values, want %d", value, got, good)
		}
	})
}
