// Tests of the graceful stop that has a limit, and of what handlers get to know of it.

package grpc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestShutdownWaitsForCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		_, result := s.goCall(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var err error
		over := begin(func() { err = s.Shutdown(ctx) })
		pass(59 * time.Second)
		wantEqual(t, "over during the call", isClosed(over), false)
		close(s.release)
		must(t, <-result)
		<-over
		wantEqual(t, "error of Shutdown", err, nil)
		must(t, <-s.served)
	})
}

func TestShutdownStopsWhenItsContextEnds(t *testing.T) {
	for _, wait := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServedServer(t, WaitForHandlers(wait))
			_, result := s.goCall(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begun := time.Now()
			var err error
			over := begin(func() { err = s.Shutdown(ctx) })
			wantStatus(t, "call", <-result, `Unavailable: closing transport due to: connection error: desc = "error reading from server: EOF", `+
				`received prior goaway: code: NO_ERROR, debug data: "graceful_stop"`)
			wantEqual(t, "time until the call was ended", time.Since(begun), time.Minute)
			synctest.Wait()
			wantEqual(t, "over before the handler", isClosed(over), !wait)
			close(s.release)
			<-over
			wantEqual(t, "error of Shutdown", err, context.DeadlineExceeded)
			must(t, <-s.served)
		})
	}
}

func TestShutdownOfAnIdleServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		wantEqual(t, "error of Shutdown", s.Shutdown(t.Context()), nil)
		wantEqual(t, "error of the second Shutdown", s.Shutdown(t.Context()), nil)
		must(t, <-s.served)
		wantEqual(t, "Serve", s.Serve(s.lis), ErrServerStopped)
	})
}

func TestStopEndsAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServedServer(t)
		s.goCall(t)
		var err error
		over := begin(func() { err = s.Shutdown(t.Context()) })
		s.Stop()
		close(s.release)
		<-over
		wantEqual(t, "error of Shutdown", err, nil)
	})
}

func TestDrainingTellsHandlersOfEachWayToStop(t *testing.T) {
	for name, stop := range map[string]func(*Server){
		"Stop": (*Server).Stop, "GracefulStop": (*Server).GracefulStop,
		"Shutdown": func(s *Server) { _ = s.Shutdown(context.Background()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := NewServer()
			told := make(chan struct{})
			testService{stream: func(ss ServerStream) error {
				<-Draining(ss.Context())
				close(told)
				return nil
			}}.register(srv)
			cc := connect(t, serve(t, srv))
			_, err := cc.NewStream(t.Context(), bidi, streamMethod)
			must(t, err)
			pass(time.Hour)
			wantEqual(t, "told before "+name, isClosed(told), false)
			stop(srv)
			<-told
		})
	}
}

func TestDrainingOfNoCall(t *testing.T) {
	wantEqual(t, "channel", Draining(t.Context()), nil)
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{stream: func(ServerStream) error { return errors.New("end") }}))
		s, err := cc.NewStream(t.Context(), bidi, streamMethod)
		must(t, err)
		if err := s.RecvMsg(text("")); err == nil {
			t.Fatal("the stream goes on")
		}
		wantEqual(t, "channel of a client's call", Draining(s.Context()), nil)
	})
}
