// Tests of the encoder of header blocks: whatever it has cached, a plain HPACK decoder finds the fields that were meant.

package transport

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/transport/internal/frame"
)

// A strictPeer decodes blocks as a peer does that insists on the rules of the table's size (RFC 7541 §4.2, RFC 9113 §4.3.1).
type strictPeer struct {
	hp      *hpack.Decoder
	told    uint32 // bytes; what SETTINGS_HEADER_TABLE_SIZE said last
	mustSet bool   // whether the next block must begin with a change of the size
}

func newStrictPeer() *strictPeer {
	return &strictPeer{hp: hpack.NewDecoder(frame.DefaultTableSize, nil), told: frame.DefaultTableSize}
}

// tell sends the setting.
func (p *strictPeer) tell(e *blockEncoder, n uint32) {
	p.mustSet = p.mustSet || n < p.told
	p.told = n
	p.hp.SetAllowedMaxDynamicTableSize(n)
	e.setTableSize(n)
}

// check fails the test unless the block has the given fields.
func (p *strictPeer) check(t *testing.T, what string, block []byte, want []hpack.HeaderField) {
	t.Helper()
	if p.mustSet && (len(block) == 0 || block[0]&0xe0 != 0x20) {
		t.Fatalf("%s: block %x does not begin with a change of the table's size to at most %d", what, block, p.told)
	}
	p.mustSet = false
	got, err := p.hp.DecodeFull(block)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%s: block %x:\ngot  %v, %v\nwant %v", what, block, got, err, want)
	}
}

// fieldsOfRequest returns what a request says.
func fieldsOfRequest(h *requestHeader) []hpack.HeaderField {
	f := fieldsOf(":method", "POST", ":scheme", h.scheme, ":path", h.Method, ":authority", h.Authority, "content-type", contentTypeOf(h.ContentSubtype), "user-agent", h.userAgent, "te", "trailers")
	if h.SendCompress != "" {
		f = append(f, fieldsOf("grpc-encoding", h.SendCompress)...)
	}
	if h.AcceptEncoding != "" {
		f = append(f, fieldsOf("grpc-accept-encoding", h.AcceptEncoding)...)
	}
	if h.PreviousAttempts > 0 {
		f = append(f, fieldsOf("grpc-previous-rpc-attempts", fmt.Sprint(h.PreviousAttempts))...)
	}
	if h.timeout != 0 {
		f = append(f, fieldsOf("grpc-timeout", string(appendTimeout(nil, h.timeout)))...)
	}
	return append(f, h.fields...)
}

// fieldsOfResponse returns what the headers of a response say.
func fieldsOfResponse(subtype, encoding string, fields []hpack.HeaderField) []hpack.HeaderField {
	f := fieldsOf(":status", "200", "content-type", contentTypeOf(subtype))
	if encoding != "" {
		f = append(f, fieldsOf("grpc-encoding", encoding)...)
	}
	return append(f, fields...)
}

// fieldsOfTrailers returns what the end of a response says.
func fieldsOfTrailers(only bool, subtype string, st rpcStatus, fields []hpack.HeaderField) (f []hpack.HeaderField) {
	if only {
		f = fieldsOfResponse(subtype, "", nil)
	}
	f = append(f, fieldsOf("grpc-status", fmt.Sprint(int(st.code)), "grpc-message", encodeMessage(st.message))...)
	if st.details != "" {
		f = append(f, fieldsOf("grpc-status-details-bin", encodeBinary(st.details))...)
	}
	return append(f, fields...)
}

// newRequest returns a request with nothing but what is needed.
func newRequest(method string, fields ...hpack.HeaderField) *requestHeader {
	return &requestHeader{CallHeader: &CallHeader{Method: method, Authority: "localhost"}, scheme: "http", userAgent: "grpc-go/1", fields: fields}
}

// checkListSize fails the test unless the size of the list is no less than it is and hardly more.
func checkListSize(t *testing.T, h *requestHeader) {
	t.Helper()
	var want uint64
	for _, f := range fieldsOfRequest(h) {
		want += uint64(f.Size())
	}
	if got := h.listSize(); got < want || got > want+30 {
		t.Errorf("listSize of %v: got %d, want %d or a little more", fieldsOfRequest(h), got, want)
	}
}

func TestListSizeIsNeverTooSmall(t *testing.T) {
	for i := range 64 {
		h := newRequest("/service/method", fieldsOf("x", "1", "y-bin", "AAAA")...)
		if i&1 != 0 {
			h.ContentSubtype = "proto"
		}
		if i&2 != 0 {
			h.SendCompress = "gzip"
		}
		if i&4 != 0 {
			h.AcceptEncoding = "gzip,identity"
		}
		if i&8 != 0 {
			h.timeout, h.Deadline = 99999*time.Hour, time.Now()
		}
		if i&16 != 0 {
			h.PreviousAttempts = 1 << 30
		}
		if i&32 != 0 {
			h.scheme = "https"
		}
		checkListSize(t, h)
	}
	if got, want := listSize(fieldsOf("abc", "de", "", "")), uint64(5+32+32); got != want {
		t.Errorf("listSize: got %d, want %d", got, want)
	}
}

