// Tests of the functions that handlers call with their context, where it is that of no call, or that of a test.

package grpc

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/metadata"
)

// noCall is a context without a call.
type noCall struct{ context.Context }

func (noCall) String() string { return "no call" }

func TestContextWithoutACall(t *testing.T) {
	ctx := noCall{t.Context()}
	md := metadata.Pairs("k", "v")
	want := "Internal: grpc: failed to fetch the stream from the context no call"
	wantStatus(t, "SetHeader", SetHeader(ctx, md), want)
	wantStatus(t, "SetHeader of nothing", SetHeader(ctx, nil), "OK: ")
	wantStatus(t, "SendHeader", SendHeader(ctx, nil), want)
	wantStatus(t, "SetTrailer", SetTrailer(ctx, md), want)
	wantStatus(t, "SetTrailer of nothing", SetTrailer(ctx, nil), "OK: ")
	wantEqual(t, "SetSendCompressor", fmt.Sprint(SetSendCompressor(ctx, "gzip")), "failed to fetch the stream from the given context")
	_, err := ClientSupportedCompressors(ctx)
	wantEqual(t, "ClientSupportedCompressors", fmt.Sprint(err), "failed to fetch the stream from the given context no call")
	m, ok := Method(ctx)
	wantEqual(t, "Method", fmt.Sprint(m, ok), "false")
	wantEqual(t, "stream", ServerTransportStreamFromContext(ctx), nil)
}

// fakeStream is a ServerTransportStream of a test.
type fakeStream struct{ header, trailer, sent metadata.MD }

func (*fakeStream) Method() string                    { return "/fake/Method" }
func (s *fakeStream) SetHeader(md metadata.MD) error  { s.header = md; return nil }
func (s *fakeStream) SendHeader(md metadata.MD) error { s.sent = md; return errEnd }
func (s *fakeStream) SetTrailer(md metadata.MD) error { s.trailer = md; return nil }

func TestContextWithAStreamOfATest(t *testing.T) {
	s := new(fakeStream)
	ctx := NewContextWithServerTransportStream(t.Context(), s)
	must(t, SetHeader(ctx, metadata.Pairs("k", "1")))
	wantEqual(t, "SendHeader", SendHeader(ctx, metadata.Pairs("k", "2")), errEnd)
	must(t, SetTrailer(ctx, metadata.Pairs("k", "3")))
	wantEqual(t, "metadata", fmt.Sprint(s.header["k"], s.sent["k"], s.trailer["k"]), "[1] [2] [3]")
	m, ok := Method(ctx)
	wantEqual(t, "Method", fmt.Sprint(m, ok), "/fake/Methodtrue")
	wantEqual(t, "SetSendCompressor", fmt.Sprint(SetSendCompressor(ctx, "gzip")), "failed to fetch the stream from the given context")
}
