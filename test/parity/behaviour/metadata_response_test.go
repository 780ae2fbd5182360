// Metadata from the handler to the caller: headers and trailers, and when each may be set.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// answering is a service whose unary method runs do first, with the outcome of each step noted in log.
func answering(do func(ctx context.Context) error) *echo.Service {
	return &echo.Service{OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
		if err := do(ctx); err != nil {
			return nil, err
		}
		return in, nil
	}}
}

// headers calls Unary and shows header, trailer and error.
func headers(t *testing.T, cc *grpc.ClientConn) string {
	t.Helper()
	var header, trailer metadata.MD
	_, err := unary(within(t), cc, "x", grpc.Header(&header), grpc.Trailer(&trailer))
	return fmt.Sprintf("header %s; trailer %s; %s", show(header), show(trailer), text(err))
}

// handlerCase is what a unary handler does with its metadata, and what the caller then sees.
type handlerCase struct {
	name string
	do   func(ctx context.Context) error
	want string
}

func TestHeaderOfAUnaryCall(t *testing.T) {
	fail := status.Error(codes.Aborted, "no")
	pairs := metadata.Pairs
	callerSees(t, []handlerCase{
		{"none", func(context.Context) error { return nil }, `header content-type=["application/grpc"]; trailer ; <nil>`},
		{"none, error", func(context.Context) error { return fail },
			`header nil; trailer content-type=["application/grpc"]; rpc error: code = Aborted desc = no`},
		{"SetHeader", func(ctx context.Context) error { return grpc.SetHeader(ctx, pairs("h", "1")) },
			`header content-type=["application/grpc"] h=["1"]; trailer ; <nil>`},
		{"SetHeader twice merges", func(ctx context.Context) error {
			grpc.SetHeader(ctx, pairs("h", "1", "g", "0"))
			return grpc.SetHeader(ctx, pairs("h", "2"))
		}, `header content-type=["application/grpc"] g=["0"] h=["1" "2"]; trailer ; <nil>`},
		{"SetHeader, then error", func(ctx context.Context) error {
			grpc.SetHeader(ctx, pairs("h", "1"))
			return fail
		}, `header content-type=["application/grpc"] h=["1"]; trailer ; rpc error: code = Aborted desc = no`},
		{"SendHeader", func(ctx context.Context) error { return grpc.SendHeader(ctx, pairs("h", "1")) },
			`header content-type=["application/grpc"] h=["1"]; trailer ; <nil>`},
		{"SendHeader with nothing", func(ctx context.Context) error { return grpc.SendHeader(ctx, nil) },
			`header content-type=["application/grpc"]; trailer ; <nil>`},
		{"SendHeader with nothing, then error", func(ctx context.Context) error {
			grpc.SendHeader(ctx, nil)
			return fail
		}, `header content-type=["application/grpc"]; trailer ; rpc error: code = Aborted desc = no`},
		{"SetHeader with nothing, then error", func(ctx context.Context) error {
			grpc.SetHeader(ctx, metadata.MD{})
			return fail
		}, `header nil; trailer content-type=["application/grpc"]; rpc error: code = Aborted desc = no`},
		{"SetHeader then SendHeader", func(ctx context.Context) error {
			grpc.SetHeader(ctx, pairs("h", "1"))
			return grpc.SendHeader(ctx, pairs("h", "2", "g", "3"))
		}, `header content-type=["application/grpc"] g=["3"] h=["1" "2"]; trailer ; <nil>`},
		{"SendHeader twice", func(ctx context.Context) error {
			grpc.SendHeader(ctx, pairs("h", "1"))
			return grpc.SendHeader(ctx, pairs("h", "2"))
		},
			`header content-type=["application/grpc"] h=["1"]; trailer ; rpc error: code = Internal desc = transport: SendHeader called multiple times`},
		{"SetHeader after SendHeader", func(ctx context.Context) error {
			grpc.SendHeader(ctx, pairs("h", "1"))
			return grpc.SetHeader(ctx, pairs("h", "2"))
		},
			`header content-type=["application/grpc"] h=["1"]; trailer ; rpc error: code = Internal desc = transport: SendHeader called multiple times`},
		{"SetHeader with nothing after SendHeader", func(ctx context.Context) error {
			grpc.SendHeader(ctx, pairs("h", "1"))
			return grpc.SetHeader(ctx, nil)
		}, `header content-type=["application/grpc"] h=["1"]; trailer ; <nil>`},
	})
}

