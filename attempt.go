// One try of a call: a pick, a stream on the picked connection, and what comes back on it.

package grpc

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// An attempt is one try of a call. Its methods are called by one goroutine, but for those that say otherwise.
type attempt struct {
	cs          *clientStream
	ctx         context.Context
	obs         *observer
	conn        *connection // nil until a stream was opened
	done        func(balancer.DoneInfo)
	s           *transport.ClientStream
	finished    atomic.Bool
	transparent bool // takes the place of an attempt that the server did not act on
	dropped     bool // the load-balancing policy has decided that the call fails
	previous    int  // attempts that were made before

	// Of the receiving goroutine:
	dec      decoder
	gotReply bool // a message was received
	sawHead  bool // the response headers were looked at
}

// begin makes the attempt ready to be opened.
func (a *attempt) begin(cs *clientStream) {
	a.cs, a.ctx = cs, cs.callContext()
	o := &cs.cc.opts
	if len(o.statsHandlers) > 0 || stats.On() {
		a.obs = newObserver(a.ctx, o.statsHandlers, true, &stats.RPCTagInfo{
			FullMethodName: cs.method, FailFast: !cs.waitForReady, NameResolutionDelay: cs.waitedForName,
		})
		a.ctx = a.obs.context(a.ctx)
		a.obs.begin(!cs.waitForReady, cs.desc.ClientStreams, cs.desc.ServerStreams, a.transparent)
	}
}

// open picks a connection and opens a stream on it, with a first message and its end if they are known. The message is only
// referred to. As long as nothing was sent, another connection is tried. The error carries a status.
func (a *attempt) open(m *transport.OutMessage, end bool) error {
	cs := a.cs
	for repeated := 0; ; {
		p, delayed, err := cs.pickers.pick(balancer.PickInfo{FullMethodName: cs.method, Ctx: a.ctx}, cs.waitForReady)
		if delayed {
			a.obs.delayedPick()
		}
		if err != nil {
			a.dropped = p.dropped
			return err
		}
		if cs.hedge != nil && cs.hedge.elsewhere(p, &repeated) {
			continue
		}
		h := transport.CallHeader{
			Method: cs.method, Authority: p.conn.authority, ContentSubtype: cs.info.subtype, SendCompress: cs.comp.name,
			AcceptEncoding: cs.accept, PreviousAttempts: a.previous, MaxMessageSize: cs.info.maxReceive, PickMD: p.result.Metadata,
		}
		h.Deadline, _ = a.ctx.Deadline()
		h.Metadata, h.Added, _ = metadata.FromOutgoingContextRaw(a.ctx)
		if err = a.authorize(p, &h); err == nil {
			if m != nil {
				m.Ref()
			}
			err = p.conn.t.Open(a.ctx, a.s, &h, m, end)
		}
		if err == nil {
			a.opened(p, &h)
			return nil
		}
		if p.result.Done != nil {
			p.result.Done(balancer.DoneInfo{Err: err})
		}
		if err != transport.ErrConnClosing && err != transport.ErrDraining {
			return toRPCErr(err)
		}
	}
}

// opened notes the connection that the stream is on.
func (a *attempt) opened(p picked, h *transport.CallHeader) {
	a.conn, a.done = p.conn, p.result.Done
	if a.obs != nil {
		md := joinOutgoing(h.Metadata, h.Added)
		md.Set("user-agent", a.cs.cc.opts.userAgent())
		a.obs.outHeader(&headerEvent{
			md: md, compression: h.SendCompress, method: h.Method, authority: h.Authority, remote: p.conn.peer.Addr,
			local: p.conn.peer.LocalAddr,
		})
	}
}

// joinOutgoing returns outgoing metadata as one map.
func joinOutgoing(md metadata.MD, added [][]string) metadata.MD {
	md = md.Copy()
	if md == nil {
		md = metadata.MD{}
	}
	for _, pairs := range added {
		for i := 0; i+1 < len(pairs); i += 2 {
			md.Append(pairs[i], pairs[i+1])
		}
	}
	return md
}

