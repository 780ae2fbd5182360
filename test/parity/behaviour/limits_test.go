// Message sizes: the limits of both sides, both directions, and their texts.

package behaviour

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// size calls Unary with a request whose encoded form has n bytes (n > 200), and returns how the call ended.
func size(t *testing.T, cc *grpc.ClientConn, n int, opts ...grpc.CallOption) string {
	t.Helper()
	head := 3 // tag and a length of two bytes
	for limit := 1 << 14; n > limit; limit <<= 7 {
		head++
	}
	out, err := unary(within(t), cc, strings.Repeat("x", n-head), opts...)
	if err != nil {
		return text(err)
	}
	return fmt.Sprint(len(out)+head, " bytes")
}

func TestMessageLimits(t *testing.T) {
	const limit = 1000
	server := func(o grpc.ServerOption) setup { return setup{server: []grpc.ServerOption{o}} }
	client := func(o ...grpc.CallOption) setup {
		return setup{client: []grpc.DialOption{grpc.WithDefaultCallOptions(o...)}}
	}
	for _, tc := range []struct {
		name string
		setup
		fits string
		over string
	}{
		{"server receives", server(grpc.MaxRecvMsgSize(limit)), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (1001 vs. 1000)"},
		{"server receives, old name", server(grpc.MaxMsgSize(limit)), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (1001 vs. 1000)"},
		{"server sends", server(grpc.MaxSendMsgSize(limit)), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = trying to send message larger than max (1001 vs. 1000)"},
		{"client receives", client(grpc.MaxCallRecvMsgSize(limit)), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (1001 vs. 1000)"},
		{"client sends", client(grpc.MaxCallSendMsgSize(limit)), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = trying to send message larger than max (1001 vs. 1000)"},
		{"client receives, old name", setup{client: []grpc.DialOption{grpc.WithMaxMsgSize(limit)}}, "1000 bytes",
			"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (1001 vs. 1000)"},
		{"compressed, server receives", setup{
			server: []grpc.ServerOption{grpc.MaxRecvMsgSize(limit)},
			client: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"))},
		}, "1000 bytes", "rpc error: code = ResourceExhausted desc = grpc: received message after decompression larger than max 1000"},
		{"compressed, server sends", setup{
			server: []grpc.ServerOption{grpc.MaxSendMsgSize(limit)},
			client: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"))},
		}, "1000 bytes", "1001 bytes"},
		{"compressed, client receives", client(grpc.MaxCallRecvMsgSize(limit), grpc.UseCompressor("gzip")), "1000 bytes",
			"rpc error: code = ResourceExhausted desc = grpc: received message after decompression larger than max 1000"},
		{"compressed, client sends", client(grpc.MaxCallSendMsgSize(limit), grpc.UseCompressor("gzip")), "1000 bytes", "1001 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.setup)
			equal(t, size(t, p.cc, limit), tc.fits)
			equal(t, size(t, p.cc, limit+1), tc.over)
			equal(t, size(t, p.cc, limit), tc.fits)
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	const limit = 4 << 20
	p := start(t, setup{})
	equal(t, size(t, p.cc, limit), "4194304 bytes")
	equal(t, size(t, p.cc, limit+1), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4194305 vs. 4194304)")
	wide := start(t, setup{server: []grpc.ServerOption{grpc.MaxRecvMsgSize(limit + 1)}})
	equal(t, size(t, wide.cc, limit+1), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (4194305 vs. 4194304)")
	equal(t, size(t, wide.cc, limit+1, grpc.MaxCallRecvMsgSize(limit+1)), "4194305 bytes")
}

func TestCallLimitsOverrideThoseOfTheChannel(t *testing.T) {
	p := start(t, setup{client: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(500))}})
	equal(t, size(t, p.cc, 1000, grpc.MaxCallSendMsgSize(1000)), "1000 bytes")
	equal(t, size(t, p.cc, 1001, grpc.MaxCallSendMsgSize(1000)),
		"rpc error: code = ResourceExhausted desc = trying to send message larger than max (1001 vs. 1000)")
	equal(t, size(t, p.cc, 501), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (501 vs. 500)")
}

func TestLimitOfZero(t *testing.T) {
	p := start(t, setup{})
	equal(t, size(t, p.cc, 500, grpc.MaxCallSendMsgSize(0)),
		"rpc error: code = ResourceExhausted desc = trying to send message larger than max (500 vs. 0)")
	equal(t, size(t, p.cc, 500, grpc.MaxCallRecvMsgSize(0)),
		"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (500 vs. 0)")
	equal(t, result(unary(within(t), p.cc, "", grpc.MaxCallRecvMsgSize(0), grpc.MaxCallSendMsgSize(0))), `""`)
	zero := start(t, setup{server: []grpc.ServerOption{grpc.MaxRecvMsgSize(0)}})
	equal(t, size(t, zero.cc, 500), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (500 vs. 0)")
}

// huge is a codec whose messages have a byte more than their prefix can tell, but take no memory.
type huge struct{}

func (huge) Name() string                         { return "proto" }
func (huge) Unmarshal(mem.BufferSlice, any) error { return nil }

func (huge) Marshal(any) (mem.BufferSlice, error) {
	const pieces = 1 << 12
	piece := mem.SliceBuffer(make([]byte, (math.MaxUint32+1)/pieces))
	return slices.Repeat(mem.BufferSlice{piece}, pieces), nil
}

func TestMessageThatNoPrefixCanTell(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("an int of 32 bits cannot count as many bytes")
	}
	p := start(t, setup{})
	for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		_, err := unary(within(t), p.cc, "x", append(opts, grpc.ForceCodecV2(huge{}), grpc.MaxCallSendMsgSize(math.MaxInt))...)
		equal(t, text(err), "rpc error: code = ResourceExhausted desc = grpc: message too large (4294967296 bytes)")
	}
}

func TestLimitsOfStreams(t *testing.T) {
	big := echo.Of(strings.Repeat("x", 2000))
	t.Run("client sends", func(t *testing.T) {
		p := start(t, setup{})
		stream := open(t, within(t), p.cc, grpc.MaxCallSendMsgSize(1000))
		equal(t, text(stream.SendMsg(big)), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2003 vs. 1000)")
		equal(t, text(stream.SendMsg(echo.Of("small"))), "EOF")
		equal(t, result(receive(stream)), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2003 vs. 1000)")
	})
	t.Run("client receives", func(t *testing.T) {
		p := start(t, setup{})
		stream := open(t, within(t), p.cc, grpc.MaxCallRecvMsgSize(1000))
		equal(t, text(stream.SendMsg(big)), "<nil>")
		equal(t, result(receive(stream)), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2003 vs. 1000)")
	})
	t.Run("server receives", func(t *testing.T) {
		seen := make(chan string, 2)
		p := start(t, setup{server: []grpc.ServerOption{grpc.MaxRecvMsgSize(1000)}, service: &echo.Service{
			OnBidi: func(stream grpc.ServerStream) error {
				_, err := receive(stream)
				seen <- text(err)
				return err
			},
		}})
		stream := open(t, within(t), p.cc)
		equal(t, text(stream.SendMsg(big)), "<nil>")
		equal(t, wait(t, seen, "error"), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2003 vs. 1000)")
		equal(t, result(receive(stream)), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2003 vs. 1000)")
	})
	t.Run("server sends", func(t *testing.T) {
		seen := make(chan string, 2)
		p := start(t, setup{server: []grpc.ServerOption{grpc.MaxSendMsgSize(1000)}, service: &echo.Service{
			OnBidi: func(stream grpc.ServerStream) error {
				seen <- text(stream.SendMsg(big))
				seen <- text(stream.SendMsg(echo.Of("small")))
				return nil
			},
		}})
		stream := open(t, within(t), p.cc)
		equal(t, wait(t, seen, "error"), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2003 vs. 1000)")
		equal(t, wait(t, seen, "second error"), "rpc error: code = Canceled desc = context canceled")
		equal(t, result(receive(stream)), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2003 vs. 1000)")
		equal(t, result(receive(stream)), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2003 vs. 1000)")
	})
}

func TestServerMethodThatNeverReadsItsRequest(t *testing.T) {
	p := start(t, setup{
		server:  []grpc.ServerOption{grpc.MaxRecvMsgSize(10)},
		service: &echo.Service{OnBidi: func(grpc.ServerStream) error { return nil }},
	})
	stream := open(t, within(t), p.cc)
	stream.SendMsg(echo.Of(strings.Repeat("x", 2000)))
	equal(t, result(receive(stream)), "EOF")
	equal(t, result(unary(context.Background(), p.cc, "x")), `"x"`)
}
