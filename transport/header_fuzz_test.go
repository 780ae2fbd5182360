// FuzzMetadata and FuzzTrailers: what one end says in a header block, the other one understands, and nothing else. FuzzRequestFields: what
// fields of others make a request malformed.

package transport

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ownNames are names that users may give and that gRPC takes for itself on the way: "host" stands for the authority, the others
// negotiate compression.
var ownNames = []string{"host", "grpc-accept-encoding"}

func FuzzMetadata(f *testing.F) {
	for _, pair := range [][2]string{
		{"key", "value"}, {"key", ""}, {"key-bin", "\x00\xff\r\n"}, {"key-bin", ""}, {"Key", "value"}, {":path", "/other"}, {"key", "a\r\nb: c"},
		{"te", "gzip"}, {"grpc-timeout", "1S"}, {"host", "other"}, {"-bin", "x"}, {"key", "caf\xe9"}, {"a b", "x"}, {"key", " spaces "}, {"cookie", "a; b"},
		{"grpc-status-details-bin", "x"}, {"content-length", "5"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		testkit.LimitTime(t)
		valid := ValidatePair(key, value) == nil
		fields, err := appendMetadata(nil, metadata.MD{key: {value}}, nil)
		switch {
		case err != nil && valid:
			t.Fatalf("%q: %q: got %v, want what is valid to be sent", key, value, err)
		case err != nil:
			return
		case isReserved(key) != (len(fields) == 0):
			t.Fatalf("%q: got %d fields, want none if and only if the name is reserved", key, len(fields))
		}
		block, err := new(blockEncoder).request(newRequest("/s/m", fields...))
		if err != nil {
			t.Fatalf("%q: %q: got %v", key, value, err)
		}
		h, large, err := (&blockDecoder{maxList: 1 << 20}).decode(block)
		if err != nil || large {
			if len(key)+len(value) < 1<<19 {
				t.Fatalf("%q: %q: got %v, too large %v", key, value, err, large)
			}
			return
		}
		if fault := h.requestFault(); fault != "" || h.badBinary != "" || h.path != "/s/m" || h.authority != "localhost" || h.contentType != "application/grpc" {
			t.Fatalf("%q: %q: got fault %q, bad %q, path %q, authority %q", key, value, fault, h.badBinary, h.path, h.authority)
		}
		got, known := h.metadata()[key], slices.Contains(ownNames, key)
		if valid && !isReserved(key) && !known && (len(got) != 1 || got[0] != value) {
			t.Fatalf("%q: got %q, want %q", key, got, value)
		}
		for k := range h.metadata() {
			if k != key && k != ":authority" && k != "content-type" && k != "user-agent" {
				t.Fatalf("%q: %q: got %q, which nobody sent", key, value, k)
			}
		}
	})
}

func FuzzTrailers(f *testing.F) {
	details, _ := proto.Marshal(&spb.Status{Code: 5, Message: "gone"})
	for _, s := range []struct {
		code    string
		message string
		details []byte
	}{
		{"0", "", nil}, {"5", "gone", details}, {"6", "gone", details}, {"17", "%41 caf%C3%A9", nil}, {"-1", "%", nil}, {"", "", []byte{0xff}}, {"99999999999", "", nil},
		{"0", "well", nil}, {" 0", "", nil}, {"+0", "", nil}, {"00", "", nil},
	} {
		f.Add(s.code, s.message, s.details, int32(len(s.code)))
	}
	f.Fuzz(func(t *testing.T, code, message string, details []byte, n int32) {
		testkit.LimitTime(t)
		foreignTrailers(t, code, message, details)
		ownTrailers(t, message, details, n)
	})
}

// foreignTrailers takes trailers as some server may send them.
func foreignTrailers(t *testing.T, code, message string, details []byte) {
	h := headOf("grpc-status", code, "grpc-message", message, "grpc-status-details-bin", encodeBinary(string(details)))
	if h.trailerFault() != "" {
		return // comes no further
	}
	st, ok := statusOf(h)
	n, err := strconv.ParseInt(code, 10, 32)
	switch {
	case st == nil:
		t.Fatalf("grpc-status %q: got no status", code)
	case ok != (err == nil):
		t.Fatalf("grpc-status %q: got ok %v, want %v", code, ok, err == nil)
	case !ok && st.Code() != codes.Unknown:
		t.Fatalf("grpc-status %q: got %v, want it to be %v", code, st, codes.Unknown)
	case ok && st.Code() != codes.Code(n) && st.Code() != codes.Internal:
		t.Fatalf("grpc-status %q: got %v, want %v", code, st, codes.Code(n))
	case ok && st.Code() == codes.OK && n != 0:
		t.Fatalf("grpc-status %q: got %v", code, st)
	}
}

