// Tests of what one client may cost the server.

package transport

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/transport/internal/frame"
)

func TestEarlyEndsAreLimited(t *testing.T) {
	for _, tt := range []struct {
		name  string
		early func(i int) bool // whether stream i ends early
		every time.Duration    // between two streams
		n     int              // how many there are
		least int              // how many of them are accepted at least
		most  int              // and at most; n for all
	}{
		{"all at once", func(int) bool { return true }, 0, 5000, 1000, 1200},
		{"all, 100 a second", func(int) bool { return true }, earlyEndInterval, 20000, 20000, 20000},
		{"all, 200 a second", func(int) bool { return true }, earlyEndInterval / 2, 20000, 2000, 2300},
		{"half of them", func(i int) bool { return i%2 == 1 }, 0, 100000, 100000, 100000},
		{"none for long, then all", func(i int) bool { return i >= 10000 }, 0, 20000, 11000, 12000},
		{"all for a moment, then few", func(i int) bool { return i < 300 || i%3 == 0 }, 0, 100000, 100000, 100000},
		{"two of three", func(i int) bool { return i%3 > 0 }, 0, 100000, 1000, 2000},
	} {
		synctest.Test(t, func(t *testing.T) {
			var e earlyEnds
			var l link
			l.init(1, true)
			i := 0
			for ; i < tt.n; i++ {
				if tt.early(i) && e.add(uint64(i+1), &l) {
					break
				}
				if tt.every > 0 {
					<-time.After(tt.every)
				}
			}
			if i < tt.least || i > tt.most {
				t.Errorf("%s: got an end at stream %d, want it from %d to %d", tt.name, i, tt.least, tt.most)
			}
		})
	}
}

func TestStreamsThatEndEarlyEndTheConnection(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *rawClient, id uint32)
	}{
		{"reset by the client", func(c *rawClient, id uint32) { _ = c.WriteRSTStream(id, http2.ErrCodeCancel) }},
		{"made-you-reset by a window", func(c *rawClient, id uint32) { _ = c.WriteRawFrame(http2.FrameWindowUpdate, 0, id, make([]byte, 4)) }},
		{"made-you-reset by a priority", func(c *rawClient, id uint32) {
			_ = c.WritePriority(id, http2.PriorityParam{StreamDep: id})
		}},
		{"made-you-reset by data behind the end", func(c *rawClient, id uint32) {
			_ = c.WriteData(id, true, nil)
			_ = c.WriteData(id, true, nil)
		}},
		{"malformed", func(c *rawClient, id uint32) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id + 2, BlockFragment: c.block("Upper", "x"), EndHeaders: true})
			_ = c.WriteRSTStream(id, http2.ErrCodeCancel)
		}},
	} {
		inBubble(t, ServerOptions{}, func(c *rawClient) {
			said := c.reading()
			var got string
			n := 0
			for id := uint32(1); n < 3000 && got == ""; n++ {
				if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block(), EndHeaders: true}) != nil {
					break
				}
				tt.end(c, id)
				id += 4
				select {
				case s := <-c.streams:
					s.Done()
				default:
				}
			}
			synctest.Wait()
			select {
			case got = <-said: // it went on listening for a while
			default:
			}
			if want := "ENHANCE_YOUR_CALM: too_many_resets"; got != want {
				t.Errorf("%s: got GOAWAY %q after %d streams, want %q", tt.name, got, n, want)
			}
		})
	}
}

func TestStreamsThatGotAnAnswerDoNotEndEarly(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		said := c.reading()
		for id := uint32(1); id < 6000; id += 2 {
			c.open(id, false)
			s := <-c.streams
			if err := s.SendHeader(nil); err != nil {
				t.Fatal(err)
			}
			c.do(c.WriteRSTStream(id, http2.ErrCodeCancel))
			s.Done()
		}
		c.nc.Close()
		if got := <-said; got != "" {
			t.Errorf("got GOAWAY %q, want none", got)
		}
	})
}

