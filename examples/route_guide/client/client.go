// The client of the route_guide example: it calls a method of each of the four kinds.

// Command client asks a RouteGuide server about places, tells it of a route, and chats with it.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/examples/data"
	pb "google.golang.org/grpc/examples/route_guide/routeguide"
)

var (
	useTLS             = flag.Bool("tls", false, "use TLS instead of plain TCP")
	caFile             = flag.String("ca_file", "", "certificate of the authority to trust (default: the examples' own)")
	serverAddr         = flag.String("addr", "localhost:50051", "address of the server, host:port")
	serverHostOverride = flag.String("server_host_override", "x.test.example.com", "name that the server's certificate is checked for")
)

// timeout is the time that each of the calls may take.
const timeout = 10 * time.Second

// printFeature makes a unary call.
func printFeature(client pb.RouteGuideClient, point *pb.Point) {
	log.Printf("Getting feature for point (%d, %d)", point.GetLatitude(), point.GetLongitude())
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	feature, err := client.GetFeature(ctx, point)
	if err != nil {
		log.Fatalf("client.GetFeature failed: %v", err)
	}
	log.Println(feature)
}

// printFeatures receives a stream: the call has ended well when Recv returns io.EOF.
func printFeatures(client pb.RouteGuideClient, rect *pb.Rectangle) {
	log.Printf("Looking for features within %v", rect)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stream, err := client.ListFeatures(ctx, rect)
	if err != nil {
		log.Fatalf("client.ListFeatures failed: %v", err)
	}
	for {
		feature, err := stream.Recv()
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatalf("client.ListFeatures failed: %v", err)
		}
		at := feature.GetLocation()
		log.Printf("Feature: name: %q, point:(%v, %v)", feature.GetName(), at.GetLatitude(), at.GetLongitude())
	}
}

// recordRoute sends a stream: the answer comes when it is closed.
func recordRoute(client pb.RouteGuideClient) {
	points := make([]*pb.Point, 2+rand.IntN(100))
	for i := range points {
		points[i] = randomPoint()
	}
	log.Printf("Traversing %d points.", len(points))
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stream, err := client.RecordRoute(ctx)
	if err != nil {
		log.Fatalf("client.RecordRoute failed: %v", err)
	}
	for _, point := range points {
		if err := stream.Send(point); err != nil {
			log.Fatalf("client.RecordRoute: stream.Send(%v) failed: %v", point, err)
		}
	}
	summary, err := stream.CloseAndRecv()
	if err != nil {
		log.Fatalf("client.RecordRoute failed: %v", err)
	}
	log.Printf("Route summary: %v", summary)
}

// runRouteChat sends and receives at the same time: one goroutine may send while another receives.
func runRouteChat(client pb.RouteGuideClient) {
	notes := []*pb.RouteNote{
		{Location: &pb.Point{Longitude: 1}, Message: "First message"},
		{Location: &pb.Point{Longitude: 2}, Message: "Second message"},
		{Location: &pb.Point{Longitude: 3}, Message: "Third message"},
		{Location: &pb.Point{Longitude: 1}, Message: "Fourth message"},
		{Location: &pb.Point{Longitude: 2}, Message: "Fifth message"},
		{Location: &pb.Point{Longitude: 3}, Message: "Sixth message"},
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stream, err := client.RouteChat(ctx)
	if err != nil {
		log.Fatalf("client.RouteChat failed: %v", err)
	}
	received := make(chan struct{}) // closed when the server has ended the call
	go func() {
		defer close(received)
		for {
			note, err := stream.Recv()
			if err == io.EOF {
				return
			}
			if err != nil {
				log.Fatalf("client.RouteChat failed: %v", err)
			}
			at := note.GetLocation()
			log.Printf("Got message %s at point(%d, %d)", note.GetMessage(), at.GetLatitude(), at.GetLongitude())
		}
	}()
	for _, note := range notes {
		if err := stream.Send(note); err != nil {
			log.Fatalf("client.RouteChat: stream.Send(%v) failed: %v", note, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		log.Fatalf("client.RouteChat failed: %v", err)
	}
	<-received
}

// randomPoint returns a point in whole degrees, anywhere on the earth.
func randomPoint() *pb.Point {
	return &pb.Point{Latitude: (rand.Int32N(180) - 90) * 1e7, Longitude: (rand.Int32N(360) - 180) * 1e7}
}

// transportCredentials returns what the flags ask for: TLS or plain TCP.
func transportCredentials() (credentials.TransportCredentials, error) {
	if !*useTLS {
		return insecure.NewCredentials(), nil
	}
	if *caFile == "" {
		*caFile = data.Path("x509/ca_cert.pem")
	}
	return credentials.NewClientTLSFromFile(*caFile, *serverHostOverride)
}

func main() {
	flag.Parse()
	creds, err := transportCredentials()
	if err != nil {
		log.Fatalf("Failed to create TLS credentials: %v", err)
	}
	conn, err := grpc.NewClient(*serverAddr, grpc.WithTransportCredentials(creds))
	if err != nil {
		log.Fatalf("fail to dial: %v", err)
	}
	defer conn.Close()
	client := pb.NewRouteGuideClient(conn)

	printFeature(client, &pb.Point{Latitude: 409146138, Longitude: -746188906})
	printFeature(client, &pb.Point{}) // there is nothing
	printFeatures(client, &pb.Rectangle{
		Lo: &pb.Point{Latitude: 400000000, Longitude: -750000000},
		Hi: &pb.Point{Latitude: 420000000, Longitude: -730000000},
	})
	recordRoute(client)
	runRouteChat(client)
}
