// Tests of what an attempt adds to a call: authority and credentials; and of attempts that are made again because nothing was sent.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestAudience(t *testing.T) {
	for _, tt := range []struct{ authority, method, want string }{
		{"a.test", "/s/m", "https://a.test/s"}, {"a.test:443", "/s/m", "https://a.test/s"}, {"a.test:8443", "/s/m", "https://a.test:8443/s"},
		{"[::1]:443", "/s/m", "https://[::1]/s"}, {"a.test", "/a/b/m", "https://a.test/a/b"}, {"a.test", "m", "https://a.testm"},
		{"a.test", "/m", "https://a.test"},
	} {
		wantEqual(t, tt.authority+" "+tt.method, audience(tt.authority, tt.method), tt.want)
	}
}

func TestOutgoingMetadataIsJoined(t *testing.T) {
	given := metadata.MD{"a": {"1"}}
	got := joinOutgoing(given, [][]string{{"A", "2", "b", "3"}, {"c", "4"}})
	wantEqual(t, "a", fmt.Sprint(got["a"]), "[1 2]")
	wantEqual(t, "b, c", fmt.Sprint(got["b"], got["c"]), "[3] [4]")
	wantEqual(t, "what was given", fmt.Sprint(given["a"]), "[1]")
	wantEqual(t, "of none", len(joinOutgoing(nil, nil)), 0)
}

// saying are per-RPC credentials with one pair.
func saying(k, v string) token { return token{md: map[string]string{k: v}} }

func TestCredentialsOfChannelAndCallAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got metadata.MD
		lis := startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			return "", nil
		}})
		cc := connect(t, lis, WithPerRPCCredentials(saying("First", "1")), WithPerRPCCredentials(saying("second", "2")),
			WithPerRPCCredentials(saying("FIRST", "3")))
		_, err := echo(t.Context(), cc, "x", PerRPCCredentials(saying("Third", "4")))
		must(t, err)
		wantEqual(t, "metadata", fmt.Sprint(got["first"], got["second"], got["third"]), "[3] [2] [4]")
	})
}

func TestErrorsOfCredentialsEndTheCall(t *testing.T) {
	own := func(err error) []CallOption { return []CallOption{PerRPCCredentials(token{err: err})} }
	for _, tt := range []struct {
		about   string
		channel error
		opts    []CallOption
		want    string
	}{
		{"of the channel", errors.New("why"), nil, "Unauthenticated: transport: per-RPC creds failed due to error: why"},
		{"of the channel, with a status", status.Error(codes.PermissionDenied, "why"), nil, "PermissionDenied: why"},
		{"of the channel, with an illegal status", status.Error(codes.NotFound, "why"), nil,
			"Internal: transport: received per-RPC creds error with illegal status: rpc error: code = NotFound desc = why"},
		{"of the call", nil, own(errors.New("why")), "Internal: transport: per-RPC creds failed due to error: why"},
		{"of the call, with a status", nil, own(status.Error(codes.Unavailable, "why")), "Unavailable: why"},
		{"that need security", nil, []CallOption{PerRPCCredentials(token{secure: true})},
			"Unauthenticated: transport: cannot send secure credentials on an insecure connection"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := connect(t, startServer(t, testService{}), WithPerRPCCredentials(token{err: tt.channel}))
				_, err := echo(t.Context(), cc, "x", tt.opts...)
				wantStatus(t, "call", err, tt.want)
			})
		})
	}
}

// asked are per-RPC credentials that note what they are asked.
type asked struct {
	uris []string
	info credentials.RequestInfo
}

func (a *asked) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	a.uris = append(a.uris, uri...)
	a.info, _ = credentials.RequestInfoFromContext(ctx)
	return nil, nil
}

func (*asked) RequireTransportSecurity() bool { return false }

func TestCredentialsAreToldOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var creds asked
		_, err := echo(t.Context(), connect(t, startServer(t, testService{}), WithPerRPCCredentials(&creds)), "x")
		must(t, err)
		if !slices.Equal(creds.uris, []string{"https://test/test.S"}) {
			t.Errorf("got URIs %q, want that of the service", creds.uris)
		}
		wantEqual(t, "method", creds.info.Method, unaryMethod)
	})
}

func TestAuthorityOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got metadata.MD
		lis := startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			return "", nil
		}})
		cc := connect(t, lis, WithAuthority("channel"))
		_, err := echo(t.Context(), cc, "x")
		must(t, err)
		wantEqual(t, "authority", fmt.Sprint(got[":authority"]), "[channel]")
		_, err = echo(t.Context(), cc, "x", CallAuthority("own")) // insecure credentials approve of any
		must(t, err)
		wantEqual(t, "own authority", fmt.Sprint(got[":authority"]), "[own]")
	})
}

func TestPolicyMayAddMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got metadata.MD
		s := newSubchannelTest(t)
		s.dialer.set("a", startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			return "", nil
		}}).DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		s.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			return balancer.PickResult{SubConn: sc, Metadata: metadata.Pairs("k", "v", ":authority", "picked")}, nil
		}))
		synctest.Wait()
		_, err := echo(t.Context(), s.cc, "x")
		must(t, err)
		wantEqual(t, "metadata", fmt.Sprint(got["k"]), "[v]")
		wantEqual(t, "authority", fmt.Sprint(got[":authority"]), "[picked]")
	})
}

func TestAuthorityOfAPolicyIsForOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got metadata.MD
		s := newSubchannelTest(t)
		s.dialer.set("refusing", serveRaw(t, func(c *rawConn, id uint32) { c.reset(id, http2.ErrCodeRefusedStream) }).lis.DialContext)
		s.dialer.set("good", startServer(t, testService{unary: func(ctx context.Context, _ string) (string, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			return "", nil
		}}).DialContext)
		refusing, good := s.subchannel(t, "refusing"), s.subchannel(t, "good")
		s.connect(refusing)
		s.connect(good)
		picks := []balancer.PickResult{{SubConn: refusing, Metadata: metadata.Pairs(":authority", "first")}, {SubConn: good}}
		s.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (r balancer.PickResult, err error) {
			r, picks = picks[0], picks[1:]
			return r, nil
		}))
		synctest.Wait()
		_, err := echo(t.Context(), s.cc, "x")
		must(t, err)
		wantEqual(t, "authority of the second attempt", fmt.Sprint(got[":authority"]), "[test]")
	})
}

func TestPolicyIsToldHowAnAttemptEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", startServer(t, testService{unary: func(ctx context.Context, req string) (string, error) {
			must(t, SetTrailer(ctx, metadata.Pairs("t", "1")))
			if req == "fail" {
				return "", Errorf(codes.NotFound, "lost")
			}
			return req, nil
		}}).DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		var done []balancer.DoneInfo
		s.policy.current().report(connectivity.Ready, pickerFunc(func(balancer.PickInfo) (balancer.PickResult, error) {
			return balancer.PickResult{SubConn: sc, Done: func(i balancer.DoneInfo) { done = append(done, i) }}, nil
		}))
		synctest.Wait()
		_, err := echo(t.Context(), s.cc, "x")
		must(t, err)
		_, failed := echo(t.Context(), s.cc, "fail")
		wantEqual(t, "calls of Done", len(done), 2)
		wantEqual(t, "errors", fmt.Sprint(done[0].Err, done[1].Err), fmt.Sprint(nil, failed))
		wantEqual(t, "trailers", fmt.Sprint(done[0].Trailer["t"], done[1].Trailer["t"]), "[1] [1]")
		wantEqual(t, "sent and received", fmt.Sprint(done[0].BytesSent, done[0].BytesReceived), "true true")
	})
}

func TestPickThatHadToWaitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := new(recorder)
		s := newSubchannelTest(t, WithStatsHandler(events))
		s.dialer.set("a", serveRaw(t, failTimes(0)).lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		done := make(chan error)
		go func() { _, err := echo(t.Context(), s.cc, "x"); done <- err }()
		synctest.Wait()
		wantEqual(t, "events", events.kinds(), "Begin")
		s.policy.current().report(connectivity.Ready, picks(sc))
		must(t, <-done)
		wantEqual(t, "events", events.kinds(), "Begin DelayedPickComplete OutHeader OutPayload InHeader InPayload InTrailer End")
	})
}

func TestCallThatIsDroppedTwiceByDrainingConnectionsFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := serveRaw(t, func(c *rawConn, _ uint32) { c.goAway(0, http2.ErrCodeNo, "") })
		_, err := echo(t.Context(), connect(t, raw.lis), "x")
		wantStatus(t, "call", err, "Unavailable: the connection is draining")
	})
}

func TestCallWhoseConnectionDrainsGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := 0
		raw := serveRaw(t, func(c *rawConn, id uint32) {
			if answered++; answered == 1 {
				c.goAway(0, http2.ErrCodeNo, "") // this stream was not acted on
				return
			}
			failTimes(0)(c, id)
		})
		got, err := echo(t.Context(), connect(t, raw.lis), "x")
		must(t, err)
		wantEqual(t, "reply", got, "ok")
		wantEqual(t, "connections", len(raw.conns), 2)
	})
}
