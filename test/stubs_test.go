// Tests that the stubs that generators of ten years made work: every kind of method of every checked-in stub, over TCP.

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit/stubs/golang100"
	"google.golang.org/grpc/internal/testkit/stubs/golang135"
	"google.golang.org/grpc/internal/testkit/stubs/grpc101"
	"google.golang.org/grpc/internal/testkit/stubs/grpc130"
	"google.golang.org/grpc/internal/testkit/stubs/grpc151"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
)

func TestStubsOfEveryGenerator(t *testing.T) {
	t.Run("golang100", func(t *testing.T) {
		type echo = echoServer[golang100.Request, golang100.Response, golang100.Echo_CollectServer, golang100.Echo_RepeatServer, golang100.Echo_ChatServer]
		cc := serveTCP(t, func(s *grpc.Server) { golang100.RegisterEchoServer(s, echo{}) })
		callAll(t, golang100.NewEchoClient(cc))
	})
	t.Run("golang135", func(t *testing.T) {
		type echo = echoServer[golang135.Request, golang135.Response, golang135.Echo_CollectServer, golang135.Echo_RepeatServer, golang135.Echo_ChatServer]
		cc := serveTCP(t, func(s *grpc.Server) { golang135.RegisterEchoServer(s, echo{}) })
		callAll(t, golang135.NewEchoClient(cc))
	})
	t.Run("grpc101", func(t *testing.T) {
		type echo = echoServer[grpc101.Request, grpc101.Response, grpc101.Echo_CollectServer, grpc101.Echo_RepeatServer, grpc101.Echo_ChatServer]
		type server struct {
			grpc101.UnsafeEchoServer
			echo
		}
		cc := serveTCP(t, func(s *grpc.Server) { grpc101.RegisterEchoServer(s, server{}) })
		callAll(t, grpc101.NewEchoClient(cc))
	})
	t.Run("grpc130", func(t *testing.T) {
		type echo = echoServer[grpc130.Request, grpc130.Response, grpc130.Echo_CollectServer, grpc130.Echo_RepeatServer, grpc130.Echo_ChatServer]
		type server struct {
			grpc130.UnsafeEchoServer
			echo
		}
		cc := serveTCP(t, func(s *grpc.Server) { grpc130.RegisterEchoServer(s, server{}) })
		callAll(t, grpc130.NewEchoClient(cc))
	})
	t.Run("grpc151", func(t *testing.T) {
		type echo = echoServer[grpc151.Request, grpc151.Response, grpc151.Echo_CollectServer, grpc151.Echo_RepeatServer, grpc151.Echo_ChatServer]
		type server struct {
			grpc151.UnsafeEchoServer
			echo
		}
		cc := serveTCP(t, func(s *grpc.Server) { grpc151.RegisterEchoServer(s, server{}) })
		callAll(t, grpc151.NewEchoClient(cc))
	})
	t.Run("grpc162", func(t *testing.T) {
		type echo = echoServer[grpc162.Request, grpc162.Response, grpc162.Echo_CollectServer, grpc162.Echo_RepeatServer, grpc162.Echo_ChatServer]
		type server struct {
			grpc162.UnsafeEchoServer
			echo
		}
		cc := serveTCP(t, func(s *grpc.Server) { grpc162.RegisterEchoServer(s, server{}) })
		callAll(t, grpc162.NewEchoClient(cc))
	})
}

// TestStubsRegenerated makes the stubs anew, runs the test above on them, and compares them with those that are checked in.
func TestStubsRegenerated(t *testing.T) {
	if os.Getenv("STUBS_REGENERATE") != "1" {
		t.Skip("needs protoc and the network: set STUBS_REGENERATE=1")
	}
	made, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	runGo(t, root, "run", "./internal/testkit/stubs/gen", "-out", made)

	var overlay struct{ Replace map[string]string } // checked-in file → the one made now
	overlay.Replace = map[string]string{}
	err = filepath.WalkDir(made, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(made, path)
		if err != nil {
			return err
		}
		overlay.Replace[filepath.Join(root, rel)] = path
		have, err := os.ReadFile(filepath.Join(root, rel))
		if err != nil {
			return err
		}
		want, err := os.ReadFile(path)
		if !bytes.Equal(have, want) {
			t.Errorf("%s: got another text than the generator's, want the same: run go run ./internal/testkit/stubs/gen", rel)
		}
		return err
	})
	if err != nil || len(overlay.Replace) == 0 {
		t.Fatalf("generated files: got %d and error %v, want some and none", len(overlay.Replace), err)
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
	runGo(t, root, "test", "-overlay", file, "-run", "^TestStubsOfEveryGenerator$", "./test")
}