func TestRequestsOfAMethodGetShort(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	h := newRequest("/grpc.testing.TestService/UnaryCall", fieldsOf("authorization", "Bearer 0123456789")...)
	h.SendCompress, h.AcceptEncoding, h.timeout = "gzip", "gzip", time.Second
	var sizes []int
	for i := range 4 {
		block := encodeRequest(e, h)
		p.check(t, fmt.Sprint("request ", i), block, fieldsOfRequest(h))
		sizes = append(sizes, len(block))
	}
	// 10 fields of one byte each, and the timeout.
	const last = 10 + 1 + 1 + len("grpc-timeout") + 1 + len("1000000u")
	if sizes[0] < 150 || sizes[1] >= sizes[0] || sizes[2] != last || sizes[3] != last {
		t.Errorf("sizes of the blocks: got %v bytes, want them to shrink to %d", sizes, last)
	}
	if n := testing.AllocsPerRun(100, func() { encodeRequest(e, h) }); n > 2 {
		t.Errorf("request: got %v allocations, want at most 2, for the values that vary", n)
	}
}

func TestRequestsWithoutMetadataDoNotAllocate(t *testing.T) {
	e, h := new(blockEncoder), newRequest("/s/m")
	encodeRequest(e, h)
	encodeRequest(e, h)
	if n := testing.AllocsPerRun(100, func() { encodeRequest(e, h) }); n != 0 {
		t.Errorf("request: got %v allocations, want 0", n)
	}
}

func TestEncodedRequestsAreKeptPerMethod(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	for i := range 5 * maxCachedBlocks {
		for range 3 {
			h := newRequest(fmt.Sprint("/s/", i%7, strings.Repeat("x", i)))
			p.check(t, "request", encodeRequest(e, h), fieldsOfRequest(h))
		}
		if len(e.requests) > maxCachedBlocks {
			t.Fatalf("got %d kept blocks, limit %d", len(e.requests), maxCachedBlocks)
		}
	}
}

// TestKeptRequestIsOfTheSameCall changes what a kept block depends on, one thing at a time.
func TestKeptRequestIsOfTheSameCall(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	for range 3 {
		for i, change := range []func(h *requestHeader){
			func(h *requestHeader) {},
			func(h *requestHeader) { h.Method = "/s/n" },
			func(h *requestHeader) { h.Authority = "other" },
			func(h *requestHeader) { h.ContentSubtype = "proto" },
			func(h *requestHeader) { h.SendCompress = "gzip" },
			func(h *requestHeader) { h.AcceptEncoding = "gzip" },
			func(h *requestHeader) { h.PreviousAttempts = 2 },
			func(h *requestHeader) { h.timeout = time.Minute },
			func(h *requestHeader) { h.fields = fieldsOf("x", "y") },
		} {
			for range 3 {
				h := newRequest("/s/m")
				change(h)
				p.check(t, fmt.Sprint("change ", i), encodeRequest(e, h), fieldsOfRequest(h))
			}
		}
	}
}

func TestResponses(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	md := fieldsOf("x", "1", "y-bin", "AAAA", "x", "2")
	ok := rpcStatus{}
	for range 4 {
		for _, subtype := range []string{"", "proto"} {
			for _, fields := range [][]hpack.HeaderField{nil, md} {
				for _, encoding := range []string{"", "gzip"} {
					p.check(t, "headers", e.response(subtype, encoding, fields), fieldsOfResponse(subtype, encoding, fields))
				}
				for _, st := range []rpcStatus{ok, ok, {code: codes.OK, message: "fine"}, {code: codes.NotFound}, {code: 4711, message: "ü\n%", details: "\x00\xff"}} {
					for _, only := range []bool{false, true} {
						p.check(t, "trailers", e.trailers(only, subtype, st, fields), fieldsOfTrailers(only, subtype, st, fields))
					}
				}
			}
			r := &refusal{"415", subtype, rpcStatus{code: codes.Internal, message: "no\tgood"}}
			p.check(t, "refusal", e.refusal(r), fieldsOf(":status", "415", "content-type", contentTypeOf(subtype), "grpc-status", "13", "grpc-message", "no%09good"))
		}
	}
	if got := len(e.response("proto", "gzip", nil)); got != 3 {
		t.Errorf("headers that come again: got %d bytes, want 3", got)
	}
	if got := len(e.trailers(false, "", ok, nil)); got != 2 {
		t.Errorf("trailers that come again: got %d bytes, want 2", got)
	}
	if n := testing.AllocsPerRun(100, func() { e.response("proto", "gzip", nil); e.trailers(false, "", ok, nil) }); n != 0 {
		t.Errorf("plain response: got %v allocations, want 0", n)
	}
}

