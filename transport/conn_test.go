// Tests of what both ends of a connection share: its beginning, the table of its streams, and its one end.

package transport

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport/internal/frame"
)

func TestGreetingOpensTheWindowOfTheConnection(t *testing.T) {
	for _, tt := range []struct {
		window int64 // 0 means the default
		want   string
	}{
		{0, "first" + string(frame.AppendWindowUpdate(nil, 0, defaultConnWindow-frame.DefaultWindow))},
		{1, "first"}, // it can only grow
		{frame.DefaultWindow, "first"},
		{frame.DefaultWindow + 1, "first" + string(frame.AppendWindowUpdate(nil, 0, 1))},
		{frame.MaxWindow, "first" + string(frame.AppendWindowUpdate(nil, 0, frame.MaxWindow-frame.DefaultWindow))},
	} {
		c := new(conn)
		c.opts.ConnWindow = tt.window
		c.opts.setDefaults()
		if got := string(c.greeting([]byte("first"))); got != tt.want {
			t.Errorf("window of %d: got %q, want %q", tt.window, got, tt.want)
		}
	}
}

func TestStreamIsInTheTableUntilItIsClosed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []streamEvent
		in     bool
		legal  bool // the last event
	}{
		{"open", nil, true, true},
		{"sent END_STREAM", []streamEvent{sendEnd}, true, true},
		{"received END_STREAM", []streamEvent{recvEnd}, true, true},
		{"both", []streamEvent{sendEnd, recvEnd}, false, true},
		{"END_STREAM twice", []streamEvent{sendEnd, sendEnd}, true, false},
		{"END_STREAM received twice", []streamEvent{recvEnd, recvEnd}, true, false},
		{"reset", []streamEvent{sendReset}, false, true},
		{"reset by the client", []streamEvent{recvReset}, false, true},
		{"reset by both", []streamEvent{sendReset, recvReset}, false, true},
		{"END_STREAM behind a reset", []streamEvent{sendReset, sendEnd}, false, false},
	} {
		s := newStillServer(t, ServerOptions{})
		s.request(1, false)
		if err := s.feed(); err != nil {
			t.Fatal(err)
		}
		st := &s.opened[0].stream
		var err error
		s.mu.Lock()
		for _, e := range tt.events {
			err = s.advanceLocked(st, e)
		}
		in := s.streams[1] == st
		s.mu.Unlock()
		if in != tt.in || (err == nil) != tt.legal || st.gone.Load() == in {
			t.Errorf("%s: got in the table %v, gone %v, error %v, want %v, %v, legal %v", tt.name, in, st.gone.Load(), err, tt.in, !tt.in, tt.legal)
		}
		s.mu.Lock()
		s.removeLocked(st) // again, or for the first time
		s.removeLocked(st)
		s.mu.Unlock()
		if len(s.streams) > 0 {
			t.Errorf("%s: got %d streams behind removal, want none", tt.name, len(s.streams))
		}
	}
}

func TestRemovalOfAStreamLeavesItsSuccessor(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	old, next := new(ServerStream), new(ServerStream)
	for _, st := range []*ServerStream{old, next} {
		st.c, st.id, st.side, st.server = &s.conn, 1, st, s.Server
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(&next.stream)
	s.removeLocked(&old.stream)
	if s.streams[1] != &next.stream || next.gone.Load() {
		t.Error("the stream has gone with another one of its number")
	}
}

func TestStreamIsResetOnce(t *testing.T) {
	s := withStreams(t)
	st := s.streams[1]
	if !s.abort(st, frame.ProtocolError, "why") {
		t.Error("got that the stream was not there, want that it was")
	}
	if s.abort(st, frame.Cancel, "again") {
		t.Error("got that the stream was there, want that it was not")
	}
	s.mu.Lock()
	again := s.resetLocked(st, frame.InternalError)
	s.mu.Unlock()
	if got := fmt.Sprint(s.said()); got != "[RST_STREAM 1 PROTOCOL_ERROR]" || again {
		t.Errorf("got %s, a further reset %v, want one RST_STREAM", got, again)
	}
	if s.send.peerBytes == 0 {
		t.Error("got that the client has caused no bytes, want those of the reset")
	}
}

func TestResetFreesWhatTheStreamHadToSend(t *testing.T) {
	s := withStreams(t)
	st := s.opened[0]
	m := messageOf(100_000) // more than the window
	m.Ref()
	if err := st.Finish(status.New(codes.OK, ""), m); err != nil {
		t.Fatal(err)
	}
	if s.send.unread.streams != 1 || s.send.unread.bytes == 0 {
		t.Errorf("got %+v, want one answer that waits", s.send.unread)
	}
	_ = s.WriteRSTStream(1, http2.ErrCodeCancel)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	if s.send.unread.streams != 0 || s.send.unread.bytes != 0 || m.refs.Load() != 1 || !s.send.ready.empty() || !s.send.blocked.empty() {
		t.Errorf("got %+v, %d references of the message, want that nothing waits, and the test's", s.send.unread, m.refs.Load())
	}
}

func TestOnlyTheFirstCloseCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, k := acceptPeer(t, ServerOptions{}, false)
		p.request(1)
		st := k.stream(0)
		p.take()
		first := errors.New("first")
		s.close(first, frame.InternalError, "first", false)
		var closing sync.WaitGroup
		for range 10 {
			closing.Go(func() { s.close(io.EOF, frame.ProtocolError, "again", true) })
		}
		closing.Wait()
		p.want(`0s GOAWAY 1 INTERNAL_ERROR "first"`, "0s end")
		if got := fmt.Sprint(k.ends); got != "[first]" || s.err != first {
			t.Errorf("the handler heard %s, error %v, want first once", got, s.err)
		}
		if err := st.Context().Err(); err == nil {
			t.Error("the call lives on, want it to end")
		}
	})
}

