// The client of the helloworld example: it makes one call and prints the answer.

// Command greeter_client asks a greeter_server for a greeting.
package main

import (
	"context"
	"flag"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/examples/helloworld/helloworld"
)

func main() {
	addr := flag.String("addr", "localhost:50051", "address of the server")
	name := flag.String("name", "world", "whom to greet")
	flag.Parse()

	// A channel connects when the first call needs it, and again whenever the connection is lost.
	conn, err := grpc.NewClient(*addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatalf("did not connect: %v", err)
	}
	defer conn.Close()

	// The deadline goes to the server too, which can then give up in time.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := pb.NewGreeterClient(conn).SayHello(ctx, &pb.HelloRequest{Name: *name})
	if err != nil {
		log.Fatalf("could not greet: %v", err)
	}
	log.Printf("Greeting: %s", r.GetMessage())
}
