// Tests of channels behind proxies: what bounds the way through one. What is asked of it, test/parity/proxy has.

package grpc

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// throughProxy is the option that sets the proxy of all targets and addresses.
func throughProxy(address string) DialOption {
	return dialOption(func(o *dialOptions) {
		o.proxyOf = func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: address}, nil }
	})
}

// silentListener accepts connections and never says anything.
func silentListener(t *testing.T) (address string, accepted <-chan net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	conns := make(chan net.Conn, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for nc, err := lis.Accept(); err == nil; nc, err = lis.Accept() {
			conns <- nc
		}
	}()
	t.Cleanup(func() {
		lis.Close()
		<-done
		close(conns)
		for nc := range conns {
			nc.Close()
		}
	})
	return lis.Addr().String(), conns
}

func TestProxyThatIsSilentCountsAgainstTheConnectTimeout(t *testing.T) {
	address, _ := silentListener(t)
	cc := newChannel(t, "dns:///server.test:1", throughProxy(address), WithConnectParams(ConnectParams{MinConnectTimeout: 500 * time.Millisecond}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := echo(ctx, cc, "x")
	wantStatus(t, "call", err, `Unavailable: connection error: desc = "transport: Error while dialing: context deadline exceeded"`)
}

func TestProxyThatIsSilentDoesNotOutliveTheChannel(t *testing.T) {
	address, accepted := silentListener(t)
	cc := newChannel(t, "dns:///server.test:1", throughProxy(address))
	cc.Connect()
	nc := <-accepted
	cc.Close()
	b := make([]byte, 1<<10)
	nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	for n, err := nc.Read(b); ; n, err = nc.Read(b) {
		if err == nil && n > 0 {
			continue // the request
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Error("the connection to the proxy is still open 10s after Close")
		}
		break
	}
}

func TestProxyThatCannotBeToldFailsTheChannel(t *testing.T) {
	cc := newChannel(t, "dns:///server.test:1", dialOption(func(o *dialOptions) {
		o.proxyOf = func(*http.Request) (*url.URL, error) { return nil, errors.New("no idea") }
	}))
	_, err := echo(t.Context(), cc, "x")
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got error %v, want Unavailable", err)
	}
	wantStatus(t, "call", err, `Unavailable: delegating_resolver: failed to determine proxy URL for target "server.test:1": no idea`)
	wantEqual(t, "state", cc.GetState(), connectivity.TransientFailure)
}

func TestProxyTargetsHavePorts(t *testing.T) {
	for _, tt := range []struct{ endpoint, want, fault string }{
		{"a", "a:443", ""},
		{"a:1", "a:1", ""},
		{":1", "localhost:1", ""},
		{"192.0.2.1", "192.0.2.1:443", ""},
		{"2001:db8::1", "[2001:db8::1]:443", ""},
		{"2001:db8::", "[2001:db8::]:443", ""},
		{"[2001:db8::1]", "[2001:db8::1]:443", ""},
		{"[2001:db8::1]:1", "[2001:db8::1]:1", ""},
		{"", "", "missing address"},
		{"a:", "", "missing port after port-separator colon"},
	} {
		got, err := withPort(tt.endpoint)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got != tt.want || fault != tt.fault {
			t.Errorf("%q: got %q, error %q, want %q, error %q", tt.endpoint, got, fault, tt.want, tt.fault)
		}
	}
}
