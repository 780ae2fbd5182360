// The keys under which the context of a call answers for its metadata, its peer and its stream.
// They live in a leaf package so that one context type can hold all of them in one object, instead of a chain of values.
// Nothing but key types may ever stand here.

// Package callkey holds the context keys that a call's own context type and the packages metadata, peer and grpc share.
package callkey

type (
	// IncomingMetadata is the key of a metadata.MD that the peer sent.
	IncomingMetadata struct{}
	// OutgoingMetadata is the key of the metadata that a call is going to send; package metadata owns its type.
	OutgoingMetadata struct{}
	// Peer is the key of a *peer.Peer.
	Peer struct{}
	// ServerTransportStream is the key of a grpc.ServerTransportStream.
	ServerTransportStream struct{}
	// Call is the key of the call as package grpc sees it.
	Call struct{}
)
