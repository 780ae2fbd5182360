// Making a connection: from the address of a subchannel to a transport that calls can use, and what becomes of it.

package grpc

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/internal/unixresolver"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// A connection is what calls need of a connected subchannel. It is immutable but for gone.
type connection struct {
	sc        *subchannel
	address   resolver.Address
	t         *transport.Client
	authority string // of calls that do not have their own
	auth      credentials.AuthInfo
	peer      *peer.Peer
	creds     []credentials.PerRPCCredentials // of the channel
	watch     connWatch
	keepalive keepalive.ClientParameters
	gone      atomic.Bool // it takes no more calls
}

// Draining implements transport.ClientEvents.
func (c *connection) Draining(r transport.GoAwayReason) {
	if r.TooManyPings() {
		logger.Errorf("Client received GoAway with error code ENHANCE_YOUR_CALM and debug data equal to ASCII \"too_many_pings\".")
		c.sc.ac.cc.spacePings(c.keepalive.Time)
	}
	logInfo(c.name(), "takes no more calls: %v", r)
	c.leave()
}

// Closed implements transport.ClientEvents.
func (c *connection) Closed(err error) {
	logInfo(c.name(), "closed: %v", err)
	c.leave()
	c.watch.end()
}

// leave takes the connection out of service at once, before the subchannel's next state is known.
func (c *connection) leave() {
	c.gone.Store(true)
	c.sc.ready.CompareAndSwap(c, nil)
	c.sc.ac.queue.Run(func() { c.sc.lost(c) })
}

// checkAuthority returns why calls may not use an authority of their own, nil if they may.
func (c *connection) checkAuthority(authority string) error {
	v, ok := c.auth.(credentials.AuthorityValidator)
	if !ok {
		return status.Errorf(codes.Unavailable, "credentials type %q does not implement the AuthorityValidator interface, but authority override specified with CallAuthority call option", authType(c.auth))
	}
	if err := v.ValidateAuthority(authority); err != nil {
		return status.Errorf(codes.Unavailable, "failed to validate authority %q : %v", authority, err)
	}
	return nil
}

func authType(a credentials.AuthInfo) string {
	if a == nil {
		return ""
	}
	return a.AuthType()
}

// A connectAttempt tries the addresses of a subchannel one after the other.
type connectAttempt struct {
	sc        *subchannel
	addresses []resolver.Address
	cancel    context.CancelFunc
	retryAt   time.Time // when another attempt may begin if this one fails
}

// run makes the attempt and posts its result.
func (a *connectAttempt) run(ctx context.Context) {
	defer a.cancel()
	var first error
	for _, addr := range a.addresses {
		c, err := a.sc.dial(ctx, addr)
		if err == nil {
			if !a.sc.ac.queue.Do(func() { a.sc.connected(a, c) }) { // the live half of the channel has ended meanwhile
				c.t.Close(ErrClientConnClosing)
			}
			return
		}
		if ctx.Err() != context.Canceled { // else nobody wants the connection any more
			logWarning(connectionName{a.sc.ac.cc.name(), addr.Addr}, "connecting has failed: %v", err)
		}
		if first == nil {
			first = err
		}
	}
	a.sc.ac.queue.Run(func() { a.sc.failed(a, first) })
}

// dial makes a connection to an address.
func (sc *subchannel) dial(ctx context.Context, addr resolver.Address) (*connection, error) {
	cc := sc.ac.cc
	o := &cc.opts
	c := &connection{sc: sc, address: addr, authority: cc.serverName(addr), creds: o.perRPC}
	creds := o.creds
	if b := sc.bundle(); b != nil {
		creds = b.TransportCredentials()
		if p := b.PerRPCCredentials(); p != nil {
			c.creds = append(c.creds[:len(c.creds):len(c.creds)], p)
		}
	}
	dial, err := sc.ac.dialer(addr)
	if err != nil {
		return nil, err
	}
	ctx = credentials.NewContextWithClientHandshakeInfo(ctx, credentials.ClientHandshakeInfo{Attributes: addr.Attributes})
	s, err := transport.DialSecured(ctx, transport.DialRequest{
		Address: dialString(addr), Authority: c.authority, Dial: dial, Creds: creds, Permanent: o.failOnPermanentError,
	})
	if err != nil {
		return nil, err
	}
	if err := c.checkSecurity(s.Auth); err != nil {
		s.Conn.Close()
		return nil, err
	}
	c.auth = s.Auth
	c.peer = &peer.Peer{Addr: s.Conn.RemoteAddr(), LocalAddr: s.Conn.LocalAddr(), AuthInfo: s.Auth}
	scheme := "http"
	if s.TLS {
		scheme = "https"
	}
	c.watch.begin(ctx, o.statsHandlers, true, s.Conn.RemoteAddr(), s.Conn.LocalAddr())
	c.keepalive = cc.keepaliveParameters()
	c.t, err = transport.NewClient(ctx, s.Conn, transport.ClientOptions{
		ConnOptions: o.conn, Scheme: scheme, UserAgent: o.userAgent(), Keepalive: c.keepalive,
	}, c)
	if err != nil {
		c.watch.end()
		return nil, err
	}
	return c, nil
}

// keepaliveParameters returns how a new connection of the channel sends pings.
func (cc *ClientConn) keepaliveParameters() keepalive.ClientParameters {
	p := cc.opts.keepalive
	if p.Time > 0 {
		p.Time = max(p.Time, minKeepaliveTime, time.Duration(cc.pingSpace.Load()))
	}
	return p
}

// minKeepaliveTime is the least time between keepalive pings of a client (gRFC A8).
const minKeepaliveTime = 10 * time.Second

// spacePings makes later connections send half as many pings as one that sent them at the interval d, since that was too many for the
// server (gRFC A8).
func (cc *ClientConn) spacePings(d time.Duration) {
	for {
		old := cc.pingSpace.Load()
		if d <= 0 || d > math.MaxInt64/2 || old >= int64(2*d) || cc.pingSpace.CompareAndSwap(old, int64(2*d)) {
			return
		}
	}
}

// bundle returns the credentials bundle of the subchannel or its channel, nil if there is none.
func (sc *subchannel) bundle() credentials.Bundle {
	if sc.opts.CredsBundle != nil {
		return sc.opts.CredsBundle
	}
	return sc.ac.cc.opts.bundle
}

// dialString returns the address as a dialer gets it.
func dialString(a resolver.Address) string {
	switch {
	case unixresolver.Network(a) != "unix" || strings.HasPrefix(a.Addr, "unix:"):
		return a.Addr
	case strings.HasPrefix(a.Addr, "/"):
		return "unix://" + a.Addr
	}
	return "unix:" + a.Addr
}

// errInsecureConn says that a connection is not as secure as credentials need.
var errInsecureConn = transport.ConnectionError{Desc: "transport: cannot send secure credentials on an insecure connection"}

// checkSecurity refuses a connection that is not as secure as the channel's per-RPC credentials need.
func (c *connection) checkSecurity(auth credentials.AuthInfo) error {
	for _, p := range c.creds {
		if p.RequireTransportSecurity() && credentials.CheckSecurityLevel(auth, credentials.PrivacyAndIntegrity) != nil {
			return errInsecureConn
		}
	}
	return nil
}
