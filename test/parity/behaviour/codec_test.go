// Codecs: chosen by content-subtype, forced by either side, of either interface, and of 2016.

package behaviour

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// jsonCodec writes {"t": text}. It notes who used it.
type jsonCodec struct {
	name string
	used *journal
}

func (c jsonCodec) Name() string { return c.name }

func (c jsonCodec) Marshal(v any) ([]byte, error) {
	c.used.note("%s marshal %q", c.name, v.(*echo.Text).Value)
	return json.Marshal(map[string]string{"t": v.(*echo.Text).Value})
}

func (c jsonCodec) Unmarshal(data []byte, v any) error {
	c.used.note("%s unmarshal %s", c.name, data)
	var m map[string]string
	err := json.Unmarshal(data, &m)
	v.(*echo.Text).Value = m["t"]
	return err
}

// jsonCodecV2 is the same with the newer interface.
type jsonCodecV2 struct{ jsonCodec }

func (c jsonCodecV2) Marshal(v any) (mem.BufferSlice, error) {
	p, err := c.jsonCodec.Marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(p)}, err
}

func (c jsonCodecV2) Unmarshal(data mem.BufferSlice, v any) error {
	return c.jsonCodec.Unmarshal(data.Materialize(), v)
}

// oldCodec is the same with the interface of 2016.
type oldCodec struct{ jsonCodec }

func (c oldCodec) String() string { return c.name }

// What the two registered codecs, one per interface, did.
var (
	registered   = &journal{}
	registeredV2 = &journal{}
)

func init() {
	encoding.RegisterCodec(jsonCodec{"parity-json", registered})
	encoding.RegisterCodecV2(jsonCodecV2{jsonCodec{"Parity-JSON2", registeredV2}})
}

// codecCase is which codecs the ends use; want is what they did, the answer, and the content-type that the server saw.
type codecCase struct {
	name   string
	server func(*journal) []grpc.ServerOption
	opts   func(*journal) []grpc.CallOption
	want   string
}

func TestCodecs(t *testing.T) {
	registered.reset()
	registeredV2.reset()
	useCodecs(t, []codecCase{
		{"registered", nil, func(*journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallContentSubtype("parity-json")}
		}, `; "x"; application/grpc+parity-json`},
		{"registered, in capitals", nil, func(*journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallContentSubtype("PARITY-JSON")}
		}, `; "x"; application/grpc+parity-json`},
		{"registered V2 under a name in capitals", nil, func(*journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallContentSubtype("parity-json2")}
		}, `; "x"; application/grpc+parity-json2`},
		{"forced at the client, registered at the server", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodec(jsonCodec{"parity-json", j})}
		}, "parity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+parity-json"},
		{"forced under a name in capitals", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodec(jsonCodec{"Parity-JSON", j})}
		}, "Parity-JSON marshal \"x\"\nParity-JSON unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+parity-json"},
		{"forced V2", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodecV2(jsonCodecV2{jsonCodec{"parity-json", j}})}
		}, "parity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+parity-json"},
		{"forced with another subtype", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodec(jsonCodec{"x", j}), grpc.CallContentSubtype("parity-json")}
		}, "x marshal \"x\"\nx unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+parity-json"},
		{"custom of 2016", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallCustomCodec(oldCodec{jsonCodec{"Old", j}}), grpc.CallContentSubtype("parity-json")}
		}, "Old marshal \"x\"\nOld unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+parity-json"},
		{"custom of 2016 without a subtype, unknown at the server", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallCustomCodec(oldCodec{jsonCodec{"old", j}})}
		},
			`old marshal "x"; rpc error: code = Internal desc = grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data`},
		{"forced, unknown at the server", nil, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodec(jsonCodec{"nobody", j})}
		},
			`nobody marshal "x"; rpc error: code = Internal desc = grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data`},
	})
	equal(t, registered.String(),
		"parity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"\nparity-json unmarshal {\"t\":\"x\"}\nparity-json marshal \"x\"")
	equal(t, registeredV2.String(),
		"Parity-JSON2 marshal \"x\"\nParity-JSON2 unmarshal {\"t\":\"x\"}\nParity-JSON2 marshal \"x\"\nParity-JSON2 unmarshal {\"t\":\"x\"}")
}

