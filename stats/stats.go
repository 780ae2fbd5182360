// The events that gRPC reports about RPCs and connections: what happened, on which side, with which sizes.
// Data only; who listens is in handlers.go. gRPC fills the events, and handlers read them: they must not change anything in them.
// Source: gRFC A66 for the meaning of the sizes.

// Package stats lets a program watch its RPCs and connections: how many there are, how long they take, how large their messages are.
// A Handler is given to grpc.WithStatsHandler or grpc.StatsHandler.
//
// Experimental: the package may change.
package stats

import (
	"net"
	"time"

	"google.golang.org/grpc/metadata"
)

// RPCStats is one event of an RPC: a pointer to one of Begin, DelayedPickComplete, OutHeader, OutPayload, OutTrailer, InHeader, InPayload,
// InTrailer, End. An RPC that is retried has a Begin and an End for each attempt.
type RPCStats interface {
	isRPCStats()
	// IsClient reports whether the event happened on the client's side.
	IsClient() bool
}

// ConnStats is one event of a connection: *ConnBegin or *ConnEnd.
type ConnStats interface {
	isConnStats()
	// IsClient reports whether the event happened on the client's side.
	IsClient() bool
}

// Begin is the first event of an RPC attempt.
type Begin struct {
	// Client is true on the client's side.
	Client bool
	// BeginTime is when the attempt began.
	BeginTime time.Time
	// FailFast is true if the RPC does not wait for the channel to become ready. It is only set on the client's side.
	FailFast bool
	// IsClientStream is true if the client may send any number of messages.
	IsClientStream bool
	// IsServerStream is true if the server may send any number of messages.
	IsServerStream bool
	// IsTransparentRetryAttempt is true if this attempt takes the place of one that never reached the server's application (gRFC A6).
	IsTransparentRetryAttempt bool
}

// DelayedPickComplete says that an attempt found its connection after it had to wait for a new picker. Attempts that find one at once do
// not have this event. It is only seen on the client's side.
type DelayedPickComplete struct{}

// PickerUpdated is the former name of DelayedPickComplete.
//
// Deprecated: use DelayedPickComplete.
type PickerUpdated = DelayedPickComplete

// OutHeader says that headers were sent: those of the request on the client's side, those of the response on the server's.
type OutHeader struct {
	// Client is true on the client's side.
	Client bool
	// Compression is the name of the compressor of the messages to come; empty for none.
	Compression string
	// Header is the metadata that was sent.
	Header metadata.MD

	// FullMethod is the method, "/package.Service/Method". This and the following are only set on the client's side.
	FullMethod string
	// RemoteAddr is the peer's end of the connection.
	RemoteAddr net.Addr
	// LocalAddr is this end of the connection.
	LocalAddr net.Addr
	// Authority is what the request names in :authority.
	Authority string

	// WireLength is the compressed size of the headers in bytes, 0 if it is not known.
	//
	// Deprecated: header compression makes the figure nearly meaningless. It is only set while the package functions are in use: see Start.
	WireLength int
}

// OutPayload says that a message was sent.
type OutPayload struct {
	// Client is true on the client's side.
	Client bool
	// Payload is the message as the application gave it.
	Payload any
	// Data is the encoded message before compression.
	//
	// Deprecated: encode Payload if the bytes matter. It is only set while the package functions are in use: see Start.
	Data []byte
	// Length is the size of the encoded message in bytes, before compression.
	Length int
	// CompressedLength is the size of the message in bytes after compression, equal to Length if it is not compressed.
	CompressedLength int
	// WireLength is CompressedLength and the five bytes that precede each message; frames are not counted.
	WireLength int
	// SentTime is when the message was handed to the connection.
	SentTime time.Time
}

// OutTrailer says that the server sent its trailers. It is only seen on the server's side.
type OutTrailer struct {
	// Client is false: clients send no trailers.
	Client bool
	// WireLength is 0.
	//
	// Deprecated: the size is not known when the event is made.
	WireLength int
	// Trailer is the metadata that was sent.
	Trailer metadata.MD
}

// InHeader says that headers arrived: those of the request on the server's side, those of the response on the client's.
type InHeader struct {
	// Client is true on the client's side.
	Client bool
	// WireLength is the compressed size of the headers in bytes.
	WireLength int
	// Compression is the name of the compressor of the messages to come; empty for none.
	Compression string
	// Header is the metadata that arrived.
	Header metadata.MD

	// FullMethod is the method, "/package.Service/Method". This and the following are only set on the server's side.
	FullMethod string
	// RemoteAddr is the peer's end of the connection.
	RemoteAddr net.Addr
	// LocalAddr is this end of the connection.
	LocalAddr net.Addr
}

// InPayload says that a message arrived.
type InPayload struct {
	// Client is true on the client's side.
	Client bool
	// Payload is the decoded message. It belongs to the application: a handler must not keep it beyond its own call.
	Payload any
	// Data is the encoded message after decompression.
	//
	// Deprecated: encode Payload if the bytes matter. It is only set while the package functions are in use: see Start.
	Data []byte
	// Length is the size of the encoded message in bytes, after decompression.
	Length int
	// CompressedLength is the size of the message in bytes as it arrived, equal to Length if it was not compressed.
	CompressedLength int
	// WireLength is CompressedLength and the five bytes that precede each message; frames are not counted.
	WireLength int
	// RecvTime is when the message had arrived.
	RecvTime time.Time
}

// InTrailer says that the server's trailers arrived. It is only seen on the client's side.
type InTrailer struct {
	// Client is true: servers receive no trailers.
	Client bool
	// WireLength is the compressed size of the trailers in bytes.
	WireLength int
	// Trailer is the metadata that arrived.
	Trailer metadata.MD
}

// End is the last event of an RPC attempt.
type End struct {
	// Client is true on the client's side.
	Client bool
	// BeginTime is when the attempt began.
	BeginTime time.Time
	// EndTime is when the attempt ended.
	EndTime time.Time
	// Trailer is the metadata of the server's trailers. It is only set on the client's side.
	Trailer metadata.MD
	// Error is nil if the attempt ended with the status OK. Else it is the error, from which status.FromError gets the status.
	Error error
}

// ConnBegin is the first event of a connection.
type ConnBegin struct {
	// Client is true on the client's side.
	Client bool
}

// ConnEnd is the last event of a connection.
type ConnEnd struct {
	// Client is true on the client's side.
	Client bool
}

// IsClient returns s.Client.
func (s *Begin) IsClient() bool { return s.Client }

// IsClient returns true: servers pick no connections.
func (s *DelayedPickComplete) IsClient() bool { return true }

// IsClient returns s.Client.
func (s *OutHeader) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *OutPayload) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *OutTrailer) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *InHeader) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *InPayload) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *InTrailer) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *End) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *ConnBegin) IsClient() bool { return s.Client }

// IsClient returns s.Client.
func (s *ConnEnd) IsClient() bool { return s.Client }

func (*Begin) isRPCStats()               {}
func (*DelayedPickComplete) isRPCStats() {}
func (*OutHeader) isRPCStats()           {}
func (*OutPayload) isRPCStats()          {}
func (*OutTrailer) isRPCStats()          {}
func (*InHeader) isRPCStats()            {}
func (*InPayload) isRPCStats()           {}
func (*InTrailer) isRPCStats()           {}
func (*End) isRPCStats()                 {}
func (*ConnBegin) isConnStats()          {}
func (*ConnEnd) isConnStats()            {}
