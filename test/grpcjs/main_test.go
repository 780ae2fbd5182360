// The tests of this folder call grpc-js, the implementation of gRPC for Node.js, and are called by it: an implementation that shares no code
// with this one, and that hedges calls too. "make grpcjs" installs it and runs them; without it, or without node, they are skipped.

package grpcjs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience bounds every wait: a test that waits longer has failed.
const patience = 20 * time.Second

// unary is the path of the unary method.
const unary = "/grpcjs.Echo/Unary"

// node returns a command that runs a script of this folder. It skips the test if that cannot be, unless GRPCJS is "required".
func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("GRPCJS") == "required" {
			t.Fatal(what)
		}
		t.Skip(what + ": run make grpcjs")
	}
	path, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat("node_modules/@grpc/grpc-js/package.json"); err != nil {
		missing("grpc-js is not installed")
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// An event is a line that server.js prints.
type event struct {
	Event   string `json:"event"`
	Name    string `json:"name"`
	Attempt int    `json:"attempt"`
	Port    int    `json:"port"`
}

// events are what a server sees of calls.
type events struct {
	mu     sync.Mutex
	all    []event
	change chan struct{} // closed when something was added
}

func newEvents() *events { return &events{change: make(chan struct{})} }

func (e *events) add(v event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, v)
	close(e.change)
	e.change = make(chan struct{})
}

// of returns the events of the call name, sorted.
func (e *events) of(name string) (string, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var got []string
	for _, v := range e.all {
		if v.Name == name {
			got = append(got, fmt.Sprint(v.Event, " ", v.Attempt))
		}
	}
	slices.Sort(got)
	return strings.Join(got, ", "), e.change
}

// want waits until the events of the call name are these, in the order of the alphabet.
func (e *events) want(t *testing.T, name, want string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		got, change := e.of(name)
		if got == want {
			return
		}
		select {
		case <-change:
		case <-timeout:
			t.Errorf("events of %q after %v: got %q, want %q", name, patience, got, want)
			return
		}
	}
}

// serveJS runs server.js until the end of the test. It returns its address, and what it sees.
func serveJS(t *testing.T) (string, *events) {
	t.Helper()
	cmd := node(t, "server.js")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	seen, port := newEvents(), make(chan int, 1)
	done := make(chan struct{})
	go func() { // ends with the server's output
		defer close(done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("server.js printed %q: %v", lines.Text(), err)
			} else if e.Event == "serving" {
				port <- e.Port
			} else {
				seen.add(e)
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("server.js: %v", err)
		}
	})
	select {
	case p := <-port:
		return fmt.Sprintf("127.0.0.1:%d", p), seen
	case <-done:
		t.Fatal("server.js has ended")
	case <-time.After(patience):
		t.Fatalf("server.js does not serve after %v", patience)
	}
	panic("unreachable")
}

// dial makes a channel to an address, with a service config for all methods.
func dial(t *testing.T, address, methodConfig string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	config := fmt.Sprintf(`{"methodConfig":[{"name":[{}]%s}]}`, methodConfig)
	cc, err := grpc.NewClient("passthrough:///"+address, append(opts, grpc.WithDefaultServiceConfig(config),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	must(t, err)
	t.Cleanup(func() { cc.Close() })
	return cc
}

// within returns a context that ends if the test hangs.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func text(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

// receiveAll receives messages until the stream ends.
func receiveAll(s interface{ RecvMsg(any) error }) (got []string, err error) {
	for {
		var m wrapperspb.StringValue
		if err := s.RecvMsg(&m); err == io.EOF {
			return got, nil
		} else if err != nil {
			return got, err
		}
		got = append(got, m.Value)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
