// The options of a server.

package grpc

import (
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/option"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/transport"
)

// defaultConnectionTimeout is how long a client may take by default until its connection is set up.
const defaultConnectionTimeout = 120 * time.Second

// serverOptions is what the options of a server come to.
type serverOptions struct {
	creds                credentials.TransportCredentials // nil for none
	codec                messageCodec                     // nil to choose it by content-subtype
	compressor           Compressor
	decompressor         Decompressor
	unaryInterceptor     UnaryServerInterceptor
	streamInterceptor    StreamServerInterceptor
	unaryChain           []UnaryServerInterceptor // to follow unaryInterceptor
	streamChain          []StreamServerInterceptor
	tap                  tap.ServerInHandle
	statsHandlers        []stats.Handler
	unknown              *StreamDesc // nil if unknown methods are refused
	maxReceive           int         // bytes
	maxSend              int         // bytes
	maxConcurrentStreams uint32      // 0 for no limit
	connectionTimeout    time.Duration
	keepalive            keepalive.ServerParameters
	enforcement          keepalive.EnforcementPolicy
	workers              uint32
	waitForHandlers      bool
	panics               PanicHandler // nil if panics are not recovered
	headerTableSize      *uint32
	conn                 transport.ConnOptions
	pool                 mem.BufferPool
}

func defaultServerOptions() serverOptions {
	return serverOptions{
		maxReceive: defaultMaxReceiveSize, maxSend: defaultMaxSendSize, connectionTimeout: defaultConnectionTimeout,
	}
}

// use applies an option.
func (o *serverOptions) use(opt ServerOption) {
	opt.apply(o)
	if other, ok := opt.(option.ForServer); ok {
		set := option.Server{Pool: o.pool}
		other.SetServer(&set)
		o.pool = set.Pool
	}
}

// finish settles what depends on several options.
func (o *serverOptions) finish() {
	if o.unaryInterceptor != nil {
		o.unaryChain = append([]UnaryServerInterceptor{o.unaryInterceptor}, o.unaryChain...)
	}
	if o.streamInterceptor != nil {
		o.streamChain = append([]StreamServerInterceptor{o.streamInterceptor}, o.streamChain...)
	}
	o.unaryInterceptor, o.streamInterceptor = chainUnaryServer(o.unaryChain), chainStreamServer(o.streamChain)
	if o.pool == nil {
		o.pool = mem.DefaultBufferPool()
	}
	o.conn.Pool = o.pool
}

// ServerOption is an option of a server. Where two contradict each other, the later one counts unless its documentation says
// otherwise.
type ServerOption interface {
	apply(*serverOptions)
}

// EmptyServerOption does nothing. It can be embedded in options of one's own.
//
// Experimental: the type may change.
type EmptyServerOption struct{}

func (EmptyServerOption) apply(*serverOptions) {}

// A serverOption is an option that is a function.
type serverOption func(*serverOptions)

func (f serverOption) apply(o *serverOptions) { f(o) }

// Creds returns an option that sets how connections are secured. By default, they are not.
func Creds(c credentials.TransportCredentials) ServerOption {
	return serverOption(func(o *serverOptions) { o.creds = c })
}

// MaxRecvMsgSize returns an option that limits the size of each message that is received, in bytes after decompression: 4 MiB by
// default. A larger one ends its call with the code ResourceExhausted.
func MaxRecvMsgSize(m int) ServerOption {
	return serverOption(func(o *serverOptions) { o.maxReceive = max(m, 0) })
}

// MaxMsgSize is MaxRecvMsgSize.
//
// Deprecated: use MaxRecvMsgSize.
func MaxMsgSize(m int) ServerOption { return MaxRecvMsgSize(m) }

// MaxSendMsgSize returns an option that limits the size of each message that is sent, in bytes after compression: 2³¹-1 by
// default. A larger one ends its call with the code ResourceExhausted.
func MaxSendMsgSize(m int) ServerOption {
	return serverOption(func(o *serverOptions) { o.maxSend = max(m, 0) })
}

// MaxConcurrentStreams returns an option that limits how many calls may be under way on each connection. Clients make the others wait;
// calls beyond that are refused. No more handlers run for a connection either: a call waits while those of cancelled calls do. By default, or
// with 0, there is no limit.
func MaxConcurrentStreams(n uint32) ServerOption {
	return serverOption(func(o *serverOptions) { o.maxConcurrentStreams = n })
}

// ConnectionTimeout returns an option that limits how long a client may take until its connection is set up, handshake included: 120
// seconds by default. With 0 or less, no client is fast enough.
//
// Experimental: the function may change.
func ConnectionTimeout(d time.Duration) ServerOption {
	return serverOption(func(o *serverOptions) { o.connectionTimeout = d })
}

// UnaryInterceptor returns an option that sets the interceptor of unary calls, which is the outermost of all. It panics if there is one
// already.
func UnaryInterceptor(i UnaryServerInterceptor) ServerOption {
	return serverOption(func(o *serverOptions) {
		if o.unaryInterceptor != nil {
			panic("The unary server interceptor was already set and may not be reset.")
		}
		o.unaryInterceptor = i
	})
}

