// What is settled about an RPC before its first attempt: options, service config, deadline, codec, compression.

package grpc

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/serviceconfig"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/transport"
)

// callMemory is the memory of an RPC with one attempt, in one piece.
type callMemory struct {
	cs clientStream
	s  transport.ClientStream
}

var callMemories = sync.Pool{New: func() any { return new(callMemory) }}

// newCallMemory returns memory for an RPC.
func newCallMemory() *clientStream {
	m := callMemories.Get().(*callMemory)
	m.cs.memory, m.cs.first.s = m, &m.s
	return &m.cs
}

// recycle gives the memory of a unary RPC back, which is over, if it is certain that nobody refers to it any more: what the application
// has of such an RPC is its own, and the stream was left by its connection.
func (m *callMemory) recycle() {
	if m.cs.attempt == &m.cs.first && m.cs.hedge == nil && m.s.Reuse() {
		m.cs = clientStream{}
		callMemories.Put(m)
	}
}

// newClientStream settles everything about an RPC that comes before its first attempt. With only, that is where it finds its
// connections, and not in the channel. If newClientStream returns an error, the RPC is over.
func newClientStream(ctx context.Context, desc *StreamDesc, cc *ClientConn, only *pickers, method string, opts []CallOption) (*clientStream, error) {
	cs := newCallMemory()
	cs.cc, cs.desc, cs.method, cs.opts, cs.info, cs.pickers = cc, desc, method, opts, noCallInfo, only
	cs.parent, cs.accept = ctx, cc.acceptEncoding
	if err := cs.prepare(); err != nil {
		cs.reportFinish(err)
		return nil, err
	}
	return cs, nil
}

func (cs *clientStream) prepare() error {
	for _, o := range cs.opts {
		if err := cs.info.use(o); err != nil {
			return toRPCErr(err)
		}
	}
	if err := cs.parent.Err(); err != nil {
		return statusOf(err).Err()
	}
	if cs.method == "" {
		return status.Errorf(codes.Unimplemented, "malformed method name: %q", cs.method)
	}
	if err := checkOutgoing(cs.parent); err != nil {
		return err
	}
	if err := cs.configure(); err != nil {
		return err
	}
	if err := cs.info.resolve(); err != nil {
		return err
	}
	return cs.chooseCompression()
}

// checkOutgoing refuses metadata that cannot be sent before anything waits for it.
func checkOutgoing(ctx context.Context) error {
	md, added, ok := metadata.FromOutgoingContextRaw(ctx)
	if !ok {
		return nil
	}
	if err := transport.ValidateMetadata(md, added); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

// configure waits for the first result of name resolution, and applies what the service config says of the method.
func (cs *clientStream) configure() error {
	m := &noMethodConfig
	if cs.pickers == nil {
		live, waited, err := cs.cc.enter(cs.parent)
		if err != nil {
			return err
		}
		cs.entered, cs.pickers, cs.waitedForName = true, &live.pickers, waited
		if configured := live.config.Load().Lookup(cs.method); configured != nil {
			m = configured
		}
		cs.retry = retryState{policy: m.RetryPolicy, throttle: live.throttle.Load()}
		if cs.cc.opts.disableRetry {
			cs.retry.policy = nil
		} else if m.HedgingPolicy != nil {
			cs.hedge = newHedge(cs, m.HedgingPolicy)
		}
	}
	cs.apply(m)
	return nil
}

// apply settles what options and service config say together. Limits of both sides hold.
func (cs *clientStream) apply(m *serviceconfig.Method) {
	if m.Timeout != nil && *m.Timeout >= 0 {
		cs.parent, cs.cancel = context.WithTimeout(cs.parent, *m.Timeout)
	}
	cs.waitForReady = m.WaitForReady != nil && *m.WaitForReady
	if cs.info.waitForReady != nil {
		cs.waitForReady = *cs.info.waitForReady
	}
	cs.info.maxSend = smaller(cs.info.maxSend, m.MaxReqSize, defaultMaxSendSize)
	cs.info.maxReceive = smaller(cs.info.maxReceive, m.MaxRespSize, defaultMaxReceiveSize)
	if cs.info.retryBuffer < 0 {
		cs.info.retryBuffer = defaultRetryBuffer
	}
}

// noMethodConfig is what a service config that does not mention a method says of it.
var noMethodConfig serviceconfig.Method

// smaller returns the smaller of two limits in bytes, of which the first is unset if negative and the second if nil.
func smaller(own int, config *int, unset int) int {
	switch {
	case own < 0 && config == nil:
		return unset
	case own < 0:
		return *config
	case config == nil:
		return own
	}
	return min(own, *config)
}

// chooseCompression settles how messages are compressed that the RPC sends, and what it accepts.
func (cs *clientStream) chooseCompression() error {
	if len(cs.info.accept) > 0 {
		cs.accept = strings.Join(cs.info.accept, ",")
	}
	switch name := cs.info.compressor; {
	case name == encoding.Identity:
		cs.comp.name = name
		cs.accept = acceptAlso(cs.accept, name)
	case name != "":
		cs.comp = compression{name: name, now: encoding.GetCompressor(name)}
		if cs.comp.now == nil {
			return status.Errorf(codes.Internal, "grpc: Compressor is not installed for requested grpc-encoding %q", name)
		}
	case cs.cc.opts.compressor != nil:
		cs.comp = compression{name: cs.cc.opts.compressor.Type(), then: cs.cc.opts.compressor}
		cs.accept = acceptAlso(cs.accept, cs.comp.name)
	}
	return nil
}

// acceptAlso adds what a call compresses with to what it accepts, if it is not registered.
func acceptAlso(accept, name string) string {
	switch {
	case encoding.GetCompressor(name) != nil:
		return accept
	case accept == "":
		return name
	}
	return accept + "," + name
}

// format implements formatter.
func (cs *clientStream) format() callFormat {
	return callFormat{codec: cs.info.codec, comp: &cs.comp, pool: cs.cc.opts.pool}
}
