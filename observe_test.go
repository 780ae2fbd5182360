// Tests of the observer: what each event says on either side, what a nil one does, and what is told of connections.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// A recorder is a stats handler that keeps what it is told. Contexts that it has tagged have its name as value of its address.
type recorder struct {
	name string

	mu    sync.Mutex // guards the fields below
	calls []stats.RPCStats
	conns []stats.ConnStats
	tags  []any
	seen  []string // the names that were in the context at each event
}

func (r *recorder) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return r.tag(ctx, *info)
}

func (r *recorder) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return r.tag(ctx, *info)
}

func (r *recorder) tag(ctx context.Context, info any) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags = append(r.tags, info)
	return context.WithValue(ctx, r, r.name)
}

func (r *recorder) HandleRPC(ctx context.Context, e stats.RPCStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, e)
	r.seen = append(r.seen, fmt.Sprint(ctx.Value(r)))
}

func (r *recorder) HandleConn(ctx context.Context, e stats.ConnStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, e)
	r.seen = append(r.seen, fmt.Sprint(ctx.Value(r)))
}

// observerOf returns an observer for one recorder.
func observerOf(r *recorder, client bool) *observer {
	return newObserver(context.Background(), []stats.Handler{r}, client, &stats.RPCTagInfo{FullMethodName: unaryMethod})
}

// events are all events of an observer in order, with made-up contents.
func events(o *observer) {
	addr := &net.UnixAddr{Name: "a"}
	h := &headerEvent{md: metadata.Pairs("k", "v"), compression: "gzip", wireLength: 7, method: unaryMethod, authority: "auth", remote: addr, local: addr}
	o.begin(true, true, false, true)
	o.delayedPick()
	o.outHeader(h)
	o.outPayload("out", sizes{plain: 10, wire: 4})
	o.inHeader(h)
	o.inPayload("in", sizes{plain: 11, wire: 5})
	o.inTrailer(h.md, 3)
	o.outTrailer(h.md)
	o.end(h.md, errEnd)
}

func TestObserverTellsEachEvent(t *testing.T) {
	for _, client := range []bool{true, false} {
		r := &recorder{name: "r"}
		o := observerOf(r, client)
		events(o)
		addr := &net.UnixAddr{Name: "a"}
		md := metadata.Pairs("k", "v")
		want := []stats.RPCStats{
			&stats.Begin{Client: client, BeginTime: o.begun, FailFast: true, IsClientStream: true, IsTransparentRetryAttempt: true},
			&stats.DelayedPickComplete{},
			&stats.OutHeader{Client: client, Compression: "gzip", Header: md, FullMethod: unaryMethod, Authority: "auth", RemoteAddr: addr, LocalAddr: addr},
			&stats.OutPayload{Client: client, Payload: "out", Length: 10, CompressedLength: 4, WireLength: 9},
			&stats.InHeader{Client: client, WireLength: 7, Compression: "gzip", Header: md, FullMethod: unaryMethod, RemoteAddr: addr, LocalAddr: addr},
			&stats.InPayload{Client: client, Payload: "in", Length: 11, CompressedLength: 5, WireLength: 10},
			&stats.InTrailer{Client: client, WireLength: 3, Trailer: md},
			&stats.OutTrailer{Client: client, Trailer: md},
			&stats.End{Client: client, BeginTime: o.begun, Trailer: md, Error: errEnd},
		}
		for i, e := range r.calls {
			if got := withoutTimes(t, e); !reflect.DeepEqual(got, want[i]) {
				t.Errorf("event %d: got %#v, want %#v", i, got, want[i])
			}
			wantEqual(t, "name in the context", r.seen[i], "r")
		}
		wantEqual(t, "events", len(r.calls), len(want))
	}
}

// withoutTimes checks that the times of an event are set, and takes away those that a test cannot know.
func withoutTimes(t *testing.T, e stats.RPCStats) stats.RPCStats {
	t.Helper()
	for _, at := range times(e) {
		if at.IsZero() {
			t.Errorf("%T: a time is not set", e)
		}
		*at = time.Time{}
	}
	return e
}

func times(e stats.RPCStats) []*time.Time {
	switch e := e.(type) {
	case *stats.OutPayload:
		return []*time.Time{&e.SentTime}
	case *stats.InPayload:
		return []*time.Time{&e.RecvTime}
	case *stats.End:
		return []*time.Time{&e.EndTime}
	}
	return nil
}