func TestDeadlinesThatPassCountAsEarlyEnds(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		said := c.reading()
		for id := uint32(1); id < 4000; id += 2 {
			c.do(c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block("grpc-timeout", "1S"), EndHeaders: true}))
			(<-c.streams).Done()
		}
		wantGoAway(t, said, "ENHANCE_YOUR_CALM: too_many_resets")
	})
}

func TestMaxConcurrentStreamsIsExact(t *testing.T) {
	inBubble(t, ServerOptions{MaxConcurrentStreams: 2}, func(c *rawClient) {
		go func() {
			c.open(1, false)
			c.open(3, false)
			_ = c.WriteRSTStream(3, http2.ErrCodeCancel) // its handler has not returned
			c.open(5, false)                             // is open, and waits for that
			c.open(7, false)
		}()
		if f := c.until(http2.FrameRSTStream).(*http2.RSTStreamFrame); f.StreamID != 7 || f.ErrCode != http2.ErrCodeRefusedStream {
			t.Fatalf("got RST_STREAM of %d with %v, want 7 with %v", f.StreamID, f.ErrCode, http2.ErrCodeRefusedStream)
		}
		synctest.Wait()
		if n := len(c.streams); n != 2 {
			t.Fatalf("got %d handlers, want 2", n)
		}
		<-c.streams
		(<-c.streams).Done() // of stream 3
		if s := <-c.streams; s.id != 5 {
			t.Errorf("got stream %d handled next, want 5", s.id)
		}
	})
}

func TestHeaderListsOfAConnectionAreLimited(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		value := strings.Repeat("v", 2000)
		request := func(id uint32) {
			fields := []string{}
			for range 30 {
				fields = append(fields, "x", value)
			}
			fields = append(fields, "n", string(rune('a'+id%26)))
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block(fields...), EndHeaders: true})
		}
		request(1)
		first := <-c.streams
		open := []*ServerStream{first}
		id := uint32(3)
		for ; id < 400; id += 2 {
			request(id)
			synctest.Wait()
			select {
			case s := <-c.streams:
				open = append(open, s)
				continue
			default:
			}
			break
		}
		f := c.until(http2.FrameRSTStream).(*http2.RSTStreamFrame)
		if f.StreamID != id || f.ErrCode != http2.ErrCodeEnhanceYourCalm {
			t.Fatalf("got RST_STREAM of %d with %v, want %d with %v", f.StreamID, f.ErrCode, id, http2.ErrCodeEnhanceYourCalm)
		}
		each := open[1].held
		if want := maxHeldLists / each; len(open) < want || len(open) > want+2 {
			t.Errorf("got %d streams that hold %d bytes each, want %d", len(open), each, want)
		}
		for i, s := range open {
			c.do(c.WriteRSTStream(s.id, http2.ErrCodeCancel))
			synctest.Wait()
			before, own := c.server.held, s.held
			if own == 0 && i > 0 {
				t.Errorf("stream that was reset: got nothing held while its handler runs")
			}
			if s.Done(); c.server.held != before-own {
				t.Errorf("its handler returns: got %d bytes held of %d, want %d less", c.server.held, before, own)
			}
		}
		if c.server.held != 0 {
			t.Errorf("after all have ended: got %d bytes held, want 0", c.server.held)
		}
	})
}

