// What reaches the channel, and when callbacks are called.

package manual

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

var errRefused = errors.New("refused")

// channel notes the addresses of the states that it gets, and refuses states without any.
type channel struct {
	resolver.ClientConn
	got      []string
	onUpdate func() // called in UpdateState, if not nil
}

func (c *channel) UpdateState(s resolver.State) error {
	if c.onUpdate != nil {
		c.onUpdate()
	}
	if len(s.Addresses) == 0 {
		return errRefused
	}
	c.got = append(c.got, s.Addresses[0].Addr)
	return nil
}

func (c *channel) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }

func state(addr string) resolver.State {
	return resolver.State{Addresses: []resolver.Address{{Addr: addr}}}
}

// build builds r for a new channel.
func build(t *testing.T, r *Resolver) *channel {
	t.Helper()
	c := new(channel)
	built, err := r.Build(resolver.Target{}, c, resolver.BuildOptions{})
	if err != nil || built != resolver.Resolver(r) {
		t.Fatalf("Build: got %v, %v, want the resolver itself", built, err)
	}
	return c
}

func TestStatesReachTheChannel(t *testing.T) {
	r := NewBuilderWithScheme("test")
	if got := r.Scheme(); got != "test" {
		t.Errorf("got scheme %q, want test", got)
	}
	r.InitialState(state("initial"))
	c := build(t, r)
	r.UpdateState(state("second"))
	r.UpdateState(resolver.State{})
	r.UpdateState(state("third"))
	if want := []string{"initial", "second", "third"}; !slices.Equal(c.got, want) {
		t.Errorf("got %v, want %v", c.got, want)
	}
	if got := r.CC(); got != resolver.ClientConn(c) {
		t.Errorf("CC: got %v, want the channel", got)
	}
}

func TestBuildWithoutState(t *testing.T) {
	r := NewBuilderWithScheme("test")
	if c := build(t, r); len(c.got) != 0 {
		t.Errorf("got %v, want no state", c.got)
	}
}

func TestUpdateStateBeforeBuildIsTheInitialState(t *testing.T) {
	r := NewBuilderWithScheme("test")
	r.UpdateStateCallback = func(error) { t.Error("callback called without a channel") }
	r.UpdateState(state("early"))
	r.UpdateStateCallback = nil
	if c := build(t, r); !slices.Equal(c.got, []string{"early"}) {
		t.Errorf("got %v, want [early]", c.got)
	}
}

func TestBuildAgainReportsTheNewestState(t *testing.T) {
	r := NewBuilderWithScheme("test")
	r.InitialState(state("initial"))
	first := build(t, r)
	r.UpdateState(state("newer"))
	r.Close()
	second := build(t, r)
	r.UpdateState(state("newest"))
	if want := []string{"initial", "newer"}; !slices.Equal(first.got, want) {
		t.Errorf("first channel: got %v, want %v", first.got, want)
	}
	if want := []string{"newer", "newest"}; !slices.Equal(second.got, want) {
		t.Errorf("second channel: got %v, want %v", second.got, want)
	}
}

func TestCCPanicsBeforeBuild(t *testing.T) {
	defer func() {
		if got, want := recover(), "Manual resolver instance has not yet been built."; got != want {
			t.Errorf("got panic %v, want %s", got, want)
		}
	}()
	NewBuilderWithScheme("test").CC()
}

func TestCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewBuilderWithScheme("test")
		var got []string
		r.BuildCallback = func(_ resolver.Target, cc resolver.ClientConn, o resolver.BuildOptions) {
			got = append(got, fmt.Sprintf("build %s %v", o.Authority, cc == r.CC()))
		}
		r.UpdateStateCallback = func(err error) { got = append(got, fmt.Sprint("update ", err)) }
		r.ResolveNowCallback = func(resolver.ResolveNowOptions) {
			got = append(got, "resolve now")
			r.UpdateState(resolver.State{})
		}
		r.CloseCallback = func() { got = append(got, "close") }

		r.InitialState(state("a"))
		r.Build(resolver.Target{}, new(channel), resolver.BuildOptions{Authority: "au"})
		synctest.Wait() // the callback of the first state has a goroutine
		r.ResolveNow(resolver.ResolveNowOptions{})
		r.Close()
		want := []string{"build au true", "update <nil>", "resolve now", "update refused", "close"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestCallbackOfTheFirstStateMayWaitForBuild(t *testing.T) {
	r := NewBuilderWithScheme("test")
	built, called := make(chan struct{}), make(chan struct{})
	r.UpdateStateCallback = func(error) { <-built; close(called) }
	r.InitialState(state("a"))
	build(t, r)
	close(built)
	<-called
}

func TestWithoutCallbacks(t *testing.T) {
	r := NewBuilderWithScheme("test")
	build(t, r)
	r.UpdateState(state("a"))
	r.ResolveNow(resolver.ResolveNowOptions{})
	r.Close()
	if got := r.CC(); got == nil {
		t.Error("CC after Close: got nil, want the channel")
	}
}

// A state that is given while Build reports the one before must not be overtaken by it.
func TestTheNewestStateComesLast(t *testing.T) {
	r := NewBuilderWithScheme("test")
	r.InitialState(state("old"))
	inUpdate, proceed := make(chan struct{}), make(chan struct{})
	c := &channel{}
	c.onUpdate = func() {
		c.onUpdate = nil
		close(inUpdate)
		<-proceed
	}
	var all sync.WaitGroup
	all.Go(func() { r.Build(resolver.Target{}, c, resolver.BuildOptions{}) })
	<-inUpdate
	all.Go(func() { r.UpdateState(state("new")) })
	for newest := ""; newest != "new"; runtime.Gosched() { // until UpdateState is under way
		r.mu.Lock()
		newest = r.state.Addresses[0].Addr
		r.mu.Unlock()
	}
	if r.CC() != resolver.ClientConn(c) {
		t.Error("got another channel")
	}
	close(proceed)
	all.Wait()
	if want := []string{"old", "new"}; !slices.Equal(c.got, want) {
		t.Errorf("got %v, want %v", c.got, want)
	}
}

func ExampleResolver() {
	r := NewBuilderWithScheme("whatever")
	r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: "10.0.0.1:443"}}})
	// cc, err := grpc.NewClient("whatever:///name", grpc.WithResolvers(r), …)

	// Later, when the addresses change:
	r.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: "10.0.0.2:443"}, {Addr: "10.0.0.3:443"}}})
}
