// Where servers are: addresses, and endpoints, which are servers with one or more addresses (gRFC A61).

package resolver

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/attributes"
)

// Address is one place where a server listens.
type Address struct {
	// Addr is what the dialer gets, as a rule "host:port".
	Addr string
	// ServerName is the :authority of RPCs to this address and the name by which TLS checks it. If it is empty, that is the channel's
	// authority. It must come from a trusted source, such as DNSSEC or the program itself.
	ServerName string
	// Attributes are for the connection: addresses with different ones are different addresses.
	Attributes *attributes.Attributes
	// BalancerAttributes are for the load-balancing policy only: they do not make addresses different.
	//
	// Deprecated: use Endpoint.Attributes.
	BalancerAttributes *attributes.Attributes
	// Metadata is for the load-balancing policy.
	//
	// Deprecated: use Attributes.
	Metadata any
}

// Equal reports whether all fields of a and o are equal. It panics if both have a Metadata of the same type that is not comparable.
func (a Address) Equal(o Address) bool {
	return a.Addr == o.Addr && a.ServerName == o.ServerName && a.Attributes.Equal(o.Attributes) &&
		a.BalancerAttributes.Equal(o.BalancerAttributes) && a.Metadata == o.Metadata
}

// String returns all fields but Metadata, for reading only: the form may change.
func (a Address) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{Addr: %q, ServerName: %q, ", a.Addr, a.ServerName)
	if a.Attributes != nil {
		fmt.Fprintf(&b, "Attributes: %v, ", a.Attributes)
	}
	if a.BalancerAttributes != nil {
		fmt.Fprintf(&b, "BalancerAttributes: %v", a.BalancerAttributes)
	}
	b.WriteByte('}')
	return b.String()
}

// Endpoint is one server, which may be reached by several addresses, for example an IPv4 and an IPv6 address of the same host.
type Endpoint struct {
	// Addresses are the ways to the server, best first.
	Addresses []Address
	// Attributes are for the load-balancing policy.
	Attributes *attributes.Attributes
}