// ChainUnaryInterceptor returns an option that adds interceptors of unary calls, of which the first is the outermost.
func ChainUnaryInterceptor(interceptors ...UnaryServerInterceptor) ServerOption {
	return serverOption(func(o *serverOptions) { o.unaryChain = append(o.unaryChain, interceptors...) })
}

// StreamInterceptor returns an option that sets the interceptor of streaming calls, which is the outermost of all. It panics if there is
// one already.
func StreamInterceptor(i StreamServerInterceptor) ServerOption {
	return serverOption(func(o *serverOptions) {
		if o.streamInterceptor != nil {
			panic("The stream server interceptor was already set and may not be reset.")
		}
		o.streamInterceptor = i
	})
}

// ChainStreamInterceptor returns an option that adds interceptors of streaming calls, of which the first is the outermost.
func ChainStreamInterceptor(interceptors ...StreamServerInterceptor) ServerOption {
	return serverOption(func(o *serverOptions) { o.streamChain = append(o.streamChain, interceptors...) })
}

// InTapHandle returns an option that sets a function which sees each call before anything is done for it, and may refuse it. It is
// called by the goroutine that reads the connection, so it must be quick. The option panics if there is one already.
//
// Experimental: the function may change.
func InTapHandle(h tap.ServerInHandle) ServerOption {
	return serverOption(func(o *serverOptions) {
		if o.tap != nil {
			panic("The tap handle was already set and may not be reset.")
		}
		o.tap = h
	})
}

// StatsHandler returns an option that adds a handler which is told of all calls and connections: of a call when its handler begins, or when
// it ends if that is before, by the goroutine that has ended it, such as the one that reads the connection. A nil handler is ignored, with
// an error in the log.
func StatsHandler(h stats.Handler) ServerOption {
	return serverOption(func(o *serverOptions) {
		if h == nil {
			logger.Error("ignoring nil parameter in grpc.StatsHandler ServerOption")
			return
		}
		o.statsHandlers = append(o.statsHandlers, h)
	})
}

// UnknownServiceHandler returns an option that sets a handler for calls of methods that are not registered, which are refused with the
// code Unimplemented otherwise. They are taken for calls with any number of messages both ways; interceptors see them.
func UnknownServiceHandler(streamHandler StreamHandler) ServerOption {
	return serverOption(func(o *serverOptions) {
		o.unknown = &StreamDesc{StreamName: "unknown_service_handler", Handler: streamHandler, ClientStreams: true, ServerStreams: true}
	})
}

// NumStreamWorkers returns an option that sets how many goroutines are kept to handle calls. Each handles one call after the other; calls
// beyond their number get goroutines of their own, of which up to 1024 are kept until they were idle for some seconds. Unary calls whose
// handlers use to return within microseconds need none: the goroutine that reads their connection handles them. Should one take
// long all the same, other calls of the connection may have to wait for 5 to 10 ms, until another goroutine reads on. By default, or with
// 0, none are kept for good.
//
// Experimental: the function may change.
func NumStreamWorkers(numServerWorkers uint32) ServerOption {
	return serverOption(func(o *serverOptions) { o.workers = numServerWorkers })
}

// WaitForHandlers returns an option that makes Stop wait until all handlers have returned.
//
// Experimental: the function may change.
func WaitForHandlers(w bool) ServerOption {
	return serverOption(func(o *serverOptions) { o.waitForHandlers = w })
}

// CustomCodec returns an option that sets the codec of all calls.
//
// Deprecated: use encoding.RegisterCodecV2, or ForceServerCodecV2.
func CustomCodec(codec Codec) ServerOption {
	return serverOption(func(o *serverOptions) { o.codec = codecV1{codec} })
}

// ForceServerCodec returns an option that sets the codec of all calls, whatever their content-subtype.
//
// Experimental: the function may change.
func ForceServerCodec(codec encoding.Codec) ServerOption {
	return serverOption(func(o *serverOptions) { o.codec = codecV1{codec} })
}

// ForceServerCodecV2 returns an option that sets the codec of all calls, whatever their content-subtype.
//
// Experimental: the function may change.
func ForceServerCodecV2(codecV2 encoding.CodecV2) ServerOption {
	return serverOption(func(o *serverOptions) { o.codec = newCodecV2(codecV2) })
}

// RPCCompressor returns an option that compresses all messages that are sent, whatever the client says it accepts. By default, messages are
// compressed as those of the client are, unless SetSendCompressor says otherwise.
//
// Deprecated: use encoding.RegisterCompressor.
func RPCCompressor(cp Compressor) ServerOption {
	return serverOption(func(o *serverOptions) { o.compressor = cp })
}

