// The options of a channel.

package grpc

import (
	"context"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/internal/option"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/transport"
)

const (
	// defaultMaxCallAttempts is the largest number of attempts of a call by default, whatever its retry or hedging policy says.
	defaultMaxCallAttempts = 5
	// defaultIdleTimeout is how long a channel without calls stays connected by default.
	defaultIdleTimeout = 30 * time.Minute
	// defaultMinConnectTimeout is how long an attempt to connect may take by default, if its backoff is not longer.
	defaultMinConnectTimeout = 20 * time.Second
	// smallestWindow is the smallest flow-control window in bytes that an option can set; smaller ones are ignored.
	smallestWindow = 65535
)

// dialOptions is what the options of a channel come to.
type dialOptions struct {
	creds           credentials.TransportCredentials
	bundle          credentials.Bundle
	perRPC          []credentials.PerRPCCredentials
	authority       string
	customUserAgent *string          // what the application put before ours, nil if nothing
	dialer          transport.Dialer // nil for the default one
	noProxy         bool
	localDNS        bool      // names are resolved even if they are reached through a proxy
	proxyOf         proxyFunc // which proxy a connection goes through
	resolvers       []resolver.Builder

	unaryInterceptor  UnaryClientInterceptor
	streamInterceptor StreamClientInterceptor
	unaryChain        []UnaryClientInterceptor // to follow unaryInterceptor
	streamChain       []StreamClientInterceptor
	callOptions       []CallOption
	codec             Codec // of the kind of 2016
	compressor        Compressor
	decompressor      Decompressor
	statsHandlers     []stats.Handler

	serviceConfig        *string // the default one, in JSON
	disableServiceConfig bool
	disableRetry         bool
	maxCallAttempts      int
	idleTimeout          time.Duration
	backoff              backoff.Config
	minConnectTimeout    time.Duration
	keepalive            keepalive.ClientParameters

	conn transport.ConnOptions
	pool mem.BufferPool

	// Of Dial and DialContext alone:
	block                bool
	timeout              time.Duration
	returnLastError      bool
	failOnPermanentError bool
}

func defaultDialOptions() dialOptions {
	return dialOptions{
		maxCallAttempts: defaultMaxCallAttempts, idleTimeout: defaultIdleTimeout, backoff: backoff.DefaultConfig,
		minConnectTimeout: defaultMinConnectTimeout, proxyOf: http.ProxyFromEnvironment,
	}
}

// use applies an option.
func (o *dialOptions) use(opt DialOption) {
	opt.apply(o)
	if other, ok := opt.(option.ForChannel); ok {
		set := option.Channel{Pool: o.pool}
		other.SetChannel(&set)
		o.pool = set.Pool
	}
}

// finish settles what depends on several options.
func (o *dialOptions) finish() {
	if o.unaryInterceptor != nil {
		o.unaryChain = append([]UnaryClientInterceptor{o.unaryInterceptor}, o.unaryChain...)
	}
	if o.streamInterceptor != nil {
		o.streamChain = append([]StreamClientInterceptor{o.streamInterceptor}, o.streamChain...)
	}
	o.unaryInterceptor, o.streamInterceptor = chainUnaryClient(o.unaryChain), chainStreamClient(o.streamChain)
	if o.codec != nil {
		o.callOptions = append([]CallOption{CallCustomCodec(o.codec)}, o.callOptions...)
	}
	if o.pool == nil {
		o.pool = mem.DefaultBufferPool()
	}
	o.conn.Pool = o.pool
}

// DialOption is an option of a channel. Where two contradict each other, the later one counts unless its documentation says
// otherwise.
type DialOption interface {
	apply(*dialOptions)
}

// EmptyDialOption does nothing. It can be embedded in options of one's own.
//
// Experimental: the type may change.
type EmptyDialOption struct{}

func (EmptyDialOption) apply(*dialOptions) {}

// A dialOption is an option that is a function.
type dialOption func(*dialOptions)

func (f dialOption) apply(o *dialOptions) { f(o) }

// WithTransportCredentials returns an option that sets how connections are secured. Each channel needs this or
// WithCredentialsBundle; for connections that are not secured, there is insecure.NewCredentials.
func WithTransportCredentials(creds credentials.TransportCredentials) DialOption {
	return dialOption(func(o *dialOptions) { o.creds = creds })
}

// WithInsecure returns an option that leaves connections unsecured.
//
// Deprecated: use WithTransportCredentials with insecure.NewCredentials.
func WithInsecure() DialOption { return WithTransportCredentials(insecure.NewCredentials()) }

