// Channels whose connections go through an HTTP proxy of the environment: what the proxy is asked, and what its answers come to.
// The environment is read once per process, so these tests have one of their own.

// Package proxy holds what programs can observe of proxies.
package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/parity"
)

// patience bounds every wait.
const patience = 10 * time.Second

// A proxy answers all requests for tunnels alike.
type proxy struct {
	lis    net.Listener
	server string // where tunnels lead

	mu     sync.Mutex
	answer string   // what it says; with "200" in it, a tunnel follows
	heard  []string // the requests
}

var environment *proxy

func TestMain(m *testing.M) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	p, err := begin()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	environment = p
	for _, name := range []string{"https_proxy", "no_proxy", "HTTP_PROXY", "http_proxy", "REQUEST_METHOD"} {
		os.Unsetenv(name)
	}
	os.Setenv("HTTPS_PROXY", "http://us%20er:p%40ss@"+p.lis.Addr().String())
	os.Setenv("NO_PROXY", "skip.test,192.0.2.9")
	os.Exit(m.Run())
}

// begin starts the proxy, and a server behind it.
func begin() (*proxy, error) {
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer()
	s.RegisterService(&echo.Desc, &echo.Service{})
	go s.Serve(back)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{lis: front, server: back.Addr().String()}
	go func() {
		for {
			nc, err := front.Accept()
			if err != nil {
				return
			}
			go p.serve(nc)
		}
	}()
	return p, nil
}

// serve takes one connection.
func (p *proxy) serve(nc net.Conn) {
	defer nc.Close()
	in := bufio.NewReader(nc)
	var request strings.Builder
	for {
		line, err := in.ReadString('\n')
		request.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
	}
	p.mu.Lock()
	p.heard = append(p.heard, request.String())
	answer := p.answer
	p.mu.Unlock()
	io.WriteString(nc, answer)
	if !strings.Contains(answer, " 200 ") {
		return
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	go func() {
		io.Copy(server, in)
		server.Close()
	}()
	io.Copy(nc, server)
}

// expect sets what the proxy says from now on.
func (p *proxy) expect(answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.heard = answer, nil
}

// first returns the first request since expect, "" if there was none.
func (p *proxy) first() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.heard) == 0 {
		return ""
	}
	return p.heard[0]
}

// call makes a channel and one call on it, and returns what came of it.
func call(t *testing.T, target string, opts ...grpc.DialOption) string {
	t.Helper()
	cc, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatalf("NewClient(%q): %v", target, err)
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out := new(echo.Text)
	if err := cc.Invoke(ctx, echo.Unary, echo.Of("x"), out); err != nil {
		return err.Error()
	}
	return out.Value
}

const (
	agent = "grpc-go/" + grpc.Version
	login = "Proxy-Authorization: Basic dXMgZXI6cEBzcw==\r\n" // "us er:p@ss"
)

// request is what the proxy is asked for an address.
func request(address string) string {
	return "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: " + agent + "\r\n" + login + "\r\n"
}

// fixed is a resolver whose addresses are given.
func fixed(s resolver.State) grpc.DialOption {
	r := manual.NewBuilderWithScheme("fixed")
	r.InitialState(s)
	return grpc.WithResolvers(r)
}