func TestEncoderObeysTheTableSize(t *testing.T) {
	for _, first := range []string{"request", "headers", "trailers", "only trailers", "refusal"} {
		e, p := new(blockEncoder), newStrictPeer()
		for _, n := range []uint32{4096, 0, 0, 100, 64, 4096, 1<<32 - 1, 33, 65536, 0} {
			p.tell(e, n)
			for range 3 {
				h := newRequest("/s/m", fieldsOf("x", "1")...)
				st := rpcStatus{code: codes.NotFound, message: "gone"}
				switch first {
				case "request":
					p.check(t, first, encodeRequest(e, h), fieldsOfRequest(h))
				case "headers":
					p.check(t, first, e.response("a", "b", h.fields), fieldsOfResponse("a", "b", h.fields))
				case "trailers":
					p.check(t, first, e.trailers(false, "", st, h.fields), fieldsOfTrailers(false, "", st, h.fields))
				case "only trailers":
					p.check(t, first, e.trailers(true, "", rpcStatus{}, nil), fieldsOfTrailers(true, "", rpcStatus{}, nil))
				case "refusal":
					p.check(t, first, e.refusal(&refusal{"400", "", st}), fieldsOf(":status", "400", "content-type", "application/grpc", "grpc-status", "5", "grpc-message", "gone"))
				}
			}
			if got := e.hp.MaxDynamicTableSize(); got > min(n, frame.DefaultTableSize) {
				t.Errorf("told %d: got a table of %d bytes", n, got)
			}
		}
	}
}

func TestTwoChangesOfTheTableSizeBeforeABlock(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	h := newRequest("/s/m", fieldsOf("x", "1")...)
	for range 3 {
		p.check(t, "before", encodeRequest(e, h), fieldsOfRequest(h))
	}
	p.tell(e, 0)
	p.tell(e, 4096)
	block := bytes.Clone(encodeRequest(e, h))
	if want := []byte{0x20, 0x3f, 0xe1, 0x1f}; !bytes.HasPrefix(block, want) {
		t.Errorf("block after sizes 0 and 4096: got %x…, want %x first (RFC 7541 §4.2)", block[:4], want)
	}
	p.check(t, "after", block, fieldsOfRequest(h))
}

// TestChangesOfTheTableSizeForDecodersLikeXNets has a decoder that takes the second of two changes only if the first has emptied its table.
func TestChangesOfTheTableSizeForDecodersLikeXNets(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	st := rpcStatus{code: codes.NotFound}
	fields := fieldsOf("a", "b")
	for _, size := range []uint32{4096, 64, 4096, 100, 65536} {
		for range 2 {
			p.check(t, "before", e.trailers(false, "", st, fields), fieldsOfTrailers(false, "", st, fields))
		}
		p.tell(e, 64)
		p.tell(e, size)
		p.check(t, fmt.Sprintf("after sizes 64 and %d", size), e.trailers(false, "", st, fields), fieldsOfTrailers(false, "", st, fields))
	}
}

func TestLargeValuesDoNotSweepTheTable(t *testing.T) {
	e, p := new(blockEncoder), newStrictPeer()
	large := newRequest("/s/m", fieldsOf("token", strings.Repeat("t", maxIndexedField))...)
	for range 4 {
		p.check(t, "large", encodeRequest(e, large), fieldsOfRequest(large))
	}
	if got, want := len(encodeRequest(e, large))-maxIndexedField-len("token"), 20; got > want {
		t.Errorf("request with a value of %d bytes: got %d bytes around it, want at most %d", maxIndexedField, got, want)
	}
}

func TestAppendHpackString(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 128, 254, 255, 127 + 128, 127 + 16383, 127 + 16384, 100000} {
		var w blockWriter
		s := strings.Repeat("s", n)
		w.text(s, false)
		if got := appendHpackString([]byte("x"), s); got[0] != 'x' || !bytes.Equal(got[1:], w.b) {
			t.Errorf("string of %d bytes: got %x…, want %x…", n, got[1:min(8, len(got))], w.b[:min(7, len(w.b))])
		}
	}
}