// WithCredentialsBundle returns an option that sets transport and per-RPC credentials together. It cannot be used together with
// WithTransportCredentials.
//
// Experimental: the function may change.
func WithCredentialsBundle(b credentials.Bundle) DialOption {
	return dialOption(func(o *dialOptions) { o.bundle = b })
}

// WithPerRPCCredentials returns an option that adds credentials which each call sends. It may be used several times.
func WithPerRPCCredentials(creds credentials.PerRPCCredentials) DialOption {
	return dialOption(func(o *dialOptions) { o.perRPC = append(o.perRPC, creds) })
}

// WithAuthority returns an option that sets the :authority of calls, which is also the name that servers must prove.
func WithAuthority(a string) DialOption { return dialOption(func(o *dialOptions) { o.authority = a }) }

// WithUserAgent returns an option that puts s before the user agent of the library.
func WithUserAgent(s string) DialOption {
	return dialOption(func(o *dialOptions) { o.customUserAgent = &s })
}

// WithContextDialer returns an option that sets how connections are made to the addresses that name resolution finds. If f returns
// an error with a method Temporary() bool, FailOnNonTempDialError looks at it. A dialer of one's own makes proxies of the environment
// be ignored.
func WithContextDialer(f func(context.Context, string) (net.Conn, error)) DialOption {
	return dialOption(func(o *dialOptions) { o.dialer = f })
}

// WithDialer is WithContextDialer for a function that takes a timeout.
//
// Deprecated: use WithContextDialer.
func WithDialer(f func(string, time.Duration) (net.Conn, error)) DialOption {
	return WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		if deadline, ok := ctx.Deadline(); ok {
			return f(addr, time.Until(deadline))
		}
		return f(addr, 0)
	})
}

// WithResolvers returns an option that adds resolver builders for this channel, which go before the registered ones.
//
// Experimental: the function may change.
func WithResolvers(rs ...resolver.Builder) DialOption {
	return dialOption(func(o *dialOptions) { o.resolvers = append(o.resolvers, rs...) })
}

// WithUnaryInterceptor returns an option that sets the interceptor of unary calls, which is the outermost of all.
func WithUnaryInterceptor(f UnaryClientInterceptor) DialOption {
	return dialOption(func(o *dialOptions) { o.unaryInterceptor = f })
}

// WithChainUnaryInterceptor returns an option that adds interceptors of unary calls, of which the first is the outermost.
func WithChainUnaryInterceptor(interceptors ...UnaryClientInterceptor) DialOption {
	return dialOption(func(o *dialOptions) { o.unaryChain = append(o.unaryChain, interceptors...) })
}

// WithStreamInterceptor returns an option that sets the interceptor of streaming calls, which is the outermost of all.
func WithStreamInterceptor(f StreamClientInterceptor) DialOption {
	return dialOption(func(o *dialOptions) { o.streamInterceptor = f })
}

// WithChainStreamInterceptor returns an option that adds interceptors of streaming calls, of which the first is the outermost.
func WithChainStreamInterceptor(interceptors ...StreamClientInterceptor) DialOption {
	return dialOption(func(o *dialOptions) { o.streamChain = append(o.streamChain, interceptors...) })
}

// WithDefaultCallOptions returns an option that puts call options before those of each call. It may be used several times.
func WithDefaultCallOptions(cos ...CallOption) DialOption {
	return dialOption(func(o *dialOptions) { o.callOptions = append(o.callOptions, cos...) })
}

// WithMaxMsgSize returns an option that limits the size of messages that are received, in bytes.
//
// Deprecated: use WithDefaultCallOptions with MaxCallRecvMsgSize.
func WithMaxMsgSize(s int) DialOption { return WithDefaultCallOptions(MaxCallRecvMsgSize(s)) }

// WithCodec returns an option that sets the codec of all calls.
//
// Deprecated: use WithDefaultCallOptions with ForceCodec.
func WithCodec(c Codec) DialOption { return dialOption(func(o *dialOptions) { o.codec = c }) }

// WithCompressor returns an option that compresses the messages that are sent.
//
// Deprecated: use UseCompressor.
func WithCompressor(cp Compressor) DialOption {
	return dialOption(func(o *dialOptions) { o.compressor = cp })
}