// authorize settles the authority of the call, and adds what the credentials of channel and call say to its header.
func (a *attempt) authorize(p picked, h *transport.CallHeader) error {
	if v := p.result.Metadata[":authority"]; len(v) > 0 {
		h.Authority = v[0]
	}
	if own := a.cs.info.authority; own != "" {
		if err := p.conn.checkAuthority(own); err != nil {
			return err
		}
		h.Authority = own
	}
	own := a.cs.info.creds
	if len(p.conn.creds) == 0 && own == nil {
		return nil
	}
	uri := audience(h.Authority, h.Method)
	ctx := credentials.NewContextWithRequestInfo(a.ctx, credentials.RequestInfo{Method: h.Method, AuthInfo: p.conn.auth})
	for _, c := range p.conn.creds {
		md, err := c.GetRequestMetadata(ctx, uri)
		if err != nil {
			return credsError(err, codes.Unauthenticated)
		}
		h.Credentials[0] = join(h.Credentials[0], md)
	}
	if own == nil {
		return nil
	}
	if own.RequireTransportSecurity() {
		if err := credentials.CheckSecurityLevel(p.conn.auth, credentials.PrivacyAndIntegrity); err != nil {
			return status.Error(codes.Unauthenticated, errInsecureConn.Desc)
		}
	}
	md, err := own.GetRequestMetadata(ctx, uri)
	if err != nil {
		return credsError(err, codes.Internal)
	}
	h.Credentials[1] = join(nil, md)
	return nil
}

// credsError is the status for an error of credentials: their own if they give one that is theirs to give (gRFC A54).
func credsError(err error, code codes.Code) error {
	st, ok := status.FromError(err)
	switch {
	case !ok:
		return status.Errorf(code, "transport: per-RPC creds failed due to error: %v", err)
	case isDataPlaneCode(st.Code()):
		return status.Errorf(codes.Internal, "transport: received per-RPC creds error with illegal status: %v", err)
	}
	return err
}

// join adds md, with keys in lower case, to what other credentials say, which it replaces where both say something.
func join(to, md map[string]string) map[string]string {
	if to == nil {
		to = make(map[string]string, len(md))
	}
	for k, v := range md {
		to[strings.ToLower(k)] = v
	}
	return to
}

// audience returns the URI that credentials are asked for: the service.
func audience(authority, method string) string {
	service := method
	if i := strings.LastIndexByte(method, '/'); i >= 0 {
		service = method[:i]
	}
	return "https://" + strings.TrimSuffix(authority, ":443") + service
}

// unary makes the whole attempt of a unary call. If it fails, v says whether another one may follow.
func (a *attempt) unary(m *transport.OutMessage, args any, n sizes, reply any) (v verdict, err error) {
	if err := a.open(m, true); err != nil {
		a.finish(err)
		return a.cs.retry.judgeUnsent(a, err), err
	}
	a.obs.outPayload(args, n)
	if err = a.awaitReply(reply); err != nil && !a.gotReply && a.s.Status() != nil {
		v = a.cs.retry.judge(a.s)
	}
	a.finish(err)
	return v, err
}

// awaitReply waits for the end of a unary call, and receives its reply.
func (a *attempt) awaitReply(reply any) error {
	if !a.s.AwaitEnd(a.ctx.Done()) {
		return statusOf(a.ctx.Err()).Err()
	}
	return a.receiveOne(reply, a.s.Next)
}

// receiveOne receives the one message of a call whose server sends one, and the status behind it.
func (a *attempt) receiveOne(v any, next func() (transport.InMessage, error)) error {
	m, err := next()
	if err = a.take(m, err, v); err == io.EOF {
		return status.Error(codes.Internal, "cardinality violation: received no response message from non-server-streaming RPC")
	} else if err != nil {
		return err
	}
	if m, err = next(); err == nil && m.Payload != nil {
		a.s.Release()
		return status.Error(codes.Internal, "cardinality violation: expected <EOF> for non server-streaming RPCs, but received another message")
	}
	if err = a.take(m, err, nil); err == io.EOF {
		return nil
	}
	return err
}

