// Statuses as errors and back, details, and the status of errors of every kind.

package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// foreign is an error of another package that knows its status.
type foreign struct {
	status *Status
	inner  error
}

func (f foreign) Error() string       { return "foreign" }
func (f foreign) GRPCStatus() *Status { return f.status }
func (f foreign) Unwrap() error       { return f.inner }

func mustHaveDetails(t *testing.T, s *Status, details ...protoadapt.MessageV1) *Status {
	t.Helper()
	s, err := s.WithDetails(details...)
	if err != nil {
		t.Fatalf("WithDetails: got error %v, want none", err)
	}
	return s
}

func TestText(t *testing.T) {
	tests := []struct {
		status *Status
		want   string
	}{
		{nil, "rpc error: code = OK desc = "},
		{&Status{}, "rpc error: code = OK desc = "},
		{New(codes.OK, "fine"), "rpc error: code = OK desc = fine"},
		{New(codes.NotFound, "no such\nfile"), "rpc error: code = NotFound desc = no such\nfile"},
		{Newf(codes.Internal, "%d%%", 3), "rpc error: code = Internal desc = 3%"},
		{New(17, ""), "rpc error: code = Code(17) desc = "},
		{New(math.MaxUint32, "m"), "rpc error: code = Code(4294967295) desc = m"},
		{FromProto(&spb.Status{Code: -1}), "rpc error: code = Code(4294967295) desc = "},
	}
	for _, test := range tests {
		if got := test.status.String(); got != test.want {
			t.Errorf("String: got %q, want %q", got, test.want)
		}
		if err := test.status.Err(); err != nil && err.Error() != test.want {
			t.Errorf("Error: got %q, want %q", err, test.want)
		}
	}
}

func TestErrorsOfOKAreNil(t *testing.T) {
	tests := map[string]error{
		"Err":            New(codes.OK, "m").Err(),
		"Err of nil":     (*Status)(nil).Err(),
		"Error":          Error(codes.OK, "m"),
		"Errorf":         Errorf(codes.OK, "%d", 1),
		"ErrorProto":     ErrorProto(&spb.Status{Message: "m"}),
		"ErrorProto nil": ErrorProto(nil),
	}
	for name, err := range tests {
		if err != nil {
			t.Errorf("%s: got %v, want nil", name, err)
		}
	}
}

