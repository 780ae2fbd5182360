// Compression: which encoding each side uses, and what happens when the other does not know it.

package behaviour

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// shout is a compressor that changes every byte, registered under "shout".
type shout struct{}

func (shout) Name() string { return "shout" }

func (shout) Compress(w io.Writer) (io.WriteCloser, error) { return shouter{w}, nil }

func (shout) Decompress(r io.Reader) (io.Reader, error) {
	p, err := io.ReadAll(r)
	return bytes.NewReader(flip(p)), err
}

type shouter struct{ w io.Writer }

func (s shouter) Write(p []byte) (int, error) { return s.w.Write(flip(p)) }
func (s shouter) Close() error                { return nil }

func flip(p []byte) []byte {
	q := bytes.Clone(p)
	for i := range q {
		q[i] ^= 0x80
	}
	return q
}

func init() { encoding.RegisterCompressor(shout{}) }

// zipped returns the gzip form of p.
func zipped(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(p)
	w.Close()
	return b.Bytes()
}

// requestEncoding calls Unary on a scripted server and shows which encoding the request announced and what its message began with.
func requestEncoding(t *testing.T, dial []grpc.DialOption, opts ...grpc.CallOption) string {
	t.Helper()
	seen := make(chan string, 1)
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		id, fields := c.Request()
		if id == 0 {
			return
		}
		f, err := c.Next()
		if err != nil {
			seen <- err.Error()
			return
		}
		seen <- fmt.Sprintf("grpc-encoding=%q grpc-accept-encoding=%q %s", fields["grpc-encoding"], fields["grpc-accept-encoding"], firstByte(f))
		c.Headers(id, false, response()...)
		c.Data(id, false, raw.Message(0, raw.Text("ok")))
		c.Headers(id, true, "grpc-status", "0")
		c.Drain()
	})
	cc := plain(t, addr, dial...)
	out, err := unary(within(t), cc, "x", opts...)
	if err != nil {
		return text(err)
	}
	return wait(t, seen, "request") + " " + out
}

