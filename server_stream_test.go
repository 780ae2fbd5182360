// Tests of a call as its handler sees it: messages, headers and trailers, compression, and errors that end it.

package grpc

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// whoSays returns the value of the key "who" in the metadata of a request.
func whoSays(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(md["who"], ",")
}

func TestHeadersCanBeSetUntilTheyAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStream(t, connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			ctx := ss.Context()
			must(t, ss.SetHeader(metadata.Pairs("h", "1")))
			must(t, SetHeader(ctx, metadata.Pairs("h", "2")))
			must(t, SetHeader(ctx, nil))
			must(t, ss.SendMsg(text("x")))
			sent := "Internal: transport: SendHeader called multiple times"
			wantStatus(t, "SetHeader", ss.SetHeader(metadata.Pairs("h", "3")), sent)
			wantStatus(t, "SendHeader", ss.SendHeader(metadata.Pairs("h", "3")), sent)
			wantStatus(t, "SetHeader by context", SetHeader(ctx, metadata.Pairs("h", "3")), sent)
			wantStatus(t, "SendHeader by context", SendHeader(ctx, nil), sent)
			ss.SetTrailer(metadata.Pairs("t", "4"))
			return SetTrailer(ctx, metadata.Pairs("t", "5"))
		}})), bidi)
		h, err := s.Header()
		must(t, err)
		wantEqual(t, "header", fmt.Sprint(h["h"]), "[1 2]")
		wantEqual(t, "message", receiveText(t, s), "x")
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
		wantEqual(t, "trailer", fmt.Sprint(s.Trailer()["t"]), "[4 5]")
	})
}

func TestInvalidHeadersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := metadata.MD{"k": {"\x01"}}
		want := `Internal: header key "k" contains value with non-printable ASCII characters`
		s := openStream(t, connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			wantStatus(t, "SetHeader", ss.SetHeader(bad), want)
			wantStatus(t, "SendHeader", ss.SendHeader(bad), want)
			return nil
		}})), bidi)
		wantEqual(t, "end", s.RecvMsg(text("")), io.EOF)
	})
}

func TestHandlerThatSendsToAClientThatIsGoneGetsToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := make(chan error, 2)
		cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			<-ss.Context().Done()
			errs <- ss.SendMsg(text("x"))
			errs <- ss.RecvMsg(text(""))
			return nil
		}}))
		ctx, cancel := context.WithCancel(t.Context())
		_, err := cc.NewStream(ctx, bidi, streamMethod)
		must(t, err)
		synctest.Wait()
		cancel()
		wantStatus(t, "SendMsg", <-errs, "Canceled: context canceled")
		wantStatus(t, "RecvMsg", <-errs, "Canceled: context canceled")
	})
}

func TestWrongNumbersOfRequests(t *testing.T) {
	for _, tt := range []struct {
		requests int
		want     string
	}{
		{0, "Internal: cardinality violation: received no request message from non-client-streaming RPC"},
		{2, "Internal: cardinality violation: received multiple request messages for non-client-streaming RPC"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, err := connect(t, startServer(t, testService{})).NewStream(t.Context(), bidi, unaryMethod)
			must(t, err)
			for range tt.requests {
				must(t, s.SendMsg(text("x")))
			}
			must(t, s.CloseSend())
			wantStatus(t, "RecvMsg", s.RecvMsg(text("")), tt.want)
		})
	}
}

func TestCompressorOfAResponse(t *testing.T) {
	for _, tt := range []struct {
		about, choose string // what the handler sets
		opts          []CallOption
		err, want     string // of SetSendCompressor, and grpc-encoding
	}{
		{"by default", "", nil, "", ""},
		{"that of the request", "", []CallOption{UseCompressor("gzip")}, "", "gzip"},
		{"the handler's choice", "gzip", nil, "", "gzip"},
		{"none by the handler's choice", "identity", []CallOption{UseCompressor("gzip")}, "", "identity"},
		{"one that nobody knows", "lost", nil, `unable to set send compressor: compressor not registered "lost"`, ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := connect(t, startServer(t, testService{unary: func(ctx context.Context, req string) (string, error) {
					if tt.choose != "" {
						if err := SetSendCompressor(ctx, tt.choose); fmt.Sprint(err) != or(tt.err, "<nil>") {
							t.Errorf("SetSendCompressor: got %v, want %q", err, tt.err)
						}
					}
					return req, nil
				}}))
				s, err := cc.NewStream(t.Context(), unaryDesc, unaryMethod, tt.opts...)
				must(t, err)
				must(t, s.SendMsg(text(strings.Repeat("x", 100))))
				wantEqual(t, "reply", len(receiveText(t, s)), 100)
				name, _ := s.(*clientStream).attempt.s.Encoding()
				wantEqual(t, "grpc-encoding", name, tt.want)
			})
		})
	}
}

