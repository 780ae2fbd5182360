// Statuses: a code, a message and details, the errors made of them, and what status an arbitrary error stands for.
// Source: google.rpc.Status, gRPC "Status codes and their use"; how a status travels in trailers is in package transport.

// Package status makes the errors with which RPCs end.
//
// A handler returns such an error, made by Error or Errorf; the caller gets an error with the same code, message and details, and looks
// into it with Code, Convert or FromError.
package status

import (
	"context"
	"errors"
	"fmt"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/anypb"
)

// Status is a code, a message for developers, and details, which are protobuf messages. A nil *Status and the zero value have the code OK.
// A Status is immutable, and must not be copied; all methods accept nil and may be called concurrently.
type Status struct {
	pb spb.Status // never changed once the Status is handed out
}

// New returns a status with the code and the message.
func New(c codes.Code, msg string) *Status {
	return &Status{pb: spb.Status{Code: int32(c), Message: msg}}
}

// Newf is New with a message made by fmt.Sprintf.
func Newf(c codes.Code, format string, a ...any) *Status {
	return New(c, fmt.Sprintf(format, a...))
}

// FromProto returns a status with a copy of p.
func FromProto(p *spb.Status) *Status {
	s := &Status{}
	if p != nil {
		proto.Merge(&s.pb, p)
	}
	return s
}

// Error returns an error with the code and the message; nil if the code is OK.
func Error(c codes.Code, msg string) error {
	return New(c, msg).Err()
}

// Errorf is Error with a message made by fmt.Sprintf.
func Errorf(c codes.Code, format string, a ...any) error {
	return Error(c, fmt.Sprintf(format, a...))
}

// ErrorProto returns an error with a copy of p; nil if its code is OK.
func ErrorProto(p *spb.Status) error {
	return FromProto(p).Err()
}

// FromError returns the status that err stands for, and whether err carries one:
//   - nil: a nil Status, whose code is OK, and true;
//   - an error with a method GRPCStatus() *Status: what that returns, and true;
//   - an error that wraps such an error: a copy of what that returns, with err.Error() as its message, and true;
//   - any other, also one whose GRPCStatus returns nil: Unknown with err.Error() as its message, and false.
//
// Wrapped errors are looked for as errors.As does; the first one with the method counts.
func FromError(err error) (*Status, bool) {
	if err == nil {
		return nil, true
	}
	s := carried(err)
	if s == nil {
		return New(codes.Unknown, err.Error()), false
	}
	if _, direct := err.(carrier); direct {
		return s, true
	}
	outer := FromProto(&s.pb)
	outer.pb.Message = err.Error()
	return outer, true
}

// Convert is FromError without the second result.
func Convert(err error) *Status {
	s, _ := FromError(err)
	return s
}

// Code returns the code of the status that err stands for, as FromError finds it: OK for nil, Unknown for an error without status.
func Code(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	if s := carried(err); s != nil {
		return s.Code()
	}
	return codes.Unknown
}

// FromContextError returns DeadlineExceeded if err is or wraps context.DeadlineExceeded, Canceled if it is or wraps context.Canceled, else
// Unknown, with err.Error() as the message. For nil it returns nil. Use it for errors of contexts and of what waits for contexts.
func FromContextError(err error) *Status {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return New(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return New(codes.Canceled, err.Error())
	}
	return New(codes.Unknown, err.Error())
}

// Code returns the status's code.
func (s *Status) Code() codes.Code {
	if s == nil {
		return codes.OK
	}
	return codes.Code(s.pb.Code)
}

// Message returns the status's message.
func (s *Status) Message() string {
	if s == nil {
		return ""
	}
	return s.pb.Message
}

// Details returns the status's details, decoded into the message types that this program knows. Where a detail cannot be decoded, the error
// stands in its place.
func (s *Status) Details() []any {
	if s == nil {
		return nil
	}
	details := make([]any, len(s.pb.Details))
	for i, packed := range s.pb.Details {
		if m, err := packed.UnmarshalNew(); err != nil {
			details[i] = err
		} else {
			details[i] = protoadapt.MessageV1Of(m) // a first-generation message as the type that was given to WithDetails
		}
	}
	return details
}

// WithDetails returns a status with the given messages after the details of s. It fails if the code is OK, or if a message cannot
// be encoded.
func (s *Status) WithDetails(details ...protoadapt.MessageV1) (*Status, error) {
	if s.Code() == codes.OK {
		return nil, errors.New("no error details for status with code OK")
	}
	with := FromProto(&s.pb)
	for _, m := range details {
		packed, err := anypb.New(protoadapt.MessageV2Of(m))
		if err != nil {
			return nil, err
		}
		with.pb.Details = append(with.pb.Details, packed)
	}
	return with, nil
}

// Proto returns a copy of the status as a protobuf message; nil for nil.
func (s *Status) Proto() *spb.Status {
	if s == nil {
		return nil
	}
	return proto.Clone(&s.pb).(*spb.Status)
}

// Err returns the status as an error; nil if the code is OK. The error has the method GRPCStatus, which returns s, and errors.Is holds it
// equal to every error of this package with the same code, message and details.
func (s *Status) Err() error {
	if s.Code() == codes.OK {
		return nil
	}
	return (*statusError)(s)
}

// String returns the text that the error of Err has too: "rpc error: code = NotFound desc = no such file".
func (s *Status) String() string {
	return "rpc error: code = " + s.Code().String() + " desc = " + s.Message()
}

// statusError is a Status that is an error: the same memory under another method set. Its code is not OK.
type statusError Status

func (e *statusError) Error() string {
	return e.GRPCStatus().String()
}

// GRPCStatus returns the status of the error.
func (e *statusError) GRPCStatus() *Status {
	return (*Status)(e)
}

// Is makes errors.Is compare by content.
func (e *statusError) Is(target error) bool {
	t, ok := target.(*statusError)
	return ok && proto.Equal(&e.pb, &t.pb)
}

// carrier is an error that knows its status. Other packages have such errors of their own.
type carrier interface {
	GRPCStatus() *Status
}

// carried returns the status of err, or of the first error in its tree that is a carrier; nil if there is none.
func carried(err error) *Status {
	if c, ok := err.(carrier); ok { // the common case, without the cost of errors.As
		return c.GRPCStatus()
	}
	var c carrier
	if errors.As(err, &c) {
		return c.GRPCStatus()
	}
	return nil
}