func TestRequestEncoding(t *testing.T) {
	for _, tc := range []struct {
		name string
		dial []grpc.DialOption
		opts []grpc.CallOption
		want string
	}{
		{"none", nil, nil, `grpc-encoding="" grpc-accept-encoding="gzip,shout" flag 0 ok`},
		{"gzip by option", nil, []grpc.CallOption{grpc.UseCompressor("gzip")}, `grpc-encoding="gzip" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"own by option", nil, []grpc.CallOption{grpc.UseCompressor("shout")}, `grpc-encoding="shout" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"identity by option", nil, []grpc.CallOption{grpc.UseCompressor("identity")},
			`grpc-encoding="identity" grpc-accept-encoding="gzip,shout,identity" flag 0 ok`},
		{"gzip of 2016", []grpc.DialOption{grpc.WithCompressor(grpc.NewGZIPCompressor())}, nil,
			`grpc-encoding="gzip" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"gzip of 2016, decompressor too", []grpc.DialOption{
			grpc.WithCompressor(grpc.NewGZIPCompressor()), grpc.WithDecompressor(grpc.NewGZIPDecompressor())}, nil,
			`grpc-encoding="gzip" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"option against 2016", []grpc.DialOption{grpc.WithCompressor(grpc.NewGZIPCompressor())},
			[]grpc.CallOption{grpc.UseCompressor("shout")}, `grpc-encoding="shout" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"identity against 2016", []grpc.DialOption{grpc.WithCompressor(grpc.NewGZIPCompressor())},
			[]grpc.CallOption{grpc.UseCompressor("identity")}, `grpc-encoding="identity" grpc-accept-encoding="gzip,shout,identity" flag 0 ok`},
		{"default of the channel", []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"))}, nil,
			`grpc-encoding="gzip" grpc-accept-encoding="gzip,shout" flag 1 ok`},
		{"last option wins", nil, []grpc.CallOption{grpc.UseCompressor("gzip"), grpc.UseCompressor("shout")},
			`grpc-encoding="shout" grpc-accept-encoding="gzip,shout" flag 1 ok`},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, requestEncoding(t, tc.dial, tc.opts...), tc.want) })
	}
}

func TestEmptyMessagesAreNotCompressed(t *testing.T) {
	p := start(t, setup{})
	equal(t, result(unary(within(t), p.cc, "", grpc.UseCompressor("gzip"))), `""`)
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Unary, "grpc-encoding", "shout")...)
	conn.Data(1, true, raw.Message(0, nil))
	equal(t, conn.Transcript(1),
		`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x00\x00\x00\x00\x00" | HEADERS grpc-status=0 grpc-message= END_STREAM`)
}

func TestResponseEncoding(t *testing.T) {
	shouted := raw.Message(1, flip(raw.Text("x")))
	quiet := raw.Message(0, raw.Text("x"))
	for _, tc := range []struct {
		name    string
		server  []grpc.ServerOption
		request []string
		message []byte
		want    string
	}{
		{"plain request", nil, nil, quiet,
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"plain request that accepts", nil, []string{"grpc-accept-encoding", "shout,gzip"}, quiet,
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"encoded request", nil, []string{"grpc-encoding", "shout"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"encoded request that accepts another", nil, []string{"grpc-encoding", "shout", "grpc-accept-encoding", "gzip"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"announced but not used", nil, []string{"grpc-encoding", "shout"}, quiet,
			`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"identity", nil, []string{"grpc-encoding", "identity"}, quiet,
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"empty", nil, []string{"grpc-encoding", ""}, quiet,
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"unknown, not used", nil, []string{"grpc-encoding", "snappy"}, quiet,
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "snappy" END_STREAM`},
		{"unknown, used", nil, []string{"grpc-encoding", "snappy"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "snappy" END_STREAM`},
		{"flag without encoding", nil, nil, shouted,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: compressed flag set with identity or empty encoding END_STREAM"},
		{"flag with identity", nil, []string{"grpc-encoding", "identity"}, shouted,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: compressed flag set with identity or empty encoding END_STREAM"},
		{"capitals", nil, []string{"grpc-encoding", "SHOUT"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "SHOUT" END_STREAM`},
		{"data that does not decode", nil, []string{"grpc-encoding", "gzip"}, shouted,
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: failed to decompress the message: unexpected EOF END_STREAM"},
		{"truncated data", nil, []string{"grpc-encoding", "gzip"}, raw.Message(1, zipped(raw.Text("x"))[:12]),
			"HEADERS :status=200 content-type=application/grpc grpc-status=13 grpc-message=grpc: failed to read decompressed data: unexpected EOF END_STREAM"},
		{"2016 decompressor, its encoding", []grpc.ServerOption{grpc.RPCDecompressor(grpc.NewGZIPDecompressor())},
			[]string{"grpc-encoding", "gzip"}, raw.Message(1, zipped(raw.Text("x"))),
			"HEADERS :status=200 content-type=application/grpc grpc-encoding=gzip | DATA gzip | HEADERS grpc-status=0 grpc-message= END_STREAM"},
		{"2016 decompressor, another encoding", []grpc.ServerOption{grpc.RPCDecompressor(grpc.NewGZIPDecompressor())},
			[]string{"grpc-encoding", "shout"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"2016 decompressor, unknown encoding", []grpc.ServerOption{grpc.RPCDecompressor(grpc.NewGZIPDecompressor())},
			[]string{"grpc-encoding", "snappy"}, shouted,
			`HEADERS :status=200 content-type=application/grpc grpc-status=12 grpc-message=grpc: Decompressor is not installed for grpc-encoding "snappy" END_STREAM`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := rawClient(t, start(t, setup{server: tc.server}))
			conn.Headers(1, false, request(echo.Unary, tc.request...)...)
			conn.Data(1, true, tc.message)
			equal(t, hideGzip(conn.Transcript(1)), tc.want)
		})
	}
}

// hideGzip replaces a gzip message by its name: compressors may choose their bytes.
func hideGzip(s string) string {
	if i := strings.Index(s, `\x1f\x8b`); i >= 0 {
		if j := strings.Index(s[i:], `" |`); j >= 0 {
			start := strings.LastIndex(s[:i], `DATA "`)
			return s[:start] + `DATA gzip` + s[i+j+1:]
		}
	}
	return s
}

func TestServerCompressorOf2016(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{grpc.RPCCompressor(grpc.NewGZIPCompressor())}})
	conn := rawClient(t, p)
	conn.Headers(1, false, request(echo.Unary)...)
	conn.Data(1, true, raw.Message(0, raw.Text("x")))
	equal(t, hideGzip(conn.Transcript(1)),
		"HEADERS :status=200 content-type=application/grpc grpc-encoding=gzip | DATA gzip | HEADERS grpc-status=0 grpc-message= END_STREAM")
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	equal(t, result(unary(within(t), p.dial(t, grpc.WithDecompressor(grpc.NewGZIPDecompressor())), "x")), `"x"`)
}

func TestEveryKindOfCallCompressed(t *testing.T) {
	p := start(t, setup{
		server: []grpc.ServerOption{grpc.RPCDecompressor(grpc.NewGZIPDecompressor()), grpc.RPCCompressor(grpc.NewGZIPCompressor())},
		client: []grpc.DialOption{grpc.WithCompressor(grpc.NewGZIPCompressor()), grpc.WithDecompressor(grpc.NewGZIPDecompressor())},
	})
	modern := start(t, setup{client: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"))}})
	for _, cc := range []*grpc.ClientConn{p.cc, modern.cc} {
		equal(t, result(unary(within(t), cc, "x")), `"x"`)
		equal(t, converse(t, cc, echo.ClientStreamDesc, echo.ClientStream, "a", "b"), "ab, EOF")
		equal(t, converse(t, cc, echo.ServerStreamDesc, echo.ServerStream, "ab"), "a, b, EOF")
		equal(t, converse(t, cc, echo.BidiDesc, echo.Bidi, "a", "", "b"), "a, , b, EOF")
	}
}

func TestCompressedMessagesWithoutALimit(t *testing.T) {
	for _, server := range [][]grpc.ServerOption{{}, {grpc.RPCDecompressor(grpc.NewGZIPDecompressor())}} {
		p := start(t, setup{server: append(server, grpc.MaxRecvMsgSize(math.MaxInt))})
		for _, dial := range [][]grpc.DialOption{{}, {grpc.WithDecompressor(grpc.NewGZIPDecompressor())}} {
			cc := p.dial(t, dial...)
			equal(t, result(unary(within(t), cc, "x", grpc.UseCompressor("gzip"), grpc.MaxCallRecvMsgSize(math.MaxInt))), `"x"`)
		}
	}
}

func TestEncodingOfAnAnswerThatTheClientMeets(t *testing.T) {
	for _, tc := range []struct {
		name    string
		header  []string
		message []byte
		dial    []grpc.DialOption
		want    string
	}{
		{"known", []string{"grpc-encoding", "shout"}, raw.Message(1, flip(raw.Text("m"))), nil, `"m"`},
		{"known, not used", []string{"grpc-encoding", "shout"}, raw.Message(0, raw.Text("m")), nil, `"m"`},
		{"unknown, used", []string{"grpc-encoding", "snappy"}, raw.Message(1, raw.Text("m")), nil,
			`rpc error: code = Internal desc = grpc: Decompressor is not installed for grpc-encoding "snappy"`},
		{"unknown, not used", []string{"grpc-encoding", "snappy"}, raw.Message(0, raw.Text("m")), nil, `"m"`},
		{"flag without encoding", nil, raw.Message(1, raw.Text("m")), nil,
			"rpc error: code = Internal desc = grpc: compressed flag set with identity or empty encoding"},
		{"flag with identity", []string{"grpc-encoding", "identity"}, raw.Message(1, raw.Text("m")), nil,
			"rpc error: code = Internal desc = grpc: compressed flag set with identity or empty encoding"},
		{"bad data", []string{"grpc-encoding", "gzip"}, raw.Message(1, raw.Text("m")), nil,
			"rpc error: code = Internal desc = grpc: failed to decompress the message: unexpected EOF"},
		{"truncated data", []string{"grpc-encoding", "gzip"}, raw.Message(1, zipped(raw.Text("m"))[:12]), nil,
			"rpc error: code = Internal desc = grpc: failed to read decompressed data: unexpected EOF"},
		{"2016, its encoding", []string{"grpc-encoding", "gzip"}, raw.Message(1, zipped(raw.Text("m"))),
			[]grpc.DialOption{grpc.WithDecompressor(grpc.NewGZIPDecompressor())}, `"m"`},
		{"2016, another encoding", []string{"grpc-encoding", "shout"}, raw.Message(1, flip(raw.Text("m"))),
			[]grpc.DialOption{grpc.WithDecompressor(grpc.NewGZIPDecompressor())}, `"m"`},
		{"2016, bad data", []string{"grpc-encoding", "gzip"}, raw.Message(1, raw.Text("m")),
			[]grpc.DialOption{grpc.WithDecompressor(grpc.NewGZIPDecompressor())},
			"rpc error: code = Internal desc = grpc: failed to decompress the received message: unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				id, _ := c.Request()
				if id == 0 {
					return
				}
				c.Headers(id, false, response(tc.header...)...)
				c.Data(id, false, tc.message)
				c.Headers(id, true, "grpc-status", "0")
				c.Drain()
			})
			equal(t, result(unary(within(t), plain(t, addr, tc.dial...), "x")), tc.want)
		})
	}
}

func TestAcceptEncodingThatTheServerSees(t *testing.T) {
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{service: witness(seen)})
	if _, err := unary(within(t), p.cc, "x", grpc.UseCompressor("gzip")); err != nil {
		t.Fatal(err)
	}
	equal(t, show(wait(t, seen, "call")),
		`:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`)
}

func TestSetSendCompressor(t *testing.T) {
	for _, tc := range []struct {
		name, compressor string
		early            bool // send the header first
		request          []string
		want             string
	}{
		{"known and accepted", "shout", false, []string{"grpc-accept-encoding", "gzip,shout"},
			`<nil>; HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"known, not accepted", "shout", false, []string{"grpc-accept-encoding", "gzip"},
			`unable to set send compressor: client does not support compressor "shout"; HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"known, nothing accepted", "shout", false, nil,
			`unable to set send compressor: client does not support compressor "shout"; HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"unknown", "snappy", false, []string{"grpc-accept-encoding", "snappy"},
			`unable to set send compressor: compressor not registered "snappy"; HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"identity", "identity", false, nil,
			`<nil>; HEADERS :status=200 content-type=application/grpc grpc-encoding=identity | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"identity against the mirror", "identity", false, []string{"grpc-encoding", "shout"},
			`<nil>; HEADERS :status=200 content-type=application/grpc grpc-encoding=identity | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"empty", "", false, nil,
			`unable to set send compressor: compressor not registered ""; HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"after the header", "shout", true, []string{"grpc-accept-encoding", "shout"},
			`transport: set send compressor called after headers sent or stream done; HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"accepted with blanks", "shout", false, []string{"grpc-accept-encoding", " gzip , shout "},
			`<nil>; HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			outcome := make(chan error, 1)
			p := start(t, setup{service: answering(func(ctx context.Context) error {
				if tc.early {
					grpc.SendHeader(ctx, nil)
				}
				outcome <- grpc.SetSendCompressor(ctx, tc.compressor)
				return nil
			})})
			conn := rawClient(t, p)
			conn.Headers(1, false, request(echo.Unary, tc.request...)...)
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			transcript := conn.Transcript(1)
			equal(t, text(<-outcome)+"; "+transcript, tc.want)
		})
	}
}

func TestSetSendCompressorAgainstThatOf2016(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		differ
	}{
		{"shout", `HEADERS :status=200 content-type=application/grpc grpc-encoding=shout | DATA "\x01\x00\x00\x00\x03\x8a\x81\xf8" | HEADERS grpc-status=0 grpc-message= END_STREAM`, differ{}},
		{"identity", `HEADERS :status=200 content-type=application/grpc grpc-encoding=identity | DATA gzip | HEADERS grpc-status=0 grpc-message= END_STREAM`,
			differ{"identity-against-2016",
				`HEADERS :status=200 content-type=application/grpc grpc-encoding=identity | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{
				server:  []grpc.ServerOption{grpc.RPCCompressor(grpc.NewGZIPCompressor())},
				service: answering(func(ctx context.Context) error { return grpc.SetSendCompressor(ctx, tc.name) }),
			})
			conn := rawClient(t, p)
			conn.Headers(1, false, request(echo.Unary, "grpc-accept-encoding", "shout")...)
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			equal(t, hideGzip(conn.Transcript(1)), tc.or(t, tc.want))
		})
	}
}

