// Tests that the examples do what their README files say, and that the programs in the README of the repository run as they stand there.

package examples

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestHelloWorld(t *testing.T) {
	server, client := build(t, "./helloworld/greeter_server"), build(t, "./helloworld/greeter_client")
	addr := freeAddr(t)
	start(t, addr, server, "-port", port(addr))
	wantOutput(t, output(t, client, "-addr", addr, "-name", "gopher"), "Greeting: Hello gopher")
}

func TestRouteGuide(t *testing.T) {
	server, client := build(t, "./route_guide/server"), build(t, "./route_guide/client")
	for _, tls := range []string{"-tls=false", "-tls=true"} {
		t.Run(tls, func(t *testing.T) {
			addr := freeAddr(t)
			start(t, addr, server, "-port", port(addr), tls)
			out := output(t, client, "-addr", addr, tls)
			wantOutput(t, out,
				"name:.*Berkshire Valley Management Area Trail, Jefferson, NJ, USA",
				`Feature: name: "Times Square, New York, NY, USA", point:\(407580000, -739855000\)`,
				"Route summary: point_count:[0-9]+",
				`Got message Sixth message at point\(0, 3\)`)
		})
	}
}

func TestQuickstart(t *testing.T) {
	out := output(t, build(t, "./quickstart"), "-d", "250ms")
	wantOutput(t, out, "HELLO", "g · o · p · h · e · r", "calls are streams", "desserts", "greeting: hello, gopher", "DeadlineExceeded", "all +[1-9]")
}

func TestREADMEOfTheRepository(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllSubmatch(text, -1)
	if len(programs) != 2 {
		t.Fatalf("programs in README.md: got %d, want a server and a client", len(programs))
	}
	lis := listen(t) // keeps the port, which is written into the programs, until they are built
	addr := lis.Addr().String()
	var paths []string
	for _, p := range programs {
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, []byte(strings.ReplaceAll(string(p[1]), "localhost:50051", addr)), 0o666); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, build(t, source))
	}
	lis.Close()
	start(t, addr, paths[0])
	wantOutput(t, output(t, paths[1]), "Hello gopher")
}

func wantOutput(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(out) {
			t.Errorf("output: got no match of %q, want one; output:\n%s", p, out)
		}
	}
}

// build compiles a program and returns its path.
func build(t *testing.T, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: got %v, want no error; output:\n%s", pkg, err, out)
	}
	return path
}

// output runs a program and returns what it prints.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: got %v, want no error; output:\n%s", program, args, err, out)
	}
	return string(out)
}

// start runs a server until the test ends, and returns when it listens on addr.
func start(t *testing.T, addr, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1) // sent the result of Wait
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	begun := time.Now()
	for range time.Tick(10 * time.Millisecond) {
		if took := time.Since(begun); took > time.Minute {
			t.Fatalf("%s %v: no server on %s after %v", program, args, addr, took)
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("%s %v: got an exit with %v, want a server on %s", program, args, err, addr)
		default:
		}
	}
}

// freeAddr returns an address of this machine with a port that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis := listen(t)
	lis.Close()
	return lis.Addr().String()
}

// listen listens on a free port, at most until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	return lis
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