func TestConstructorsAgree(t *testing.T) {
	tests := map[string]error{
		"Error":      Error(codes.NotFound, "m 1"),
		"Errorf":     Errorf(codes.NotFound, "m %d", 1),
		"ErrorProto": ErrorProto(&spb.Status{Code: 5, Message: "m 1"}),
		"Newf":       Newf(codes.NotFound, "m %d", 1).Err(),
	}
	want := New(codes.NotFound, "m 1").Err()
	for name, err := range tests {
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

func TestNilStatus(t *testing.T) {
	var s *Status
	if s.Code() != codes.OK || s.Message() != "" || s.Proto() != nil || s.Details() != nil {
		t.Errorf("got %v, %q, %v, %v, want OK and nothing", s.Code(), s.Message(), s.Proto(), s.Details())
	}
}

func TestProtosAreCopied(t *testing.T) {
	p := &spb.Status{Code: 5, Message: "m"}
	s := FromProto(p)
	p.Message = "changed"
	s.Proto().Message = "changed"
	if want := (&spb.Status{Code: 5, Message: "m"}); !proto.Equal(s.Proto(), want) {
		t.Errorf("got %v, want %v", s.Proto(), want)
	}
	if got := FromProto(nil); got.Code() != codes.OK || got.Message() != "" {
		t.Errorf("FromProto(nil): got %v, want an empty status", got)
	}
}

func TestFromError(t *testing.T) {
	notFound := Error(codes.NotFound, "nf")
	const notFoundText = "rpc error: code = NotFound desc = nf"
	tests := []struct {
		name string
		err  error
		code codes.Code
		msg  string
		ok   bool
	}{
		{"nil", nil, codes.OK, "", true},
		{"plain", errors.New("plain"), codes.Unknown, "plain", false},
		{"context", context.Canceled, codes.Unknown, "context canceled", false},
		{"status", notFound, codes.NotFound, "nf", true},
		{"wrapped", fmt.Errorf("w: %w", notFound), codes.NotFound, "w: " + notFoundText, true},
		{"wrapped twice", fmt.Errorf("v: %w", fmt.Errorf("w: %w", notFound)), codes.NotFound, "v: w: " + notFoundText, true},
		{"joined", errors.Join(io.EOF, notFound, Error(codes.Internal, "i")), codes.NotFound,
			"EOF\n" + notFoundText + "\nrpc error: code = Internal desc = i", true},
		{"foreign", foreign{status: New(codes.Aborted, "a")}, codes.Aborted, "a", true},
		{"wrapped foreign", fmt.Errorf("w: %w", foreign{status: New(codes.Aborted, "a")}), codes.Aborted, "w: foreign", true},
		{"foreign OK", foreign{status: New(codes.OK, "m")}, codes.OK, "m", true},
		{"wrapped foreign OK", fmt.Errorf("w: %w", foreign{status: New(codes.OK, "")}), codes.OK, "w: foreign", true},
		{"foreign zero", foreign{status: &Status{}}, codes.OK, "", true},
		{"wrapped foreign zero", fmt.Errorf("w: %w", foreign{status: &Status{}}), codes.OK, "w: foreign", true},
		{"foreign nil", foreign{}, codes.Unknown, "foreign", false},
		{"wrapped foreign nil", fmt.Errorf("w: %w", foreign{}), codes.Unknown, "w: foreign", false},
		{"foreign nil hides what it wraps", foreign{inner: notFound}, codes.Unknown, "foreign", false},
		{"foreign nil hides its right neighbour", errors.Join(foreign{}, notFound), codes.Unknown, "foreign\n" + notFoundText, false},
	}
	for _, test := range tests {
		s, ok := FromError(test.err)
		if s.Code() != test.code || s.Message() != test.msg || ok != test.ok {
			t.Errorf("%s: got %v, %q, %v, want %v, %q, %v", test.name, s.Code(), s.Message(), ok, test.code, test.msg, test.ok)
		}
		if got := Code(test.err); got != test.code {
			t.Errorf("%s: Code: got %v, want %v", test.name, got, test.code)
		}
		if got := Convert(test.err); got.Code() != test.code || got.Message() != test.msg {
			t.Errorf("%s: Convert: got %v, want %v, %q", test.name, got, test.code, test.msg)
		}
	}
	if s, _ := FromError(nil); s != nil {
		t.Errorf("FromError(nil): got %v, want a nil status", s)
	}
}

func TestFromErrorOfWrappedKeepsDetailsAndOriginal(t *testing.T) {
	inner := mustHaveDetails(t, New(codes.NotFound, "nf"), wrapperspb.String("x"))
	outer := Convert(fmt.Errorf("w: %w", inner.Err()))
	if len(outer.Details()) != 1 || outer.Message() != "w: rpc error: code = NotFound desc = nf" {
		t.Errorf("got %v with %d details, want the whole text and 1 detail", outer, len(outer.Details()))
	}
	if inner.Message() != "nf" {
		t.Errorf("wrapped status: got message %q, want it unchanged", inner.Message())
	}
	if got := Convert(inner.Err()); got != inner {
		t.Errorf("direct: got %p, want the status itself, %p", got, inner)
	}
}

func TestErrorsIs(t *testing.T) {
	base := Error(codes.NotFound, "nf")
	detailed := mustHaveDetails(t, Convert(base), wrapperspb.String("x")).Err()
	tests := []struct {
		name        string
		err, target error
		want        bool
	}{
		{"equal", base, Error(codes.NotFound, "nf"), true},
		{"wrapped", fmt.Errorf("w: %w", base), Error(codes.NotFound, "nf"), true},
		{"equal details", detailed, mustHaveDetails(t, Convert(base), wrapperspb.String("x")).Err(), true},
		{"other code", base, Error(codes.Internal, "nf"), false},
		{"other message", base, Error(codes.NotFound, "x"), false},
		{"other details", detailed, base, false},
		{"foreign", base, foreign{status: New(codes.NotFound, "nf")}, false},
		{"plain", base, io.EOF, false},
	}
	for _, test := range tests {
		if got := errors.Is(test.err, test.target); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestFromContextError(t *testing.T) {
	tests := []struct {
		err  error
		code codes.Code
	}{
		{context.Canceled, codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{fmt.Errorf("w: %w", context.Canceled), codes.Canceled},
		{fmt.Errorf("%w, %w", context.Canceled, context.DeadlineExceeded), codes.DeadlineExceeded},
		{os.ErrDeadlineExceeded, codes.Unknown},
		{Error(codes.NotFound, "nf"), codes.Unknown},
	}
	for _, test := range tests {
		if got := FromContextError(test.err); got.Code() != test.code || got.Message() != test.err.Error() {
			t.Errorf("%v: got %v, want code %v and the whole text", test.err, got, test.code)
		}
	}
	if got := FromContextError(nil); got != nil {
		t.Errorf("nil: got %v, want nil", got)
	}
}

func TestWithDetails(t *testing.T) {
	base := New(codes.NotFound, "nf")
	one := mustHaveDetails(t, base, wrapperspb.String("x"))
	two := mustHaveDetails(t, one, &errdetails.RequestInfo{RequestId: "7"})
	if n := [3]int{len(base.Details()), len(one.Details()), len(two.Details())}; n != [3]int{0, 1, 2} {
		t.Fatalf("numbers of details: got %v, want [0 1 2]", n)
	}
	if got, ok := two.Details()[0].(*wrapperspb.StringValue); !ok || got.Value != "x" {
		t.Errorf("first detail: got %v, want x", two.Details()[0])
	}
	if got, ok := two.Details()[1].(*errdetails.RequestInfo); !ok || got.RequestId != "7" {
		t.Errorf("second detail: got %v, want request 7", two.Details()[1])
	}
	if same := mustHaveDetails(t, base); same.Code() != codes.NotFound || same.Message() != "nf" {
		t.Errorf("no details: got %v, want %v", same, base)
	}
}

// firstGeneration is a message as golang/protobuf's generator made them before 2020: no ProtoReflect.
type firstGeneration struct {
	A string `protobuf:"bytes,1,opt,name=a"`
}

func (m *firstGeneration) Reset()         { *m = firstGeneration{} }
func (m *firstGeneration) String() string { return m.A }
func (*firstGeneration) ProtoMessage()    {}

func TestWithDetailsOfUnregisteredFirstGenerationMessage(t *testing.T) {
	s := mustHaveDetails(t, New(codes.NotFound, ""), &firstGeneration{A: "x"})
	if got, want := string(s.Proto().Details[0].Value), "\n\x01x"; got != want {
		t.Errorf("encoded: got %q, want %q", got, want)
	}
	if err, ok := s.Details()[0].(error); !ok {
		t.Errorf("decoded: got %v, want an error, for nobody knows the type", err)
	}
}

func TestWithDetailsRefuses(t *testing.T) {
	const noDetails = "no error details for status with code OK"
	tests := []struct {
		name   string
		status *Status
		detail protoadapt.MessageV1
		want   string // "" for any
	}{
		{"nil status", nil, wrapperspb.String("x"), noDetails},
		{"OK", New(codes.OK, "m"), wrapperspb.String("x"), noDetails},
		{"nil detail", New(codes.Internal, ""), nil, ""},
		{"invalid UTF-8", New(codes.Internal, ""), wrapperspb.String("\xff"), ""},
	}
	for _, test := range tests {
		s, err := test.status.WithDetails(test.detail)
		if s != nil || err == nil || test.want != "" && err.Error() != test.want {
			t.Errorf("%s: got %v, %v, want nil and error %q", test.name, s, err, test.want)
		}
	}
}

func TestDetailsThatCannotBeDecoded(t *testing.T) {
	good, err := anypb.New(wrapperspb.String("x"))
	if err != nil {
		t.Fatal(err)
	}
	s := FromProto(&spb.Status{Code: 13, Details: []*anypb.Any{
		{TypeUrl: "type.googleapis.com/no.such.Message"},
		{TypeUrl: good.TypeUrl, Value: []byte{0xff}},
		{},
		nil,
		good,
	}})
	details := s.Details()
	if len(details) != 5 {
		t.Fatalf("got %d details, want 5", len(details))
	}
	for i, d := range details[:4] {
		if _, ok := d.(error); !ok {
			t.Errorf("detail %d: got %v, want an error", i, d)
		}
	}
	if got, ok := details[4].(*wrapperspb.StringValue); !ok || got.Value != "x" {
		t.Errorf("last detail: got %v, want x", details[4])
	}
}

func TestAllocations(t *testing.T) {
	s := New(codes.NotFound, "nf")
	err := s.Err()
	tests := []struct {
		name string
		want float64
		f    func()
	}{
		{"New", 1, func() { escape = New(codes.NotFound, "nf") }},
		{"Error", 1, func() { escapeError = Error(codes.NotFound, "nf") }},
		{"Err", 0, func() { escapeError = s.Err() }},
		{"FromError", 0, func() { escape, _ = FromError(err) }},
		{"Code", 0, func() { Code(err) }},
	}
	for _, test := range tests {
		if got := testing.AllocsPerRun(100, test.f); got != test.want {
			t.Errorf("%s: got %v allocations, want %v", test.name, got, test.want)
		}
	}
}

// What is stored here cannot live on the stack.
var (
	escape      *Status
	escapeError error
)

func ExampleError() {
	find := func(name string) error {
		return Error(codes.NotFound, "no file "+name)
	}
	err := find("a.txt")
	fmt.Println(err)
	fmt.Println(Code(err) == codes.NotFound, Convert(err).Message())
	// Output:
	// rpc error: code = NotFound desc = no file a.txt
	// true no file a.txt
}

func ExampleStatus_WithDetails() {
	s, err := New(codes.InvalidArgument, "bad name").WithDetails(&errdetails.ErrorInfo{Reason: "NAME_TOO_LONG"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range Convert(s.Err()).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			fmt.Println(info.Reason)
		}
	}
	// Output: NAME_TOO_LONG
}
