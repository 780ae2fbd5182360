// The tests of this folder connect to and serve OpenSSL, by its command line: an implementation of TLS that shares no code with crypto/tls.
// Without it they are skipped, unless the environment says OPENSSL=required, as "make openssl" does. The rest of the matrix of TLS, where
// crypto/tls is told to behave oddly, is in test/parity/behaviour.

package openssl

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience bounds every wait: a test that waits longer has failed.
const patience = 60 * time.Second

// name is that of all servers here.
const name = "server.test"

// A site is what a test has of certificates, in memory and in files.
type site struct {
	ca     *testkit.CA
	dir    string
	server tls.Certificate

	servers int // of openssl that were started
}

// newSite makes certificates. It skips the test if there is no openssl.
func newSite(t *testing.T) *site {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("OPENSSL") == "required" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed: run make openssl")
	}
	s := &site{ca: testkit.NewCA(t), dir: t.TempDir()}
	s.server = s.ca.Server(t, name)
	s.write(t, "ca", s.ca.PEM())
	s.keep(t, "server", s.server)
	return s
}

// keep writes a certificate and its key into files.
func (s *site) keep(t *testing.T, name string, c tls.Certificate) {
	t.Helper()
	cert, key := testkit.PEM(t, c)
	s.write(t, name, slices.Concat(cert, key))
}

func (s *site) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(s.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// openssl returns a command that ends with the test.
func openssl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, "openssl", args...)
}

// A pipe is a connection to what a process has on its standard input and output.
type pipe struct {
	out       *os.File // what it prints
	in        *os.File // what it reads
	cmd       *exec.Cmd
	log       *bytes.Buffer
	closeOnce sync.Once
}

// connect starts a process of openssl, and returns its plain text end.
func connect(cmd *exec.Cmd) (*pipe, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &pipe{out: outR, in: inW, cmd: cmd, log: new(bytes.Buffer)}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, p.log
	err = cmd.Start()
	inR.Close()
	outW.Close()
	if err != nil {
		inW.Close()
		outR.Close()
		return nil, err
	}
	return p, nil
}

func (p *pipe) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close ends the process without a good-bye.
func (p *pipe) Close() error {
	p.closeOnce.Do(func() {
		_ = p.cmd.Process.Kill()
		p.in.Close()
		p.out.Close()
		_ = p.cmd.Wait()
	})
	return nil
}

func (p *pipe) SetDeadline(t time.Time) error {
	if err := p.SetReadDeadline(t); err != nil {
		return err
	}
	return p.SetWriteDeadline(t)
}
func (p *pipe) SetReadDeadline(t time.Time) error  { return p.out.SetReadDeadline(t) }
func (p *pipe) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }
func (p *pipe) LocalAddr() net.Addr                { return pipeAddr{} }
func (p *pipe) RemoteAddr() net.Addr               { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "openssl" }

// echo answers with what it gets.
type echo struct {
	grpc162.UnimplementedEchoServer
	unary func(context.Context)
}

func (e echo) Unary(ctx context.Context, in *grpc162.Request) (*grpc162.Response, error) {
	if e.unary != nil {
		e.unary(ctx)
	}
	return &grpc162.Response{Payload: in.Payload}, nil
}

func (e echo) Chat(s grpc.BidiStreamingServer[grpc162.Request, grpc162.Response]) error {
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

// talk makes a small call, a large one and one of many messages, and returns the first error.
func talk(ctx context.Context, cc *grpc.ClientConn) error {
	c := grpc162.NewEchoClient(cc)
	for _, size := range []int{0, 1, 1 << 20} {
		payload := bytes.Repeat([]byte("x"), size)
		out, err := c.Unary(ctx, &grpc162.Request{Payload: payload})
		if err != nil {
			return err
		}
		if !bytes.Equal(out.Payload, payload) {
			return fmt.Errorf("answer of %d bytes differs from the request of %d", len(out.Payload), size)
		}
	}
	s, err := c.Chat(ctx)
	if err != nil {
		return err
	}
	for i := range 100 {
		if err := s.Send(&grpc162.Request{Payload: make([]byte, i*100)}); err != nil {
			return err
		}
		if out, err := s.Recv(); err != nil || len(out.Payload) != i*100 {
			return fmt.Errorf("message %d: got %d bytes, %v", i, len(out.GetPayload()), err)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Recv(); err != io.EOF {
		return fmt.Errorf("end: got %v, want %v", err, io.EOF)
	}
	return nil
}

// within returns a context that ends if the test hangs.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
