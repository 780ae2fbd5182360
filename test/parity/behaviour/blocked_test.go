// Calls that end, by deadline or by cancellation, while they wait for something: a name, a connection, a stream, room to send, an answer.

package behaviour

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// short is how long a call waits that waits in vain. In a bubble that is until everything else waits too.
const short = 50 * time.Millisecond

// flood sends large messages until one fails, and then asks for the status.
func flood(ctx context.Context, cc grpc.ClientConnInterface) error {
	stream, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
	if err != nil {
		return err
	}
	for m := echo.Of(strings.Repeat("f", 100_000)); err == nil; {
		err = stream.SendMsg(m)
	}
	if err == io.EOF {
		_, err = receive(stream)
	}
	return err
}

// A futile call waits for something in vain.
type futile struct {
	name    string
	channel func(t *testing.T) *grpc.ClientConn
	call    func(ctx context.Context, cc grpc.ClientConnInterface) error
	suffix  string // of the message
}

func ask(ctx context.Context, cc grpc.ClientConnInterface) error {
	_, err := unary(ctx, cc, "x")
	return err
}

func askToStream(ctx context.Context, cc grpc.ClientConnInterface) error {
	_, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
	return err
}

// neverResolved is a channel whose resolver reports nothing.
func neverResolved(t *testing.T) *grpc.ClientConn {
	return client(t, "silent:///x", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithResolvers(manual.NewBuilderWithScheme("silent")))
}

// neverConnected is a channel whose dialer waits for ever.
func neverConnected(t *testing.T) *grpc.ClientConn {
	return client(t, "passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
}

// full is a channel to a server that has no stream to spare.
func full(t *testing.T) *grpc.ClientConn {
	p := start(t, setup{server: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}})
	ctx, cancel := context.WithCancel(within(t))
	t.Cleanup(cancel)
	open(t, ctx, p.cc)
	return p.cc
}

// silent is a channel to a server that answers nothing. (One that knows the deadline may end the call first.)
func silent(t *testing.T) *grpc.ClientConn {
	return scripted(t, func(_ int, c *raw.Conn) { c.Drain() })
}

func TestCallsThatEndWhileTheyWait(t *testing.T) {
	for _, tc := range []futile{
		{"unary for a name", neverResolved, ask, ""},
		{"stream for a name", neverResolved, askToStream, ""},
		{"unary for a connection", neverConnected, ask, " while waiting for connections to become ready"},
		{"stream for a connection", neverConnected, askToStream, " while waiting for connections to become ready"},
		{"unary for a stream", full, ask, ""},
		{"stream for a stream", full, askToStream, ""},
		{"stream for room to send", silent, flood, ""},
		{"unary for room to send", silent, func(ctx context.Context, cc grpc.ClientConnInterface) error {
			return cc.Invoke(ctx, echo.Bidi, echo.Of(strings.Repeat("u", 1<<20)), new(echo.Text))
		}, ""},
		{"unary for the answer", silent, ask, ""},
		{"stream for a header", silent, func(ctx context.Context, cc grpc.ClientConnInterface) error {
			stream, err := cc.NewStream(ctx, echo.BidiDesc, echo.Bidi)
			if err != nil {
				return err
			}
			if md, err := stream.Header(); md != nil || err != nil {
				return err
			}
			_, err = receive(stream)
			return err
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := tc.channel(t)
				ctx, cancel := context.WithTimeout(within(t), short)
				defer cancel()
				equal(t, text(tc.call(ctx, cc)), "rpc error: code = DeadlineExceeded desc = context deadline exceeded"+tc.suffix)
				ctx, cancel = context.WithCancel(within(t))
				defer cancel()
				time.AfterFunc(short, cancel)
				equal(t, text(tc.call(ctx, cc)), "rpc error: code = Canceled desc = context canceled"+tc.suffix)
			})
		})
	}
}
