// The server of the route_guide example: it implements a method of each of the four kinds.

// Command server serves RouteGuide from a list of features that it reads at start.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/examples/data"
	pb "google.golang.org/grpc/examples/route_guide/routeguide"
	"google.golang.org/grpc/examples/route_guide/testdata"
	"google.golang.org/protobuf/proto"
)

var (
	useTLS     = flag.Bool("tls", false, "use TLS instead of plain TCP")
	certFile   = flag.String("cert_file", "", "certificate of the server (default: the examples' own)")
	keyFile    = flag.String("key_file", "", "key of the certificate (default: the examples' own)")
	jsonDBFile = flag.String("json_db_file", "", "JSON file with a list of features (default: the example's own)")
	port       = flag.Int("port", 50051, "port to serve on")
)

// routeGuide implements pb.RouteGuideServer. Handlers run at the same time, each on a goroutine of its own.
type routeGuide struct {
	pb.UnimplementedRouteGuideServer
	features []*pb.Feature // never changed once the server runs

	mu    sync.Mutex // guards notes
	notes map[place][]*pb.RouteNote
}

// place is a point as a key of a map.
type place struct{ latitude, longitude int32 }

// GetFeature is unary: it returns the answer, or an error.
func (g *routeGuide) GetFeature(_ context.Context, point *pb.Point) (*pb.Feature, error) {
	if f := g.at(point); f != nil {
		return f, nil
	}
	return &pb.Feature{Location: point}, nil
}

// ListFeatures streams to the client: it sends as many answers as it likes, and returns when that was all.
func (g *routeGuide) ListFeatures(rect *pb.Rectangle, stream pb.RouteGuide_ListFeaturesServer) error {
	for _, f := range g.features {
		if !inside(f.GetLocation(), rect) {
			continue
		}
		if err := stream.Send(f); err != nil {
			return err
		}
	}
	return nil
}

// RecordRoute streams from the client: it receives until io.EOF, then answers once.
func (g *routeGuide) RecordRoute(stream pb.RouteGuide_RecordRouteServer) error {
	start := time.Now()
	summary := &pb.RouteSummary{}
	var last *pb.Point
	for {
		point, err := stream.Recv()
		if err == io.EOF {
			summary.ElapsedTime = int32(time.Since(start).Seconds())
			return stream.SendAndClose(summary)
		}
		if err != nil {
			return err
		}
		summary.PointCount++
		if g.at(point) != nil {
			summary.FeatureCount++
		}
		if last != nil {
			summary.Distance += distance(last, point)
		}
		last = point
	}
}

// RouteChat streams both ways: here each note that comes is answered by those that were left at its place, itself included.
func (g *routeGuide) RouteChat(stream pb.RouteGuide_RouteChatServer) error {
	for {
		note, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range g.leave(note) {
			if err := stream.Send(n); err != nil {
				return err
			}
		}
	}
}

// leave adds a note to its place and returns all that are there.
func (g *routeGuide) leave(note *pb.RouteNote) []*pb.RouteNote {
	p := place{note.GetLocation().GetLatitude(), note.GetLocation().GetLongitude()}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notes[p] = append(g.notes[p], note)
	all := g.notes[p]
	return all[:len(all):len(all)] // others may append, but not to this
}

// at returns the feature at point, or nil.
func (g *routeGuide) at(point *pb.Point) *pb.Feature {
	for _, f := range g.features {
		if proto.Equal(f.GetLocation(), point) {
			return f
		}
	}
	return nil
}

func inside(p *pb.Point, r *pb.Rectangle) bool {
	between := func(x, a, b int32) bool { return min(a, b) <= x && x <= max(a, b) }
	return between(p.GetLatitude(), r.GetLo().GetLatitude(), r.GetHi().GetLatitude()) &&
		between(p.GetLongitude(), r.GetLo().GetLongitude(), r.GetHi().GetLongitude())
}

// distance returns the metres between two points on a sphere of the earth's size, by the haversine formula.
func distance(p, q *pb.Point) int32 {
	const earthRadius = 6_371_000 // metres
	radians := func(units int32) float64 { return float64(units) / 1e7 * math.Pi / 180 }
	haversine := func(a float64) float64 { return math.Pow(math.Sin(a/2), 2) }

	lat1, lat2 := radians(p.GetLatitude()), radians(q.GetLatitude())
	h := haversine(lat2-lat1) + math.Cos(lat1)*math.Cos(lat2)*haversine(radians(q.GetLongitude())-radians(p.GetLongitude()))
	return int32(2 * earthRadius * math.Asin(math.Sqrt(h)))
}

// loadFeatures reads a JSON list of features, from the given file if there is one.
func loadFeatures(file string) ([]*pb.Feature, error) {
	text := testdata.Features
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	var features []*pb.Feature
	err := json.Unmarshal(text, &features)
	return features, err
}

// serverOptions returns what the flags ask of the server: TLS or not.
func serverOptions() ([]grpc.ServerOption, error) {
	if !*useTLS {
		return nil, nil
	}
	if *certFile == "" {
		*certFile = data.Path("x509/server_cert.pem")
	}
	if *keyFile == "" {
		*keyFile = data.Path("x509/server_key.pem")
	}
	creds, err := credentials.NewServerTLSFromFile(*certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	return []grpc.ServerOption{grpc.Creds(creds)}, nil
}

func main() {
	flag.Parse()
	features, err := loadFeatures(*jsonDBFile)
	if err != nil {
		log.Fatalf("Failed to load features: %v", err)
	}
	opts, err := serverOptions()
	if err != nil {
		log.Fatalf("Failed to generate credentials: %v", err)
	}
	lis, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", *port))
	if err != nil {
		log.Fatalf("failed to listen: %v", err)
	}
	s := grpc.NewServer(opts...)
	pb.RegisterRouteGuideServer(s, &routeGuide{features: features, notes: map[place][]*pb.RouteNote{}})
	log.Printf("server listening at %v", lis.Addr())
	if err := s.Serve(lis); err != nil {
		log.Fatalf("failed to serve: %v", err)
	}
}
