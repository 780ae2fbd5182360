// Calls that block although all calls of their method before returned at once.

package behaviour

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/parity/internal/echo"
)

func TestCallsThatBlockAmongQuickOnes(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	srv := grpc.NewServer()
	srv.RegisterService(&echo.Desc, &echo.Service{OnUnary: func(_ context.Context, in *echo.Text) (*echo.Text, error) {
		if in.Value == "block" {
			entered <- struct{}{}
			<-release
		}
		return in, nil
	}})
	lis := listen(t)
	served := begin(func() { _ = srv.Serve(lis) })
	t.Cleanup(func() { srv.Stop(); wait(t, served, "end of Serve") })
	cc := plain(t, lis.Addr().String())
	quick := func(n int) {
		t.Helper()
		for range n {
			equal(t, result(unary(within(t), cc, "quick")), `"quick"`)
		}
	}
	quick(500)
	blocked := make(chan string, 3)
	for range cap(blocked) {
		go func() { blocked <- result(unary(within(t), cc, "block")) }()
		wait(t, entered, "call that blocks")
		quick(100)
	}
	close(release)
	for range cap(blocked) {
		equal(t, wait(t, blocked, "end of a call that has blocked"), `"block"`)
	}
}