// receive receives the next message of a streaming call. It returns io.EOF behind the last one if the call has ended well.
func (a *attempt) receive(v any) error {
	if !a.cs.desc.ServerStreams {
		return a.receiveOne(v, a.s.Recv)
	}
	m, err := a.s.Recv()
	return a.take(m, err, v)
}

// take makes of what the transport returned what the application sees.
func (a *attempt) take(m transport.InMessage, err error, v any) error {
	a.seeHeader()
	switch {
	case err == io.EOF:
		a.seeTrailer()
		if st := a.s.Status(); st.Code() != codes.OK {
			return st.Err()
		}
		return io.EOF
	case err != nil:
		return statusOf(err).Err()
	}
	n, err := a.dec.decode(m, v)
	a.s.Release()
	if err == nil {
		a.gotReply = true
		a.obs.inPayload(v, n)
	}
	return err
}

// seeTrailer tells of the trailers, which are there if the server has ended the call.
func (a *attempt) seeTrailer() {
	if a.obs != nil {
		if md := a.s.Trailer(); md != nil {
			a.obs.inTrailer(md.Copy(), a.s.TrailerLen())
		}
	}
}

// seeHeader looks at the response headers if they are there and were not looked at.
func (a *attempt) seeHeader() {
	if a.sawHead {
		return
	}
	name, ok := a.s.Encoding()
	if !ok {
		return
	}
	a.sawHead = true
	cc := a.cs.cc
	a.dec = decoder{codec: a.cs.info.codec, encoding: name, limit: a.cs.info.maxReceive, pool: cc.opts.pool}
	if name != "" && name != encoding.Identity {
		if ok := a.cs.info.accept; len(ok) > 0 && !slices.Contains(ok, name) {
			a.dec.refused = status.Errorf(codes.Internal, "grpc: peer compressed the response with %q which is not allowed by AcceptCompressors", name)
		}
		if d := cc.opts.decompressor; d != nil && d.Type() == name {
			a.dec.comp = &compression{name: name, undo: d}
		} else {
			a.dec.comp = &compression{name: name, now: encoding.GetCompressor(name)}
		}
	}
	if a.obs != nil {
		md, _ := a.s.Header()
		a.obs.inHeader(&headerEvent{md: md.Copy(), compression: name, wireLength: a.s.HeaderLen()})
	}
}

// finish is end for an attempt that nobody will receive from any more.
func (a *attempt) finish(err error) {
	a.end(err)
	a.drop()
}

// drop frees what was not received. The receiver of the attempt calls it, or somebody who knows that there is none.
func (a *attempt) drop() {
	if a.conn != nil {
		a.s.Close()
	}
}

// end ends the attempt with the error that its call or the attempt itself ended with. It may be called while another goroutine
// sends or receives; only the first call counts. If the server has ended the attempt, what has come can still be received.
func (a *attempt) end(err error) {
	if a.finished.Swap(true) {
		return
	}
	if a.conn != nil && a.s.Status() == nil {
		a.s.Cancel(status.Convert(err))
	}
	if a.done != nil {
		_, answered := a.s.Encoding()
		a.done(balancer.DoneInfo{Err: err, Trailer: a.trailer(), BytesSent: true, BytesReceived: answered})
	}
	if a.obs != nil {
		a.obs.end(a.trailer(), err)
	}
}

// header returns a copy of the metadata of the response headers, nil if there are none.
func (a *attempt) header() metadata.MD {
	if a.conn == nil {
		return nil
	}
	md, ok := a.s.Header()
	if !ok {
		return nil
	}
	return md.Copy()
}

// trailer returns a copy of the metadata that came with the status, nil if there was no stream.
func (a *attempt) trailer() metadata.MD {
	if a.conn == nil {
		return nil
	}
	return a.s.Trailer().Copy()
}

// peer returns who the attempt was made with, nil if with nobody.
func (a *attempt) peer() *peer.Peer {
	if a.conn == nil {
		return nil
	}
	return a.conn.peer
}