func TestNilObserverSaysNothing(t *testing.T) {
	var o *observer
	events(o)
	wantEqual(t, "context", o.context(t.Context()), t.Context())
}

func TestNobodyWatchesWithoutHandlers(t *testing.T) {
	if o := newObserver(t.Context(), nil, true, &stats.RPCTagInfo{}); o != nil {
		t.Errorf("got %v, want nil", o)
	}
}

func TestEachHandlerSeesTheTagsOfTheOthers(t *testing.T) {
	a, b := &recorder{name: "a"}, &recorder{name: "b"}
	info := &stats.RPCTagInfo{FullMethodName: unaryMethod, FailFast: true}
	o := newObserver(t.Context(), []stats.Handler{a, b}, true, info)
	for _, r := range []*recorder{a, b} {
		wantEqual(t, "tag of "+r.name, o.context(t.Context()).Value(r), any(r.name))
		if !slices.Equal(r.tags, []any{*info}) {
			t.Errorf("tag info of %s: got %v, want %v", r.name, r.tags, *info)
		}
	}
}

func TestConnWatchTellsBeginAndOneEnd(t *testing.T) {
	r := &recorder{name: "r"}
	var w connWatch
	remote, local := &net.UnixAddr{Name: "remote"}, &net.UnixAddr{Name: "local"}
	w.begin(t.Context(), []stats.Handler{r}, true, remote, local)
	w.end()
	w.end()
	if want := []stats.ConnStats{&stats.ConnBegin{Client: true}, &stats.ConnEnd{Client: true}}; !reflect.DeepEqual(r.conns, want) {
		t.Errorf("got %v, want a beginning and an end", r.conns)
	}
	if want := []any{stats.ConnTagInfo{RemoteAddr: remote, LocalAddr: local}}; !reflect.DeepEqual(r.tags, want) {
		t.Errorf("tag info: got %v, want %v", r.tags, want)
	}
	if want := []string{"r", "r"}; !slices.Equal(r.seen, want) {
		t.Errorf("names in the contexts: got %q, want %q", r.seen, want)
	}
}

func TestConnWatchThatDidNotBeginTellsNobody(t *testing.T) {
	var w connWatch
	w.end()
}

func TestPackageStatsWatchWhatBeginsWhileTheyAreOn(t *testing.T) {
	r := &recorder{name: "package"}
	stats.RegisterRPCTagger(r.TagRPC)
	stats.RegisterRPCHandler(r.HandleRPC)
	stats.RegisterConnTagger(r.TagConn)
	stats.RegisterConnHandler(r.HandleConn)
	stats.Start()
	own := &recorder{name: "own"}
	o := observerOf(own, true)
	var w connWatch
	w.begin(t.Context(), nil, true, nil, nil)
	stats.Stop()
	o.end(nil, errors.New("after Stop"))
	w.end()
	wantEqual(t, "events of the RPC", len(r.calls), 1)
	wantEqual(t, "events of the RPC for the handler", len(own.calls), 1)
	wantEqual(t, "events of the connection", len(r.conns), 2)
	if o := newObserver(t.Context(), nil, true, &stats.RPCTagInfo{}); o != nil {
		t.Error("somebody watches after Stop")
	}
}

// A scribbler is a stats handler that changes the metadata that it is told.
type scribbler struct{ recorder }

func (s *scribbler) HandleRPC(_ context.Context, e stats.RPCStats) {
	switch e := e.(type) {
	case *stats.InHeader:
		e.Header.Set("scribbled", "header")
	case *stats.InTrailer:
		e.Trailer.Set("scribbled", "trailer")
	}
}

func TestStatsHandlerThatChangesMetadataChangesItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := connect(t, startServer(t, testService{}), WithStatsHandler(new(scribbler)))
		for range 3 { // the metadata of the connection's calls is the same, and decoded once
			var header, trailer metadata.MD
			_, err := echo(t.Context(), cc, "x", Header(&header), Trailer(&trailer))
			must(t, err)
			wantEqual(t, "header and trailer", fmt.Sprint(header["scribbled"], trailer["scribbled"]), "[] []")
		}
	})
}
