// The seventeen status codes of gRPC, their names and their JSON form.
// Source: gRPC "Status codes and their use" (statuscodes.md); numbers and wire names are those of google.rpc.Code.

// Package codes defines the status codes with which RPCs end.
package codes

import (
	"errors"
	"fmt"
	"strconv"
)

// Code says how an RPC ended. The zero value is OK.
//
// On the wire it is the decimal number in the trailer grpc-status. A peer may send numbers above 16: they are kept as they are, and
// mean Unknown to whoever does not know them.
type Code uint32

// The codes. "Library" marks those which gRPC itself produces; an application may return every one of them.
const (
	// OK means that the RPC succeeded.
	OK Code = 0

	// Canceled means that the caller gave the RPC up, as a rule by cancelling its context. (Library.)
	Canceled Code = 1

	// Unknown stands for an error about which nothing better is known: a handler returned an error that carries no status,
	// or the status came from an error space that this program does not understand. (Library.)
	Unknown Code = 2

	// InvalidArgument means that the arguments are wrong whatever state the system is in, for example a malformed file name.
	// See FailedPrecondition and OutOfRange for errors that depend on state.
	InvalidArgument Code = 3

	// DeadlineExceeded means that the time allowed was over before the RPC was complete. The operation may have
	// succeeded nevertheless: its answer came too late. (Library.)
	DeadlineExceeded Code = 4

	// NotFound means that some requested entity does not exist.
	NotFound Code = 5

	// AlreadyExists means that what the caller wanted to create is there already.
	AlreadyExists Code = 6

	// PermissionDenied means that the caller is known but may not do this. It is not for exhausted quotas
	// (ResourceExhausted), nor for callers who could not be identified (Unauthenticated).
	PermissionDenied Code = 7

	// ResourceExhausted means that a quota, a memory or a size limit was reached. (Library: a message above the size limit.)
	ResourceExhausted Code = 8

	// FailedPrecondition means that the system is not in the state that the operation needs, for example a directory to be
	// removed is not empty. Rule of thumb: Unavailable if the same call may be retried as it is, Aborted if a larger
	// unit (a transaction) must be retried, FailedPrecondition if nothing should be retried until the state was repaired.
	FailedPrecondition Code = 9

	// Aborted means that the operation lost against a concurrent one, for example a transaction that was rolled back.
	Aborted Code = 10

	// OutOfRange means that the operation went past a valid range, for example reading past the end of a file. Unlike with
	// InvalidArgument, the same arguments may become valid when the state changes.
	OutOfRange Code = 11

	// Unimplemented means that the method is not known here, or not supported. (Library.)
	Unimplemented Code = 12

	// Internal means that an invariant is broken: something is seriously wrong in the system underneath. (Library.)
	Internal Code = 13

	// Unavailable means that the service cannot be reached or cannot answer now; a retry with backoff may help. Retrying
	// operations that are not idempotent is not always safe. (Library.)
	Unavailable Code = 14

	// DataLoss means that data is lost or damaged for good.
	DataLoss Code = 15

	// Unauthenticated means that the request has no valid credentials. (Library: per-RPC credentials that could not be had.)
	Unauthenticated Code = 16
)

// names lists what each code is called in Go and in google.rpc.Code; the index is the code.
var names = [...]struct{ camel, proto string }{
	OK:                 {"OK", "OK"},
	Canceled:           {"Canceled", "CANCELLED"},
	Unknown:            {"Unknown", "UNKNOWN"},
	InvalidArgument:    {"InvalidArgument", "INVALID_ARGUMENT"},
	DeadlineExceeded:   {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
	NotFound:           {"NotFound", "NOT_FOUND"},
	AlreadyExists:      {"AlreadyExists", "ALREADY_EXISTS"},
	PermissionDenied:   {"PermissionDenied", "PERMISSION_DENIED"},
	ResourceExhausted:  {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
	FailedPrecondition: {"FailedPrecondition", "FAILED_PRECONDITION"},
	Aborted:            {"Aborted", "ABORTED"},
	OutOfRange:         {"OutOfRange", "OUT_OF_RANGE"},
	Unimplemented:      {"Unimplemented", "UNIMPLEMENTED"},
	Internal:           {"Internal", "INTERNAL"},
	Unavailable:        {"Unavailable", "UNAVAILABLE"},
	DataLoss:           {"DataLoss", "DATA_LOSS"},
	Unauthenticated:    {"Unauthenticated", "UNAUTHENTICATED"},
}

// String returns the name of the code as it is spelt in this package, or "Code(n)" for a number that has none.
func (c Code) String() string {
	if int64(c) < int64(len(names)) {
		return names[c].camel
	}
	return "Code(" + strconv.FormatUint(uint64(c), 10) + ")"
}

// UnmarshalJSON sets the code from a decimal number below 17 or from a quoted name of google.rpc.Code, such as
// "DEADLINE_EXCEEDED". As package json wants it, null changes nothing. All else is an error, and changes nothing either.
//
// Service configs name codes in both ways (gRFC A6, retryableStatusCodes).
func (c *Code) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if c == nil {
		return errors.New("nil receiver passed to UnmarshalJSON")
	}
	if n, err := strconv.ParseUint(string(b), 10, 32); err == nil {
		if n >= uint64(len(names)) {
			return fmt.Errorf("invalid code: %d", n)
		}
		*c = Code(n)
		return nil
	}
	for n, name := range names {
		if string(b) == `"`+name.proto+`"` {
			*c = Code(n)
			return nil
		}
	}
	return fmt.Errorf("invalid code: %q", b)
}