func TestProxyIsAskedForATunnel(t *testing.T) {
	for _, tc := range []struct {
		name, target, want string
		opts               []grpc.DialOption
	}{
		{"name", "dns:///some.test:1234", request("some.test:1234"), nil},
		{"name without a scheme", "some.test:1234", request("some.test:1234"), nil},
		{"name without a port", "dns:///some.test", request("some.test:443"), nil},
		{"name below one that is not for proxies", "dns:///noskip.test:1", request("noskip.test:1"), nil},
		{"DNS server", "dns://127.0.0.1:1/some.test:1234", request("some.test:1234"), nil},
		{"IPv4", "dns:///192.0.2.1:80", request("192.0.2.1:80"), nil},
		{"IPv6", "dns:///[2001:db8::1]:80", request("[2001:db8::1]:80"), nil},
		{"IPv6 without a port", "dns:///2001:db8::1", request("[2001:db8::1]:443"), nil},
		{"too many colons", "dns:///a:b:c", request("[a:b:c]:443"), nil},
		{"passthrough", "passthrough:///some.test:80", request("some.test:80"), nil},
		{"passthrough without a port", "passthrough:///some.test", request("some.test"), nil},
		{"another resolver", "fixed:///some.test:7", request("192.0.2.1:1"),
			[]grpc.DialOption{fixed(resolver.State{Addresses: []resolver.Address{{Addr: "192.0.2.1:1"}}})}},
		{"endpoints", "fixed:///some.test:7", request("192.0.2.1:1"),
			[]grpc.DialOption{fixed(resolver.State{Endpoints: []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: "192.0.2.1:1"}}}}})}},
		{"first an address that is not for proxies", "fixed:///some.test:7", request("192.0.2.1:1"),
			[]grpc.DialOption{fixed(resolver.State{Addresses: []resolver.Address{{Addr: "127.0.0.1:1"}, {Addr: "192.0.2.1:1"}}})}},
		{"first a unix socket", "fixed:///some.test:7", request("192.0.2.1:1"),
			[]grpc.DialOption{fixed(resolver.State{Addresses: []resolver.Address{{Addr: "unix:/none"}, {Addr: "192.0.2.1:1"}}})}},
		{"local resolution", "dns:///192.0.2.1:80", request("192.0.2.1:80"), []grpc.DialOption{grpc.WithLocalDNSResolution()}},
		{"authority", "dns:///some.test:1234", request("some.test:1234"), []grpc.DialOption{grpc.WithAuthority("other.test")}},
		{"user agent", "dns:///some.test:1234", strings.Replace(request("some.test:1234"), agent, "mine "+agent, 1),
			[]grpc.DialOption{grpc.WithUserAgent("mine")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			environment.expect("HTTP/1.1 200 Connection established\r\n\r\n")
			parity.Equal(t, call(t, tc.target, tc.opts...), "x")
			parity.Equal(t, environment.first(), tc.want)
		})
	}
}

func TestProxyIsAskedWithoutADefaultPort(t *testing.T) {
	if !parity.Ours() {
		t.Skip("the released library reads the environment when the process begins")
	}
	t.Setenv("GRPC_EXPERIMENTAL_ENABLE_DEFAULT_PORT_FOR_PROXY_TARGET", "FALSE")
	for _, tc := range []struct{ target, want string }{
		{"dns:///some.test", request("some.test")},
		{"dns:///2001:db8::1", request("2001:db8::1")},
	} {
		environment.expect("HTTP/1.1 200 Connection established\r\n\r\n")
		parity.Equal(t, call(t, tc.target), "x")
		parity.Equal(t, environment.first(), tc.want)
	}
}

func TestProxyIsNotUsed(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		opts         []grpc.DialOption
	}{
		{"loopback address", "passthrough:///" + environment.server, nil},
		{"localhost", "dns:///localhost:" + port(environment.server), nil},
		{"target of NO_PROXY", "fixed:///skip.test", []grpc.DialOption{
			fixed(resolver.State{Addresses: []resolver.Address{{Addr: environment.server}}})}},
		{"target below one of NO_PROXY", "fixed:///a.skip.test", []grpc.DialOption{
			fixed(resolver.State{Addresses: []resolver.Address{{Addr: environment.server}}})}},
		{"no host", "dns:///:" + port(environment.server), nil},
		{"address", "fixed:///some.test", []grpc.DialOption{
			fixed(resolver.State{Addresses: []resolver.Address{{Addr: environment.server}}})}},
		{"own dialer", "passthrough:///some.test:1", []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", environment.server)
			})}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			environment.expect("HTTP/1.1 500 Not asked\r\n\r\n")
			parity.Equal(t, call(t, tc.target, tc.opts...), "x")
			parity.Equal(t, environment.first(), "")
		})
	}
}

