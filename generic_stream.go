// Streams with typed messages, which generated code makes of the untyped ones.

package grpc

// ServerStreamingClient is the client's side of an RPC with one request and any number of responses.
type ServerStreamingClient[Res any] interface {
	// Recv blocks for the next response. See ClientStream.RecvMsg for its errors.
	Recv() (*Res, error)
	ClientStream
}

// ServerStreamingServer is the server's side of an RPC with one request and any number of responses.
type ServerStreamingServer[Res any] interface {
	// Send sends a response. See ServerStream.SendMsg.
	Send(*Res) error
	ServerStream
}

// ClientStreamingClient is the client's side of an RPC with any number of requests and one response.
type ClientStreamingClient[Req any, Res any] interface {
	// Send sends a request. See ClientStream.SendMsg.
	Send(*Req) error
	// CloseAndRecv says that no request follows and blocks for the response.
	CloseAndRecv() (*Res, error)
	ClientStream
}

// ClientStreamingServer is the server's side of an RPC with any number of requests and one response.
type ClientStreamingServer[Req any, Res any] interface {
	// Recv blocks for the next request. It returns io.EOF after the last one.
	Recv() (*Req, error)
	// SendAndClose sends the response. The handler should return its result afterwards.
	SendAndClose(*Res) error
	ServerStream
}

// BidiStreamingClient is the client's side of an RPC with any number of requests and responses.
type BidiStreamingClient[Req any, Res any] interface {
	// Send sends a request. See ClientStream.SendMsg.
	Send(*Req) error
	// Recv blocks for the next response. See ClientStream.RecvMsg for its errors.
	Recv() (*Res, error)
	ClientStream
}

// BidiStreamingServer is the server's side of an RPC with any number of requests and responses.
type BidiStreamingServer[Req any, Res any] interface {
	// Recv blocks for the next request. It returns io.EOF after the last one.
	Recv() (*Req, error)
	// Send sends a response. See ServerStream.SendMsg.
	Send(*Res) error
	ServerStream
}

// GenericClientStream makes of a ClientStream each of the typed ones.
type GenericClientStream[Req any, Res any] struct {
	ClientStream
}

var (
	_ ServerStreamingClient[string]      = (*GenericClientStream[int, string])(nil)
	_ ClientStreamingClient[int, string] = (*GenericClientStream[int, string])(nil)
	_ BidiStreamingClient[int, string]   = (*GenericClientStream[int, string])(nil)
	_ ServerStreamingServer[string]      = (*GenericServerStream[int, string])(nil)
	_ ClientStreamingServer[int, string] = (*GenericServerStream[int, string])(nil)
	_ BidiStreamingServer[int, string]   = (*GenericServerStream[int, string])(nil)
)

// Send sends a request.
func (x *GenericClientStream[Req, Res]) Send(m *Req) error { return x.SendMsg(m) }

// Recv blocks for the next response.
func (x *GenericClientStream[Req, Res]) Recv() (*Res, error) {
	m := new(Res)
	if err := x.RecvMsg(m); err != nil {
		return nil, err
	}
	return m, nil
}

// CloseAndRecv says that no request follows and blocks for the response.
func (x *GenericClientStream[Req, Res]) CloseAndRecv() (*Res, error) {
	if err := x.CloseSend(); err != nil {
		return nil, err
	}
	return x.Recv()
}

// GenericServerStream makes of a ServerStream each of the typed ones.
type GenericServerStream[Req any, Res any] struct {
	ServerStream
}

// Send sends a response.
func (x *GenericServerStream[Req, Res]) Send(m *Res) error { return x.SendMsg(m) }

// SendAndClose sends the response.
func (x *GenericServerStream[Req, Res]) SendAndClose(m *Res) error { return x.SendMsg(m) }

// Recv blocks for the next request.
func (x *GenericServerStream[Req, Res]) Recv() (*Req, error) {
	m := new(Req)
	if err := x.RecvMsg(m); err != nil {
		return nil, err
	}
	return m, nil
}
