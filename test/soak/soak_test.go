// A soak: mixed calls for as long as SOAK says, such as 10m, in which what the process holds must not grow. "make soak" runs it; without SOAK
// it is a second, in which calls must work and nothing must be left.

// Package soak has one test, which takes long.
package soak

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	callers = 32 // of each of two channels
	// warmUp is the part of the time after which nothing grows any more: pools are filled by then.
	warmUp = 0.2
	// samples is how often it is measured what the process holds.
	samples = 50
	// maxGrowth is by how many bytes the line through the measurements may rise behind the warm-up, however long that is.
	maxGrowth = 2 << 20
	// age is how old connections become, and in how long calls of theirs must end.
	age, grace = 5 * time.Second, 5 * time.Second
)

// echo is the service.
type echo struct {
	grpc162.UnimplementedEchoServer
}

// Unary waits for the end of the call if it shall.
func (echo) Unary(ctx context.Context, in *grpc162.Request) (*grpc162.Response, error) {
	switch in.Text {
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "fail":
		return nil, status.Error(codes.Aborted, "as wanted")
	}
	return &grpc162.Response{Payload: in.Payload}, nil
}

func (echo) Chat(s grpc.BidiStreamingServer[grpc162.Request, grpc162.Response]) error {
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.Send(&grpc162.Response{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

// call makes the call number n, and returns what is wrong with it.
func call(c grpc162.EchoClient, n int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "number", strconv.FormatInt(n, 10), "id-bin", strconv.FormatInt(n*n, 16))
	size := int(n % 2000)
	if n%500 == 0 {
		size = 300_000
	}
	in := &grpc162.Request{Payload: bytes.Repeat([]byte{byte(n)}, size)}
	opts := []grpc.CallOption{grpc.WaitForReady(true)}
	if n%7 == 0 {
		opts = append(opts, grpc.UseCompressor(gzip.Name))
	}
	want := codes.OK
	switch n % 20 {
	case 0, 1, 2:
		return chat(ctx, c, in, opts)
	case 3: // the deadline passes
		ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		in.Text, want = "wait", codes.DeadlineExceeded
	case 4: // the caller gives up
		stop := time.AfterFunc(time.Duration(n%2000)*time.Microsecond, cancel)
		defer stop.Stop()
		in.Text, want = "wait", codes.Canceled
	case 5:
		in.Text, want = "fail", codes.Aborted
	case 6: // a stream that nobody reads to its end
		s, err := c.Chat(ctx, opts...)
		if err != nil {
			return err
		}
		return s.Send(in)
	}
	out, err := c.Unary(ctx, in, opts...)
	if status.Code(err) != want {
		return fmt.Errorf("call %d: got %w, want %v", n, err, want)
	}
	if err == nil && !bytes.Equal(out.Payload, in.Payload) {
		return fmt.Errorf("call %d: got %d bytes, want the %d that were sent", n, len(out.Payload), len(in.Payload))
	}
	return nil
}

func chat(ctx context.Context, c grpc162.EchoClient, in *grpc162.Request, opts []grpc.CallOption) error {
	s, err := c.Chat(ctx, opts...)
	if err != nil {
		return err
	}
	for range 3 {
		if err := s.Send(in); err != nil {
			return err
		}
		if out, err := s.Recv(); err != nil || !bytes.Equal(out.Payload, in.Payload) {
			return fmt.Errorf("stream: got %d bytes, %w, want %d", len(out.GetPayload()), err, len(in.Payload))
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Recv(); err != io.EOF {
		return fmt.Errorf("stream: got %w, want its end", err)
	}
	return nil
}

// A sample is what the process holds at a time. Of memory, that is what is left after a collection.
type sample struct {
	at                time.Duration
	heap, resident    float64 // bytes
	goroutines, files int
}

func measure(start time.Time) (s sample) {
	debug.FreeOSMemory() // collects
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.at, s.heap, s.goroutines = time.Since(start), float64(m.HeapAlloc), runtime.NumGoroutine()
	if b, err := os.ReadFile("/proc/self/statm"); err == nil { // Linux
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseFloat(f[1], 64)
			s.resident = pages * float64(os.Getpagesize())
		}
	}
	if f, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.files = len(f)
	}
	return s
}

// slope is that of the line of the least squares through the values, per hour.
func slope(all []sample, value func(sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range all {
		h, v := s.at.Hours(), value(s)
		n, x, y, xx, xy = n+1, x+h, y+v, xx+h*h, xy+h*v
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// run keeps callers busy for as long as wanted, and returns what was held meanwhile.
func run(t *testing.T, channels []*grpc.ClientConn, length time.Duration) (all []sample, calls int64) {
	var n, wrong atomic.Int64
	var over atomic.Bool
	var wg sync.WaitGroup
	var calling sync.RWMutex // held by calls; nothing is measured while there are any
	for i := range callers * len(channels) {
		c := grpc162.NewEchoClient(channels[i%len(channels)])
		wg.Go(func() {
			for !over.Load() {
				calling.RLock()
				if err := call(c, n.Add(1)); err != nil && wrong.Add(1) < 100 {
					t.Error(err)
				}
				calling.RUnlock()
			}
		})
	}
	start := time.Now()
	for range samples {
		<-time.After(length / samples)
		calling.Lock()
		s := measure(start)
		calling.Unlock()
		all = append(all, s)
		t.Logf("%v: %d calls, heap %.1f MB, resident %.1f MB, %d goroutines, %d files", s.at.Round(time.Second), n.Load(), s.heap/1e6, s.resident/1e6,
			s.goroutines, s.files)
	}
	over.Store(true)
	wg.Wait()
	return all, n.Load()
}

func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	long := err == nil
	if !long {
		length = time.Second
	}
	ca := testkit.NewCA(t)
	cert := ca.Server(t, "soak.test")
	var channels []*grpc.ClientConn
	for _, creds := range [][2]credentials.TransportCredentials{
		{insecure.NewCredentials(), insecure.NewCredentials()},
		{credentials.NewServerTLSFromCert(&cert), credentials.NewTLS(&tls.Config{RootCAs: ca.Pool, ServerName: "soak.test"})},
	} {
		channels = append(channels, serve(t, creds[0], creds[1]))
	}
	all, calls := run(t, channels, length)
	if !long {
		return
	}
	settled := all[int(warmUp*float64(len(all))):]
	hours := (settled[len(settled)-1].at - settled[0].at).Hours()
	heap := slope(settled, func(s sample) float64 { return s.heap })
	resident := slope(settled, func(s sample) float64 { return s.resident })
	routines := slope(settled, func(s sample) float64 { return float64(s.goroutines) })
	files := slope(settled, func(s sample) float64 { return float64(s.files) })
	t.Logf("%d calls; in an hour the heap grows by %.2f MB, resident memory by %.2f MB, goroutines by %.1f, files by %.1f", calls, heap/1e6, resident/1e6,
		routines, files)
	for what, grown := range map[string]float64{"heap": heap * hours, "resident memory": resident * hours} {
		if grown > maxGrowth {
			t.Errorf("%s: grown by %.0f bytes in %.2f hours, want at most %d", what, grown, hours, maxGrowth)
		}
	}
	for what, grown := range map[string]float64{"goroutines": routines * hours, "files": files * hours} {
		if grown > callers/4 {
			t.Errorf("%s: %.1f more at the end, want as many as at the beginning", what, grown)
		}
	}
}

// serve makes a server whose connections come to an age, and a channel to it.
func serve(t *testing.T, server, client credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(server), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: age, MaxConnectionAgeGrace: grace}))
	grpc162.RegisterEchoServer(srv, echo{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }() // ends at Stop
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	cc, err := grpc.NewClient("passthrough:///"+lis.Addr().String(), grpc.WithTransportCredentials(client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}
