// Tests of the write goroutine: how much goes into a batch, batches without anything in them, and connections that cannot be written to.

package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport/internal/frame"
)

// A watchedConn counts writes of nothing, and cannot be written to once it is broken.
type watchedConn struct {
	net.Conn
	empty  atomic.Int32
	broken atomic.Bool
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		c.empty.Add(1)
		return 0, nil
	}
	if c.broken.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(p)
}

func TestBatchOfNothingIsNotWritten(t *testing.T) {
	nc := new(watchedConn)
	c := new(Client)
	c.init(nc, c, ConnOptions{})
	s := new(ClientStream)
	s.init(c, s.deadline, 0)
	m := NewOutMessage()
	m.SetPayload(false, append(m.Reserve(nil, 7), "message"...))
	defer m.Free()
	s.out.push(m)
	s.linkLocked()
	c.send.initial = 0 // by SETTINGS
	if !c.hasWorkLocked() {
		t.Fatal("got no work, want some, as it seems")
	}
	b := new(batch)
	c.gatherLocked(b)
	if err := c.write(b); err != nil || nc.empty.Load() > 0 {
		t.Errorf("got %v, %d writes of nothing, want none", err, nc.empty.Load())
	}
	if c.hasWorkLocked() {
		t.Error("got work, want none before the window grows")
	}
}

func TestCallsOfAClientThatCannotWriteSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPeer(t, false)
		nc := &watchedConn{Conn: far}
		go func() { _, _ = io.Copy(io.Discard, p.nc) }()                   // ends with the connection
		go p.say(func(f *http2.Framer) error { return f.WriteSettings() }) // ends when the client has read it
		c, err := NewClient(context.Background(), nc, ClientOptions{}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		nc.broken.Store(true)
		s := openCall(t, c)
		<-c.Done()
		if st := s.Status(); st.Code() != codes.Unavailable || st.Message() != "error writing to server: broken pipe" {
			t.Errorf("got %v, want Unavailable: error writing to server: broken pipe", st)
		}
	})
}

// TestAnswersAreReadThoughWritingFails has a server answer a call, refuse another one and go, while the client cannot write any more.
func TestAnswersAreReadThoughWritingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPeer(t, false)
		nc := &watchedConn{Conn: far}
		go func() { _, _ = io.Copy(io.Discard, p.nc) }()                   // ends with the connection
		go p.say(func(f *http2.Framer) error { return f.WriteSettings() }) // ends when the client has read it
		c, err := NewClient(context.Background(), nc, ClientOptions{}, noEvents{})
		if err != nil {
			t.Fatal(err)
		}
		first, second := openCall(t, c), openCall(t, c)
		synctest.Wait()
		nc.broken.Store(true)
		third := openCall(t, c) // which cannot be sent
		synctest.Wait()
		if err := c.Open(t.Context(), new(ClientStream), &CallHeader{Method: "/s/m", Authority: "a"}, nil, true); err != ErrDraining {
			t.Errorf("a call after a write that has failed: got %v, want %v", err, ErrDraining)
		}
		p.headers(first.id, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "5")
		p.say(func(f *http2.Framer) error { return f.WriteRSTStream(second.id, http2.ErrCodeRefusedStream) })
		p.nc.Close()
		<-c.Done()
		for _, tt := range []struct {
			s    *ClientStream
			want string
		}{
			{first, "rpc error: code = NotFound desc = "},
			{second, "rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM"},
			{third, "rpc error: code = Unavailable desc = error reading from server: EOF"},
		} {
			if got := tt.s.Status().Err(); got == nil || got.Error() != tt.want {
				t.Errorf("stream %d: got %v, want %s", tt.s.id, got, tt.want)
			}
		}
	})
}

func TestServerThatCannotWriteSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, far := newPeer(t, false)
		nc := &watchedConn{Conn: far}
		go p.listen() // ends with the connection
		go func() {   // ends when the server has read it
			_, _ = io.WriteString(p.nc, http2.ClientPreface)
			p.say(func(f *http2.Framer) error { return f.WriteSettings() })
		}()
		k := new(streamKeeper)
		s, err := NewServer(nc, ServerOptions{Context: context.Background()}, k)
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve() // ends with the connection
		synctest.Wait()
		nc.broken.Store(true)
		s.Drain("")
		<-s.Done()
		if want := `connection error: desc = "error writing to client: broken pipe"`; len(k.ends) != 1 || k.ends[0] != want {
			t.Errorf("got %q, want %q", k.ends, want)
		}
	})
}

// TestSmallMessagesShareFramesThatAnyPeerTakes queues messages of all kinds of sizes, and looks at the DATA frames that they end up in.
func TestSmallMessagesShareFramesThatAnyPeerTakes(t *testing.T) {
	for _, size := range []int{1, 100, 1000, copyLimit - PrefixLen} {
		var d sendSide
		d.init()
		sent := 0
		for range 200 {
			m := NewOutMessage()
			m.SetPayload(false, append(m.Reserve(mem.DefaultBufferPool(), size), make([]byte, size)...))
			sent += m.Len()
			d.data(1, m, false)
			m.Free()
		}
		r := http2.NewFramer(nil, bytes.NewReader(d.buf))
		r.SetMaxReadFrameSize(1<<24 - 1)
		got, frames := 0, 0
		for f, err := r.ReadFrame(); err != io.EOF; f, err = r.ReadFrame() {
			data, ok := f.(*http2.DataFrame)
			if err != nil || !ok || len(data.Data()) > frame.DefaultMaxSize {
				t.Fatalf("messages of %d bytes: got %v, %v, want DATA of at most %d bytes", size, f, err, frame.DefaultMaxSize)
			}
			got += len(data.Data())
			frames++
		}
		if fit := frame.DefaultMaxSize / (PrefixLen + size); got != sent || frames != (200+fit-1)/fit {
			t.Errorf("200 messages of %d bytes: got %d bytes in %d frames, want %d bytes, %d messages in each", size, got, frames, sent, fit)
		}
	}
}

