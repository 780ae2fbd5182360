// The name of an entity in channelz, which travels through the contracts of resolvers and balancers.
// The registry and its entities are in internal/channelz, the service in channelz/service. Source: gRFC A14.

// Package channelz defines how channels, subchannels, servers and sockets are named in channelz, gRPC's live debugging data.
//
// Experimental: the package may change.
package channelz

// Identifier names one entity of channelz. Only gRPC makes values of this type: other types become Identifiers by embedding one.
type Identifier interface {
	// String returns the entity's kind and number, for reading.
	String() string

	isIdentifier()
}
