// Tests that the names of earlier years do what those of today do.

package grpc

import (
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

func TestOldFunctionsDoWhatTheMethodsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}))
		reply := text("")
		must(t, Invoke(t.Context(), unaryMethod, text("x"), reply, cc))
		wantEqual(t, "reply", reply.Value, "x")
		s, err := NewClientStream(t.Context(), bidi, cc, streamMethod)
		must(t, err)
		must(t, s.SendMsg(text("y")))
		must(t, s.RecvMsg(reply))
		wantEqual(t, "reply of the stream", reply.Value, "y")
		must(t, s.CloseSend())
	})
}

func TestOldErrorsAreStatuses(t *testing.T) {
	err := Errorf(codes.NotFound, "lost %d", 1)
	wantStatus(t, "Errorf", err, "NotFound: lost 1")
	wantEqual(t, "Code", Code(err), codes.NotFound)
	wantEqual(t, "ErrorDesc", ErrorDesc(err), "lost 1")
	wantEqual(t, "Errorf of OK", Errorf(codes.OK, "fine"), nil)
}

func TestOldStatesAreThoseOfToday(t *testing.T) {
	got := fmt.Sprint([]ConnectivityState{Idle, Connecting, Ready, TransientFailure, Shutdown})
	want := fmt.Sprint([]connectivity.State{
		connectivity.Idle, connectivity.Connecting, connectivity.Ready, connectivity.TransientFailure, connectivity.Shutdown,
	})
	wantEqual(t, "states", got, want)
}