func TestCloseNamesTheLastStreamOnce(t *testing.T) {
	for _, tt := range []struct {
		code frame.ErrCode
		want []string // behind a GOAWAY that has named it
	}{
		{frame.NoError, nil},
		{frame.EnhanceYourCalm, []string{`GOAWAY 3 ENHANCE_YOUR_CALM "why"`}},
	} {
		s := withStreams(t)
		s.Drain("drain")
		_ = s.WritePing(true, drainPing)
		if err := s.feed(); err != nil {
			t.Fatal(err)
		}
		s.said()
		s.close(ErrConnClosing, tt.code, "why", false)
		got := s.said()
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%v: got %q, want %q", tt.code, got, tt.want)
		}
	}
}

func TestDrainedConnectionEndsWithItsLastStream(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	for id := uint32(1); id < 7; id += 2 {
		s.request(id, true)
	}
	s.Drain("why")
	_ = s.WritePing(true, drainPing)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	for i, st := range s.opened {
		if s.ended != nil {
			t.Fatalf("before stream %d has ended: got %v, want the connection to live", st.id, s.ended)
		}
		if s.said(); i < 2 {
			_ = st.Finish(status.New(codes.OK, ""), nil)
		} else {
			_ = s.WriteRSTStream(st.id, http2.ErrCodeCancel)
			_ = s.feed()
		}
	}
	if s.ended != ErrConnClosing || s.state != connClosed {
		t.Errorf("got the end %v, want %v", s.ended, ErrConnClosing)
	}
}

func TestPeerReadsAllThatWasSaidThoughItWentOn(t *testing.T) {
	near, far := connPair(t, "tcp")
	go func() { // ends with the connection
		_, _ = io.WriteString(far, http2.ClientPreface)
		f := http2.NewFramer(far, nil)
		_ = f.WriteSettings()
		f.AllowIllegalWrites = true
		_ = f.WriteRawFrame(http2.FramePing, 0, 0, []byte("short"))
		for range 100 { // without looking
			_ = f.WriteRawFrame(0x77, 0, 0, make([]byte, 10_000))
		}
	}()
	s, err := NewServer(near, ServerOptions{}, new(streamKeeper))
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve() // ends with the connection
	said := "no GOAWAY"
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Second))
	for f := http2.NewFramer(nil, far); ; {
		frame, err := f.ReadFrame()
		if err != nil {
			if err != io.EOF {
				t.Errorf("at the end: got %v, want %v", err, io.EOF)
			}
			break
		}
		said = describe(frame)
	}
	if want := `GOAWAY 0 FRAME_SIZE_ERROR "PING of 5 bytes, want 8"`; said != want {
		t.Errorf("got %s at last, want %s", said, want)
	}
	far.Close()
	<-s.Done()
}

func TestConnectionIsLeftByTheLastOfThoseWhoUseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := acceptPeer(t, ServerOptions{}, false)
		s.parts.Add(1) // a caller that writes
		s.Close(ErrConnClosing)
		letPass(time.Hour)
		select {
		case <-s.Done():
			t.Error("the connection is done, want it to wait for who uses it")
		default:
		}
		s.leave()
		<-s.Done()
	})
}
