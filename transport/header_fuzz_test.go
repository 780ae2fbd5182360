// FuzzMetadata and FuzzTrailers: what one end says in a header block, the other one understands, and nothing else.

package transport

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"

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