func TestCodecsForcedAtBothEnds(t *testing.T) {
	useCodecs(t, []codecCase{
		{"forced at both", func(j *journal) []grpc.ServerOption {
			return []grpc.ServerOption{grpc.ForceServerCodec(jsonCodec{"server", j})}
		}, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodec(jsonCodec{"client", j})}
		},
			"client marshal \"x\"\nserver unmarshal {\"t\":\"x\"}\nserver marshal \"x\"\nclient unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+client"},
		{"forced V2 at both", func(j *journal) []grpc.ServerOption {
			return []grpc.ServerOption{grpc.ForceServerCodecV2(jsonCodecV2{jsonCodec{"server", j}})}
		}, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.ForceCodecV2(jsonCodecV2{jsonCodec{"client", j}})}
		},
			"client marshal \"x\"\nserver unmarshal {\"t\":\"x\"}\nserver marshal \"x\"\nclient unmarshal {\"t\":\"x\"}; \"x\"; application/grpc+client"},
		{"custom of 2016 at both", func(j *journal) []grpc.ServerOption {
			return []grpc.ServerOption{grpc.CustomCodec(oldCodec{jsonCodec{"server", j}})}
		}, func(j *journal) []grpc.CallOption {
			return []grpc.CallOption{grpc.CallCustomCodec(oldCodec{jsonCodec{"client", j}})}
		}, "client marshal \"x\"\nserver unmarshal {\"t\":\"x\"}\nserver marshal \"x\"\nclient unmarshal {\"t\":\"x\"}; \"x\"; application/grpc"},
	})
}

func useCodecs(t *testing.T, cases []codecCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var j journal
			seen := make(chan metadata.MD, 1)
			s := setup{service: witness(seen)}
			if tc.server != nil {
				s.server = tc.server(&j)
			}
			p := start(t, s)
			out, err := unary(within(t), p.cc, "x", tc.opts(&j)...)
			got := j.String() + "; " + result(out, err)
			select {
			case md := <-seen:
				got += "; " + strings.Join(md["content-type"], ",")
			default:
			}
			equal(t, got, tc.want)
		})
	}
}

func TestChannelCodecOf2016(t *testing.T) {
	var j journal
	codec := oldCodec{jsonCodec{"Both", &j}}
	seen := make(chan metadata.MD, 1)
	p := start(t, setup{
		service: witness(seen),
		server:  []grpc.ServerOption{grpc.CustomCodec(codec)},
		client:  []grpc.DialOption{grpc.WithCodec(codec)},
	})
	equal(t, result(unary(within(t), p.cc, "x")), `"x"`)
	equal(t, show(wait(t, seen, "call")),
		`:authority=["server"] content-type=["application/grpc"] grpc-accept-encoding=["gzip,shout"] user-agent=["grpc-go/1.85.0"]`)
	equal(t, j.String(), "Both marshal \"x\"\nBoth unmarshal {\"t\":\"x\"}\nBoth marshal \"x\"\nBoth unmarshal {\"t\":\"x\"}")
}

