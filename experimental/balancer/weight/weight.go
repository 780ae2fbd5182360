// The weight of an endpoint, as an attribute of it: how a resolver or a policy tells policies below how large a share of RPCs it should get.

// Package weight attaches weights to endpoints.
//
// Experimental: the package may change.
package weight

import "google.golang.org/grpc/resolver"

type key struct{}

// EndpointInfo is what is attached to an endpoint.
type EndpointInfo struct {
	// Weight is the share of the endpoint relative to the others. 0 means that it has no weight; policies then take it for 1.
	Weight uint32
}

// Equal reports whether o is an EndpointInfo with the same weight. Attributes compare their values by it.
func (a EndpointInfo) Equal(o any) bool {
	other, ok := o.(EndpointInfo)
	return ok && other == a
}

// Set returns endpoint with info attached, in place of what was attached before.
func Set(endpoint resolver.Endpoint, info EndpointInfo) resolver.Endpoint {
	endpoint.Attributes = endpoint.Attributes.WithValue(key{}, info)
	return endpoint
}

// FromEndpoint returns what is attached to endpoint, the zero value if nothing is.
func FromEndpoint(endpoint resolver.Endpoint) EndpointInfo {
	info, _ := endpoint.Attributes.Value(key{}).(EndpointInfo)
	return info
}