func TestTrailerOfAUnaryCall(t *testing.T) {
	fail := status.Error(codes.Aborted, "no")
	pairs := metadata.Pairs
	callerSees(t, []handlerCase{
		{"SetTrailer", func(ctx context.Context) error { return grpc.SetTrailer(ctx, pairs("t", "1")) },
			`header content-type=["application/grpc"]; trailer t=["1"]; <nil>`},
		{"SetTrailer twice merges", func(ctx context.Context) error {
			grpc.SetTrailer(ctx, pairs("t", "1"))
			return grpc.SetTrailer(ctx, pairs("t", "2", "u", "3"))
		}, `header content-type=["application/grpc"]; trailer t=["1" "2"] u=["3"]; <nil>`},
		{"SetTrailer, then error", func(ctx context.Context) error {
			grpc.SetTrailer(ctx, pairs("t", "1"))
			return fail
		}, `header nil; trailer content-type=["application/grpc"] t=["1"]; rpc error: code = Aborted desc = no`},
		{"SetHeader and SetTrailer, then error", func(ctx context.Context) error {
			grpc.SetHeader(ctx, pairs("h", "1"))
			grpc.SetTrailer(ctx, pairs("t", "1"))
			return fail
		}, `header content-type=["application/grpc"] h=["1"]; trailer t=["1"]; rpc error: code = Aborted desc = no`},
		{"binary", func(ctx context.Context) error {
			grpc.SetHeader(ctx, pairs("h-bin", "\x00\xff", "h-bin", ""))
			return grpc.SetTrailer(ctx, pairs("t-bin", "\xfe\x01,"))
		}, `header content-type=["application/grpc"] h-bin=["\x00\xff" ""]; trailer t-bin=["\xfe\x01,"]; <nil>`},
		{"upper case", func(ctx context.Context) error {
			grpc.SetHeader(ctx, metadata.MD{"Upper": {"v"}})
			return grpc.SetTrailer(ctx, metadata.MD{"Upper": {"v"}})
		}, `header nil; trailer ; rpc error: code = Internal desc = invalid header field name "Upper"`},
		{"upper case, SendHeader", func(ctx context.Context) error {
			return grpc.SendHeader(ctx, metadata.MD{"Upper": {"v"}})
		}, `header nil; trailer ; rpc error: code = Internal desc = invalid header field name "Upper"`},
		{"reserved names", func(ctx context.Context) error {
			reserved := pairs("content-type", "x", "user-agent", "x", "grpc-status", "5", "grpc-message", "x", "grpc-encoding", "x",
				"grpc-timeout", "x", "te", "x", "grpc-message-type", "x", ":status", "500", "kept", "v")
			grpc.SetHeader(ctx, reserved)
			return grpc.SetTrailer(ctx, reserved)
		}, `header content-type=["application/grpc"] kept=["v"]; trailer kept=["v"]; <nil>`},
		{"names that look reserved", func(ctx context.Context) error {
			md := pairs("grpc-retry-pushback-ms", "7", "grpc-previous-rpc-attempts", "7", "host", "h")
			grpc.SetHeader(ctx, md)
			return grpc.SetTrailer(ctx, md)
		},
			`header content-type=["application/grpc"] grpc-previous-rpc-attempts=["7"] grpc-retry-pushback-ms=["7"] host=["h"]; trailer grpc-previous-rpc-attempts=["7"] grpc-retry-pushback-ms=["7"] host=["h"]; <nil>`},
		{"empty values", func(ctx context.Context) error {
			grpc.SetHeader(ctx, metadata.MD{"h": {""}, "none": nil})
			return grpc.SetTrailer(ctx, metadata.MD{"t": {""}, "none": nil})
		}, `header content-type=["application/grpc"] h=[""]; trailer t=[""]; <nil>`},
	})
}

func callerSees(t *testing.T, cases []handlerCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{service: answering(tc.do)})
			equal(t, headers(t, p.cc), badMetadataWant(t, tc.want))
		})
	}
}

func TestStatusDetailsTrailerOfAHandler(t *testing.T) {
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		return grpc.SetTrailer(ctx, metadata.Pairs("grpc-status-details-bin", "not a status"))
	})})
	equal(t, headers(t, p.cc), `header content-type=["application/grpc"]; trailer grpc-status-details-bin=["not a status"]; <nil>`)
}

// badMetadataWant is what to expect where the released library does want: its clients find what its servers have sent.
func badMetadataWant(t *testing.T, want string) string {
	if rest, ok := strings.CutPrefix(want, "header nil; trailer ; rpc error: code = Internal desc = invalid header field "); ok {
		ours := `header nil; trailer content-type=["application/grpc"]; rpc error: code = Internal desc = invalid header field ` + rest
		return differ{"bad-metadata-stays-at-the-server", ours}.or(t, want)
	}
	return want
}

