// The allocations of a unary call over loopback, on either side: the server is a process of its own, so that its are not the client's.

//go:build !race && !poison

package test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

const (
	maxClientAllocs = 10 // a call, those of the messages included
	maxServerAllocs = 10
	countedCalls    = 2000
)

func TestAllocationsOfAUnaryCall(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), allocServer+"=1"), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // its error is that it was killed
	defer cmd.Process.Kill()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("address of the server: got %v", err)
	}
	cc, err := grpc.NewClient(strings.TrimSpace(addr), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	client := grpc162.NewEchoClient(cc)
	call := func(payload string) (answer uint64) {
		r, err := client.Unary(t.Context(), &grpc162.Request{Payload: []byte(payload)})
		if err == nil && payload == askMallocs {
			_, err = fmt.Sscan(string(r.Payload), &answer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for range 100 { // what is set up once
		call("x")
	}
	server, own := call(askMallocs), mallocs()
	for range countedCalls {
		call("x")
	}
	own = mallocs() - own
	server = call(askMallocs) - server
	for _, side := range []struct {
		name       string
		got, limit uint64
	}{{"client", own, maxClientAllocs}, {"server", server, maxServerAllocs}} {
		if per := float64(side.got) / countedCalls; per > float64(side.limit) {
			t.Errorf("%s: got %.1f allocations a call, want at most %d", side.name, per, side.limit)
		} else {
			t.Logf("%s: %.1f allocations a call, of %d", side.name, per, side.limit)
		}
	}
}
