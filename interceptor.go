// Interceptors: functions of the application around each RPC, on either side, for unary and for streaming RPCs. A chain of them is
// put together once, when the channel or the server is made.

package grpc

import "context"

// UnaryInvoker completes a unary RPC. Interceptors get one to go on with.
type UnaryInvoker func(ctx context.Context, method string, req, reply any, cc *ClientConn, opts ...CallOption) error

// UnaryClientInterceptor is called for each unary RPC of a channel, instead of the RPC, which it lets happen by calling invoker. req
// and reply are the messages; cc is the channel; opts are all call options, the channel's defaults included. It may call invoker any
// number of times. The error that it returns should carry a status.
type UnaryClientInterceptor func(ctx context.Context, method string, req, reply any, cc *ClientConn, invoker UnaryInvoker, opts ...CallOption) error

// Streamer starts a streaming RPC. Interceptors get one to go on with.
type Streamer func(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption) (ClientStream, error)

// StreamClientInterceptor is called for each streaming RPC of a channel, instead of its start, which it lets happen by calling
// streamer. To see the messages it returns a ClientStream of its own around the one that streamer made. The error that it returns
// should carry a status.
type StreamClientInterceptor func(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, streamer Streamer, opts ...CallOption) (ClientStream, error)

// UnaryServerInfo tells an interceptor about a unary RPC.
type UnaryServerInfo struct {
	Server     any    // the implementation of the service that the application registered
	FullMethod string // "/service/method"
}

// UnaryHandler completes a unary RPC on the server. An error that carries no status ends the RPC with the code Unknown, or with
// that of a context error.
type UnaryHandler func(ctx context.Context, req any) (any, error)

// UnaryServerInterceptor is called for each unary RPC of a server, instead of the handler, which it lets happen by calling handler.
type UnaryServerInterceptor func(ctx context.Context, req any, info *UnaryServerInfo, handler UnaryHandler) (resp any, err error)

// StreamServerInfo tells an interceptor about a streaming RPC.
type StreamServerInfo struct {
	FullMethod     string // "/service/method"
	IsClientStream bool   // the client may send any number of messages
	IsServerStream bool   // the server may send any number of messages
}

// StreamServerInterceptor is called for each streaming RPC of a server, instead of the handler, which it lets happen by calling
// handler. srv is the implementation of the service that the application registered. To see the messages it passes on a ServerStream
// of its own around ss.
type StreamServerInterceptor func(srv any, ss ServerStream, info *StreamServerInfo, handler StreamHandler) error

// chainUnaryClient makes one interceptor of several, of which the first is the outermost; nil of none.
func chainUnaryClient(chain []UnaryClientInterceptor) UnaryClientInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	return func(ctx context.Context, method string, req, reply any, cc *ClientConn, invoker UnaryInvoker, opts ...CallOption) error {
		return chain[0](ctx, method, req, reply, cc, unaryClientRest(chain, 1, invoker), opts...)
	}
}

// unaryClientRest is what the interceptor before number i goes on with.
func unaryClientRest(chain []UnaryClientInterceptor, i int, final UnaryInvoker) UnaryInvoker {
	if i == len(chain) {
		return final
	}
	return func(ctx context.Context, method string, req, reply any, cc *ClientConn, opts ...CallOption) error {
		return chain[i](ctx, method, req, reply, cc, unaryClientRest(chain, i+1, final), opts...)
	}
}

// chainStreamClient makes one interceptor of several, of which the first is the outermost; nil of none.
func chainStreamClient(chain []StreamClientInterceptor) StreamClientInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	return func(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, streamer Streamer, opts ...CallOption) (ClientStream, error) {
		return chain[0](ctx, desc, cc, method, streamClientRest(chain, 1, streamer), opts...)
	}
}

// streamClientRest is what the interceptor before number i goes on with.
func streamClientRest(chain []StreamClientInterceptor, i int, final Streamer) Streamer {
	if i == len(chain) {
		return final
	}
	return func(ctx context.Context, desc *StreamDesc, cc *ClientConn, method string, opts ...CallOption) (ClientStream, error) {
		return chain[i](ctx, desc, cc, method, streamClientRest(chain, i+1, final), opts...)
	}
}

// chainUnaryServer makes one interceptor of several, of which the first is the outermost; nil of none.
func chainUnaryServer(chain []UnaryServerInterceptor) UnaryServerInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	return func(ctx context.Context, req any, info *UnaryServerInfo, handler UnaryHandler) (any, error) {
		return chain[0](ctx, req, info, unaryServerRest(chain, 1, info, handler))
	}
}

// unaryServerRest is what the interceptor before number i goes on with.
func unaryServerRest(chain []UnaryServerInterceptor, i int, info *UnaryServerInfo, final UnaryHandler) UnaryHandler {
	if i == len(chain) {
		return final
	}
	return func(ctx context.Context, req any) (any, error) {
		return chain[i](ctx, req, info, unaryServerRest(chain, i+1, info, final))
	}
}

// chainStreamServer makes one interceptor of several, of which the first is the outermost; nil of none.
func chainStreamServer(chain []StreamServerInterceptor) StreamServerInterceptor {
	switch len(chain) {
	case 0:
		return nil
	case 1:
		return chain[0]
	}
	return func(srv any, ss ServerStream, info *StreamServerInfo, handler StreamHandler) error {
		return chain[0](srv, ss, info, streamServerRest(chain, 1, info, handler))
	}
}

// streamServerRest is what the interceptor before number i goes on with.
func streamServerRest(chain []StreamServerInterceptor, i int, info *StreamServerInfo, final StreamHandler) StreamHandler {
	if i == len(chain) {
		return final
	}
	return func(srv any, ss ServerStream) error {
		return chain[i](srv, ss, info, streamServerRest(chain, i+1, info, final))
	}
}