func runGo(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: got %v, want no error; output:\n%s", args, err, out)
	}
}

// serveTCP serves what register registers on a port of the loopback interface until the test ends, and returns a channel to it.
func serveTCP(t *testing.T, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	served := make(chan error, 1) // one error, sent when Serve returns
	go func() { served <- s.Serve(lis) }()
	cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cc.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: got %v, want no error", err)
		}
	})
	return cc
}

// The generic code below speaks of messages in today's types, and has them carried in each generator's own.
type (
	request  = grpc162.Request
	response = grpc162.Response
)

// as returns the same message in another generator's type.
func as[To any](from any) *To {
	to := new(To)
	b, err := proto.Marshal(message(from))
	if err == nil {
		err = proto.Unmarshal(b, message(to))
	}
	if err != nil {
		panic(err) // the types are of one .proto file
	}
	return to
}

func message(m any) proto.Message { return protoadapt.MessageV2Of(m.(protoadapt.MessageV1)) }

type receiver[M any] interface{ Recv() (*M, error) }

type sender[M any] interface{ Send(*M) error }

// What the streams of all generators have in common, on the client's side and on the server's.
type (
	upClient[Req, Res any] interface {
		sender[Req]
		CloseAndRecv() (*Res, error)
	}
	upServer[Req, Res any] interface {
		receiver[Req]
		SendAndClose(*Res) error
	}
	chatClient[Req, Res any] interface {
		sender[Req]
		receiver[Res]
		CloseSend() error
	}
	chatServer[Req, Res any] interface {
		sender[Res]
		receiver[Req]
	}
)

// client is what all generators' EchoClient have in common.
type client[Req, Res any, Up upClient[Req, Res], Down receiver[Res], Chat chatClient[Req, Res]] interface {
	Unary(context.Context, *Req, ...grpc.CallOption) (*Res, error)
	Collect(context.Context, ...grpc.CallOption) (Up, error)
	Repeat(context.Context, *Req, ...grpc.CallOption) (Down, error)
	Chat(context.Context, ...grpc.CallOption) (Chat, error)
}

// callAll calls every method, to success and to failure. Failure comes after the answers, where there can be some.
func callAll[Req, Res any, Up upClient[Req, Res], Down receiver[Res], Chat chatClient[Req, Res]](t *testing.T, c client[Req, Res, Up, Down, Chat]) {
	methods := []struct {
		name    string
		call    func(*request) ([]*Res, error)
		answers int32
		failing int32 // answers before the failure
	}{
		{"Unary", func(ask *request) ([]*Res, error) { return one(c.Unary(t.Context(), as[Req](ask))) }, 1, 0},
		{"Collect", func(ask *request) ([]*Res, error) {
			stream, err := c.Collect(t.Context())
			if err != nil {
				return nil, err
			}
			head := &request{Payload: ask.Payload[:2]}
			tail := &request{Payload: ask.Payload[2:], Size: ask.Size, Code: ask.Code, Text: ask.Text}
			if err := errors.Join(stream.Send(as[Req](head)), stream.Send(as[Req](tail))); err != nil {
				return nil, err
			}
			return one(stream.CloseAndRecv())
		}, 1, 0},
		{"Repeat", func(ask *request) ([]*Res, error) {
			stream, err := c.Repeat(t.Context(), as[Req](ask))
			if err != nil {
				return nil, err
			}
			return receiveAll[Res](stream)
		}, 3, 3},
		{"Chat", func(ask *request) ([]*Res, error) {
			stream, err := c.Chat(t.Context())
			if err != nil {
				return nil, err
			}
			plain := as[Req](&request{Payload: ask.Payload, Size: ask.Size})
			if err := errors.Join(stream.Send(plain), stream.Send(plain), stream.Send(as[Req](ask)), stream.CloseSend()); err != nil {
				return nil, err
			}
			return receiveAll[Res](stream)
		}, 3, 3},
	}
	for _, m := range methods {
		for _, size := range []int32{0, 1, 200_000} {
			ask := &request{Payload: []byte("payload"), Size: size, Count: 3}
			got, err := m.call(ask)
			checkAnswers(t, fmt.Sprintf("%s of %d bytes", m.name, size), got, ask, m.answers)
			if err != nil {
				t.Errorf("%s of %d bytes: got error %v, want none", m.name, size, err)
			}
		}
		ask := &request{Payload: []byte("payload"), Count: 3, Code: int32(codes.NotFound), Text: "as asked"}
		got, err := m.call(ask)
		checkAnswers(t, "failing "+m.name, got, ask, m.failing)
		if want := status.Error(codes.NotFound, "as asked"); status.Convert(err).String() != status.Convert(want).String() {
			t.Errorf("failing %s: got error %v, want %v", m.name, err, want)
		}
	}
}

