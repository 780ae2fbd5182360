// The roles of this program: the tests, a server, or clients.

package held

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/types/known/emptypb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// full asks for as many connections and streams as the figures are promised for. The tests are content with fewer: what each one costs is
// the same.
var full = os.Getenv("HELD_FULL") != ""

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "server":
		runServer()
	case "secure server":
		runServer(grpc.Creds(serverCredentials()))
	case "client":
		runClient()
	default:
		os.Exit(m.Run())
	}
}

// service has a method that waits for the end of the request, and two whose request is one message.
var service = grpc.ServiceDesc{
	ServiceName: "held.Held", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Once", Handler: once}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Hold", ServerStreams: true, ClientStreams: true, Handler: hold}, {StreamName: "Down", ServerStreams: true, Handler: hold},
	},
}

const method = "/held.Held/Hold"

// holding counts the streams that are held, and held all that were.
var holding, held atomic.Int64

func hold(_ any, stream grpc.ServerStream) error {
	holding.Add(1)
	held.Add(1)
	defer holding.Add(-1)
	in := new(emptypb.Empty)
	for {
		if err := stream.RecvMsg(in); err != nil {
			return nil
		}
	}
}

func once(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := new(emptypb.Empty)
	return in, decode(in)
}

// runServer is the server, which serves until its standard input ends. A handshake may stall for an hour: a test begins many, one by one, and
// wants all of them to be there.
func runServer(opts ...grpc.ServerOption) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer(append(opts, grpc.ConnectionTimeout(time.Hour))...)
	s.RegisterService(&service, nil)
	go s.Serve(lis) // ends with the process
	obey(map[string]func([]string) string{
		"address": func([]string) string { return lis.Addr().String() },
		"holding": func([]string) string { return fmt.Sprint(holding.Load()) },
		"held":    func([]string) string { return fmt.Sprint(held.Load()) },
	})
}

// runClient is a client: of frames for "connect", of this library for "open".
func runClient() {
	obey(map[string]func([]string) string{
		"connect": func(args []string) string { return connect(args[0], number(args[1]), args[2] == "true") },
		"stall":   func(args []string) string { return stall(args[0], number(args[1]), args[2]) },
		"open":    func(args []string) string { return open(args[0], number(args[1]), args[2]) },
	})
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// keep keeps what is to live until the process ends.
var keep struct {
	sync.Mutex
	all []any
}

func keepAll(v ...any) {
	keep.Lock()
	keep.all = append(keep.all, v...)
	keep.Unlock()
}

// connect makes n connections, with one call on each if call says so.
func connect(address string, n int, call bool) string {
	var workers sync.WaitGroup
	errs := make(chan error, n)
	next := make(chan struct{})
	for range 8 {
		workers.Go(func() {
			for range next {
				errs <- connectOne(address, call)
			}
		})
	}
	for range n {
		next <- struct{}{}
	}
	close(next)
	workers.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err.Error()
		}
	}
	return "ok"
}

func connectOne(address string, call bool) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	keepAll(nc)
	f := http2.NewFramer(nc, nc)
	if _, err := io.WriteString(nc, http2.ClientPreface); err != nil {
		return err
	}
	if err := f.WriteSettings(); err != nil {
		return err
	}
	if call {
		if err := writeCall(f); err != nil {
			return err
		}
	}
	for {
		switch fr, err := f.ReadFrame(); fr := fr.(type) {
		case *http2.SettingsFrame:
			if fr.IsAck() && !call {
				return nil
			}
		case *http2.HeadersFrame:
			if fr.StreamEnded() {
				return nil
			}
		default:
			if err != nil {
				return err
			}
		}
	}
}

func writeCall(f *http2.Framer) error {
	var block bytes.Buffer
	coder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "held.example"}, {"te", "trailers"},
		{"content-type", "application/grpc"}, {"user-agent", "held"}, {"grpc-timeout", "9S"}, {"x-request-id", "0123456789abcdef"},
	} {
		_ = coder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into memory
	}
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		return err
	}
	return f.WriteData(1, true, make([]byte, 5)) // one empty message
}

// open opens n streams of a method, without a message, on one connection. The server has all of them then.
func open(address string, n int, method string) string {
	cc, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithCancel(context.Background())
	keepAll(cc, cancel)
	for range n {
		s, err := cc.NewStream(ctx, &service.Streams[0], "/held.Held/"+method, grpc.WaitForReady(true))
		if err != nil {
			return err.Error()
		}
		keepAll(s)
	}
	if err := cc.Invoke(ctx, "/held.Held/Once", new(emptypb.Empty), new(emptypb.Empty)); err != nil {
		return err.Error()
	}
	return "ok"
}

// await asks the child until the answer is the wanted one.
func (c *child) await(question, want string) {
	c.t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if got = c.ask("%s", question); got == want {
			return
		}
	}
	c.t.Fatalf("%s: got %s after a minute, want %s", question, got, want)
}
