// The client of the wire cross: it makes every kind of call to the server at the address given, and prints what came of each.
// What it prints is the same in every run, whichever library is on whichever side.

// Command client calls the wire cross's server.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: client ADDRESS")
	}
	cc, err := grpc.NewClient("passthrough:///"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := caller{ctx, cc}
	for _, kind := range []struct {
		name string
		do   func()
	}{
		{"unary", func() { c.unary("echo héllo") }},
		{"empty", func() { c.unary("") }},
		{"client stream", func() { c.stream(echo.ClientStreamDesc, echo.ClientStream, "a", "b", "c") }},
		{"server stream", func() { c.stream(echo.ServerStreamDesc, echo.ServerStream, "abc") }},
		{"bidi", func() { c.stream(echo.BidiDesc, echo.Bidi, "a", "", "c") }},
		{"metadata", c.metadata},
		{"error with details", func() { c.unary("fail") }},
		{"unknown method", c.unknown},
		{"deadline", c.deadline},
		{"cancellation", c.cancellation},
		{"gzip", func() { c.unary(strings.Repeat("zip ", 1000), grpc.UseCompressor(gzip.Name)) }},
		{"gzip stream", func() { c.gzipped("a", strings.Repeat("b", 5000)) }},
		{"over the limit", func() { c.unary(strings.Repeat("x", 5<<20)) }},
		{"large streams", c.large},
	} {
		fmt.Printf("%s: ", kind.name)
		kind.do()
	}
}

type caller struct {
	ctx context.Context
	cc  *grpc.ClientConn
}

// brief is a text, or its size and digest if it is long.
func brief(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%d bytes %x", len(s), sha256.Sum256([]byte(s)))
	}
	return fmt.Sprintf("%q", s)
}

// outcome is an error with its details, or else a text.
func outcome(s string, err error) string {
	if err == nil {
		return brief(s)
	}
	return fmt.Sprintf("%v %q", err, fmt.Sprint(len(status.Convert(err).Details()), " details"))
}

// show prints metadata in order.
func show(md metadata.MD) string {
	var parts []string
	for k, v := range md {
		parts = append(parts, fmt.Sprintf("%s=%q", k, v))
	}
	sort.Strings(parts)
	return strings.Join(parts, " ")
}

func (c caller) unary(in string, opts ...grpc.CallOption) {
	out := new(echo.Text)
	var header, trailer metadata.MD
	err := c.cc.Invoke(c.ctx, echo.Unary, echo.Of(in), out, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
	fmt.Printf("%s; header %s; trailer %s\n", outcome(out.Value, err), show(header), show(trailer))
}

func (c caller) stream(desc *grpc.StreamDesc, method string, texts ...string) {
	got, err := c.converse(desc, method, texts)
	fmt.Printf("%q %v\n", got, err)
}

func (c caller) gzipped(texts ...string) {
	got, err := c.converse(echo.BidiDesc, echo.Bidi, texts, grpc.UseCompressor(gzip.Name))
	fmt.Println(brief(strings.Join(got, "|")), err)
}

// converse sends the texts and returns the answers, and the error if the stream failed.
func (c caller) converse(desc *grpc.StreamDesc, method string, texts []string, opts ...grpc.CallOption) ([]string, error) {
	stream, err := c.cc.NewStream(c.ctx, desc, method, opts...)
	if err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() { // ends with the stream; its error is waited for
		for _, s := range texts {
			if err := stream.SendMsg(echo.Of(s)); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	var got []string
	for {
		in := new(echo.Text)
		err := stream.RecvMsg(in)
		if errors.Is(err, io.EOF) {
			return got, <-sent
		}
		if err != nil {
			return got, err
		}
		got = append(got, in.Value)
	}
}

func (c caller) metadata() {
	c.ctx = metadata.AppendToOutgoingContext(c.ctx, "k", "a,b", "k", "", "k-bin", "\x00\xff", "k-bin", "")
	c.unary("metadata")
}

func (c caller) unknown() {
	fmt.Println(c.cc.Invoke(c.ctx, "/none/Such", echo.Of("x"), new(echo.Text)))
}

// deadline makes a call whose deadline passes, when its handler has begun. Who notices first is open, so only the code is printed.
func (c caller) deadline() {
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	err := c.cc.Invoke(ctx, echo.Unary, echo.Of("wait"), new(echo.Text))
	fmt.Print(status.Code(err), "; ")
	out := new(echo.Text)
	c.cc.Invoke(c.ctx, echo.Unary, echo.Of("entered"), out)
	err = c.cc.Invoke(c.ctx, echo.Unary, echo.Of("ended"), out)
	fmt.Println(strings.HasPrefix(out.Value, "context "), err)
}

// cancellation cancels a call whose handler has begun.
func (c caller) cancellation() {
	ctx, cancel := context.WithCancel(c.ctx)
	failed := make(chan error, 1)
	go func() { // ends when the call does, right below
		failed <- c.cc.Invoke(ctx, echo.Unary, echo.Of("wait"), new(echo.Text))
	}()
	c.unary("entered")
	cancel()
	fmt.Print(<-failed, "; ")
	c.unary("ended")
}

// large runs 20 streams of 1 MB messages at once and prints a digest of all that came back.
func (c caller) large() {
	const streams, size = 20, 1 << 20
	digests := make([]string, streams)
	var wg sync.WaitGroup
	for i := range streams {
		wg.Add(1)
		go func() { // waited for below
			defer wg.Done()
			random := rand.New(rand.NewPCG(uint64(i), 1))
			message := make([]byte, size)
			for j := range message {
				message[j] = 'a' + byte(random.UintN(26))
			}
			got, err := c.converse(echo.BidiDesc, echo.Bidi, []string{string(message), string(message)})
			digests[i] = fmt.Sprintf("%x %v", sha256.Sum256([]byte(strings.Join(got, "|"))), err)
		}()
	}
	wg.Wait()
	fmt.Println(brief(strings.Join(digests, " ")), strings.Count(strings.Join(digests, " "), "<nil>"), "good")
}
