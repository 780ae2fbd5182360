// When names are resolved. The tests run in synctest bubbles, whose clock jumps when all goroutines wait; the network is a fake.

package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// fakeNet answers queries, and notes them.
type fakeNet struct {
	hosts func(ctx context.Context) ([]string, error) // nil answers 10.0.0.1
	txt   func(ctx context.Context) ([]string, error) // nil answers that there is no such name

	mu      sync.Mutex
	queries []string
}

func (n *fakeNet) note(query string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queries = append(n.queries, query)
}

func (n *fakeNet) LookupHost(ctx context.Context, host string) ([]string, error) {
	n.note(host)
	if n.hosts == nil {
		return []string{"10.0.0.1"}, nil
	}
	return n.hosts(ctx)
}

func (n *fakeNet) LookupTXT(ctx context.Context, name string) ([]string, error) {
	n.note("TXT " + name)
	if n.txt == nil {
		return nil, notFound
	}
	return n.txt(ctx)
}

var (
	notFound  = &net.DNSError{Err: "no such host", Name: "name", IsNotFound: true}
	temporary = &net.DNSError{Err: "server misbehaving", Name: "name", IsTemporary: true}
)

// channel notes what it is told, and when, since the resolver was built.
type channel struct {
	resolver.ClientConn
	begin  time.Time
	refuse error // returned by UpdateState

	mu     sync.Mutex
	events []string
	times  []time.Duration
}

func (c *channel) note(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event)
	c.times = append(c.times, time.Since(c.begin))
}

func (c *channel) UpdateState(s resolver.State) error {
	var addrs []string
	for i, a := range s.Addresses {
		addrs = append(addrs, a.Addr)
		if len(s.Endpoints) != len(s.Addresses) || len(s.Endpoints[i].Addresses) != 1 || !s.Endpoints[i].Addresses[0].Equal(a) {
			c.note("endpoints differ from addresses")
		}
	}
	event := strings.Join(addrs, " ")
	if s.ServiceConfig != nil {
		event += fmt.Sprint(" config ", s.ServiceConfig.Err)
	}
	c.note(event)
	return c.refuse
}

func (c *channel) ReportError(err error) { c.note("error " + err.Error()) }

// ParseServiceConfig returns the text as an error, so that the text is seen.
func (c *channel) ParseServiceConfig(text string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{Err: errors.New(text)}
}

// seen returns the events until now, and the times of them.
func (c *channel) seen() ([]string, []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events), slices.Clone(c.times)
}

// build builds a resolver for the target on the given network.
func build(t *testing.T, target string, lookup netResolver, c *channel, opts resolver.BuildOptions) resolver.Resolver {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	c.begin = time.Now()
	r, err := builder{lookup: lookup}.Build(resolver.Target{URL: *u}, c, opts)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return r
}

// expect fails the test unless the events until now are those.
func (c *channel) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got, _ := c.seen(); !slices.Equal(got, want) {
		t.Fatalf("after %v: got events %q, want %q", time.Since(c.begin), got, want)
	}
}

// wait lets time pass in the bubble.
func wait(d time.Duration) { <-time.After(d) }

func TestResolvesAtOnceAndThenWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := [][]string{{"10.0.0.1", "::1"}, {"10.0.0.2"}}
		n := &fakeNet{}
		n.hosts = func(context.Context) ([]string, error) {
			answer := answers[0]
			answers = answers[1:]
			return answer, nil
		}
		c := &channel{}
		r := build(t, "dns:///name:80", n, c, resolver.BuildOptions{})
		defer r.Close()
		c.expect(t, "10.0.0.1:80 [::1]:80")
		wait(24 * time.Hour)
		c.expect(t, "10.0.0.1:80 [::1]:80") // no polling
		r.ResolveNow(resolver.ResolveNowOptions{})
		c.expect(t, "10.0.0.1:80 [::1]:80", "10.0.0.2:80")
		want := []string{"name", "TXT _grpc_config.name", "name", "TXT _grpc_config.name"}
		if !slices.Equal(n.queries, want) {
			t.Errorf("got queries %q, want %q", n.queries, want)
		}
	})
}

func TestResolvesAtMostEvery30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		r := build(t, "dns:///name", &fakeNet{}, c, resolver.BuildOptions{})
		defer r.Close()
		for range 99 {
			r.ResolveNow(resolver.ResolveNowOptions{})
			wait(time.Second)
		}
		_, got := c.seen()
		if want := []time.Duration{0, 30 * time.Second, 60 * time.Second, 90 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("got resolutions at %v, want %v", got, want)
		}
	})
}

func TestSetMinResolutionInterval(t *testing.T) {
	SetMinResolutionInterval(time.Second)
	defer SetMinResolutionInterval(30 * time.Second)
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		r := build(t, "dns:///name", &fakeNet{}, c, resolver.BuildOptions{})
		defer r.Close()
		wait(time.Millisecond)
		r.ResolveNow(resolver.ResolveNowOptions{})
		wait(time.Minute)
		_, got := c.seen()
		if want := []time.Duration{0, time.Second}; !slices.Equal(got, want) {
			t.Errorf("got resolutions at %v, want %v", got, want)
		}
	})
}

// Requests that came in before a resolution begins are answered by it: they do not cause another one.
func TestOneResolutionAnswersAllEarlierRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		r := build(t, "dns:///name", &fakeNet{}, c, resolver.BuildOptions{})
		defer r.Close()
		for range 10 {
			wait(time.Second)
			r.ResolveNow(resolver.ResolveNowOptions{})
		}
		wait(time.Hour)
		_, got := c.seen()
		if want := []time.Duration{0, 30 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("got resolutions at %v, want %v", got, want)
		}
	})
}