// WithDecompressor returns an option that decompresses messages that were compressed with its kind of compression, for which no
// compressor need be registered then. How large a message becomes is known only when dc is done with it, unless NewGZIPDecompressor made
// dc: a small one may take much memory before MaxCallRecvMsgSize is looked at.
//
// Deprecated: use encoding.RegisterCompressor.
func WithDecompressor(dc Decompressor) DialOption {
	return dialOption(func(o *dialOptions) { o.decompressor = dc })
}

// WithStatsHandler returns an option that adds a handler which is told of all calls and connections. A nil handler is ignored, with an
// error in the log.
func WithStatsHandler(h stats.Handler) DialOption {
	return dialOption(func(o *dialOptions) {
		if h == nil {
			logger.Error("ignoring nil parameter in grpc.WithStatsHandler ClientOption")
			return
		}
		o.statsHandlers = append(o.statsHandlers, h)
	})
}

// WithDefaultServiceConfig returns an option that sets the service config, in JSON, for when name resolution has none, or none that is
// valid. Its form is https://github.com/grpc/grpc/blob/master/doc/service_config.md.
//
// It says, among other things, how calls are tried again (gRFC A6). A method has a retryPolicy, after which a failed call is made again, or
// a hedgingPolicy, after which several attempts run side by side, or none of the two:
//
//	{"methodConfig": [{
//	  "name": [{"service": "helloworld.Greeter", "method": "SayHello"}],
//	  "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.1s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
//	}],
//	"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}}
//
// Here an attempt that is not answered within 0.1 s is joined by a second one, and after as long again by a third: on other backends, if the
// load-balancing policy has some. Without hedgingDelay all are made at once. The first attempt that is answered, with headers or the status OK, is
// the call's, and the others are cancelled. One that fails with a code in nonFatalStatusCodes is followed by the next at once, or when
// the server says in grpc-retry-pushback-ms; any other failure is the call's. Hedging is for methods that may be executed several times.
// A call is not hedged, or goes on with one attempt, when its messages are too large to keep (see MaxRetryRPCBufferSize).
//
// A retryPolicy has maxAttempts, at least 2 and counted up to what WithMaxCallAttempts allows; initialBackoff, maxBackoff and
// backoffMultiplier, all above 0; and retryableStatusCodes, at least one. The nth delay is initialBackoff times the nth power of the
// multiplier, beginning with 0, but maxBackoff at most, and varies by 20 %. In retryThrottling, maxTokens is above 0 and at most 1000, and
// tokenRatio above 0: a failure takes a token, a success gives back the ratio, and no call is tried again while half of the tokens or
// less are left.
func WithDefaultServiceConfig(s string) DialOption {
	return dialOption(func(o *dialOptions) { o.serviceConfig = &s })
}

// WithDisableServiceConfig returns an option that makes the channel ignore the service configs that name resolution finds.
func WithDisableServiceConfig() DialOption {
	return dialOption(func(o *dialOptions) { o.disableServiceConfig = true })
}

// WithDisableRetry returns an option that makes the channel ignore the retry and hedging policies of service configs. Calls that no server has acted
// on are still made again.
func WithDisableRetry() DialOption {
	return dialOption(func(o *dialOptions) { o.disableRetry = true })
}

// WithMaxCallAttempts returns an option that limits the number of attempts of each call, whatever its retry policy says. Less than 2
// means 5, which is the default.
func WithMaxCallAttempts(n int) DialOption {
	return dialOption(func(o *dialOptions) {
		if o.maxCallAttempts = n; n < 2 {
			o.maxCallAttempts = defaultMaxCallAttempts
		}
	})
}

// WithIdleTimeout returns an option that sets how long the channel stays connected without calls; then it releases all its connections
// until the next call. By default that is 30 minutes; with 0 it stays connected for ever.
//
// Experimental: the function may change.
func WithIdleTimeout(d time.Duration) DialOption {
	return dialOption(func(o *dialOptions) { o.idleTimeout = d })
}

// ConnectParams says how long attempts to connect may take, and how long it is between them.
//
// Experimental: the type may change.
type ConnectParams struct {
	// Backoff says how long it is from one failed attempt to the next.
	Backoff backoff.Config
	// MinConnectTimeout is how long an attempt may take, unless its backoff is longer.
	MinConnectTimeout time.Duration
}

// WithConnectParams returns an option that sets how the channel makes its connections.
func WithConnectParams(p ConnectParams) DialOption {
	return dialOption(func(o *dialOptions) { o.backoff, o.minConnectTimeout = p.Backoff, p.MinConnectTimeout })
}