func checkAnswers[Res any](t *testing.T, name string, got []*Res, ask *request, want int32) {
	t.Helper()
	if len(got) != int(want) {
		t.Errorf("%s: got %d answers, want %d", name, len(got), want)
		return
	}
	for i, res := range got {
		if got, want := as[response](res), answer(ask, int32(i)); !proto.Equal(got, want) {
			t.Errorf("%s: answer %d: got %.100v, want %.100v", name, i, got, want)
		}
	}
}

// one turns what a call with one answer returns into what one with many does.
func one[Res any](res *Res, err error) ([]*Res, error) {
	if err != nil {
		return nil, err
	}
	return []*Res{res}, nil
}

// receiveAll receives until the call has ended.
func receiveAll[M any](stream receiver[M]) (all []*M, err error) {
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

// echoServer implements the EchoServer of any generator.
type echoServer[Req, Res any, Up upServer[Req, Res], Down sender[Res], Chat chatServer[Req, Res]] struct{}

func (echoServer[Req, Res, Up, Down, Chat]) Unary(_ context.Context, in *Req) (*Res, error) {
	ask := as[request](in)
	return as[Res](answer(ask, 0)), end(ask)
}

func (echoServer[Req, Res, Up, Down, Chat]) Collect(stream Up) error {
	ins, err := receiveAll[Req](stream)
	if err != nil {
		return err
	}
	ask := &request{}
	for _, in := range ins {
		payload := ask.Payload
		ask = as[request](in)
		ask.Payload = append(payload, ask.Payload...)
	}
	if err := end(ask); err != nil {
		return err
	}
	return stream.SendAndClose(as[Res](answer(ask, 0)))
}

func (echoServer[Req, Res, Up, Down, Chat]) Repeat(in *Req, stream Down) error {
	ask := as[request](in)
	for i := range ask.Count {
		if err := stream.Send(as[Res](answer(ask, i))); err != nil {
			return err
		}
	}
	return end(ask)
}

func (echoServer[Req, Res, Up, Down, Chat]) Chat(stream Chat) error {
	for i := int32(0); ; i++ {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		ask := as[request](in)
		if err := stream.Send(as[Res](answer(ask, i))); err != nil {
			return err
		}
		if err := end(ask); err != nil {
			return err
		}
	}
}

// answer is the response with the given index to ask.
func answer(ask *request, index int32) *response {
	payload := ask.Payload
	if ask.Size > 0 {
		payload = bytes.Repeat(payload, int(ask.Size)/len(payload)+1)[:ask.Size]
	}
	return &response{Payload: payload, Index: index}
}

// end is what the call for ask ends with.
func end(ask *request) error {
	return status.Error(codes.Code(ask.Code), ask.Text)
}
