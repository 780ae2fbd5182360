// The sizes on the wire of the headers and trailers that a client's statistics handlers hear of.

package behaviour

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// A sizes handler writes down the sizes of headers and trailers.
type sizes struct {
	stats.Handler
	got   journal
	ended chan struct{} // receives at every End
}

func (s *sizes) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (s *sizes) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (s *sizes) HandleConn(context.Context, stats.ConnStats)                       {}

func (s *sizes) HandleRPC(_ context.Context, e stats.RPCStats) {
	switch e := e.(type) {
	case *stats.InHeader:
		s.got.note("InHeader %d", e.WireLength)
	case *stats.InTrailer:
		s.got.note("InTrailer %d", e.WireLength)
	case *stats.End:
		s.ended <- struct{}{}
	}
}

// The server's blocks refer to its table from the second call of each kind on, and are shorter then.
func TestStatsSizesOfHeadersAtTheClient(t *testing.T) {
	answer := []string{":status", "200", "content-type", "application/grpc"}
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		for n := 0; ; n++ {
			id, _ := c.Request()
			if id == 0 || !c.Until(id) {
				return
			}
			if n%2 == 1 {
				c.Headers(id, true, slices.Concat(answer, []string{"grpc-status", "5", "other", "value"})...)
				continue
			}
			c.Headers(id, false, slices.Concat(answer, []string{"key", "a value"})...)
			c.Data(id, false, raw.Message(0, raw.Text("x")))
			c.Headers(id, true, "grpc-status", "0", "trailer", "of some length")
		}
	})
	s := &sizes{ended: make(chan struct{}, 10)}
	cc := plain(t, addr, grpc.WithStatsHandler(s))
	for _, want := range []string{"InHeader 25\nInTrailer 30", "InTrailer 17", "InHeader 3\nInTrailer 2", "InTrailer 4"} {
		_, _ = unary(within(t), cc, "x")
		wait(t, s.ended, "End")
		equal(t, s.got.String(), want)
		s.got.reset()
	}
}
