// Tests of call options that do more than set a field: limits, codecs and content-subtypes, and what they report after the call.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// infoOf returns what options come to.
func infoOf(t *testing.T, opts ...CallOption) *callInfo {
	t.Helper()
	c := noCallInfo
	for _, o := range opts {
		must(t, o.before(&c))
	}
	return &c
}

func TestNegativeLimitsMeanZero(t *testing.T) {
	for _, n := range []int{-1, 0, 5} {
		c := infoOf(t, MaxCallRecvMsgSize(n), MaxCallSendMsgSize(n), MaxRetryRPCBufferSize(n))
		wantEqual(t, "maxReceive", c.maxReceive, max(n, 0))
		wantEqual(t, "maxSend", c.maxSend, max(n, 0))
		wantEqual(t, "retryBuffer", c.retryBuffer, max(n, 0))
	}
}

func TestWaitForReadyAndFailFastAreOpposites(t *testing.T) {
	for _, b := range []bool{false, true} {
		wantEqual(t, "WaitForReady", *infoOf(t, WaitForReady(b)).waitForReady, b)
		wantEqual(t, "FailFast", *infoOf(t, FailFast(b)).waitForReady, !b)
	}
	wantEqual(t, "neither", infoOf(t).waitForReady, nil)
	wantEqual(t, "the later one", *infoOf(t, WaitForReady(true), FailFast(true)).waitForReady, false)
}

func TestContentSubtypeAndCodec(t *testing.T) {
	encoding.RegisterCodec(&stringCodec{name: "options-codec"})
	forced, v2, custom := &stringCodec{name: "Forced"}, &stringCodecV2{stringCodec{name: "V2"}}, &stringCodec{name: "custom"}
	for _, tt := range []struct {
		about   string
		opts    []CallOption
		subtype string
		codec   messageCodec
		err     string
	}{
		{"nothing", nil, "", newCodecV2(proto.Codec{}), ""},
		{"a subtype", []CallOption{CallContentSubtype("Options-Codec")}, "options-codec", codecOfSubtype("options-codec"), ""},
		{"a subtype without codec", []CallOption{CallContentSubtype("lost")}, "lost", nil, "Internal: no codec registered for content-subtype lost"},
		{"a codec", []CallOption{ForceCodec(forced)}, "forced", codecV1{forced}, ""},
		{"a codec of the second kind", []CallOption{ForceCodecV2(v2)}, "v2", codecV2{v2}, ""},
		{"a codec of 2016", []CallOption{CallCustomCodec(custom)}, "", codecV1{custom}, ""},
		{"a codec, then a subtype", []CallOption{ForceCodec(forced), CallContentSubtype("lost")}, "lost", codecV1{forced}, ""},
		{"a subtype, then a codec", []CallOption{CallContentSubtype("lost"), ForceCodec(forced)}, "lost", codecV1{forced}, ""},
		{"two codecs", []CallOption{ForceCodec(forced), ForceCodecV2(v2)}, "forced", codecV2{v2}, ""},
	} {
		c := infoOf(t, tt.opts...)
		if err := c.resolve(); err != nil || tt.err != "" {
			wantStatus(t, tt.about, err, tt.err)
			continue
		}
		wantEqual(t, tt.about+": subtype", c.subtype, tt.subtype)
		wantEqual(t, tt.about+": codec", c.codec, tt.codec)
	}
}

func TestOptionsOfTheChannelComeBeforeThoseOfTheCall(t *testing.T) {
	cc := newChannel(t, "passthrough:///x", WithDefaultCallOptions(MaxCallSendMsgSize(1)), WithDefaultCallOptions(MaxCallRecvMsgSize(2)), WithMaxMsgSize(3))
	wantEqual(t, "options", fmt.Sprint(cc.withDefaults(nil)), "[{1} {2} {3}]")
	for range 2 { // the second call must not find what the first has appended
		wantEqual(t, "options with one of the call", fmt.Sprint(cc.withDefaults([]CallOption{MaxCallSendMsgSize(4)})), "[{1} {2} {3} {4}]")
	}
	plain := newChannel(t, "passthrough:///x")
	wantEqual(t, "options of the call alone", fmt.Sprint(plain.withDefaults([]CallOption{MaxCallSendMsgSize(4)})), "[{4}]")
}

