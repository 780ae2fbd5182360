// How metadata travels through contexts: incoming (what the peer sent) and outgoing (what a client call will send), apart from each other.
// Outgoing metadata is kept as it was given, a map and lists of added pairs, and put together only where somebody asks for it.

package metadata

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/internal/callkey"
)

// NewIncomingContext returns a context with md as the metadata that was received. gRPC does this for handlers; others need it for tests
// and gateways. md must not be modified afterwards.
func NewIncomingContext(ctx context.Context, md MD) context.Context {
	return context.WithValue(ctx, callkey.IncomingMetadata{}, md)
}

// FromIncomingContext returns a copy, with keys in lower case, of the metadata that was received, and whether there is any in ctx.
// To read a single key, ValueFromIncomingContext costs less.
func FromIncomingContext(ctx context.Context) (MD, bool) {
	md, ok := ctx.Value(callkey.IncomingMetadata{}).(MD)
	if !ok {
		return nil, false
	}
	return md.lowerCopy(), true
}

// ValueFromIncomingContext returns a copy of the received values of key, in whatever case it is written; nil if there are none.
func ValueFromIncomingContext(ctx context.Context, key string) []string {
	md, _ := ctx.Value(callkey.IncomingMetadata{}).(MD)
	return md.valuesOf(key)
}

// NewOutgoingContext returns a context with md as the metadata that client calls send. It takes the place of all outgoing metadata that
// ctx has. md must not be modified afterwards.
func NewOutgoingContext(ctx context.Context, md MD) context.Context {
	return &outgoing{Context: ctx, md: md}
}

// AppendToOutgoingContext returns a context whose outgoing metadata is that of ctx and the given pairs, which are alternating keys and
// values. It panics if the last key has no value. It copies the pairs, not the metadata that is there.
func AppendToOutgoingContext(ctx context.Context, kv ...string) context.Context {
	if len(kv)%2 == 1 {
		panic(fmt.Sprintf("metadata: AppendToOutgoingContext got an odd number of input pairs for metadata: %d", len(kv)))
	}
	md, added, _ := FromOutgoingContextRaw(ctx)
	// Clip makes append copy: several contexts can grow out of ctx.
	return &outgoing{Context: ctx, md: md, added: append(slices.Clip(added), slices.Clone(kv))}
}

// FromOutgoingContext returns a copy, with keys in lower case, of the metadata that client calls with ctx send, and whether there is any.
func FromOutgoingContext(ctx context.Context) (MD, bool) {
	md, added, ok := FromOutgoingContextRaw(ctx)
	if !ok {
		return nil, false
	}
	out := md.lowerCopy()
	for _, kv := range added {
		for i := 0; i < len(kv); i += 2 {
			out.Append(kv[i], kv[i+1])
		}
	}
	return out, true
}

// ValueFromOutgoingContext returns a copy of the values of key, in whatever case it is written, that client calls with ctx send;
// nil if there are none.
func ValueFromOutgoingContext(ctx context.Context, key string) []string {
	md, added, _ := FromOutgoingContextRaw(ctx)
	values := md.valuesOf(strings.ToLower(key))
	for _, kv := range added {
		for i := 0; i < len(kv); i += 2 {
			if strings.EqualFold(kv[i], key) {
				values = append(values, kv[i+1])
			}
		}
	}
	return values
}

// FromOutgoingContextRaw returns the outgoing metadata of ctx as it is kept: the map of NewOutgoingContext, and for each
// AppendToOutgoingContext its alternating keys and values, oldest first. Keys are in the case in which they were given.
//
// It is meant for gRPC itself. Nothing of what it returns may be modified.
func FromOutgoingContextRaw(ctx context.Context) (md MD, added [][]string, ok bool) {
	o, ok := ctx.Value(callkey.OutgoingMetadata{}).(*outgoing)
	if !ok {
		return nil, nil, false
	}
	return o.md, o.added, true
}

// outgoing is a context that answers for outgoing metadata with itself: a type of its own saves the allocation of a value.
// Immutable after construction.
type outgoing struct {
	context.Context
	md    MD
	added [][]string
}

func (o *outgoing) Value(key any) any {
	if _, ok := key.(callkey.OutgoingMetadata); ok {
		return o
	}
	return o.Context.Value(key)
}

// String keeps metadata, which may be secret, out of printed contexts.
func (o *outgoing) String() string {
	parent := fmt.Sprintf("%T", o.Context)
	if s, ok := o.Context.(fmt.Stringer); ok {
		parent = s.String()
	}
	return parent + ".WithOutgoingMetadata"
}

// lowerCopy returns a deep copy with keys in lower case. Of keys that differ in case only, one remains.
func (md MD) lowerCopy() MD {
	out := make(MD, len(md))
	values := blockFor(md)
	for k, v := range md {
		out[strings.ToLower(k)] = values.copyOf(v)
	}
	return out
}

// valuesOf returns a copy of the values of key: of the key as it is if md has it, else of one that differs in case only; else nil.
func (md MD) valuesOf(key string) []string {
	if v, ok := md[key]; ok {
		return append(make([]string, 0, len(v)), v...)
	}
	for k, v := range md {
		if strings.EqualFold(k, key) {
			return append(make([]string, 0, len(v)), v...)
		}
	}
	return nil
}