// FuzzEncode makes requests, responses and changes of the table's size out of its input.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x00\x00\x00"))
	f.Add(bytes.Repeat([]byte{0, 0xff, 0xff, 3, 7, 8, 9, 1, 2, 3, 2, 0x1f, 2, 5, 6}, 8))
	f.Add(bytes.Repeat([]byte{0, 1, 2, 1, 3, 4, 0, 0, 0, 2, 0, 0, 4, 3, 1, 0, 0, 0}, 8))
	f.Fuzz(func(t *testing.T, script []byte) {
		testkit.LimitTime(t)
		e, p, i := new(blockEncoder), newStrictPeer(), 0
		next := func() byte {
			if i++; i > len(script) {
				return 0
			}
			return script[i-1]
		}
		for i < len(script) {
			encodeStep(t, e, p, next)
		}
	})
}

// encodeStep makes one block, or changes the size of the table.
func encodeStep(t *testing.T, e *blockEncoder, p *strictPeer, next func() byte) {
	pick := func(of ...string) string { return of[int(next())%len(of)] }
	subtype := func() string { return pick("", "proto", "json") }
	encoding := func() string { return pick("", "", "gzip", "snappy") }
	fields := func() (f []hpack.HeaderField) {
		for range next() % 6 {
			a := next()
			name := []string{"x", "y-bin", "authorization", "grpc-tags-bin", ":odd", "content-type", "z", ""}[a&7]
			value := []string{"", "1", "value", strings.Repeat("v", 60), strings.Repeat("w", 700), strings.Repeat("u", 2000), "caf\xe9", fmt.Sprint(next())}[a>>3&7]
			f = append(f, hpack.HeaderField{Name: name, Value: value})
		}
		return f
	}
	status := func() rpcStatus {
		return rpcStatus{code: codes.Code(next() % 20), message: pick("", "", "gone", "ü%", strings.Repeat("m", 500)), details: pick("", "", "\x00\xff")}
	}
	switch next() % 5 {
	case 0, 1:
		h := newRequest(pick("/s/m", "/s/n", "/service.of.a.long/name"), fields()...)
		h.Authority, h.ContentSubtype, h.SendCompress, h.AcceptEncoding = pick("a", "b", "a.longer.name:443"), subtype(), encoding(), encoding()
		h.PreviousAttempts, h.timeout = int(next()%3), time.Duration(next())*time.Duration(next())*time.Millisecond
		if h.timeout != 0 {
			h.Deadline = time.Now()
		}
		p.check(t, "request", encodeRequest(e, h), fieldsOfRequest(h))
		checkListSize(t, h)
	case 2:
		s, c, f := subtype(), encoding(), fields()
		p.check(t, "headers", e.response(s, c, f), fieldsOfResponse(s, c, f))
	case 3:
		only, s, st, f := next()&1 == 1, subtype(), status(), fields()
		if next()&1 == 1 {
			st, f = rpcStatus{}, nil
		}
		p.check(t, "trailers", e.trailers(only, s, st, f), fieldsOfTrailers(only, s, st, f))
	case 4:
		if next()&1 == 0 {
			p.tell(e, []uint32{0, 31, 64, 200, 1000, 4096, 65536, 1<<32 - 1}[next()&7])
			return
		}
		r := &refusal{pick("400", "405", "415", "200"), subtype(), status()}
		p.check(t, "refusal", e.refusal(r), fieldsOf(":status", r.httpStatus, "content-type", contentTypeOf(r.subtype),
			"grpc-status", fmt.Sprint(int(r.status.code)), "grpc-message", encodeMessage(r.status.message)))
	}
}

// encodeRequest encodes a request that can be sent.
func encodeRequest(e *blockEncoder, h *requestHeader) []byte {
	block, err := e.request(h)
	if err != nil {
		panic(err)
	}
	return block
}

func TestRequestWithAnImpossibleValueIsNotEncoded(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*requestHeader, string)
	}{
		{":path", func(h *requestHeader, v string) { h.Method = v }},
		{":authority", func(h *requestHeader, v string) { h.Authority = v }},
		{"content-type", func(h *requestHeader, v string) { h.ContentSubtype = v }},
		{"user-agent", func(h *requestHeader, v string) { h.userAgent = v }},
		{"grpc-encoding", func(h *requestHeader, v string) { h.SendCompress = v }},
		{"grpc-accept-encoding", func(h *requestHeader, v string) { h.AcceptEncoding = v }},
	} {
		for _, value := range []string{"a\rb", "a\nb", "a\x00b"} {
			h := &requestHeader{CallHeader: &CallHeader{Method: "/s/m", Authority: "a"}, scheme: "http", userAgent: "u"}
			tt.set(h, value)
			e := new(blockEncoder)
			_, err := e.request(h)
			if want := (StreamError{codes.Internal, fmt.Sprintf("invalid header field value for %q", tt.name)}); err != want {
				t.Errorf("%s %q: got error %v, want %v", tt.name, value, err, want)
			}
		}
	}
}