// or returns s, or other if s is empty.
func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestCompressorMustBeAcceptedByTheClient(t *testing.T) {
	encoding.RegisterCompressor(marking{})
	for _, tt := range []struct{ name, accepted, want string }{
		{"marking", "gzip", `unable to set send compressor: client does not support compressor "marking"`},
		{"marking", "gzip, marking", "<nil>"}, {"identity", "", "<nil>"}, {"", "", `unable to set send compressor: compressor not registered ""`},
	} {
		wantEqual(t, tt.name, fmt.Sprint(checkSendCompressor(tt.name, splitEncodings(tt.accepted))), tt.want)
	}
}

func TestRequestWithAnUnknownCompressionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithCompressor(marking2016{}.compressor()))
		_, err := echo(t.Context(), cc, "x")
		wantStatus(t, "call", err, `Unimplemented: grpc: Decompressor is not installed for grpc-encoding "marking2016"`)
	})
}

func TestCompressionOf2016OnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := marking2016{}
		lis := startServer(t, testService{}, RPCCompressor(m.compressor()), RPCDecompressor(m.decompressor()))
		cc := connect(t, lis, WithCompressor(m.compressor()), WithDecompressor(m.decompressor()))
		got, err := echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "reply", got, "x")
		_, err = echo(t.Context(), connect(t, lis, WithCompressor(m.compressor())), "x")
		wantStatus(t, "call that cannot decompress", err, `Internal: grpc: Decompressor is not installed for grpc-encoding "marking2016"`)
	})
}

func TestUnknownContentSubtypeGetsProtocolBuffers(t *testing.T) {
	srv := NewServer()
	wantEqual(t, "codec", srv.codecOf("lost"), srv.defaultCodec)
	wantEqual(t, "codec of none", srv.codecOf(""), srv.defaultCodec)
}

func TestServerMayForceACodec(t *testing.T) {
	codec := &stringCodec{name: "forced"}
	for name, opt := range map[string]ServerOption{
		"ForceServerCodec": ForceServerCodec(codec), "CustomCodec": CustomCodec(codec), "ForceServerCodecV2": ForceServerCodecV2(&stringCodecV2{*codec}),
	} {
		synctest.Test(t, func(t *testing.T) {
			lis := startServer(t, testService{stream: func(ss ServerStream) error {
				var m string
				must(t, ss.RecvMsg(&m))
				m += " by " + name
				return ss.SendMsg(&m)
			}}, opt)
			in, out := "x", ""
			must(t, connect(t, lis).Invoke(t.Context(), streamMethod, &in, &out, ForceCodec(codec)))
			wantEqual(t, "reply", out, "x by "+name)
		})
	}
}

func TestHandlerKnowsWhatTheClientAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			names, err := ClientSupportedCompressors(ctx)
			return strings.Join(names, " "), err
		}}))
		cc.acceptEncoding = "gzip,other"
		got, err := echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "accepted", got, "gzip other")
	})
}

func TestStreamOfOneResponseReceivesOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStream(t, connect(t, startServer(t, testService{})), &StreamDesc{})
		must(t, s.SendMsg(text("x")))
		var m wrapperspb.StringValue
		must(t, s.RecvMsg(&m))
		wantEqual(t, "reply", m.Value, "x")
	})
}

func TestRequestThatGoesOnBehindTheResponseDoesNotHarmIt(t *testing.T) {
	for _, tt := range []struct {
		about string
		send  func(ClientStream) error
	}{
		{"message", func(s ClientStream) error { return s.SendMsg(text("x")) }},
		{"large message", func(s ClientStream) error { return s.SendMsg(text(strings.Repeat("x", 50000))) }},
		{"end", ClientStream.CloseSend},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				long := strings.Repeat("x", 100000) // more than the window of a stream that is not read
				s := openStream(t, connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
					must(t, ss.SendMsg(text(long)))
					return status.Error(codes.Aborted, "enough")
				}})), bidi)
				synctest.Wait()
				must(t, tt.send(s))
				synctest.Wait()
				wantEqual(t, "message", receiveText(t, s), long)
				wantStatus(t, "end", s.RecvMsg(text("")), "Aborted: enough")
			})
		})
	}
}

func TestFirstErrorOfAMessageIsTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 100000)
		s := openStream(t, connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
			must(t, ss.SendMsg(text(long)))
			wantEqual(t, "SendMsg of no message", Code(ss.SendMsg("no message")), codes.Internal)
			return nil
		}})), bidi)
		synctest.Wait()
		wantEqual(t, "message", receiveText(t, s), long)
		wantEqual(t, "end", Code(s.RecvMsg(text(""))), codes.Internal)
	})
}