// RPCDecompressor returns an option that decompresses messages that were compressed with its kind of compression, for which no
// compressor need be registered then. How large a message becomes is known only when dc is done with it, unless NewGZIPDecompressor made
// dc: a small one may take much memory before MaxRecvMsgSize is looked at.
//
// Deprecated: use encoding.RegisterCompressor.
func RPCDecompressor(dc Decompressor) ServerOption {
	return serverOption(func(o *serverOptions) { o.decompressor = dc })
}

// KeepaliveParams returns an option that sets how the server finds out that a silent connection is dead, and how long connections may be
// idle and how old they may become. By default, a connection on which nothing was received for 2 hours is sent a ping, and is closed if
// nothing is received for 20 seconds more; idleness and age have no limit. A Time of less than a second is raised to that.
func KeepaliveParams(kp keepalive.ServerParameters) ServerOption {
	if kp.Time > 0 && kp.Time < time.Second {
		logger.Warningf("KeepaliveParams: Time of %v is raised to %v", kp.Time, time.Second)
	}
	return serverOption(func(o *serverOptions) { o.keepalive = kp })
}

// KeepaliveEnforcementPolicy returns an option that sets how often clients may send pings: by default, every 5 minutes while they have a
// call, and every 2 hours otherwise. Clients that send more lose their connection.
func KeepaliveEnforcementPolicy(kep keepalive.EnforcementPolicy) ServerOption {
	return serverOption(func(o *serverOptions) { o.enforcement = kep })
}

// ReadBufferSize returns an option that sets how many bytes are read ahead of what is needed: 32 KiB by default. With 0 or less, none
// are.
func ReadBufferSize(s int) ServerOption {
	return serverOption(func(o *serverOptions) { o.conn.ReadBufferSize = bufferSize(s) })
}

// WriteBufferSize returns an option that sets how many bytes of large messages are gathered to be written together: by default 256 KiB for
// a socket, and up to 1 MiB if it is quick, and 64 KiB for another connection, such as one with TLS. Less than 16 KiB is raised to that. With 0
// or less it is the default, but what is ready is written at once, while otherwise a few small messages wait a moment for others to join them.
func WriteBufferSize(s int) ServerOption {
	return serverOption(func(o *serverOptions) { o.conn.WriteBufferSize = bufferSize(s) })
}

// SharedWriteBuffer returns an option that says whether connections give up their write buffers, and the goroutine that writes, when nothing
// was written for a second: by default they do. With false they keep them: up to 288 KiB for each connection, or more if the last batches were larger.
//
// Deprecated: leave it out.
func SharedWriteBuffer(val bool) ServerOption {
	return serverOption(func(o *serverOptions) { o.conn.KeepWriteBuffers = !val })
}

// InitialWindowSize returns an option that sets the flow-control window in bytes that streams start with: 65535 by default, which is also the
// least; smaller sizes are ignored. The window of a stream whose reader keeps up grows, to 16 MiB at most. Once it was too small for two
// messages of a connection, or for such a stream, all streams of the connection get 256 KiB at least, and 1 MiB once that was too small.
func InitialWindowSize(s int32) ServerOption {
	return serverOption(func(o *serverOptions) { setWindow(&o.conn.StreamWindow, s) })
}

// InitialConnWindowSize returns an option that sets the flow-control window in bytes that connections start with: 1 MiB by default. Sizes
// below 65535 are ignored. It grows to twice that of the streams.
func InitialConnWindowSize(s int32) ServerOption {
	return serverOption(func(o *serverOptions) { setWindow(&o.conn.ConnWindow, s) })
}

// StaticStreamWindowSize is InitialWindowSize, and keeps all windows from growing.
func StaticStreamWindowSize(s int32) ServerOption {
	return serverOption(func(o *serverOptions) {
		setWindow(&o.conn.StreamWindow, s)
		o.conn.StaticWindows = true
	})
}

// StaticConnWindowSize is InitialConnWindowSize, and keeps all windows from growing.
func StaticConnWindowSize(s int32) ServerOption {
	return serverOption(func(o *serverOptions) {
		setWindow(&o.conn.ConnWindow, s)
		o.conn.StaticWindows = true
	})
}

// MaxHeaderListSizeServerOption is what MaxHeaderListSize returns.
type MaxHeaderListSizeServerOption struct {
	MaxHeaderListSize uint32 // bytes
}

func (o MaxHeaderListSizeServerOption) apply(so *serverOptions) {
	so.conn.MaxHeaderListSize = &o.MaxHeaderListSize
}

// MaxHeaderListSize returns an option that sets how large a header list is accepted, in bytes by the measure of RFC 9113 §6.5.2: 16 MiB
// by default. Clients are told: a call that has more fails on their side.
func MaxHeaderListSize(s uint32) ServerOption {
	return MaxHeaderListSizeServerOption{MaxHeaderListSize: s}
}

// HeaderTableSize returns an option that sets the size in bytes of the table by which clients compress headers: 4096 by default.
//
// Experimental: the function may change.
func HeaderTableSize(s uint32) ServerOption {
	return serverOption(func(o *serverOptions) { o.headerTableSize = &s })
}
