// The quickstart: starts a server, and calls it in each of the four ways, with metadata, with a deadline, and then with some load.

// Command quickstart runs a server and a client in one process and shows what they do.
//
//	go run ./quickstart                        the tour, with two seconds of load
//	go run ./quickstart -d 10s                 the same with more load
//	go run ./quickstart -addr localhost:50051  a server alone, for other tools to call
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/examples/quickstart/words"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	addr := flag.String("addr", "", "serve on this address, and do nothing else")
	d := flag.Duration("d", 2*time.Second, "how long the load lasts")
	flag.Parse()

	s := grpc.NewServer()
	pb.RegisterWordsServer(s, words{})
	if *addr != "" {
		lis, err := net.Listen("tcp", *addr)
		check(err)
		fmt.Printf("quickstart.Words is served on %v\n", lis.Addr())
		check(s.Serve(lis))
		return
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	check(err)
	go s.Serve(lis) // until Stop
	defer s.Stop()

	// One channel serves any number of callers. It connects when the first call needs it.
	cc, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer cc.Close()
	fmt.Printf("A server listens on %v. A client calls it:\n\n", lis.Addr())
	client := pb.NewWordsClient(cc)
	shout(client)
	spell(client)
	join(client)
	chat(client)
	greet(client)
	silence(client)
	load(client, 64, *d)
}

// check ends the program if something went wrong.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// say prints a line of the tour.
func say(kind, call, result string) { fmt.Printf("  %-14s %-32s %s\n", kind, call, result) }

// A unary call is a function call.
func shout(client pb.WordsClient) {
	answer, err := client.Shout(context.Background(), &pb.Word{Text: "hello"})
	check(err)
	say("one → one", `Shout("hello")`, answer.GetText())
}

// A stream of answers has ended well when Recv returns io.EOF. Any other error is the status of the call.
func spell(client pb.WordsClient) {
	stream, err := client.Spell(context.Background(), &pb.Word{Text: "gopher"})
	check(err)
	var letters []string
	answer, err := stream.Recv()
	for ; err == nil; answer, err = stream.Recv() {
		letters = append(letters, answer.GetText())
	}
	if err != io.EOF {
		check(err)
	}
	say("one → many", `Spell("gopher")`, strings.Join(letters, " · "))
}

// A stream of requests is answered when it is closed.
func join(client pb.WordsClient) {
	stream, err := client.Join(context.Background())
	check(err)
	for _, word := range []string{"calls", "are", "streams"} {
		check(stream.Send(&pb.Word{Text: word}))
	}
	answer, err := stream.CloseAndRecv()
	check(err)
	say("many → one", `Join("calls", "are", "streams")`, answer.GetText())
}

// With streams both ways, each side sends and receives when it likes. To leave a stream before its end, cancel its context.
func chat(client pb.WordsClient) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.Chat(ctx)
	check(err)
	for _, word := range []string{"stressed", "drawer"} {
		check(stream.Send(&pb.Word{Text: word}))
		answer, err := stream.Recv()
		check(err)
		say("many → many", fmt.Sprintf("Chat(%q)", word), answer.GetText())
	}
}

// Metadata are names and values that travel beside the messages, both ways, like the headers of HTTP.
func greet(client pb.WordsClient) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "caller", "gopher")
	var header metadata.MD
	_, err := client.Shout(ctx, &pb.Word{Text: "hello"}, grpc.Header(&header))
	check(err)
	say("metadata", "caller: gopher", "greeting: "+strings.Join(header.Get("greeting"), ", "))
}

// A deadline ends the call on both sides. Here the server waits for a word that does not come.
func silence(client pb.WordsClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	stream, err := client.Chat(ctx)
	check(err)
	_, err = stream.Recv()
	say("deadline", "Chat, 50 ms, nobody speaks", fmt.Sprintf("%v after %v", status.Code(err), time.Since(start).Round(time.Millisecond)))
}