// WithKeepaliveParams returns an option that makes the channel send pings over connections on which nothing is received, and give up those
// on which nothing is received then either: their calls fail with the code Unavailable. By default there are no pings. A Time of less
// than 10 seconds is raised to that. Where the server finds the pings too many, later connections of the channel send half as many (gRFC
// A8).
func WithKeepaliveParams(kp keepalive.ClientParameters) DialOption {
	if kp.Time > 0 && kp.Time < minKeepaliveTime {
		logger.Warningf("WithKeepaliveParams: Time of %v is raised to %v", kp.Time, minKeepaliveTime)
	}
	return dialOption(func(o *dialOptions) { o.keepalive = kp })
}

// WithReadBufferSize returns an option that sets how many bytes are read ahead of what is needed: 32 KiB by default. With 0 or less,
// none are.
func WithReadBufferSize(s int) DialOption {
	return dialOption(func(o *dialOptions) { o.conn.ReadBufferSize = bufferSize(s) })
}

// WithWriteBufferSize returns an option that sets how many bytes of large messages are gathered to be written together: by default 256 KiB for
// a socket, and up to 1 MiB if it is quick, and 64 KiB for another connection, such as one with TLS. Less than 16 KiB is raised to that. With 0
// or less it is the default, but what is ready is written at once, while otherwise a few small messages wait a moment for others to join them.
func WithWriteBufferSize(s int) DialOption {
	return dialOption(func(o *dialOptions) { o.conn.WriteBufferSize = bufferSize(s) })
}

// WithSharedWriteBuffer returns an option that says whether connections give up their write buffers, and the goroutine that writes, when nothing
// was written for a second: by default they do. With false they keep them: up to 288 KiB for each connection, or more if the last batches were larger.
//
// Deprecated: leave it out.
func WithSharedWriteBuffer(val bool) DialOption {
	return dialOption(func(o *dialOptions) { o.conn.KeepWriteBuffers = !val })
}

// bufferSize turns the size of an option, where 0 means none, into that of the transport, where 0 means the default.
func bufferSize(s int) int {
	if s <= 0 {
		return -1
	}
	return s
}

// WithInitialWindowSize returns an option that sets the flow-control window in bytes that streams start with: 65535 by default, which is also
// the least; smaller sizes are ignored. The window of a stream whose reader keeps up grows, to 16 MiB at most. Once it was too small for
// two messages of a connection, or for such a stream, all streams of the connection get 256 KiB at least, and 1 MiB once that was too small.
func WithInitialWindowSize(s int32) DialOption {
	return dialOption(func(o *dialOptions) { setWindow(&o.conn.StreamWindow, s) })
}

// WithInitialConnWindowSize returns an option that sets the flow-control window in bytes that connections start with: 1 MiB by default. Sizes
// below 65535 are ignored. It grows to twice that of the streams.
func WithInitialConnWindowSize(s int32) DialOption {
	return dialOption(func(o *dialOptions) { setWindow(&o.conn.ConnWindow, s) })
}

// WithStaticStreamWindowSize is WithInitialWindowSize, and keeps all windows from growing.
func WithStaticStreamWindowSize(s int32) DialOption {
	return dialOption(func(o *dialOptions) {
		setWindow(&o.conn.StreamWindow, s)
		o.conn.StaticWindows = true
	})
}

// WithStaticConnWindowSize is WithInitialConnWindowSize, and keeps all windows from growing.
func WithStaticConnWindowSize(s int32) DialOption {
	return dialOption(func(o *dialOptions) {
		setWindow(&o.conn.ConnWindow, s)
		o.conn.StaticWindows = true
	})
}

func setWindow(w *int64, s int32) {
	if s >= smallestWindow {
		*w = int64(s)
	}
}

// MaxHeaderListSizeDialOption is what WithMaxHeaderListSize returns.
type MaxHeaderListSizeDialOption struct {
	MaxHeaderListSize uint32 // bytes
}

func (o MaxHeaderListSizeDialOption) apply(do *dialOptions) {
	do.conn.MaxHeaderListSize = &o.MaxHeaderListSize
}

// WithMaxHeaderListSize returns an option that sets how large a header list is accepted, in bytes by the measure of RFC 9113 §6.5.2:
// 16 MiB by default. The server is told: a response that has more is not sent, and its call fails.
func WithMaxHeaderListSize(s uint32) DialOption {
	return MaxHeaderListSizeDialOption{MaxHeaderListSize: s}
}