func TestContentTypesAtTheServer(t *testing.T) {
	for _, tc := range []struct{ contentType, want string }{
		{"application/grpc",
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+proto",
			`HEADERS :status=200 content-type=application/grpc+proto | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+PROTO",
			`HEADERS :status=200 content-type=application/grpc+PROTO | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc;proto",
			`HEADERS :status=200 content-type=application/grpc+proto | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+",
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc;",
			`HEADERS :status=200 content-type=application/grpc | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+nobody",
			`HEADERS :status=200 content-type=application/grpc+nobody | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+parity-json",
			"HEADERS :status=200 content-type=application/grpc+parity-json grpc-status=13 grpc-message=grpc: failed to unmarshal the received message: invalid character '\\x01' looking for beginning of value END_STREAM"},
		{"application/grpc; charset=utf-8",
			`HEADERS :status=200 content-type=application/grpc+ charset=utf-8 | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
		{"application/grpc+proto; charset=utf-8",
			`HEADERS :status=200 content-type=application/grpc+proto; charset=utf-8 | DATA "\x00\x00\x00\x00\x03\n\x01x" | HEADERS grpc-status=0 grpc-message= END_STREAM`},
	} {
		t.Run(tc.contentType, func(t *testing.T) {
			p := start(t, setup{})
			conn := rawClient(t, p)
			conn.Headers(1, false, ":method", "POST", ":scheme", "http", ":path", echo.Unary, ":authority", "a",
				"content-type", tc.contentType, "te", "trailers")
			conn.Data(1, true, raw.Message(0, raw.Text("x")))
			equal(t, conn.Transcript(1), tc.want)
		})
	}
}

// broken is a codec whose every use fails.
type broken struct{ err error }

func (b broken) Name() string                { return "broken" }
func (b broken) Marshal(any) ([]byte, error) { return nil, b.err }
func (b broken) Unmarshal([]byte, any) error { return b.err }

func TestCodecErrors(t *testing.T) {
	bad := broken{errors.New("bad codec")}
	p := start(t, setup{})
	equal(t, result(unary(within(t), p.cc, "x", grpc.ForceCodec(bad))), "rpc error: code = Internal desc = grpc: error while marshaling: bad codec")
	q := start(t, setup{server: []grpc.ServerOption{grpc.ForceServerCodec(bad)}})
	equal(t, result(unary(within(t), q.cc, "x")), "rpc error: code = Internal desc = grpc: failed to unmarshal the received message: bad codec")
	equal(t, converse(t, q.cc, echo.BidiDesc, echo.Bidi, "x"),
		"rpc error: code = Internal desc = grpc: failed to unmarshal the received message: bad codec")
	mute := start(t, setup{
		server:  []grpc.ServerOption{grpc.ForceServerCodec(bad)},
		service: &echo.Service{OnBidi: func(s grpc.ServerStream) error { return s.SendMsg(echo.Of("x")) }},
	})
	equal(t, converse(t, mute.cc, echo.BidiDesc, echo.Bidi), "rpc error: code = Internal desc = grpc: error while marshaling: bad codec")
}

func TestRegisteringBadCodecsPanics(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func()
		want string
	}{
		{"nil", func() { encoding.RegisterCodec(nil) }, "cannot register a nil Codec"},
		{"no name", func() { encoding.RegisterCodec(jsonCodec{}) }, "cannot register Codec with empty string result for Name()"},
		{"nil V2", func() { encoding.RegisterCodecV2(nil) }, "cannot register a nil CodecV2"},
		{"no name V2", func() { encoding.RegisterCodecV2(jsonCodecV2{}) }, "cannot register CodecV2 with empty string result for Name()"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() { equal(t, fmt.Sprint(recover()), tc.want) }()
			tc.do()
		})
	}
}

func TestLookingUpCodecs(t *testing.T) {
	for _, name := range []string{"proto", "parity-json", "PARITY-JSON", "parity-json2", "nobody"} {
		t.Run(name, func(t *testing.T) {
			equal(t, fmt.Sprint(encoding.GetCodec(name) != nil, encoding.GetCodecV2(name) != nil), lookups[name])
		})
	}
}

var lookups = map[string]string{
	"proto":        "false true",
	"parity-json":  "true false",
	"PARITY-JSON":  "false false",
	"parity-json2": "false true",
	"nobody":       "false false",
}

func TestPreparedMessages(t *testing.T) {
	var sent journal
	sum := make(chan string, 1)
	p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
		all := ""
		for {
			s, err := receive(stream)
			if err != nil {
				break
			}
			all += s
		}
		msg := &grpc.PreparedMsg{}
		if err := msg.Encode(stream, echo.Of(all)); err != nil {
			return err
		}
		sum <- all
		return stream.SendMsg(msg)
	}}})
	for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}, {grpc.ForceCodec(jsonCodec{"parity-json", &sent})}} {
		stream := open(t, within(t), p.cc, opts...)
		msg := &grpc.PreparedMsg{}
		if err := msg.Encode(stream, echo.Of("abc")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			equal(t, text(stream.SendMsg(msg)), "<nil>")
		}
		stream.CloseSend()
		equal(t, result(receive(stream)), `"abcabcabc"`)
		equal(t, wait(t, sum, "call"), "abcabcabc")
		equal(t, result(receive(stream)), "EOF")
	}
	equal(t, sent.String(), "parity-json marshal \"abc\"\nparity-json unmarshal {\"t\":\"abcabcabc\"}")
}

func TestPreparedMessageErrors(t *testing.T) {
	p := start(t, setup{})
	stream := open(t, within(t), p.cc)
	msg := &grpc.PreparedMsg{}
	equal(t, text(msg.Encode(foreignStream{}, echo.Of("x"))), "rpc error: code = Internal desc = grpc: unable to get rpcInfo")
	equal(t, text(msg.Encode(stream, "no message")),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
	equal(t, text(stream.SendMsg(&grpc.PreparedMsg{})), "<nil>")
}

// foreignStream is a stream that no library made.
type foreignStream struct{ grpc.ClientStream }

func (foreignStream) Context() context.Context { return context.Background() }
