// Options that may still change: pools of buffers, and which compressed answers a call accepts.

// Package experimental has options whose place is not certain yet.
//
// Experimental: the package may change.
package experimental

import (
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/bufpool"
	"google.golang.org/grpc/internal/option"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// WithBufferPool returns an option that sets the pool of a channel's buffers for messages, mem.DefaultBufferPool by default. nil means the
// default too.
func WithBufferPool(pool mem.BufferPool) grpc.DialOption { return channelPool{pool: pool} }

type channelPool struct {
	grpc.EmptyDialOption
	pool mem.BufferPool
}

// SetChannel implements option.ForChannel.
func (p channelPool) SetChannel(c *option.Channel) { c.Pool = p.pool }

// BufferPool returns an option that sets the pool of a server's buffers for messages, mem.DefaultBufferPool by default. nil means the
// default too.
func BufferPool(pool mem.BufferPool) grpc.ServerOption { return serverPool{pool: pool} }

type serverPool struct {
	grpc.EmptyServerOption
	pool mem.BufferPool
}

// SetServer implements option.ForServer.
func (p serverPool) SetServer(s *option.Server) { s.Pool = p.pool }

// SetDefaultBufferPool replaces the pool that channels and servers, made later, use if no option sets one. It is meant to be called in init
// functions.
func SetDefaultBufferPool(pool mem.BufferPool) { bufpool.SetDefault(pool) }

// AcceptCompressors returns an option that limits the compressors whose answers a call accepts, which by default are all that are registered
// (see package encoding): the server is told their names, in this order, and an answer of any other ends the call with the code Internal. Answers that
// are not compressed are always accepted. A name that is not registered ends the call with the code InvalidArgument. What the call itself
// compresses with is another matter: see grpc.UseCompressor.
func AcceptCompressors(names ...string) grpc.CallOption {
	return acceptCompressors{names: slices.Clone(names)}
}

type acceptCompressors struct {
	grpc.EmptyCallOption
	names []string
}

// SetCall implements option.ForCall.
func (a acceptCompressors) SetCall(c *option.Call) error {
	c.Accept = nil
	for _, name := range a.names {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || name == encoding.Identity || slices.Contains(c.Accept, name):
		case encoding.GetCompressor(name) == nil:
			return status.Errorf(codes.InvalidArgument, "grpc: compressor %q is not registered", name)
		default:
			c.Accept = append(c.Accept, name)
		}
	}
	return nil
}
