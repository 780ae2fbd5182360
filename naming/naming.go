// The name-resolution interfaces of 2016: interfaces only, kept so that programs of that age compile and work.
// What turns a naming.Resolver into addresses of a channel is internal/v1balancer.

// Package naming defines how a name becomes a changing set of addresses, for the load balancers of 2016 (grpc.RoundRobin).
//
// Deprecated: implement package resolver instead.
package naming

// Operation says what an Update does with its address.
type Operation uint8

const (
	// Add: the address is new.
	Add Operation = iota
	// Delete: the address must no longer be used.
	Delete
)

// Update is one change of the set of addresses that a name stands for.
type Update struct {
	// Op says whether the address came or went.
	Op Operation
	// Addr is the address that changed, as a dialer takes it. It may be empty if Metadata alone changed.
	Addr string
	// Metadata belongs to the address; nil if there is none. Its meaning is between the resolver and the balancer.
	Metadata any
}

// Resolver makes watchers of names.
type Resolver interface {
	// Resolve starts to watch target. The caller closes the watcher.
	Resolve(target string) (Watcher, error)
}

// Watcher follows the addresses of one name.
type Watcher interface {
	// Next blocks until something changed. The first call returns the full set, later calls the differences only. An error
	// means that the watcher cannot go on: the caller stops.
	Next() ([]*Update, error)
	// Close ends the watcher, and a Next that is blocked with it. It is called concurrently with Next.
	Close()
}
