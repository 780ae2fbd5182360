// Server: services, listeners, connections, and the ways to stop.

package grpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/transport"
)

// MethodHandler handles a unary RPC. dec decodes the request; interceptor, if not nil, goes around the handler of the application.
// Generated code has one for each method.
type MethodHandler func(srv any, ctx context.Context, dec func(any) error, interceptor UnaryServerInterceptor) (any, error)

// MethodDesc describes a unary RPC.
type MethodDesc struct {
	MethodName string // without the service
	Handler    MethodHandler
}

// ServiceDesc describes a service. Generated code has one for each.
type ServiceDesc struct {
	ServiceName string
	// HandlerType is a pointer to the interface that an implementation must have.
	HandlerType any
	Methods     []MethodDesc
	Streams     []StreamDesc
	Metadata    any // what GetServiceInfo returns
}

// ServiceRegistrar is what generated code registers services with: a *Server, or what an application has put in its place.
type ServiceRegistrar interface {
	// RegisterService makes impl the implementation of the service. It must not be called while the server runs.
	RegisterService(desc *ServiceDesc, impl any)
}

var _ ServiceRegistrar = (*Server)(nil)

// MethodInfo tells about a method of a service.
type MethodInfo struct {
	Name           string // without the service
	IsClientStream bool   // the client may send any number of messages
	IsServerStream bool   // the server may send any number of messages
}

// ServiceInfo tells about a service.
type ServiceInfo struct {
	Methods  []MethodInfo
	Metadata any // of its ServiceDesc
}

// ErrServerStopped says that a server was stopped before it was told to serve.
var ErrServerStopped = errors.New("grpc: the server has been stopped")

// serverState is the life of a server: each step is taken once.
type serverState uint8

const (
	serverServing  serverState = iota // or about to
	serverDraining                    // it takes no new connections, and clients know
	serverDrained                     // it has no connections, and waits for handlers
	serverStopped
)

// A Server serves RPCs. Its methods may be called concurrently, but services must be registered before Serve.
type Server struct {
	opts         serverOptions
	defaultCodec messageCodec
	workers      workers
	watch        turnWatch
	draining     context.Context // ends when the server is told to stop, in whatever way
	drain        context.CancelFunc

	mu        sync.Mutex // guards the fields below
	state     serverState
	served    bool // Serve was called
	services  map[string]*service
	listeners map[net.Listener]bool
	conns     map[*serverConn]bool
	raw       map[net.Conn]bool // connections that are being set up
	done      chan struct{}     // closed when the server is stopped
	changed   *sync.Cond        // with mu: a connection has gone, or the state has changed
	handlers  sync.WaitGroup    // RPCs that are handled, and read goroutines, which begin them
	methods   map[string]*method
}

// A service is a registered service.
type service struct {
	impl any
	desc *ServiceDesc
}

// A method is a method of a registered service: either unary or a stream.
type method struct {
	impl   any
	unary  MethodHandler
	stream *StreamDesc
	credit credit // of the handlers of a unary method
}

