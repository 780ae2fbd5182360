// The server's side of the quickstart: a handler of each of the four kinds.

package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"
	pb "google.golang.org/grpc/examples/quickstart/words"
	"google.golang.org/grpc/metadata"
)

// words implements pb.WordsServer, the interface that was generated from words/words.proto. Each call runs on a goroutine of its own.
type words struct {
	// What is embedded here answers methods that are added to the service later.
	pb.UnimplementedWordsServer
}

// Shout has one request and one answer, like a function. To callers that say who they are in their metadata it says hello in its own.
func (words) Shout(ctx context.Context, in *pb.Word) (*pb.Word, error) {
	if caller := metadata.ValueFromIncomingContext(ctx, "caller"); len(caller) > 0 {
		if err := grpc.SetHeader(ctx, metadata.Pairs("greeting", "hello, "+caller[0])); err != nil {
			return nil, err
		}
	}
	return &pb.Word{Text: strings.ToUpper(in.GetText())}, nil
}

// Spell sends as many answers as it likes. The call ends when it returns.
func (words) Spell(in *pb.Word, stream grpc.ServerStreamingServer[pb.Word]) error {
	for _, letter := range in.GetText() {
		if err := stream.Send(&pb.Word{Text: string(letter)}); err != nil {
			return err
		}
	}
	return nil
}

// Join receives until the client has sent everything, which is io.EOF, and then answers once.
func (words) Join(stream grpc.ClientStreamingServer[pb.Word, pb.Word]) error {
	var all []string
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Word{Text: strings.Join(all, " ")})
		}
		if err != nil {
			return err
		}
		all = append(all, in.GetText())
	}
}

// Chat answers each word as it comes, by the word read backwards. It could also send and receive at the same time.
func (words) Chat(stream grpc.BidiStreamingServer[pb.Word, pb.Word]) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		letters := []rune(in.GetText())
		slices.Reverse(letters)
		if err := stream.Send(&pb.Word{Text: string(letters)}); err != nil {
			return err
		}
	}
}