func TestClientSupportedCompressors(t *testing.T) {
	seen := make(chan string, 1)
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		names, err := grpc.ClientSupportedCompressors(ctx)
		seen <- fmt.Sprintf("%q %v", names, err)
		return nil
	})})
	for _, tc := range []struct {
		header []string
		want   string
	}{
		{nil, `[""] <nil>`},
		{[]string{"grpc-accept-encoding", ""}, `[""] <nil>`},
		{[]string{"grpc-accept-encoding", "gzip"}, `["gzip"] <nil>`},
		{[]string{"grpc-accept-encoding", "gzip, snappy ,identity,"}, `["gzip" "snappy" "identity" ""] <nil>`},
		{[]string{"grpc-accept-encoding", "gzip", "grpc-accept-encoding", "snappy"}, `["gzip" "snappy"] <nil>`},
	} {
		conn := rawClient(t, p)
		conn.Headers(1, false, request(echo.Unary, tc.header...)...)
		conn.Data(1, true, raw.Message(0, raw.Text("x")))
		equal(t, wait(t, seen, "call"), tc.want)
	}
	_, err := grpc.ClientSupportedCompressors(context.Background())
	equal(t, text(err), "failed to fetch the stream from the given context context.Background")
	equal(t, text(grpc.SetSendCompressor(context.Background(), "gzip")), "failed to fetch the stream from the given context")
}