func TestBadMetadataOfAUnaryHandlerIsFoundByTheCaller(t *testing.T) {
	for i, tc := range badMetadata {
		t.Run(tc.name, func(t *testing.T) {
			md := metadata.MD{tc.key: {tc.value}}
			p := start(t, setup{service: answering(func(ctx context.Context) error {
				return errors.Join(grpc.SetHeader(ctx, md), grpc.SendHeader(ctx, md), grpc.SetTrailer(ctx, md))
			})})
			equal(t, headers(t, p.cc), badMetadataWant(t, badUnary[i]))
		})
	}
}

var badUnary = []string{
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name ""`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a b"`,
	"header nil; trailer ; rpc error: code = Internal desc = invalid header field name \"ké\"",
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a:b"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	"header content-type=[\"application/grpc\"] k=[\"é\" \"é\"]; trailer k=[\"é\"]; <nil>",
	`header content-type=["application/grpc"] k=["a\tb" "a\tb"]; trailer k=["a\tb"]; <nil>`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a b-bin"`,
}

func TestBadMetadataOfAStreamHandlerIsRefused(t *testing.T) {
	for i, tc := range badMetadata {
		t.Run(tc.name, func(t *testing.T) {
			md := metadata.MD{tc.key: {tc.value}}
			p := start(t, setup{service: &echo.Service{OnBidi: func(stream grpc.ServerStream) error {
				equal(t, text(stream.SetHeader(md)), badOutgoing[i])
				equal(t, text(stream.SendHeader(md)), badOutgoing[i])
				stream.SetTrailer(md) // logged, and sent all the same
				return nil
			}}})
			stream := open(t, within(t), p.cc)
			_, err := receive(stream)
			header, _ := stream.Header()
			equal(t, fmt.Sprintf("header %s; trailer %s; %s", show(header), show(stream.Trailer()), text(err)), badMetadataWant(t, badTrailer[i]))
		})
	}
}

var badTrailer = []string{
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name ""`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a b"`,
	"header nil; trailer ; rpc error: code = Internal desc = invalid header field name \"ké\"",
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a:b"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field value for "k"`,
	"header nil; trailer content-type=[\"application/grpc\"] k=[\"é\"]; EOF",
	`header nil; trailer content-type=["application/grpc"] k=["a\tb"]; EOF`,
	`header nil; trailer ; rpc error: code = Internal desc = invalid header field name "a b-bin"`,
}

func TestMetadataFunctionsOutsideAHandler(t *testing.T) {
	ctx := context.Background()
	md := metadata.Pairs("k", "v")
	equal(t, text(grpc.SetHeader(ctx, md)), "rpc error: code = Internal desc = grpc: failed to fetch the stream from the context context.Background")
	equal(t, text(grpc.SendHeader(ctx, md)), "rpc error: code = Internal desc = grpc: failed to fetch the stream from the context context.Background")
	equal(t, text(grpc.SetTrailer(ctx, md)), "rpc error: code = Internal desc = grpc: failed to fetch the stream from the context context.Background")
	equal(t, text(grpc.SetHeader(ctx, nil)), "<nil>")
	equal(t, text(grpc.SendHeader(ctx, nil)),
		"rpc error: code = Internal desc = grpc: failed to fetch the stream from the context context.Background")
	equal(t, text(grpc.SetTrailer(ctx, nil)), "<nil>")
}

func TestMetadataFunctionsAfterTheHandlerReturned(t *testing.T) {
	handler := make(chan context.Context, 1)
	p := start(t, setup{service: answering(func(ctx context.Context) error {
		handler <- ctx
		return nil
	})})
	if _, err := unary(within(t), p.cc, "x"); err != nil {
		t.Fatal(err)
	}
	ctx := wait(t, handler, "call")
	wait(t, ctx.Done(), "end of the handler's context")
	md := metadata.Pairs("k", "v")
	equal(t, text(grpc.SetHeader(ctx, md)), "rpc error: code = Internal desc = transport: SendHeader called multiple times")
	equal(t, text(grpc.SendHeader(ctx, md)), "rpc error: code = Canceled desc = context canceled")
	equal(t, text(grpc.SetTrailer(ctx, md)), "rpc error: code = Internal desc = transport: SendHeader called multiple times")
	equal(t, text(ctx.Err()), "context canceled")
}

func TestHeaderOfAStream(t *testing.T) {
	fail := status.Error(codes.Aborted, "no")
	for _, tc := range []struct {
		name   string
		onBidi func(stream grpc.ServerStream) error
		want   string
	}{
		{"none", func(grpc.ServerStream) error { return nil },
			`header nil, <nil>; EOF; header nil, <nil>; trailer content-type=["application/grpc"]`},
		{"none, error", func(grpc.ServerStream) error { return fail },
			`header nil, <nil>; rpc error: code = Aborted desc = no; header nil, <nil>; trailer content-type=["application/grpc"]`},
		{"set, error", func(s grpc.ServerStream) error {
			s.SetHeader(metadata.Pairs("h", "1"))
			s.SetTrailer(metadata.Pairs("t", "1"))
			return fail
		},
			`header content-type=["application/grpc"] h=["1"], <nil>; rpc error: code = Aborted desc = no; header content-type=["application/grpc"] h=["1"], <nil>; trailer t=["1"]`},
		{"sent with the first message", func(s grpc.ServerStream) error {
			s.SetHeader(metadata.Pairs("h", "1"))
			return s.SendMsg(echo.Of("m"))
		}, `header content-type=["application/grpc"] h=["1"], <nil>; "m"; EOF; header content-type=["application/grpc"] h=["1"], <nil>; trailer `},
		{"set after the first message", func(s grpc.ServerStream) error {
			s.SendMsg(echo.Of("m"))
			return s.SetHeader(metadata.Pairs("h", "1"))
		},
			`header content-type=["application/grpc"], <nil>; "m"; rpc error: code = Internal desc = transport: SendHeader called multiple times; header content-type=["application/grpc"], <nil>; trailer `},
		{"sent after the first message", func(s grpc.ServerStream) error {
			s.SendMsg(echo.Of("m"))
			return s.SendHeader(metadata.Pairs("h", "1"))
		},
			`header content-type=["application/grpc"], <nil>; "m"; rpc error: code = Internal desc = transport: SendHeader called multiple times; header content-type=["application/grpc"], <nil>; trailer `},
		{"trailer set before and after the message", func(s grpc.ServerStream) error {
			s.SetTrailer(metadata.Pairs("t", "1"))
			s.SendMsg(echo.Of("m"))
			s.SetTrailer(metadata.Pairs("t", "2"))
			return nil
		}, `header content-type=["application/grpc"], <nil>; "m"; EOF; header content-type=["application/grpc"], <nil>; trailer t=["1" "2"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{service: &echo.Service{OnBidi: tc.onBidi}})
			stream := open(t, within(t), p.cc)
			header, err := stream.Header()
			log := []string{fmt.Sprintf("header %s, %s", show(header), text(err))}
			for err = nil; err == nil; {
				var m string
				m, err = receive(stream)
				log = append(log, result(m, err))
			}
			header, err = stream.Header()
			log = append(log, fmt.Sprintf("header %s, %s", show(header), text(err)), "trailer "+show(stream.Trailer()))
			equal(t, strings.Join(log, "; "), tc.want)
		})
	}
}

func TestHeaderReturnsAsSoonAsItIsSent(t *testing.T) {
	release := make(chan struct{})
	p := start(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
		s.SendHeader(metadata.Pairs("h", "1"))
		<-release
		return nil
	}}})
	stream := open(t, within(t), p.cc)
	header, err := stream.Header()
	close(release)
	equal(t, show(header)+" "+text(err), `content-type=["application/grpc"] h=["1"] <nil>`)
}

func TestHeaderWaitsUntilTheContextEnds(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	p := start(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
		s.SetHeader(metadata.Pairs("h", "1"))
		close(entered)
		<-release
		return nil
	}}})
	ctx, cancel := context.WithCancel(within(t))
	stream := open(t, ctx, p.cc)
	wait(t, entered, "call")
	cancel()
	header, err := stream.Header()
	equal(t, show(header)+" "+text(err), "nil <nil>")
	equal(t, show(stream.Trailer()), "")
	equal(t, result(receive(stream)), "rpc error: code = Canceled desc = context canceled")
}

func TestHeaderThatTheCallerChangesStaysItsOwn(t *testing.T) {
	p := start(t, setup{service: &echo.Service{OnBidi: func(s grpc.ServerStream) error {
		return s.SendHeader(metadata.Pairs("h", "1"))
	}}})
	stream := open(t, within(t), p.cc)
	first, _ := stream.Header()
	first["h"][0] = "changed"
	second, _ := stream.Header()
	equal(t, second["h"][0], "1")
}
