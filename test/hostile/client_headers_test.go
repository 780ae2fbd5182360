// Scripts of servers whose header blocks are wrong, too large, or too many.

package hostile

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
)

// grpcHead is a sound response header with more fields.
func grpcHead(more ...string) []string {
	return append([]string{":status", "200", "content-type", "application/grpc"}, more...)
}

// headAndOK answers with a header, one message and status OK.
func headAndOK(head ...string) func(*peer, uint32) {
	return func(p *peer, id uint32) {
		p.headers(id, false, head...)
		p.data(id, false, prefixed(0, encoded("x")))
		p.headers(id, true, "grpc-status", "0")
	}
}

// onlyHead answers with one block that ends the stream.
func onlyHead(head ...string) func(*peer, uint32) {
	return func(p *peer, id uint32) { p.headers(id, true, head...) }
}

// messageAnd answers with a header, one message and these trailers.
func messageAnd(trailer ...string) func(*peer, uint32) {
	return func(p *peer, id uint32) {
		p.response(id)
		p.data(id, false, prefixed(0, encoded("x")))
		p.headers(id, true, trailer...)
	}
}

func TestClientScriptsMalformedHeaders(t *testing.T) {
	const midStream = "Internal: malformed header: pseudo-header field that does not belong there"
	runScripts(t, []script{
		{name: "capitals in a name", play: headAndOK(grpcHead("Upper", "x")...), want: `Internal: invalid header field name "Upper"`},
		{name: "long name", play: func(p *peer, id uint32) {
			p.blocks(id, true, p.block(grpcHead(strings.Repeat("N", 1<<20), "x")...))
		}, want: `Internal: invalid header field name "` + strings.Repeat("N", 64) + `"`},
		{name: "empty name", play: headAndOK(grpcHead("", "x")...), want: `Internal: invalid header field name ""`},
		{name: "NUL in a value", play: headAndOK(grpcHead("k", "a\x00b")...), want: `Internal: invalid header field value for "k"`},
		{name: "CR LF in a value", play: headAndOK(grpcHead("k", "a\r\nb: c")...), want: `Internal: invalid header field value for "k"`},
		{name: "connection-specific field", play: headAndOK(grpcHead("connection", "close")...), want: "Internal: connection-specific field connection"},
		{name: ":path in a response", play: headAndOK(":status", "200", ":path", "/", "content-type", "application/grpc"), want: midStream},
		{name: "unknown pseudo-header", play: headAndOK(":status", "200", ":evil", "x", "content-type", "application/grpc"),
			want: "Internal: unknown pseudo-header field"},
		{name: ":status twice", play: headAndOK(":status", "200", ":status", "200", "content-type", "application/grpc"),
			want: "Internal: pseudo-header field :status twice"},
		{name: ":status behind fields", play: headAndOK("content-type", "application/grpc", ":status", "200"),
			want: "Internal: pseudo-header field :status behind a regular field"},
		{name: "bad base64", play: headAndOK(grpcHead("k-bin", "*")...), want: "Internal: transport: malformed k-bin: illegal base64 data at input byte 0"},
		{name: ":status in trailers", play: messageAnd(":status", "200", "grpc-status", "0"), want: midStream},
		{name: "capitals in trailers", play: messageAnd("grpc-status", "0", "Upper", "x"), want: `Internal: invalid header field name "Upper"`},
		{name: "header twice", play: func(p *peer, id uint32) {
			p.response(id)
			p.response(id)
		}, want: "Internal: a HEADERS frame cannot appear in the middle of a stream"},
		{name: "header in mid stream", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, prefixed(0, encoded("x")))
			p.headers(id, false, "grpc-status", "0")
		}, want: "Internal: a HEADERS frame cannot appear in the middle of a stream"},
		{name: "trailers behind the end", play: func(p *peer, id uint32) {
			p.ok(id, "x")
			p.headers(id, true, "grpc-status", "13")
		}, want: "OK"},
	})
}