// readyStream returns a stream that has n bytes to send, and the window for it.
func readyStream(c *Client, n int) *ClientStream {
	s := new(ClientStream)
	s.init(c, s.deadline, 0)
	m := NewOutMessage()
	m.SetPayload(false, make([]byte, n))
	s.out.push(m)
	s.linkLocked()
	return s
}

// gathered returns how many bytes of messages go into one batch when that many streams have 1 MiB to send and windows for it, and whether the
// memory of the batch is used again.
func gathered(nc net.Conn, size, streams int) (n int, kept bool) {
	c := new(Client)
	o := ConnOptions{WriteBufferSize: size}
	o.setDefaults()
	c.init(nc, c, o)
	c.send.window, c.send.initial, c.send.maxFrame = 1<<30, 1<<30, maxFrameSize
	b := new(batch)
	for range streams {
		defer readyStream(c, 1<<20).out.drop()
	}
	before := c.send.window
	c.gatherLocked(b)
	b.reset()
	return int(before - c.send.window), b.flat != nil
}

func TestBatchIsAsLargeAsTheOptionSays(t *testing.T) {
	const kiB = 1 << 10
	socket, other := new(net.TCPConn), new(watchedConn)
	for _, tt := range []struct {
		nc            net.Conn
		size, streams int
		want          int
	}{
		{socket, 0, 1, 256 * kiB}, {socket, 0, 10, 256 * kiB}, {socket, -1, 10, 256 * kiB},
		{other, 0, 1, 64 * kiB}, {other, 0, 10, 64 * kiB}, {other, -1, 1, 64 * kiB}, {other, -1, 10, 64 * kiB},
		{socket, 1, 1, 16 * kiB}, {socket, 20 * kiB, 1, 20 * kiB}, {socket, 20 * kiB, 10, 20 * kiB}, {socket, 1024 * kiB, 10, 1024 * kiB},
		{other, 1, 10, 16 * kiB}, {other, 40 * kiB, 1, 40 * kiB}, {other, 512 * kiB, 10, 512 * kiB},
	} {
		got, kept := gathered(tt.nc, tt.size, tt.streams)
		if got != tt.want {
			t.Errorf("%T, size %d, %d streams: got %d bytes, want %d", tt.nc, tt.size, tt.streams, got, tt.want)
		}
		if tt.size <= 0 && !kept {
			t.Errorf("%T, size %d, %d streams: got memory that is dropped, want it kept for the next batch", tt.nc, tt.size, tt.streams)
		}
	}
}

// TestTurnsGrowWithTheBatch has a socket that takes larger batches give streams that wait for each other larger turns.
func TestTurnsGrowWithTheBatch(t *testing.T) {
	for _, tt := range []struct {
		large, queued, streams, want int
		short                        bool
	}{
		{0, 1 << 20, 1, minBatch, true}, {0, 1 << 20, 2, turnSize, true}, {0, 65541, 2, 65541, false}, {0, minBatch, 1, minBatch, false},
		{maxBatch, 4 << 20, 1, maxFrameSize, true}, {maxBatch, 1 << 20, 1, 1 << 20, false}, {maxBatch, 1 << 20, 2, maxBatch / 4, true},
	} {
		c := new(Client)
		c.init(new(net.TCPConn), c, ConnOptions{})
		c.send.window, c.send.initial, c.send.maxFrame = 1<<30, 1<<30, maxFrameSize
		b := &batch{large: tt.large}
		s := readyStream(c, tt.queued)
		for range tt.streams - 1 {
			defer readyStream(c, tt.queued).out.drop()
		}
		if got := c.turnLocked(&s.stream, b); got != tt.want || b.short != tt.short {
			t.Errorf("%d bytes of %d streams, batches of %d: got a turn of %d bytes, short %v, want %d, %v", tt.queued, tt.streams, b.limit(), got, b.short, tt.want, tt.short)
		}
		s.out.drop()
		b.reset()
	}
}

func TestTurnTakesASmallRestToo(t *testing.T) {
	for _, tt := range []struct{ size, queued, want int }{
		{0, 65541, 65541}, {0, turnSize + turnSize/8, turnSize + turnSize/8}, {0, turnSize + turnSize/8 + 1, turnSize}, {0, 1 << 20, turnSize},
		{16 << 10, 18 << 10, 18 << 10}, {16 << 10, 18<<10 + 1, 16 << 10},
	} {
		c := new(Client)
		o := ConnOptions{WriteBufferSize: tt.size}
		o.setDefaults()
		c.init(new(watchedConn), c, o)
		c.send.window, c.send.initial, c.send.maxFrame = 1<<30, 1<<30, maxFrameSize
		s, other := readyStream(c, tt.queued), readyStream(c, 100)
		if got := c.turnLocked(&s.stream, new(batch)); got != tt.want {
			t.Errorf("%d bytes queued, write buffer %d: got a turn of %d bytes, want %d", tt.queued, tt.size, got, tt.want)
		}
		s.out.drop()
		other.out.drop()
	}
}
