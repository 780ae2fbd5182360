// The server of the wire cross: it prints its address, serves, and ends when its standard input does.

// Command server serves the echo service in a way that lets a client see all that crosses the wire.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func main() {
	log.SetFlags(0)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	calls := waiting{entered: make(chan struct{}, 1), ended: make(chan error, 1)}
	server := grpc.NewServer()
	server.RegisterService(&echo.Desc, &echo.Service{
		OnUnary: calls.answer,
	})
	served := make(chan error)
	go func() { served <- server.Serve(lis) }()
	fmt.Println(lis.Addr())
	io.Copy(io.Discard, os.Stdin)
	server.GracefulStop()
	if err := <-served; err != nil {
		log.Fatal(err)
	}
}

// waiting is what one call may ask of another that waits for the end of its context. Both have room for one event.
type waiting struct {
	entered chan struct{}
	ended   chan error
}

// answer does what the first word of the request says.
func (w waiting) answer(ctx context.Context, in *echo.Text) (*echo.Text, error) {
	word, _, _ := strings.Cut(in.Value, " ")
	switch word {
	case "metadata":
		md, _ := metadata.FromIncomingContext(ctx)
		grpc.SetHeader(ctx, metadata.Pairs("h", "1", "h", "2", "h-bin", "\x00\xff"))
		grpc.SetTrailer(ctx, metadata.Pairs("t", "3", "t-bin", ""))
		return echo.Of(fmt.Sprintf("%q %q %q %q", md["k"], md["k-bin"], md["content-type"], md["user-agent"])), nil
	case "fail":
		s, err := status.New(codes.FailedPrecondition, "failed\n100% 世界").WithDetails(&errdetails.ErrorInfo{Reason: "R", Domain: "D"})
		if err != nil {
			return nil, err
		}
		grpc.SetTrailer(ctx, metadata.Pairs("t", "4"))
		return nil, s.Err()
	case "wait":
		w.entered <- struct{}{}
		<-ctx.Done()
		w.ended <- ctx.Err()
		return nil, ctx.Err()
	case "entered":
		<-w.entered
	case "ended":
		return echo.Of((<-w.ended).Error()), nil
	}
	return in, nil
}
