// Tests of what both ends of a stream share: the queue of what it has to send, the lists of streams, and how a writer waits.

package transport

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

func TestOutQueueGivesMessagesInOrder(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		var q outQueue
		var want []*OutMessage
		for range 30 {
			if r.IntN(2) == 0 || len(want) == 0 {
				m := messageOf(r.IntN(10))
				want = append(want, m)
				q.push(m)
				continue
			}
			q.sent = 3
			q.queued -= want[0].Len() // as whoever sends it does
			if got := q.pop(); got != want[0] || q.sent != 0 {
				t.Fatalf("seed %d: got message %p with %d bytes sent of the next, want %p with none", seed, got, q.sent, want[0])
			}
			want = want[1:]
		}
		bytes := 0
		for _, m := range want {
			m.Ref()
			bytes += m.Len()
		}
		if !slices.Equal(q.messages, want) || q.queued != bytes {
			t.Errorf("seed %d: got %d messages of %d bytes, want %d of %d", seed, len(q.messages), q.queued, len(want), bytes)
		}
		q.end = true
		q.drop()
		for _, m := range want {
			if got := m.refs.Load(); got != 1 {
				t.Errorf("seed %d: got %d references behind drop, want the test's", seed, got)
			}
		}
		if len(q.messages)+q.queued+q.sent > 0 || q.end {
			t.Errorf("seed %d: got %+v behind drop, want nothing", seed, &q)
		}
		q.drop() // again
	}
}

// inList returns the ids of the streams of a list, and checks its links in both directions.
func (l *streamList) inList(t *testing.T) (ids []uint32) {
	t.Helper()
	for k := l.root.next; k != &l.root; k = k.next {
		if k.next.prev != k || k.prev.next != k {
			t.Fatal("the links of the two directions differ")
		}
		ids = append(ids, k.s.id)
	}
	return ids
}

func TestStreamListsKeepTheirOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		var lists [2]streamList
		var want [2][]uint32
		for i := range lists {
			lists[i].init()
		}
		streams := make([]stream, 8)
		for i := range streams {
			streams[i].id = uint32(i)
		}
		out := func(id uint32) {
			for i := range want {
				want[i] = slices.DeleteFunc(want[i], func(other uint32) bool { return other == id })
			}
		}
		for range 50 {
			s, i := &streams[r.IntN(len(streams))], r.IntN(2)
			switch r.IntN(5) {
			case 0: // if it is in none, nothing happens
				s.out.link.remove()
				out(s.id)
			case 1:
				lists[i].takeAll(&lists[1-i])
				want[i] = append(want[i], want[1-i]...)
				want[1-i] = nil
			default:
				s.out.link.remove()
				out(s.id)
				lists[i].push(s)
				want[i] = append(want[i], s.id)
			}
			for i := range lists {
				l := &lists[i]
				if got := l.inList(t); !slices.Equal(got, want[i]) || l.empty() != (len(want[i]) == 0) {
					t.Fatalf("seed %d, list %d: got %d, empty %v, want %d", seed, i, got, l.empty(), want[i])
				}
				if !l.empty() && l.first().id != want[i][0] {
					t.Fatalf("seed %d, list %d: got %d first, want %d", seed, i, l.first().id, want[i][0])
				}
			}
		}
	}
}

// A waitingWriter is a goroutine that writes messages to a call whose server gives no window, until it cannot.
type waitingWriter struct {
	s       *ClientStream
	written int // messages that were taken
	err     error
	last    *OutMessage // the one that was not taken
	done    bool
}

const waitingMessage = 16 << 10 // bytes of the payload of its messages

// waitingWriters returns writers that wait.
func waitingWriters(t *testing.T, c *Client, n int) (all []*waitingWriter) {
	for range n {
		w := &waitingWriter{s: openCall(t, c)}
		all = append(all, w)
		go func() { // ends with the stream
			for w.err == nil {
				w.last = messageOf(waitingMessage)
				w.last.Ref()
				if w.err = w.s.stream.write(w.last, false); w.err == nil {
					w.written++
				}
			}
			w.done = true
		}()
	}
	synctest.Wait()
	for i, w := range all {
		if w.done || w.s.out.queued < writeQuota || w.s.out.queued >= writeQuota+waitingMessage+PrefixLen {
			t.Fatalf("writer %d: got %d bytes queued, done %v (%v), want that it waits with %d or little more", i, w.s.out.queued, w.done, w.err, writeQuota)
		}
	}
	return all
}

func TestWritersWaitUntilTheirQueueShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1<<30) })
		w := waitingWriters(t, c, 2)
		before := []int{w[0].written, w[1].written}
		p.say(func(f *http2.Framer) error { return f.WriteWindowUpdate(w[0].s.id, 3*(waitingMessage+PrefixLen)) })
		p.take()
		if got := []int{w[0].written - before[0], w[1].written - before[1]}; !slices.Equal(got, []int{3, 0}) {
			t.Errorf("messages that were taken with a window for three of one stream: got %d, want [3 0]", got)
		}
	})
}

func TestWritersThatWaitHearOfTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *Client, p *scriptedPeer)
		ends []bool // of the streams 1 and 3
	}{
		{"reset by the server", func(_ *Client, p *scriptedPeer) {
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		}, []bool{true, false}},
		{"answer", func(_ *Client, p *scriptedPeer) { p.grpcHeaders(3, true, "grpc-status", "5") }, []bool{false, true}},
		{"GOAWAY below", func(_ *Client, p *scriptedPeer) { p.goAway(1, http2.ErrCodeNo, "") }, []bool{false, true}},
		{"end of the connection", func(_ *Client, p *scriptedPeer) { p.nc.Close() }, []bool{true, true}},
		{"Close", func(c *Client, _ *scriptedPeer) { c.Close(ErrConnClosing) }, []bool{true, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p, _ := dialPeer(t, ClientOptions{}, false)
				writers := waitingWriters(t, c, 2)
				tt.end(c, p)
				synctest.Wait()
				for i, w := range writers {
					if w.done != tt.ends[i] || w.done && w.err != ErrStreamDone {
						t.Errorf("writer of stream %d: done %v (%v), want %v (%v)", w.s.id, w.done, w.err, tt.ends[i], ErrStreamDone)
					}
					if w.done && (w.last.refs.Load() != 1 || len(w.s.out.messages) > 0) {
						t.Errorf("stream %d: got %d references of the last message, %d queued, want the test's and none", w.s.id, w.last.refs.Load(), len(w.s.out.messages))
					}
				}
			})
		})
	}
}

func TestNothingIsWrittenBehindTheLastMessage(t *testing.T) {
	for _, queued := range []bool{false, true} { // whether the last message still waits for a window
		synctest.Test(t, func(t *testing.T) {
			c, p, _ := dialPeer(t, ClientOptions{}, false)
			s, n := openCall(t, c), 10
			if queued {
				n = 80_000
			}
			if err := s.stream.write(messageOf(n), true); err != nil {
				t.Fatal(err)
			}
			m := messageOf(10)
			m.Ref()
			if err := s.stream.write(m, false); err != ErrStreamDone || m.refs.Load() != 1 {
				t.Errorf("queued %v: got %v, %d references, want %v, the test's alone", queued, err, m.refs.Load(), ErrStreamDone)
			}
			heard := p.take()
			if got := heard[len(heard)-1]; got != "0s DATA 1" || !queued && len(heard) != 2 {
				t.Errorf("queued %v: the server heard %q, want HEADERS and DATA", queued, heard)
			}
		})
	}
}

func TestWindowIsGivenOnlyWhileThePeerMaySend(t *testing.T) {
	for _, ended := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, p, k := acceptPeer(t, ServerOptions{MaxMessageSize: 1 << 20, ConnOptions: ConnOptions{StaticWindows: true}}, false)
			p.request(1)
			s := k.stream(0)
			const size = 40_000
			for rest := string(messageOf(size).appendTo(nil, 0, PrefixLen+size)); rest != ""; {
				n := min(len(rest), 16384)
				p.data(1, ended && n == len(rest), rest[:n])
				rest = rest[n:]
			}
			p.take()
			m, err := s.Recv()
			if err != nil || len(m.Payload) != size {
				t.Fatalf("got %d bytes, %v, want %d", len(m.Payload), err, size)
			}
			s.Release()
			if ended {
				p.want()
				if _, err := s.Recv(); err != io.EOF {
					t.Errorf("behind the end: got %v, want %v", err, io.EOF)
				}
				return
			}
			go func() { _, _ = s.Recv() }() // ends with the connection
			if got := fmt.Sprint(p.take()); got != "[0s WINDOW_UPDATE 1]" {
				t.Errorf("the client heard %s, want a larger window of stream 1", got)
			}
		})
	}
}