func TestRequestsWaitForAnswersThatNobodyReads(t *testing.T) {
	for _, size := range []int{0, 10000} {
		inBubble(t, ServerOptions{}, func(c *rawClient) {
			c.answer = size
			c.until(http2.FrameWindowUpdate) // the connection is set up
			c.do(c.WriteWindowUpdate(0, 1<<30))
			sent := make(chan struct{})
			n := 0
			go func() {
				defer close(sent)
				for ; n < 6000; n++ {
					if c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: c.block(), EndStream: true, EndHeaders: true}) != nil {
						return
					}
				}
			}()
			synctest.Wait() // nobody reads, so that all stands still
			c.server.mu.Lock()
			held := c.server.send.unread
			c.server.mu.Unlock()
			most := maxAhead
			if size > 0 {
				most = maxUnreadBytes / size
			}
			if n < most || n > 2*most+500 {
				t.Errorf("answers of %d bytes: got %d requests read (%+v), want %d to %d", size, n, held, most, 2*most+500)
			}
			// Whoever reads gets all of the answers.
			c.SetMaxReadFrameSize(1 << 20)
			ends := 0
			for ends < 6000 {
				h, err := c.ReadFrame()
				if err != nil {
					t.Fatalf("after %d answers: %v", ends, err)
				}
				if h, ok := h.(*http2.HeadersFrame); ok && h.StreamEnded() {
					ends++
				}
			}
			<-sent
			c.server.mu.Lock()
			defer c.server.mu.Unlock()
			if got := c.server.send.unread; got.streams != 0 || got.bytes != 0 {
				t.Errorf("after all answers: got %+v unread, want none", got)
			}
		})
	}
}

func TestRequestsWaitForHandlersWhileNobodyReads(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		c.until(http2.FrameWindowUpdate) // the connection is set up
		c.do(c.WritePing(false, [8]byte{}))
		synctest.Wait() // its acknowledgement is being written
		c.do(c.WritePing(false, [8]byte{}))
		sent := make(chan struct{})
		n := 0
		go func() {
			defer close(sent)
			for ; n < 6000; n++ {
				if c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: c.block(), EndStream: true, EndHeaders: true}) != nil {
					return
				}
			}
		}()
		synctest.Wait() // nobody reads, so that all stands still
		if n < maxAhead || n > maxAhead+500 {
			t.Errorf("without an answer: got %d requests read, want %d to %d", n, maxAhead, maxAhead+500)
		}
		c.until(http2.FramePing)
		c.until(http2.FramePing) // now there is nothing to write, and any number of handlers may take their time
		<-sent
		synctest.Wait()
		if got := len(c.streams); got != 6000 {
			t.Errorf("after all was read: got %d streams handled, want 6000", got)
		}
	})
}

// The same for requests whose data makes the server answer at once, with window for the connection.
func TestRequestsThatRenewTheWindowWaitForHandlers(t *testing.T) {
	inBubble(t, ServerOptions{ConnOptions: ConnOptions{ConnWindow: frame.DefaultWindow, StaticWindows: true}}, func(c *rawClient) {
		c.until(http2.FrameSettings)
		c.until(http2.FrameSettings) // the acknowledgement
		n := 0
		go func() { // ends with the connection
			var b bytes.Buffer
			f := http2.NewFramer(&b, nil)
			for ; n < 6000; n++ {
				b.Reset()
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: c.block(), EndHeaders: true})
				_ = f.WriteData(uint32(2*n+1), true, make([]byte, frame.DefaultMaxSize))
				if _, err := c.nc.Write(b.Bytes()); err != nil {
					return
				}
			}
		}()
		synctest.Wait() // nobody reads, so that all stands still
		if n < maxAhead || n > maxAhead+500 {
			t.Errorf("got %d requests read, want %d to %d", n, maxAhead, maxAhead+500)
		}
	})
}