func TestClientScriptsStatus(t *testing.T) {
	runScripts(t, []script{
		{name: "none", play: messageAnd("k", "v"), want: "Unknown: no grpc-status in trailers"},
		{name: "twice", play: messageAnd("grpc-status", "0", "grpc-status", "5"), want: "NotFound: "},
		{name: "no number", play: messageAnd("grpc-status", "five"),
			want: `Unknown: transport: malformed grpc-status: strconv.ParseInt: parsing "five": invalid syntax`},
		{name: "very long", play: messageAnd("grpc-status", strings.Repeat("9", 1<<20)), want: "Unknown: transport: malformed grpc-status: …"},
		{name: "beyond the known", play: messageAnd("grpc-status", "4000000"), want: "Code(4000000): "},
		{name: "bad escapes in the message", play: messageAnd("grpc-status", "5", "grpc-message", "a%zz%2"), want: "NotFound: a%zz%2"},
		{name: "very long message", play: messageAnd("grpc-status", "5", "grpc-message", strings.Repeat("m", 1<<20)), want: "NotFound: mmm…", memory: 16 << 20},
		{name: "line ends in the message", play: messageAnd("grpc-status", "5", "grpc-message", "a%0d%0ab"), want: "NotFound: a\r\nb"},
		{name: "details that are no base64", play: messageAnd("grpc-status", "5", "grpc-status-details-bin", "*"),
			want: "Internal: transport: malformed grpc-status-details-bin: illegal base64 data at input byte 0"},
		{name: "details of another code", play: messageAnd("grpc-status", "5", "grpc-status-details-bin", "CAY"),
			want: "Internal: grpc-status-details-bin mismatch: …"},
		{name: "no message and OK", play: func(p *peer, id uint32) {
			p.response(id)
			p.headers(id, true, "grpc-status", "0")
		}, want: "Internal: cardinality violation: received no response message from non-server-streaming RPC"},
		{name: "two messages", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, false, append(prefixed(0, encoded("x")), prefixed(0, encoded("y"))...))
			p.headers(id, true, "grpc-status", "0")
		}, want: "Internal: cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message"},
		{name: "END_STREAM without trailers", play: func(p *peer, id uint32) {
			p.response(id)
			p.data(id, true, prefixed(0, encoded("x")))
		}, want: "Internal: server closed the stream without sending trailers"},
	})
}

func TestClientScriptsForeignAnswers(t *testing.T) {
	// endless answers with a page of 16 MiB, as far as the client lets it.
	endless := func(code string) func(*peer, uint32) {
		return func(p *peer, id uint32) {
			p.headers(id, false, ":status", code, "content-type", "text/html")
			page := []byte(strings.Repeat("<p>", 5000))
			for range 3 { // what a window of 64 KiB has room for
				p.data(id, false, page)
			}
			p.wantReset(id, http2.ErrCodeCancel)
		}
	}
	runScripts(t, []script{
		{name: "endless 200", play: endless("200"), want: "Unknown: unexpected HTTP status code received from server: 200 (OK); " +
			`transport: received unexpected content-type "text/html"` + "\ndata: \"" + strings.Repeat("<p>", 341) + `<"`},
		{name: "endless 404", play: endless("404"), want: "Unimplemented: unexpected HTTP status code received from server: 404 (Not Found); …"},
		{name: "endless 502", play: endless("502"), want: "Unavailable: unexpected HTTP status code received from server: 502 (Bad Gateway); …"},
		{name: "status that is no number", play: onlyHead(":status", "abc"), want: `Internal: malformed http-status: "abc"; …`},
		{name: "no status", play: onlyHead("k", "v"), want: "Internal: malformed header: missing HTTP status; …"},
		{name: "long content-type", play: onlyHead(":status", "200", "content-type", strings.Repeat("t", 1<<20)),
			want: "Unknown: unexpected HTTP status code received from server: 200 (OK); …"},
	})
}

func TestClientScriptsInformational(t *testing.T) {
	runScripts(t, []script{
		{name: "flood", play: func(p *peer, id uint32) {
			for range 10_000 {
				p.headers(id, false, ":status", "103", "link", "x")
			}
		}, want: "Internal: more than 100 informational responses"},
		{name: "as many as may be", play: func(p *peer, id uint32) {
			for range 100 {
				p.headers(id, false, ":status", "103")
			}
			p.ok(id, "x")
		}, want: "OK"},
		{name: "that ends the stream", play: onlyHead(":status", "100"),
			want: "Internal: protocol error: informational header with status code 100 must not have END_STREAM set"},
	})
}

