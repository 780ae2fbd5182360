// Tests of what a handler may do with its stream, in which order, and what the client hears of it.

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// accepted returns the stream that a scripted client has opened.
func accepted(t *testing.T, more ...string) (*ServerStream, *scriptedPeer, *Server) {
	t.Helper()
	srv, p, k := acceptPeer(t, ServerOptions{MaxConcurrentStreams: 10, ConnOptions: ConnOptions{}, MaxMessageSize: 1 << 20}, false)
	p.headers(1, false, append([]string{":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "content-type", "application/grpc"}, more...)...)
	return k.stream(0), p, srv
}

// okMessage returns a message.
func okMessage() *OutMessage {
	m := NewOutMessage()
	m.SetPayload(false, append(m.Reserve(nil, 2), "ok"...))
	return m
}

func TestHeadersAreSentOnceAndBeforeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t)
		if err := s.SetHeader(metadata.Pairs("a", "1")); err != nil {
			t.Errorf("SetHeader: got %v, want nil", err)
		}
		p.want()
		if err := s.SendHeader(metadata.Pairs("a", "2")); err != nil {
			t.Errorf("SendHeader: got %v, want nil", err)
		}
		if got := fmt.Sprint(s.Header()["a"]); got != "[1 2]" {
			t.Errorf("header: got %s, want [1 2]", got)
		}
		p.want("0s HEADERS 1")
		for name, err := range map[string]error{
			"SendHeader": s.SendHeader(nil), "SetHeader": s.SetHeader(metadata.Pairs("a", "3")),
		} {
			if err != ErrIllegalHeaderWrite {
				t.Errorf("%s behind the headers: got %v, want %v", name, err, ErrIllegalHeaderWrite)
			}
		}
		if err := s.SetHeader(nil); err != nil {
			t.Errorf("SetHeader of nothing: got %v, want nil", err)
		}
		if s.SetSendCompress("gzip") == nil {
			t.Error("SetSendCompress behind the headers: got nil, want an error")
		}
		if err := s.Write(okMessage()); err != nil {
			t.Errorf("Write: got %v, want nil", err)
		}
		p.want("0s DATA 1")
		if err := s.Finish(status.New(codes.OK, ""), nil); err != nil {
			t.Errorf("Finish: got %v, want nil", err)
		}
		p.want("0s HEADERS 1", "0s RST_STREAM 1 NO_ERROR")
	})
}

func TestNothingIsSentBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t)
		if err := s.Finish(status.New(codes.NotFound, "no"), nil); err != nil {
			t.Errorf("Finish: got %v, want nil", err)
		}
		p.want("0s HEADERS 1", "0s RST_STREAM 1 NO_ERROR")
		for name, err := range map[string]error{
			"Write": s.Write(okMessage()), "SendHeader": s.SendHeader(nil), "Finish": s.Finish(status.New(codes.OK, ""), okMessage()),
		} {
			if err != ErrStreamDone {
				t.Errorf("%s: got %v, want %v", name, err, ErrStreamDone)
			}
		}
		if err := s.SetTrailer(metadata.Pairs("a", "1")); err != ErrIllegalHeaderWrite {
			t.Errorf("SetTrailer: got %v, want %v", err, ErrIllegalHeaderWrite)
		}
		if err := s.Context().Err(); err != context.Canceled {
			t.Errorf("context: got %v, want %v", err, context.Canceled)
		}
		p.want()
	})
}