func TestCodecOfTheChannelIsADefaultCallOption(t *testing.T) {
	codec, own := &stringCodec{name: "channel"}, &stringCodec{name: "call"}
	cc := newChannel(t, "passthrough:///x", WithCodec(codec))
	wantEqual(t, "codec", infoOf(t, cc.withDefaults(nil)...).codec, messageCodec(codecV1{codec}))
	wantEqual(t, "codec with one of the call", infoOf(t, cc.withDefaults([]CallOption{ForceCodec(own)})...).codec, messageCodec(codecV1{own}))
}

// A refusing option cannot be applied.
type refusingOption struct {
	EmptyCallOption
	err error
}

func (o refusingOption) before(*callInfo) error { return o.err }

func TestOnFinishIsCalledOnceAlsoForCallsThatCannotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{unary: func(context.Context, string) (string, error) { return "", Errorf(codes.NotFound, "lost") }}))
		for _, tt := range []struct {
			method string
			opts   []CallOption
			want   string
		}{
			{unaryMethod, nil, "NotFound: lost"},
			{"", nil, `Unimplemented: malformed method name: ""`},
			{unaryMethod, []CallOption{refusingOption{err: errors.New("no")}}, "Unknown: no"},
			{unaryMethod, []CallOption{UseCompressor("lost")}, `Internal: grpc: Compressor is not installed for requested grpc-encoding "lost"`},
		} {
			var finished []error
			on := OnFinish(func(err error) { finished = append(finished, err) })
			err := cc.Invoke(t.Context(), tt.method, text("x"), text(""), append([]CallOption{on}, tt.opts...)...)
			wantStatus(t, "call", err, tt.want)
			wantEqual(t, "what OnFinish was told", fmt.Sprint(finished), fmt.Sprint([]error{err}))
		}
	})
}

func TestHeaderTrailerAndPeerAreReportedAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			must(t, SetHeader(ctx, metadata.Pairs("h", "1")))
			must(t, SetTrailer(ctx, metadata.Pairs("t", "2")))
			return "", Errorf(codes.NotFound, "lost")
		}}))
		var header, trailer metadata.MD
		var p peer.Peer
		_, err := echo(t.Context(), cc, "x", Header(&header), Trailer(&trailer), Peer(&p))
		wantStatus(t, "call", err, "NotFound: lost")
		wantEqual(t, "header", fmt.Sprint(header["h"]), "[1]")
		wantEqual(t, "trailer", fmt.Sprint(trailer["t"]), "[2]")
		wantEqual(t, "peer", p.Addr.String(), "bufconn")
		if p.AuthInfo == nil || p.AuthInfo.AuthType() != "insecure" {
			t.Errorf("AuthInfo of the peer: got %v, want that of the insecure credentials", p.AuthInfo)
		}
	})
}

func TestNothingIsReportedOfACallWithoutAStream(t *testing.T) {
	header, trailer, p := metadata.Pairs("kept", "yes"), metadata.Pairs("kept", "yes"), peer.Peer{Addr: &net.UnixAddr{Name: "kept"}}
	cc := newChannel(t, "passthrough:///x")
	must(t, cc.Close())
	_, err := echo(t.Context(), cc, "x", Header(&header), Trailer(&trailer), Peer(&p))
	wantStatus(t, "call", err, closingText)
	wantEqual(t, "header", fmt.Sprint(header["kept"]), "[yes]")
	wantEqual(t, "trailer", fmt.Sprint(trailer["kept"]), "[yes]")
	wantEqual(t, "peer", p.Addr.String(), "kept")
}