// expectBackoff fails the test unless the waits between the times are those of the backoff: 1 s · 1.6^n for n = 1, 2, …, ± 20 %.
func expectBackoff(t *testing.T, times []time.Duration) {
	t.Helper()
	if len(times) < 8 {
		t.Errorf("got %d resolutions, want at least 8", len(times))
	}
	base := float64(time.Second)
	for i := 1; i < len(times); i++ {
		base = min(base*1.6, float64(120*time.Second))
		if got := float64(times[i] - times[i-1]); got < 0.799*base || got > 1.201*base {
			t.Errorf("failure %d: got a wait of %v, want %v ± 20 %%", i, time.Duration(got), time.Duration(base))
		}
	}
}

func TestBackoffAfterFailedQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		failing.Store(true)
		n := &fakeNet{hosts: func(context.Context) ([]string, error) {
			if failing.Load() {
				return nil, temporary
			}
			return []string{"10.0.0.1"}, nil
		}}
		c := &channel{}
		r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
		defer r.Close()
		for range 600 {
			r.ResolveNow(resolver.ResolveNowOptions{}) // no hint makes it faster
			wait(time.Second)
		}
		events, times := c.seen()
		expectBackoff(t, times)
		if want := "error dns: A record lookup error: lookup name: server misbehaving"; events[0] != want {
			t.Errorf("got %q, want %q", events[0], want)
		}
		failing.Store(false)
		wait(3 * time.Minute)
		events, times = c.seen()
		if got := events[len(events)-1]; got != "10.0.0.1:443" {
			t.Fatalf("got %q, want the address", got)
		}

		failing.Store(true) // the next failures begin with short waits again
		failures := len(times)
		r.ResolveNow(resolver.ResolveNowOptions{})
		wait(10 * time.Minute)
		_, times = c.seen()
		expectBackoff(t, times[failures:])
	})
}

func TestBackoffAfterRefusedStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{refuse: errors.New("bad state")}
		r := build(t, "dns:///name", &fakeNet{}, c, resolver.BuildOptions{})
		defer r.Close()
		wait(10 * time.Minute)
		events, times := c.seen()
		expectBackoff(t, times)
		if events[0] != "10.0.0.1:443" {
			t.Errorf("got %q, want the address", events[0])
		}
	})
}

func TestResolvingTimesOut(t *testing.T) {
	tests := []struct {
		name    string
		timeout time.Duration // 0 is the default
		want    time.Duration
	}{
		{"default", 0, 30 * time.Second},
		{"set", 5 * time.Second, 5 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.timeout != 0 {
				SetResolvingTimeout(test.timeout)
				defer SetResolvingTimeout(30 * time.Second)
			}
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{hosts: func(ctx context.Context) ([]string, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}}
				c := &channel{}
				r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
				defer r.Close()
				wait(test.want)
				c.expect(t, "error dns: A record lookup error: context deadline exceeded")
			})
		})
	}
}

// The timeout is for both queries together: a slow answer to the second costs the service config, not the addresses.
func TestSlowServiceConfigIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{
			hosts: func(context.Context) ([]string, error) {
				wait(20 * time.Second)
				return []string{"10.0.0.1"}, nil
			},
			txt: func(ctx context.Context) ([]string, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}
		c := &channel{}
		r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
		defer r.Close()
		wait(30 * time.Second)
		c.expect(t, "10.0.0.1:443")
	})
}

func TestCloseEndsEverything(t *testing.T) {
	inQuery := func(ctx context.Context) ([]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	tests := []struct {
		name  string
		hosts func(context.Context) ([]string, error)
		ask   bool // ResolveNow before Close
		want  []string
	}{
		{"in a query", inQuery, false, nil},
		{"at rest", nil, false, []string{"10.0.0.1:443"}},
		{"in the shortest interval", nil, true, []string{"10.0.0.1:443"}},
		{"in the backoff", func(context.Context) ([]string, error) { return nil, temporary }, false,
			[]string{"error dns: A record lookup error: lookup name: server misbehaving"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &channel{}
				r := build(t, "dns:///name", &fakeNet{hosts: test.hosts}, c, resolver.BuildOptions{})
				synctest.Wait()
				if test.ask {
					r.ResolveNow(resolver.ResolveNowOptions{})
				}
				wait(time.Second)
				r.Close()
				if passed := time.Since(c.begin); passed != time.Second {
					t.Errorf("got Close back after %v, want at once", passed-time.Second)
				}
				r.ResolveNow(resolver.ResolveNowOptions{})
				r.Close()
				wait(time.Hour)
				c.expect(t, test.want...)
			})
		})
	}
}

func TestIPAddressIsReportedInBuild(t *testing.T) {
	n := &fakeNet{}
	c := &channel{}
	r := build(t, "dns:///[::1]:80", n, c, resolver.BuildOptions{})
	r.ResolveNow(resolver.ResolveNowOptions{})
	r.Close()
	if events, _ := c.seen(); !slices.Equal(events, []string{"[::1]:80"}) || n.queries != nil {
		t.Errorf("got events %q and queries %q, want the address and no query", events, n.queries)
	}
}

func TestBuilderIsRegistered(t *testing.T) {
	if got := resolver.Get("dns"); got != NewBuilder() || got.Scheme() != "dns" {
		t.Errorf("got %v, want the builder of this package", got)
	}
}
