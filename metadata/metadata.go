// MD, the metadata of a call: key/value pairs that travel as HTTP/2 header fields before and after the messages.
// Validation and coding for the wire are in package transport, the ways through contexts in context.go.
// Source: gRPC "PROTOCOL-HTTP2", Custom-Metadata.

// Package metadata defines the metadata of RPCs: what client and server tell each other beside the messages.
//
// A client sets what it sends with NewOutgoingContext or AppendToOutgoingContext; a handler reads what it received with
// FromIncomingContext.
package metadata

import (
	"fmt"
	"slices"
	"strings"
)

// MD maps keys to their values in the order in which they were sent. The functions and methods of this package write keys in lower case:
// who writes into the map itself must do so too.
//
// On the wire a key consists of digits, the letters a to z, "-", "_" and ".", and does not begin with "grpc-", which is reserved.
// A value is printable ASCII, 0x20 to 0x7E; only under a key that ends in "-bin" it may be any bytes, which are sent as base64.
//
// An MD is a map: it must not be modified while others use it.
type MD map[string][]string

// New returns metadata with the keys of m in lower case. Keys that differ in case only have their values joined in no particular order.
func New(m map[string]string) MD {
	md := make(MD, len(m))
	for k, v := range m {
		md.Append(k, v)
	}
	return md
}

// Pairs returns metadata made of alternating keys and values: Pairs("k1", "v1", "k1", "v2", "k2", "v3"). Keys are put in lower case,
// and values of the same key keep their order. It panics if the last key has no value.
func Pairs(kv ...string) MD {
	if len(kv)%2 == 1 {
		panic(fmt.Sprintf("metadata: Pairs got the odd number of input pairs for metadata: %d", len(kv)))
	}
	md := make(MD, len(kv)/2)
	values := make(block, 0, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		k := strings.ToLower(kv[i])
		if md[k] == nil {
			md[k] = values.copyOf(kv[i+1 : i+2])
		} else {
			md[k] = append(md[k], kv[i+1])
		}
	}
	return md
}

// Join returns new metadata with the pairs of all mds, keys as they are; values of one key are in the order of the arguments.
func Join(mds ...MD) MD {
	out := MD{}
	for _, md := range mds {
		for k, v := range md {
			out[k] = append(out[k], v...)
		}
	}
	return out
}

// Len returns the number of keys.
func (md MD) Len() int {
	return len(md)
}

// Copy returns a deep copy.
func (md MD) Copy() MD {
	out := make(MD, len(md))
	values := blockFor(md)
	for k, v := range md {
		out[k] = values.copyOf(v)
	}
	return out
}

// Get returns the values of k, put in lower case; nil if there are none. They belong to md.
func (md MD) Get(k string) []string {
	return md[strings.ToLower(k)]
}

// Set makes vals, which then belong to md, the values of k, put in lower case. With no vals it does nothing.
func (md MD) Set(k string, vals ...string) {
	if len(vals) > 0 {
		md[strings.ToLower(k)] = vals
	}
}

// Append adds vals to the values of k, put in lower case. With no vals it does nothing.
func (md MD) Append(k string, vals ...string) {
	if len(vals) > 0 {
		k = strings.ToLower(k)
		md[k] = append(md[k], vals...)
	}
}

// Delete removes the values of k, put in lower case.
func (md MD) Delete(k string) {
	delete(md, strings.ToLower(k))
}

// String returns the pairs that gRPC itself defines, sorted by key, and how many other keys there are. Those are not shown because
// metadata carries credentials, and contexts and requests end up in logs.
func (md MD) String() string {
	var shown []string
	for k, v := range md {
		if isPublic(k) {
			shown = append(shown, fmt.Sprint(k, ":", v))
		}
	}
	slices.Sort(shown)
	if hidden := len(md) - len(shown); hidden > 0 {
		shown = append(shown, fmt.Sprintf("<%d redacted>", hidden))
	}
	return "map[" + strings.Join(shown, " ") + "]"
}

// isPublic reports whether the values of k may be shown: k is defined by the gRPC protocol, and its values hold nothing secret.
// The status message is not among them, it is free text.
func isPublic(k string) bool {
	switch strings.ToLower(k) {
	case "content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-message-type", "grpc-previous-rpc-attempts",
		"grpc-retry-pushback-ms", "grpc-status", "grpc-timeout", "te", "user-agent":
		return true
	}
	return false
}

// DecodeKeyValue returns k and v as they are.
//
// Deprecated: values under "-bin" keys are decoded before an application sees them.
func DecodeKeyValue(k, v string) (string, string, error) {
	return k, v, nil
}

// block is the memory that the values of one MD share: one allocation instead of one per key.
type block []string

// blockFor returns a block with room for all values of md.
func blockFor(md MD) block {
	n := 0
	for _, v := range md {
		n += len(v)
	}
	return make(block, 0, n)
}

// copyOf returns a copy of v in the block, never nil. It has no spare capacity, so that appending to it touches no neighbour.
func (b *block) copyOf(v []string) []string {
	start := len(*b)
	*b = append(*b, v...)
	return slices.Clip((*b)[start:])
}
