// Tests of what is settled about a call before its first attempt: limits, compression, metadata, deadline.

package grpc

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

func TestSmallerLimitCounts(t *testing.T) {
	five := 5
	for _, tt := range []struct {
		own    int
		config *int
		want   int
	}{{-1, nil, 100}, {-1, &five, 5}, {3, nil, 3}, {3, &five, 3}, {7, &five, 5}, {0, &five, 0}, {200, nil, 200}} {
		wantEqual(t, fmt.Sprint(tt.own, tt.config != nil), smaller(tt.own, tt.config, 100), tt.want)
	}
}

func TestServiceConfigLimitsMessages(t *testing.T) {
	for _, tt := range []struct {
		config string
		opts   []CallOption
		want   string
	}{
		{`"maxRequestMessageBytes":6`, nil, "ResourceExhausted: trying to send message larger than max (7 vs. 6)"},
		{`"maxRequestMessageBytes":7`, nil, "OK: "},
		{`"maxRequestMessageBytes":7`, []CallOption{MaxCallSendMsgSize(6)}, "ResourceExhausted: trying to send message larger than max (7 vs. 6)"},
		{`"maxRequestMessageBytes":6`, []CallOption{MaxCallSendMsgSize(7)}, "ResourceExhausted: trying to send message larger than max (7 vs. 6)"},
		{`"maxResponseMessageBytes":6`, nil, "ResourceExhausted: grpc: received message larger than max (7 vs. 6)"},
		{`"maxResponseMessageBytes":6`, []CallOption{MaxCallRecvMsgSize(7)}, "ResourceExhausted: grpc: received message larger than max (7 vs. 6)"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{}), WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],`+tt.config+`}]}`))
			_, err := echo(t.Context(), cc, "12345", tt.opts...)
			wantStatus(t, tt.config, err, tt.want)
		})
	}
}

func TestServiceConfigLimitsTheTime(t *testing.T) {
	for _, tt := range []struct {
		own, want time.Duration
	}{{time.Minute, 2 * time.Second}, {time.Second, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			cc := connect(t, startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }}),
				WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"timeout":"2s"}]}`))
			ctx, cancel := context.WithTimeout(t.Context(), tt.own)
			defer cancel()
			begun := time.Now()
			_, err := echo(ctx, cc, "x")
			wantEqual(t, "code", Code(err), codes.DeadlineExceeded) // whichever side sees it first
			wantEqual(t, "time", time.Since(begun), tt.want)
		})
	}
}

func TestServiceConfigMayMakeCallsWaitForReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newChannel(t, "passthrough:///x", dialFails(errRefused), WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"waitForReady":true}]}`))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := echo(ctx, cc, "x")
		wantStatus(t, "call", err, "DeadlineExceeded: latest balancer error: connection error"+refusedText[len(": connection error"):])
		_, err = echo(t.Context(), cc, "x", WaitForReady(false))
		wantStatus(t, "call that does not want to", err, "Unavailable: "+refusedText[2:])
	})
}

func TestAcceptedEncodings(t *testing.T) {
	for _, tt := range []struct{ accept, name, want string }{
		{"gzip", "gzip", "gzip"}, {"gzip", "own", "gzip,own"}, {"", "own", "own"},
	} {
		wantEqual(t, tt.accept+"+"+tt.name, acceptAlso(tt.accept, tt.name), tt.want)
	}
}

func TestCompressionOfACall(t *testing.T) {
	legacy := marking2016{}
	for _, tt := range []struct {
		about          string
		dial           []DialOption
		opts           []CallOption
		encoding, flag string
	}{
		{"none", nil, nil, "[]", "[false]"},
		{"registered", nil, []CallOption{UseCompressor("gzip")}, "[gzip]", "[true]"},
		{"identity", []DialOption{WithCompressor(legacy.compressor())}, []CallOption{UseCompressor("identity")}, "[identity]", "[false]"},
		{"of the channel", []DialOption{WithCompressor(NewGZIPCompressor())}, nil, "[gzip]", "[true]"},
		{"of the call beside that of the channel", []DialOption{WithCompressor(legacy.compressor())}, []CallOption{UseCompressor("gzip")}, "[gzip]", "[true]"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var compressed []bool
				var encoding []string
				cc := connect(t, startServer(t, testService{stream: func(ss ServerStream) error {
					s := ss.(*serverStream)
					encoding = append(encoding, strings.Fields(s.st.RecvCompress())...)
					m, err := s.st.Recv()
					compressed = append(compressed, m.Flag == 1)
					return err
				}}), tt.dial...)
				s, err := cc.NewStream(t.Context(), bidi, streamMethod, tt.opts...)
				must(t, err)
				must(t, s.SendMsg(text("x")))
				synctest.Wait()
				wantEqual(t, "grpc-encoding", fmt.Sprint(encoding), tt.encoding)
				wantEqual(t, "compressed", fmt.Sprint(compressed), tt.flag)
			})
		})
	}
}

func TestInvalidMetadataEndsTheCallBeforeItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := newChannel(t, "passthrough:///x", dialFails(errRefused))
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{"k": {"\x01"}})
		_, err := echo(ctx, cc, "x", WaitForReady(true))
		wantStatus(t, "call", err, `Internal: header key "k" contains value with non-printable ASCII characters`)
	})
}

func TestCallWhoseContextHasEndedDoesNotBegin(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-1))
	defer cancel()
	cc := newChannel(t, "passthrough:///x")
	_, err := echo(ctx, cc, "x")
	wantStatus(t, "call", err, "DeadlineExceeded: context deadline exceeded")
	wantEqual(t, "live half", cc.live.Load(), nil)
}