func TestEndsOfARequest(t *testing.T) {
	for _, tt := range []struct {
		name    string
		more    []string
		end     func(p *scriptedPeer, srv *Server)
		receive error // what the handler gets
		context error // how its context has ended
		heard   string
	}{
		{"END_STREAM", nil, func(p *scriptedPeer, _ *Server) { p.data(1, true, "") }, io.EOF, nil, "[]"},
		{"within a message", nil, func(p *scriptedPeer, _ *Server) { p.data(1, true, "\x00\x00") }, io.ErrUnexpectedEOF, nil, "[]"},
		{"trailers", nil, func(p *scriptedPeer, _ *Server) { p.headers(1, true, "key", "value") }, io.EOF, nil, "[]"},
		{"trailers with a pseudo-header", nil, func(p *scriptedPeer, _ *Server) { p.headers(1, true, ":path", "/") },
			context.Canceled, context.Canceled, "[0s RST_STREAM 1 PROTOCOL_ERROR]"},
		{"headers that do not end it", nil, func(p *scriptedPeer, _ *Server) { p.headers(1, false, "key", "value") },
			context.Canceled, context.Canceled, "[0s RST_STREAM 1 PROTOCOL_ERROR]"},
		{"less than content-length", []string{"content-length", "7"}, func(p *scriptedPeer, _ *Server) { p.data(1, true, "\x00\x00\x00\x00\x00") },
			context.Canceled, context.Canceled, "[0s RST_STREAM 1 PROTOCOL_ERROR]"},
		{"trailers before content-length", []string{"content-length", "7"}, func(p *scriptedPeer, _ *Server) { p.headers(1, true, "key", "value") },
			context.Canceled, context.Canceled, "[0s RST_STREAM 1 PROTOCOL_ERROR]"},
		{"RST_STREAM", nil, func(p *scriptedPeer, _ *Server) {
			p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		}, context.Canceled, context.Canceled, "[]"},
		{"deadline", []string{"grpc-timeout", "1S"}, func(*scriptedPeer, *Server) { letPass(time.Second) },
			context.DeadlineExceeded, context.DeadlineExceeded, "[1s RST_STREAM 1 CANCEL]"},
		{"end of the connection", nil, func(_ *scriptedPeer, srv *Server) { srv.Close(ErrConnClosing) },
			context.Canceled, context.Canceled, `[0s GOAWAY 1 NO_ERROR "" 0s end]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, srv := accepted(t, tt.more...)
				p.take()
				tt.end(p, srv)
				synctest.Wait()
				if _, err := s.Recv(); !errors.Is(err, tt.receive) {
					t.Errorf("Recv: got %v, want %v", err, tt.receive)
				}
				if err := s.Context().Err(); err != tt.context {
					t.Errorf("context: got %v, want %v", err, tt.context)
				}
				if got := fmt.Sprint(p.take()); got != tt.heard {
					t.Errorf("the client heard %s, want %s", got, tt.heard)
				}
			})
		})
	}
}

func TestHandlersWaitForAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t)
		large := func() *OutMessage {
			m := NewOutMessage()
			m.SetPayload(false, append(m.Reserve(s.c.opts.Pool, writeQuota), make([]byte, writeQuota)...))
			return m
		}
		written := make(chan int, 100)
		go func() { // ends with the stream
			for n := 1; s.Write(large()) == nil; n++ {
				written <- n
			}
			close(written)
		}()
		synctest.Wait()
		if got := len(written); got != 2 { // one is nearly all of the window, the other fills the quota
			t.Errorf("got %d messages that were taken, want 2", got)
		}
		p.say(func(f *http2.Framer) error {
			return errors.Join(f.WriteWindowUpdate(0, writeQuota), f.WriteWindowUpdate(1, writeQuota))
		})
		synctest.Wait()
		if got := len(written); got != 3 {
			t.Errorf("with more window: got %d messages that were taken, want 3", got)
		}
		p.say(func(f *http2.Framer) error { return f.WriteRSTStream(1, http2.ErrCodeCancel) })
		for range written { // until the handler knows
		}
	})
}

func TestHeadersThatTheClientDoesNotTakeAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := accepted(t)
		p.say(func(f *http2.Framer) error {
			return f.WriteSettings(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000})
		})
		p.take()
		err := s.SendHeader(metadata.Pairs("key", strings.Repeat("v", 1000)))
		if large, ok := err.(ErrHeaderListSize); !ok || large.Limit != 1000 {
			t.Errorf("got %v, want that the header list is larger than 1000 bytes", err)
		}
		p.want("0s RST_STREAM 1 INTERNAL_ERROR")
	})
}

func TestTrailersThatTheClientDoesNotTakeAreNotSent(t *testing.T) {
	s := newStillServer(t, ServerOptions{})
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000})
	s.request(1, false)
	s.request(3, false)
	if err := s.feed(); err != nil {
		t.Fatal(err)
	}
	s.said()
	for i, n := range []int{1000, 500} {
		st := s.opened[i]
		if err := st.SetTrailer(metadata.Pairs("key", strings.Repeat("v", n))); err != nil {
			t.Fatal(err)
		}
		_ = st.Finish(status.New(codes.OK, ""), nil)
	}
	if got, want := fmt.Sprint(s.said()), "[RST_STREAM 1 INTERNAL_ERROR HEADERS 3 RST_STREAM 3 NO_ERROR]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFinishWakesWhoReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := accepted(t)
		got := make(chan error, 1)
		go func() { // ends with the call
			_, err := s.Recv()
			got <- err
		}()
		synctest.Wait()
		_ = s.Finish(status.New(codes.OK, ""), nil)
		if err := <-got; err != context.Canceled {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}