func TestProxyIsNotUsedForTargetsOfNoProxyWhateverTheirAddresses(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		opts         []grpc.DialOption
	}{
		{"NO_PROXY", "fixed:///skip.test", nil},
		{"WithNoProxy", "fixed:///some.test", []grpc.DialOption{grpc.WithNoProxy()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			environment.expect("HTTP/1.1 500 Asked\r\n\r\n")
			// Where nothing can be connected to: the invalid port fails at once.
			state := fixed(resolver.State{Addresses: []resolver.Address{{Addr: "192.0.2.1:99999"}}})
			parity.Equal(t, call(t, tc.target, append(tc.opts, state)...),
				`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp: address 99999: invalid port"`)
			parity.Equal(t, environment.first(), "")
		})
	}
}

func TestProxyRefuses(t *testing.T) {
	const failed = `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: %s"`
	const response = `failed to do connect handshake, response: \"%s\"`
	for _, tc := range []struct{ name, answer, want string }{
		{"with a body", "HTTP/1.1 407 Proxy Authentication Required\r\nX-A: b\r\nContent-Length: 3\r\n\r\nabc",
			fmt.Sprintf(response, `HTTP/1.1 407 Proxy Authentication Required\\r\\nContent-Length: 3\\r\\nX-A: b\\r\\n\\r\\nabc`)},
		{"without a body", "HTTP/1.1 500 Oops\r\n\r\n", fmt.Sprintf(response, `HTTP/1.1 500 Oops\\r\\nConnection: close\\r\\n\\r\\n`)},
		{"to do it", "HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n",
			fmt.Sprintf(response, `HTTP/1.1 302 Found\\r\\nConnection: close\\r\\nLocation: http://x/\\r\\n\\r\\n`)},
		{"with another success", "HTTP/1.1 204 No Content\r\n\r\n", fmt.Sprintf(response, `HTTP/1.1 204 No Content\\r\\n\\r\\n`)},
		{"with chunks", "HTTP/1.1 407 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			fmt.Sprintf(response, `HTTP/1.1 407 X\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n`)},
		{"with a cut body", "HTTP/1.1 407 X\r\nContent-Length: 10\r\n\r\nab", "failed to do connect handshake, status code: 407 X"},
		{"with no HTTP", "garbage\r\n\r\n", `reading server HTTP response: malformed HTTP response \"garbage\"`},
		{"with nothing", "", "reading server HTTP response: unexpected EOF"},
		{"with half a head", "HTTP/1.1 500 Oops\r\n", "reading server HTTP response: unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			environment.expect(tc.answer)
			parity.Equal(t, call(t, "dns:///some.test:1234"), fmt.Sprintf(failed, tc.want))
		})
	}
}

func TestProxyTargetErrors(t *testing.T) {
	for _, tc := range []struct {
		target, want string
		opts         []grpc.DialOption
	}{
		{"dns:///", `delegating_resolver: invalid target address "": missing address`, nil},
		{"dns:///a:", `delegating_resolver: invalid target address "a:": missing port after port-separator colon`, nil},
		{"dns:///", "dns resolver: missing address", []grpc.DialOption{grpc.WithNoProxy()}},
		{"dns:///a:", "delegating_resolver: unable to build the resolver for target dns:///a:: dns resolver: missing port after port-separator colon",
			[]grpc.DialOption{grpc.WithLocalDNSResolution()}},
		{"passthrough:///",
			"delegating_resolver: unable to build the resolver for target passthrough:///: passthrough: received empty target in Build()", nil},
	} {
		t.Run(fmt.Sprintf("%s with %d options", tc.target, len(tc.opts)), func(t *testing.T) {
			parity.Equal(t, call(t, tc.target, tc.opts...), "rpc error: code = Unavailable desc = "+tc.want)
		})
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