// ownTrailers takes a status over the wire.
func ownTrailers(t *testing.T, message string, details []byte, n int32) {
	n &= math.MaxInt32 // codes beyond cannot be said: they are read as a number of 32 bits with a sign
	p := &spb.Status{Code: n, Message: message}
	if len(details) > 0 && utf8.ValidString(message) {
		p.Details = []*anypb.Any{{TypeUrl: "type.googleapis.com/x", Value: details}}
	}
	want := status.FromProto(p)
	if n == 0 {
		want = status.New(codes.OK, "")
	}
	h, _, err := (&blockDecoder{maxList: 1 << 30}).decode(new(blockEncoder).trailers(false, "", wireStatus(want), nil))
	if err != nil || h.trailerFault() != "" {
		t.Fatalf("trailers of %v: got %v, %q", want, err, h.trailerFault())
	}
	got, ok := statusOf(h)
	if !ok || got.Code() != want.Code() || got.Message() != string([]rune(want.Message())) || !proto.Equal(&spb.Status{Details: got.Proto().GetDetails()}, &spb.Status{Details: want.Proto().GetDetails()}) {
		t.Fatalf("status over the wire: got %v, want %v", got.Proto(), want.Proto())
	}
}

// The rules are those of x/net's Framer, and a list of those that it leaves to others.
func FuzzRequestFields(f *testing.F) {
	const request = ":method\x00POST\x01:scheme\x00http\x01:path\x00/s/m\x01"
	for _, more := range []string{
		"", ":authority\x00a\x01content-type\x00application/grpc\x01te\x00trailers", ":path\x00/", ":status\x00200", ":odd\x00", "X\x00y", "x\x00a\rb", "x\x00a\x7fb", "\x00x",
		"x\x00y\x01:authority\x00a", "connection\x00close", "te\x00gzip", "content-length\x0012", "content-length\x00-1", "content-length\x001x", "x-bin\x00!", "a b\x00c", "caf\xe9\x00x",
		"host\x00a\x01host\x00b", "upgrade\x00", "grpc-timeout\x00", ":authority\x00a\x02b", "content-length\x00\x01content-length\x0018446744073709551615",
	} {
		f.Add([]byte(request + more))
	}
	for _, part := range []string{"", ":method\x00POST\x01:path\x00/", ":method\x00POST\x01:scheme\x00http", ":scheme\x00http\x01:path\x00/", request + ":path\x00", ":status\x00200"} {
		f.Add([]byte(part))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		testkit.LimitTime(t)
		if len(script) > 1<<10 { // larger lists are refused for that
			return
		}
		fields := scriptFields(string(script))
		h, large, err := (&blockDecoder{maxList: 1 << 20}).decode(plainBlock(fields))
		if err != nil || large {
			t.Fatalf("%q: got %v, too large %v", fields, err, large)
		}
		want := foreignFault(fields)
		if want == "" {
			want = requestRule(fields)
		}
		if got := h.requestFault(); (got != "") != (want != "") {
			t.Errorf("%q: got %q, want %q", fields, got, want)
		}
	})
}

// scriptFields returns the fields that a fuzz input describes: 0 stands between name and value, 1 between fields, and 2 for 0.
func scriptFields(script string) (fields []hpack.HeaderField) {
	for field := range strings.SplitSeq(strings.TrimSuffix(script, "\x01"), "\x01") {
		name, value, _ := strings.Cut(field, "\x00")
		fields = append(fields, hpack.HeaderField{Name: strings.ReplaceAll(name, "\x02", "\x00"), Value: strings.ReplaceAll(value, "\x02", "\x00")})
	}
	return fields
}

// plainBlock returns a header block made by x/net's coder.
func plainBlock(fields []hpack.HeaderField) []byte {
	var block bytes.Buffer
	coder := hpack.NewEncoder(&block)
	for _, f := range fields {
		_ = coder.WriteField(f) // into memory
	}
	return block.Bytes()
}

// foreignFault returns why x/net thinks that the fields are malformed, "" if it does not. It refuses all control characters in values, of
// which RFC 9113 §8.2.1 forbids three: those that it leaves to the receiver are left out.
func foreignFault(fields []hpack.HeaderField) string {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Value = strings.Map(func(r rune) rune {
			if r == 0 || r == '\r' || r == '\n' || r >= ' ' && r != 0x7f {
				return r
			}
			return -1
		}, fields[i].Value)
	}
	var wire bytes.Buffer
	framer := http2.NewFramer(&wire, &wire)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: plainBlock(fields), EndHeaders: true}) // into memory
	if _, err := framer.ReadFrame(); err != nil {
		return fmt.Sprintf("%v: %v", err, framer.ErrorDetail())
	}
	return ""
}

// requestRule returns the rule for requests that the fields break (RFC 9113 §8.1.1, §8.2.2, §8.3.1), "" if there is none.
func requestRule(fields []hpack.HeaderField) string {
	values := make(map[string][]string)
	for _, f := range fields {
		values[f.Name] = append(values[f.Name], f.Value)
	}
	for _, name := range []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", ":status", ":protocol"} {
		if values[name] != nil {
			return name
		}
	}
	for _, name := range []string{":method", ":scheme", ":path"} {
		if values[name] == nil {
			return "no " + name
		}
	}
	for _, v := range values["te"] {
		if v != "trailers" {
			return "te"
		}
	}
	for _, v := range values["content-length"] {
		if _, err := strconv.ParseUint(v, 10, 63); err != nil || v != values["content-length"][0] {
			return "content-length"
		}
	}
	if values[":path"][0] == "" {
		return "empty :path"
	}
	return ""
}
