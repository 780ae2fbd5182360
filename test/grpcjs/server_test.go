// A client of grpc-js calls our server.

package grpcjs

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// An echoServer does what server.js does.
type echoServer struct{ seen *events }

// begin does what the metadata of a call asks for.
func (e *echoServer) begin(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(key, otherwise string) string { return append(md[key], otherwise)[0] }
	attempt, err := strconv.Atoi(first("grpc-previous-rpc-attempts", "0"))
	if err != nil {
		return err
	}
	name := first("name", "")
	e.seen.add(event{Event: "begin", Name: name, Attempt: attempt})
	back := metadata.MD{}
	for _, key := range []string{"echo-text", "echo-bytes-bin"} {
		back.Append(key, md[key]...)
	}
	grpc.SetTrailer(ctx, back)
	if md["details-bin"] != nil {
		st, err := status.New(codes.Aborted, "detailed").WithDetails(text("detail"))
		if err != nil {
			return err
		}
		return st.Err()
	}
	step := strings.Split(strings.Split(first("steps", "ok"), ",")[attempt], ":")
	switch step[0] {
	case "hang":
		<-ctx.Done()
		e.seen.add(event{Event: "cancelled", Name: name, Attempt: attempt})
		return ctx.Err()
	case "fail":
		if len(step) > 2 {
			grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", step[2]))
		}
		code, err := strconv.Atoi(step[1])
		if err != nil {
			return err
		}
		return status.Errorf(codes.Code(code), "attempt %d", attempt)
	}
	return grpc.SetHeader(ctx, back)
}

// desc describes the service. All methods are streams to the server: that is what a unary one is on the wire.
func (e *echoServer) desc() *grpc.ServiceDesc {
	stream := func(name string, answer func(grpc.ServerStream, []string) error) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			if err := e.begin(s.Context()); err != nil {
				return err
			}
			got, err := receiveAll(s)
			if err != nil {
				return err
			}
			return answer(s, got)
		}}
	}
	each := func(s grpc.ServerStream, got []string) error {
		for _, m := range got {
			if err := s.SendMsg(text(m)); err != nil {
				return err
			}
		}
		return nil
	}
	return &grpc.ServiceDesc{ServiceName: "grpcjs.Echo", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		stream("Unary", each),
		stream("ClientStream", func(s grpc.ServerStream, got []string) error { return s.SendMsg(text(strings.Join(got, ""))) }),
		stream("ServerStream", func(s grpc.ServerStream, got []string) error {
			return each(s, strings.Split(strings.Join(got, ""), ""))
		}),
		stream("Bidi", func(s grpc.ServerStream, got []string) error {
			if len(got) > 0 && len(got[0]) > 1000 {
				if err := grpc.SetSendCompressor(s.Context(), gzip.Name); err != nil {
					return err
				}
			}
			return each(s, got)
		}),
	}}
}

// serve runs our server until the end of the test.
func serve(t *testing.T, opts ...grpc.ServerOption) (string, *events) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e := &echoServer{seen: newEvents()}
	srv := grpc.NewServer(opts...)
	srv.RegisterService(e.desc(), e)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }() // ends at Stop
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return lis.Addr().String(), e.seen
}

// run runs a case of client.js, and returns what it printed.
func run(t *testing.T, address, name string) string {
	t.Helper()
	cmd := node(t, "client.js", address, name)
	timeout := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	out, err := cmd.Output()
	must(t, err)
	return string(out)
}

func TestServerAnswersCallsOfEachKind(t *testing.T) {
	address, _ := serve(t)
	wantEqual(t, "messages", run(t, address, "kinds"),
		`{"Unary":["abc"],"ClientStream":["abcd"],"ServerStream":["a","b","c"],"Bidi":["abc","d",""]}`)
}

func TestServerReceivesAndSendsMetadata(t *testing.T) {
	address, _ := serve(t)
	const want = `{"echo-bytes-bin":["AAH+/w=="],"echo-text":["a b"]}`
	wantEqual(t, "metadata", run(t, address, "metadata"), `{"header":`+want+`,"trailer":`+want+`}`)
}

func TestServerHearsOfTheDeadline(t *testing.T) {
	address, seen := serve(t)
	// A server resets a call whose deadline has passed: where it sees that first, grpc-js says that the call was cancelled.
	if got := run(t, address, "deadline"); !strings.HasPrefix(got, `{"code":4,`) && !strings.HasPrefix(got, `{"code":1,`) {
		t.Errorf("status: got %s, want code 4 or 1", got)
	}
	seen.want(t, "deadline", "begin 0, cancelled 0")
}

func TestServerSendsDetailsOfAStatus(t *testing.T) {
	address, _ := serve(t)
	st, err := status.New(codes.Aborted, "detailed").WithDetails(wrapperspb.String("detail"))
	must(t, err)
	got := run(t, address, "details")
	rest, ok := strings.CutPrefix(got, `{"code":10,"text":"detailed","details":"`)
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(rest, `"}`))
	var details spb.Status
	if !ok || err != nil || proto.Unmarshal(b, &details) != nil || !proto.Equal(&details, st.Proto()) {
		t.Errorf("status: got %s, want code 10 and the details %v", got, st.Proto())
	}
}

func TestServerCompressesBothWays(t *testing.T) {
	var seen compressed
	address, _ := serve(t, grpc.StatsHandler(&seen))
	wantEqual(t, "lengths", run(t, address, "gzip"), "[100000,1]")
	wantEqual(t, "sent and received compressed", fmt.Sprint(seen.out, seen.in), "true true")
}

func TestServerOfHedgedCalls(t *testing.T) {
	address, seen := serve(t)
	got := run(t, address, "hedging")
	wantEqual(t, "results", got, `{"ok,ok":"x","hang,ok,ok":"x","fail:14,fail:14,ok":"x","fail:14:-1,ok":"14: attempt 0","fail:14:50,ok":"x",`+
		`"hang,fail:5":"5: attempt 1","fail:14,fail:14":"14: attempt 1"}`)
	for name, want := range map[string]string{
		"ok,ok":              "begin 0",
		"hang,ok,ok":         "begin 0, begin 1, cancelled 0",
		"fail:14,fail:14,ok": "begin 0, begin 1, begin 2",
		"fail:14:-1,ok":      "begin 0",
		"fail:14:50,ok":      "begin 0, begin 1",
		"hang,fail:5":        "begin 0, begin 1, cancelled 0",
		"fail:14,fail:14":    "begin 0, begin 1",
	} {
		seen.want(t, name, want)
	}
}
