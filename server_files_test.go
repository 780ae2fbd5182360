// The test of a server that runs out of file descriptors: it goes on accepting when there are some again.

//go:build unix

package grpc

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// fewFiles is the program of the child: a server without file descriptors, which gets them back when its standard input ends.
func fewFiles(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := NewServer()
	testService{}.register(srv)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 50, Max: 50}))
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	served := make(chan error)
	go func() { served <- srv.Serve(lis) }()
	fmt.Println("address", lis.Addr())
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	for _, f := range files {
		f.Close()
	}
	_, _ = in.ReadString('\n')
	srv.Stop()
	must(t, <-served)
}

func TestServerOutlivesALackOfFileDescriptors(t *testing.T) {
	if os.Getenv("FEW_FILES") != "" {
		fewFiles(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerOutlivesALackOfFileDescriptors$")
	cmd.Env = append(os.Environ(), "FEW_FILES=1", "GRPC_GO_LOG_SEVERITY_LEVEL=warning")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	logs, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "address ") {
		t.Fatalf("got %q from the child, want its address", lines.Text())
	}
	cc := newChannel(t, strings.TrimPrefix(lines.Text(), "address "))
	result := make(chan error, 1)
	go func() {
		_, err := echo(t.Context(), cc, "x", WaitForReady(true))
		result <- err
	}()
	warning := bufio.NewScanner(logs)
	for n := 0; n < 2; { // so that it has tried again
		if !warning.Scan() {
			t.Fatal("the child never said that it cannot accept")
		}
		if strings.Contains(warning.Text(), "Accept error: ") && strings.Contains(warning.Text(), "too many open files; retrying in ") {
			n++
		}
	}
	fmt.Fprintln(in)
	must(t, <-result)
	must(t, in.Close())
	for warning.Scan() {
	}
	for lines.Scan() {
	}
	must(t, cmd.Wait())
}