func TestAnswersThatWaitForAWindowAreLimited(t *testing.T) {
	inBubble(t, ServerOptions{}, func(c *rawClient) {
		c.answer = 1
		said := make(chan uint32, 1)
		go func() {
			defer close(said)
			for {
				f, err := c.ReadFrame()
				if err != nil {
					return
				}
				if f, ok := f.(*http2.RSTStreamFrame); ok {
					said <- f.StreamID
				}
			}
		}()
		c.do(c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		c.open(1, true)
		synctest.Wait()
		c.server.mu.Lock()
		if got, want := c.server.send.unread, (unread{streams: 1, bytes: PrefixLen + 1}); got != want {
			t.Errorf("with an answer that waits: got %+v, want %+v", got, want)
		}
		c.server.send.unread.streams = maxWaitingAnswers - 1 // as if there were others
		c.server.mu.Unlock()
		c.open(3, true)
		c.open(5, true)
		if got := <-said; got != 5 {
			t.Errorf("got RST_STREAM of %d, want 5", got)
		}
		c.do(c.WriteRSTStream(1, http2.ErrCodeCancel))
		synctest.Wait()
		c.open(7, true)
		synctest.Wait()
		c.server.mu.Lock()
		if got := c.server.send.unread.streams; got != maxWaitingAnswers {
			t.Errorf("after one was reset and one came: got %d, want %d", got, maxWaitingAnswers)
		}
		c.server.mu.Unlock()
	})
}

func TestEmptyDataIsLimited(t *testing.T) {
	for _, tt := range []struct {
		name string
		send func(c *rawClient, i int) error
	}{
		{"empty", func(c *rawClient, i int) error { return c.WriteData(1, false, nil) }},
		{"nothing but padding", func(c *rawClient, i int) error { return c.WriteDataPadded(1, false, nil, make([]byte, 10)) }},
		{"on a stream that is closed", func(c *rawClient, i int) error { return c.WriteData(3, false, nil) }},
	} {
		inBubble(t, ServerOptions{}, func(c *rawClient) {
			said := c.reading()
			c.open(1, false)
			c.open(3, false)
			c.do(c.WriteRSTStream(3, http2.ErrCodeCancel))
			for range 3 {
				for i := range maxEmptyData {
					c.do(tt.send(c, i))
				}
				c.do(c.WriteData(1, false, []byte{0})) // progress
			}
			for i := range maxEmptyData + 1 {
				_ = tt.send(c, i)
			}
			wantGoAway(t, said, "ENHANCE_YOUR_CALM: 101 empty DATA frames in a row, limit 100")
			for range 2 {
				(<-c.streams).Done()
			}
		})
	}
}

func TestFramesThatAreHandledInPlaceCostNothing(t *testing.T) {
	s := &Server{}
	c := &s.conn
	c.role = s
	c.streams = make(map[uint32]*stream)
	c.send.init()
	c.send.writer = writerRunning // so that nobody starts it
	c.read.settled = true
	st := &ServerStream{server: s}
	st.stream.c, st.stream.id, st.side = c, 1, st
	c.streams[1] = &st.stream
	s.topID, s.lastID = 5, 5
	var b []byte
	for range 100 {
		b = frame.AppendWindowUpdate(b, 0, 1)
		b = frame.AppendWindowUpdate(b, 1, 1)
		b = frame.AppendWindowUpdate(b, 3, 1) // closed
		b = append(frame.AppendHeader(b, frame.Priority, 0, 1, 5), 0, 0, 0, 3, 1)
		b = append(frame.AppendHeader(b, 0xee, 0, 1, 3), 1, 2, 3) // of an unknown type
		b = frame.AppendRSTStream(b, 3, frame.Cancel)
	}
	run := func() {
		c.readerOf(b, 32<<10)
		for range 600 {
			h, err := c.read.frames.Next()
			if err == nil {
				err = c.handle(h)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := testing.AllocsPerRun(10, run); got > 10 { // those of the reader itself
		t.Errorf("got %v allocations for 600 frames, want none", got)
	}
	if len(c.send.buf) > 0 {
		t.Errorf("got %d bytes to write, want 0", len(c.send.buf))
	}
}

func TestSmallerInitialWindowWakesNobody(t *testing.T) {
	c := heldConn()
	s := &stream{}
	c.send.blocked.push(s)
	for _, v := range []int64{frame.DefaultWindow, 100, 0, 1} {
		if err := c.setInitialLocked(v); err != nil || c.send.ready.empty() != (v != 1) {
			t.Fatalf("initial window of %d: got a stream that is ready %v and error %v, want it ready after 0 only", v, !c.send.ready.empty(), err)
		}
	}
}
