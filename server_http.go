// Calls that a server of net/http accepts and hands over: gRPC beside other handlers of HTTP on one port.

package grpc

import (
	"net"
	"net/http"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/transport"
)

// ServeHTTP serves one RPC that an http.Server has accepted by HTTP/2. It makes a Server an http.Handler, so that gRPC and other
// handlers can share a port:
//
//	if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
//		grpcServer.ServeHTTP(w, r)
//	} else {
//		other.ServeHTTP(w, r)
//	}
//
// It is slower than Serve. Connections are the http.Server's: so are their limits, keepalive, credentials and end, and there is no tap.
// Stop, GracefulStop and Shutdown end the contexts of such RPCs at once, so the http.Server should be shut down first; RPCs that come
// later are answered with the HTTP status 503. ServeHTTP may return before the handler, if the client or the server ends the RPC.
//
// Experimental: the method may change.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.addHTTP() {
		http.Error(w, ErrServerStopped.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.handlers.Done()
	c := &httpConn{s: s}
	p := httpPeer(r)
	c.watch.begin(r.Context(), s.opts.statsHandlers, false, p.Addr, p.LocalAddr)
	transport.ServeHTTP(w, r, s.draining, transport.ServerOptions{
		ConnOptions: s.opts.conn, MaxMessageSize: s.opts.maxReceive, Context: c.watch.ctx, Peer: p,
	}, c)
}

// addHTTP enters an RPC. It returns false if the server was told to stop.
func (s *Server) addHTTP() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != serverServing {
		return false
	}
	s.handlers.Add(1)
	return true
}

// httpPeer returns who has sent a request.
func httpPeer(r *http.Request) *peer.Peer {
	p := &peer.Peer{Addr: httpAddr(r.RemoteAddr)}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		p.LocalAddr = local
	}
	if r.TLS != nil {
		p.AuthInfo = credentials.TLSInfo{State: *r.TLS, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	}
	return p
}

// An httpAddr is the address of a client as net/http gives it.
type httpAddr string

// Network implements net.Addr. It is a guess: net/http does not tell.
func (a httpAddr) Network() string {
	if a == "" {
		return ""
	}
	return "tcp"
}

// String implements net.Addr.
func (a httpAddr) String() string { return string(a) }

// An httpConn is what stands for the connection of one RPC.
type httpConn struct {
	s     *Server
	watch connWatch
}

// HandleStream implements transport.Handler.
func (c *httpConn) HandleStream(st *transport.ServerStream) {
	ss := newServerStream(c.s, st)
	c.s.handlers.Add(1)
	c.s.workers.run(ss)
}

// Closed implements transport.Handler.
func (c *httpConn) Closed(error) { c.watch.end() }
