// Where a user of a server may start: what it needs besides its services.

package grpc_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// A server that gives its calls ten seconds to end before it stops.
func ExampleServer_Shutdown() {
	lis, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := grpc.NewServer()
	go s.Serve(lis)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // when a signal has come
	defer cancel()
	fmt.Println(s.Shutdown(ctx))
	// Output: <nil>
}

// A panic of a handler ends its call, and clients hear of no more than a number to ask for.
func ExampleRecoverPanics() {
	s := grpc.NewServer(
		grpc.RecoverPanics(func(_ context.Context, method string, value any, _ []byte) error {
			fmt.Println(method, "panicked:", value) // with the stack, to the log
			return status.Error(codes.Internal, "see incident 7")
		}),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { panic("no such luck") }),
	)
	defer s.Stop()
	lis, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go s.Serve(lis)

	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/shop.Till/Open")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(stream.RecvMsg(nil))
	// Output:
	// /shop.Till/Open panicked: no such luck
	// rpc error: code = Internal desc = see incident 7
}

// One port for gRPC and for the web. Without TLS, net/http has to be told that HTTP/2 is welcome.
func ExampleServer_ServeHTTP() {
	s := grpc.NewServer()
	defer s.Stop()
	web := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			s.ServeHTTP(w, r)
			return
		}
		fmt.Fprint(w, "a page")
	})}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetUnencryptedHTTP2(true)
	defer web.Close()
	lis, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go web.Serve(lis)

	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.Invoke(context.Background(), "/shop.Till/Open", new(emptypb.Empty), new(emptypb.Empty)))

	page, err := http.Get("http://" + lis.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer page.Body.Close()
	body, err := io.ReadAll(page.Body)
	fmt.Println(string(body), err)
	// Output:
	// rpc error: code = Unimplemented desc = unknown service shop.Till
	// a page <nil>
}
