// Tests of turns. They need sockets.

package transport

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A turnTaker is a handler that puts off calls.
type turnTaker struct {
	server  *Server
	readOn  []bool        // what TurnEnds returns, one by one, and then true
	answer  bool          // when a turn ends, finish its calls with FlushLater, and then Flush
	before  func(*Server) // called before that Flush, if there is one
	streams []*ServerStream
	turns   chan int // calls of each turn, and -1 if the connection was over
	served  chan struct{}
}

// HandleStream implements Handler.
func (h *turnTaker) HandleStream(s *ServerStream) {
	if s.MayBePutOff() {
		h.streams = append(h.streams, s)
		return
	}
	_ = s.Finish(status.New(codes.Unimplemented, ""), nil)
	s.Done()
}

// Closed implements Handler.
func (h *turnTaker) Closed(error) {}

// TurnEnds implements TurnHandler.
func (h *turnTaker) TurnEnds(over bool) (readOn bool) {
	n := len(h.streams)
	if over {
		n = -1
	}
	for _, s := range h.streams {
		if h.answer {
			s.FlushLater()
			_ = s.Finish(status.New(codes.OK, ""), nil)
		}
		s.Done()
	}
	h.streams = nil
	if h.answer {
		if h.before != nil {
			h.before(h.server)
		}
		h.server.Flush()
	}
	readOn = true
	if len(h.readOn) > 0 {
		readOn, h.readOn = h.readOn[0], h.readOn[1:]
	}
	h.turns <- n
	return readOn
}

// takeTurns connects a client whose frames are kept in out to a server with h.
func takeTurns(t *testing.T, h *turnTaker) (nc net.Conn, out *bytes.Buffer, p *scriptedPeer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	out = bytes.NewBufferString(http2.ClientPreface)
	f := http2.NewFramer(out, nc)
	f.AllowIllegalWrites = true
	_ = f.WriteSettings()
	_, _ = out.WriteTo(nc)
	h.turns, h.served = make(chan int, 10), make(chan struct{}, 10)
	if h.server, err = NewServer(far, ServerOptions{Context: context.Background()}, h); err != nil {
		t.Fatal(err)
	}
	h.serve()
	t.Cleanup(func() {
		nc.Close()
		<-h.server.Done()
	})
	return nc, out, &scriptedPeer{framer: f}
}

func (h *turnTaker) serve() {
	go func() {
		h.server.Serve()
		h.served <- struct{}{}
	}()
}

// whole writes calls with the whole request, and sends them at once.
func whole(t *testing.T, nc net.Conn, out *bytes.Buffer, p *scriptedPeer, ids ...uint32) {
	t.Helper()
	for _, id := range ids {
		p.request(id)
		_ = p.framer.WriteData(id, true, make([]byte, 5))
	}
	if _, err := out.WriteTo(nc); err != nil {
		t.Fatal(err)
	}
}

func TestTurnsHaveTheCallsThatCameAtOnce(t *testing.T) {
	h := &turnTaker{}
	nc, out, p := takeTurns(t, h)
	var got []int
	whole(t, nc, out, p, 1)
	got = append(got, <-h.turns)
	whole(t, nc, out, p, 3, 5, 7)
	got = append(got, <-h.turns)
	p.request(9) // is not there as a whole, and so neither put off nor counted
	whole(t, nc, out, p, 11)
	got = append(got, <-h.turns)
	if want := []int{1, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v calls in the turns, want %v", got, want)
	}
}

func TestTurnsEndWhenTheyAreLong(t *testing.T) {
	h := &turnTaker{}
	nc, out, p := takeTurns(t, h)
	ids := make([]uint32, 2*maxTurn+1)
	for i := range ids {
		ids[i] = uint32(2*i + 1)
	}
	whole(t, nc, out, p, ids...)
	for _, want := range []int{maxTurn, maxTurn, 1} {
		if got := <-h.turns; got != want {
			t.Errorf("got a turn of %d calls, want %d", got, want)
		}
	}
}

func TestTurnsEndWithTheConnection(t *testing.T) {
	h := &turnTaker{}
	nc, out, p := takeTurns(t, h)
	p.request(1)
	_ = p.framer.WriteData(1, true, make([]byte, 5))
	_ = p.framer.WriteData(99, true, nil) // a connection error of the same turn
	_, _ = out.WriteTo(nc)
	if got := <-h.turns; got != -1 {
		t.Errorf("got a turn of %d calls, want one of a connection that is over", got)
	}
	<-h.served
}

func TestAnotherGoroutineReadsOn(t *testing.T) {
	h := &turnTaker{readOn: []bool{false, true, false}}
	nc, out, p := takeTurns(t, h)
	for i, readsOn := range []bool{false, true, false, true} {
		whole(t, nc, out, p, uint32(2*i+1))
		<-h.turns
		if !readsOn {
			<-h.served
			h.serve()
		}
	}
}

// settle reads until the client's SETTINGS are acknowledged, and waits until the write goroutine has nothing to do: as long as it has, it takes
// what is there whenever it likes.
func (h *turnTaker) settle(t *testing.T, f *http2.Framer) {
	t.Helper()
	for settled := false; !settled; {
		fr, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		settings, ok := fr.(*http2.SettingsFrame)
		settled = ok && settings.IsAck()
	}
	for busy := true; busy; runtime.Gosched() {
		h.server.mu.Lock()
		busy = h.server.send.writer == writerRunning || len(h.server.send.buf) > 0
		h.server.mu.Unlock()
	}
}

func TestAnswersOfATurnLeaveTogether(t *testing.T) {
	h := &turnTaker{answer: true}
	nc, out, p := takeTurns(t, h)
	reads := &countedReads{Conn: nc}
	f := http2.NewFramer(nil, reads)
	h.settle(t, f)
	whole(t, nc, out, p, 1, 3, 5)
	<-h.turns
	before := reads.n
	for open := 3; open > 0; {
		fr, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if fr.Header().StreamID == 0 {
			before = reads.n
		} else if fr.Header().Flags.Has(http2.FlagHeadersEndStream) {
			open--
		}
	}
	if got := reads.n - before; got > 1 {
		t.Errorf("the answers came in %d reads, want 1", got)
	}
}

func TestAnswersOfATurnOutliveIdleWriters(t *testing.T) {
	h := &turnTaker{answer: true, before: (*Server).idleForLong}
	nc, out, p := takeTurns(t, h)
	for id := uint32(1); id < 10; id += 2 {
		whole(t, nc, out, p, id)
		for open := true; open; {
			fr, err := p.framer.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			open = fr.Header().StreamID != id
		}
	}
}

// idleForLong does what happens when nothing has been written for idleWriter.
func (t *Server) idleForLong() {
	t.mu.Lock()
	t.send.retireAt = t.send.writes
	t.mu.Unlock()
	t.retireWriter()
}

// A countedReads reads much at once, and counts how often.
type countedReads struct {
	net.Conn
	buf []byte
	n   int
}

// Read implements net.Conn.
func (c *countedReads) Read(b []byte) (int, error) {
	if len(c.buf) == 0 {
		c.n++
		c.buf = make([]byte, 64<<10)
		n, err := c.Conn.Read(c.buf)
		if c.buf = c.buf[:n]; err != nil {
			return 0, err
		}
	}
	n := copy(b, c.buf)
	c.buf = c.buf[n:]
	return n, nil
}