func TestClientScriptsHeaderBlocks(t *testing.T) {
	bomb := strings.Repeat("b", 4000)
	// refer returns a block of n references to the newest entry of the dynamic table.
	refer := func(n int) []byte { return []byte(strings.Repeat("\xbe", n)) }
	runScripts(t, []script{
		{name: "HPACK bomb in the header", play: func(p *peer, id uint32) {
			b := p.block(grpcHead("bomb", bomb)...)
			p.blocks(id, false, append(b, refer(5000)...))
			p.ok(id, "x")
		}, want: "Internal: header list of more than …", memory: 16 << 20},
		{name: "HPACK bomb in the trailers", play: func(p *peer, id uint32) {
			p.response(id)
			b := p.block("grpc-status", "0", "bomb", bomb)
			p.blocks(id, true, append(b, refer(5000)...))
		}, want: "Internal: header list of more than …", memory: 16 << 20},
		{name: "HPACK bomb of a binary field", play: func(p *peer, id uint32) {
			b := p.block(grpcHead("bomb-bin", bomb)...)
			p.blocks(id, false, append(b, refer(4000)...))
			p.data(id, false, prefixed(0, encoded("x")))
			p.headers(id, true, "grpc-status", "0")
		}, want: "Internal: header list of more than …", memory: 16 << 20},
		{name: "fields of no length", play: func(p *peer, id uint32) {
			p.blocks(id, false, append(p.block(grpcHead()...), make([]byte, 3*5000)...))
			p.ok(id, "x")
		}, want: `Internal: invalid header field name ""`, memory: 16 << 20},
		{name: "list above a limit of 1 MiB", dial: []grpc.DialOption{grpc.WithMaxHeaderListSize(1 << 20)}, play: func(p *peer, id uint32) {
			p.blocks(id, true, p.block(long(16, 64<<10)...))
		}, want: "Internal: peer header list size exceeded limit: 1048576 bytes"},
		{name: "list far above a limit of 1 MiB", dial: []grpc.DialOption{grpc.WithMaxHeaderListSize(1 << 20)}, play: func(p *peer, id uint32) {
			p.blocks(id, true, p.block(long(2, 1<<20)...))
		}, want: "Unavailable: error reading from server: connection error: ENHANCE_YOUR_CALM: …", then: newConn},
		{name: "list above a limit of 8 kB", dial: []grpc.DialOption{grpc.WithMaxHeaderListSize(8192)}, play: func(p *peer, id uint32) {
			p.blocks(id, true, p.block(long(9, 1000)...))
		}, want: "Internal: peer header list size exceeded limit: 8192 bytes"},
		{name: "list below a limit of 8 kB", dial: []grpc.DialOption{grpc.WithMaxHeaderListSize(8192)}, play: func(p *peer, id uint32) {
			p.blocks(id, true, p.block(long(7, 1000)...))
		}, want: "NotFound: "},
		{name: "many CONTINUATION frames", play: func(p *peer, id uint32) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(":status", "200")}))
			for range 10_000 {
				p.do(p.WriteContinuation(id, false, p.block("k", "v")))
			}
		}, want: "Unavailable: error reading from server: connection error: ENHANCE_YOUR_CALM: …", then: newConn},
		{name: "empty CONTINUATION frames", play: func(p *peer, id uint32) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(":status", "200")}))
			for range 10_000 {
				p.do(p.WriteContinuation(id, false, nil))
			}
		}, want: "Unavailable: error reading from server: connection error: ENHANCE_YOUR_CALM: …", then: newConn},
		{name: "block that does not end", play: func(p *peer, id uint32) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(":status", "200")}))
			p.wantReset(id, http2.ErrCodeCancel)
			p.nc.Close()
		}, deadline: true, want: "DeadlineExceeded: context deadline exceeded", then: newConn},
		{name: "frame within a block", play: func(p *peer, id uint32) {
			p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(":status", "200")}))
			p.do(p.WritePing(false, [8]byte{}))
		}, want: "Unavailable: error reading from server: connection error: PROTOCOL_ERROR: …", then: newConn},
		{name: "CONTINUATION without HEADERS", play: func(p *peer, id uint32) { p.do(p.WriteContinuation(id, true, nil)) },
			want: "Unavailable: error reading from server: connection error: PROTOCOL_ERROR: …", then: newConn},
		{name: "HPACK that does not decode", play: func(p *peer, id uint32) { p.headerBlock(id, true, []byte{0xff, 0xff, 0xff, 0xff}) },
			want: "Unavailable: error reading from server: connection error: COMPRESSION_ERROR: …", then: newConn},
		{name: "HPACK index out of range", play: func(p *peer, id uint32) { p.headerBlock(id, true, []byte{0x80 | 100}) },
			want: "Unavailable: error reading from server: connection error: COMPRESSION_ERROR: …", then: newConn},
		{name: "HPACK table larger than allowed", play: func(p *peer, id uint32) { p.headerBlock(id, true, []byte{0x3f, 0xff, 0xff, 0x03}) },
			want: "Unavailable: error reading from server: connection error: COMPRESSION_ERROR: …", then: newConn},
		{name: "answers that stay in step behind a refusal", play: func(p *peer, id uint32) {
			p.headers(id, true, grpcHead("grpc-status", "0", "Upper", "x", "shared", "value")...)
			p.flush()
		}, want: `Internal: invalid header field name "Upper"`},
		{name: "many fields", play: func(p *peer, id uint32) {
			fields := grpcHead("grpc-status", "5")
			for i := range 1000 {
				fields = append(fields, fmt.Sprintf("k%d", i), "v")
			}
			p.blocks(id, true, p.block(fields...))
		}, want: "NotFound: "},
	})
}

// long is a sound head with status NOT_FOUND and n fields of a size in bytes, which Huffman's code makes no shorter.
func long(n, size int) []string {
	f := grpcHead("grpc-status", "5")
	for i := range n {
		f = append(f, fmt.Sprintf("k%d", i), strings.Repeat("~", size))
	}
	return f
}

// blocks writes an encoded block in as many frames as it takes.
func (p *peer) blocks(id uint32, end bool, block []byte) {
	const most = 16384
	n := min(len(block), most)
	p.do(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block)}))
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), most)
		p.do(p.WriteContinuation(id, n == len(block), block[:n]))
	}
}