// NewServer returns a server without services, which does not serve yet.
func NewServer(opt ...ServerOption) *Server {
	s := &Server{
		opts: defaultServerOptions(), services: make(map[string]*service), methods: make(map[string]*method),
		listeners: make(map[net.Listener]bool), conns: make(map[*serverConn]bool), raw: make(map[net.Conn]bool), done: make(chan struct{}),
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	s.changed = sync.NewCond(&s.mu)
	for _, o := range opt {
		s.opts.use(o)
	}
	s.opts.finish()
	s.workers.keep = int(s.opts.workers)
	s.watch.init(runtime.GOMAXPROCS(0))
	s.defaultCodec, _ = codecForSubtype("") // which is linked
	return s
}

// RegisterService makes impl the implementation of the service. If impl does not have the service's methods, if there is a service of
// that name, or if the server serves already, it ends the program with an error in the log: the program is wrong.
func (s *Server) RegisterService(desc *ServiceDesc, impl any) {
	if impl != nil {
		want := reflect.TypeOf(desc.HandlerType).Elem()
		if got := reflect.TypeOf(impl); !got.Implements(want) {
			logger.Fatalf("grpc: Server.RegisterService found the handler of type %v that does not satisfy %v", got, want)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served {
		logger.Fatalf("grpc: Server.RegisterService after Server.Serve for %q", desc.ServiceName)
	}
	if s.services[desc.ServiceName] != nil {
		logger.Fatalf("grpc: Server.RegisterService found duplicate service registration for %q", desc.ServiceName)
	}
	s.services[desc.ServiceName] = &service{impl: impl, desc: desc}
	for i := range desc.Methods {
		m := &desc.Methods[i]
		s.methods["/"+desc.ServiceName+"/"+m.MethodName] = &method{impl: impl, unary: m.Handler}
	}
	for i := range desc.Streams {
		m := &desc.Streams[i]
		s.methods["/"+desc.ServiceName+"/"+m.StreamName] = &method{impl: impl, stream: m}
	}
}

// GetServiceInfo returns the registered services by name.
func (s *Server) GetServiceInfo() map[string]ServiceInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make(map[string]ServiceInfo, len(s.services))
	for name, srv := range s.services {
		info := ServiceInfo{Metadata: srv.desc.Metadata, Methods: make([]MethodInfo, 0, len(srv.desc.Methods)+len(srv.desc.Streams))}
		for _, m := range srv.desc.Methods {
			info.Methods = append(info.Methods, MethodInfo{Name: m.MethodName})
		}
		for _, m := range srv.desc.Streams {
			info.Methods = append(info.Methods, MethodInfo{Name: m.StreamName, IsClientStream: m.ClientStreams, IsServerStream: m.ServerStreams})
		}
		infos[name] = info
	}
	return infos
}

// Serve accepts connections on lis and serves RPCs on them, until the server is stopped or lis fails in a way that does not pass. It
// closes lis. It returns nil after Stop or GracefulStop, ErrServerStopped if one of these was called before, and else the error of lis.
// A server may serve several listeners.
func (s *Server) Serve(lis net.Listener) error {
	s.mu.Lock()
	s.served = true
	if s.state != serverServing {
		s.mu.Unlock()
		lis.Close()
		return ErrServerStopped
	}
	s.listeners[lis] = true
	s.mu.Unlock()
	err := s.acceptAll(lis)
	s.mu.Lock()
	if s.listeners[lis] {
		delete(s.listeners, lis)
		lis.Close()
	}
	state := s.state
	s.mu.Unlock()
	if state == serverServing {
		return err
	}
	<-s.done // Stop or GracefulStop is about to return
	return nil
}

const (
	// minAcceptDelay and maxAcceptDelay are how long the accept loop pauses after an error that passes, such as too many open files.
	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second
)

// acceptAll accepts connections until lis fails for good, or the server takes no more of them.
func (s *Server) acceptAll(lis net.Listener) error {
	for delay := time.Duration(0); ; {
		nc, err := lis.Accept()
		if err == nil {
			delay = 0
			go s.handleRaw(nc) // owned by the server; becomes the read goroutine of the connection and ends with it
			continue
		}
		t, ok := err.(interface{ Temporary() bool })
		if !ok || !t.Temporary() {
			return err
		}
		delay = min(max(2*delay, minAcceptDelay), maxAcceptDelay)
		logger.Warningf("Accept error: %v; retrying in %v", err, delay)
		pause := time.NewTimer(delay)
		select {
		case <-pause.C:
		case <-s.draining.Done():
			pause.Stop()
			return nil
		}
	}
}

// A serverConn is a connection of a server. It is immutable but for what t guards itself, turn, and closed.
type serverConn struct {
	s      *Server
	t      *transport.Server
	watch  connWatch
	turn   turn
	closed bool // guarded by s.mu
}

// handleRaw sets a connection up and reads it until it ends.
func (s *Server) handleRaw(nc net.Conn) {
	if !s.addRaw(nc) {
		nc.Close()
		return
	}
	defer s.handlers.Done()
	c, err := s.setUp(nc)
	if err == nil {
		s.handlers.Add(1)
		c.read()
		return
	}
	if !errors.Is(err, credentials.ErrConnDispatched) { // else somebody else has it now
		nc.Close()
	}
	s.mu.Lock()
	delete(s.raw, nc)
	s.changed.Broadcast()
	s.mu.Unlock()
}

// read reads the connection until it ends, or until another goroutine does so, to which its count was passed.
func (c *serverConn) read() {
	passed := false
	c.turn.passed = &passed
	defer func() { // also if code of the user's ends the goroutine
		if !passed {
			c.s.handlers.Done()
		}
	}()
	c.t.Serve()
}

// addRaw enters a connection that is being set up, and its goroutine. It returns false if the server waits for no more connections.
func (s *Server) addRaw(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= serverDrained {
		return false
	}
	s.raw[nc] = true
	s.handlers.Add(1)
	return true
}

// setUp makes the handshakes of a connection within the connection timeout.
func (s *Server) setUp(nc net.Conn) (*serverConn, error) {
	if nc.SetDeadline(time.Now().Add(s.opts.connectionTimeout)) != nil { // it has none
		closing := time.AfterFunc(s.opts.connectionTimeout, func() { nc.Close() })
		defer closing.Stop()
	}
	secured, auth, err := s.handshake(nc)
	if err != nil {
		if !errors.Is(err, credentials.ErrConnDispatched) {
			logger.Warningf("Server.Serve: handshake with %v failed: %v", nc.RemoteAddr(), err)
		}
		return nil, err
	}
	c := &serverConn{s: s}
	c.turn.place = s.watch.place()
	c.watch.begin(context.Background(), s.opts.statsHandlers, false, secured.RemoteAddr(), secured.LocalAddr())
	c.t, err = transport.NewServer(secured, transport.ServerOptions{
		ConnOptions: s.opts.conn, MaxConcurrentStreams: s.opts.maxConcurrentStreams, HeaderTableSize: s.opts.headerTableSize,
		MaxMessageSize: s.opts.maxReceive, Context: c.watch.ctx, Keepalive: s.opts.keepalive, Enforcement: s.opts.enforcement,
		Peer: &peer.Peer{Addr: secured.RemoteAddr(), LocalAddr: secured.LocalAddr(), AuthInfo: auth},
	}, c)
	if err != nil {
		c.watch.end()
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	s.add(c, nc)
	return c, nil
}

func (s *Server) handshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if s.opts.creds == nil {
		return nc, nil, nil
	}
	secured, auth, err := s.opts.creds.ServerHandshake(nc)
	if err == nil && secured == nil {
		err = fmt.Errorf("credentials returned no connection")
	}
	return secured, auth, err
}

// add enters a connection that is set up. If the server has been told to stop meanwhile, the connection gets to know.
func (s *Server) add(c *serverConn, nc net.Conn) {
	s.mu.Lock()
	delete(s.raw, nc)
	state := s.state
	if !c.closed {
		s.conns[c] = true
	}
	s.mu.Unlock()
	switch state {
	case serverStopped:
		c.t.Close(ErrServerStopped)
	case serverDraining:
		c.t.Drain("")
	}
}

// Closed implements transport.Handler.
func (c *serverConn) Closed(error) {
	c.watch.end()
	c.s.mu.Lock()
	c.closed = true
	delete(c.s.conns, c)
	c.s.changed.Broadcast()
	c.s.mu.Unlock()
}

// Stop ends the server: it closes all listeners and connections, and ends all RPCs. It does not wait for handlers unless WaitForHandlers
// says so. A GracefulStop that is under way waits for nothing but handlers then.
func (s *Server) Stop() {
	s.mu.Lock()
	first := s.state != serverStopped
	s.drainLocked()
	s.state = serverStopped
	listeners, conns, raw := s.closeListenersLocked(), s.connsLocked(), s.raw
	s.raw = make(map[net.Conn]bool)
	s.changed.Broadcast()
	s.mu.Unlock()
	closeAll(listeners)
	for nc := range raw {
		nc.Close()
	}
	for _, c := range conns {
		c.t.Close(ErrServerStopped)
	}
	if s.opts.waitForHandlers {
		s.handlers.Wait()
	}
	s.workers.stop()
	if first {
		close(s.done)
	}
}

// GracefulStop stops the server when all RPCs are over: it closes all listeners, tells all clients to make their calls elsewhere, and
// waits for connections and handlers to end, however long that takes. A handler must not wait for it. Shutdown has a limit.
func (s *Server) GracefulStop() {
	s.mu.Lock()
	s.drainLocked()
	listeners, conns := s.closeListenersLocked(), s.connsLocked()
	s.mu.Unlock()
	closeAll(listeners)
	for _, c := range conns {
		c.t.Drain("graceful_stop")
	}
	s.mu.Lock()
	for s.state == serverDraining && (len(s.conns) > 0 || len(s.raw) > 0) {
		s.changed.Wait()
	}
	s.state = max(s.state, serverDrained)
	s.mu.Unlock()
	s.handlers.Wait()
	s.Stop()
}

// drainLocked says that the server has been told to stop.
func (s *Server) drainLocked() {
	if s.state == serverServing {
		s.state = serverDraining
		s.drain()
	}
}

// closeListenersLocked returns the listeners, which the caller closes.
func (s *Server) closeListenersLocked() map[net.Listener]bool {
	l := s.listeners
	s.listeners = make(map[net.Listener]bool)
	return l
}

func closeAll(listeners map[net.Listener]bool) {
	for l := range listeners {
		l.Close()
	}
}

func (s *Server) connsLocked() []*serverConn {
	conns := make([]*serverConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
