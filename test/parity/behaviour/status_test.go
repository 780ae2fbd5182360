// How an error of a handler reaches the caller: code, message, details.

package behaviour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// failing is a service whose every method fails with what err returns.
func failing(err func() error) *echo.Service {
	return &echo.Service{
		OnUnary:        func(context.Context, *echo.Text) (*echo.Text, error) { return nil, err() },
		OnClientStream: func(grpc.ServerStream) error { return err() },
		OnServerStream: func(*echo.Text, grpc.ServerStream) error { return err() },
		OnBidi:         func(grpc.ServerStream) error { return err() },
	}
}

func TestCodesArriveAsTheyWereReturned(t *testing.T) {
	var code codes.Code
	p := start(t, setup{service: failing(func() error { return status.Error(code, "why") })})
	for i, want := range codeTexts {
		code = codes.Code(i + 1)
		if i >= 18 {
			code = []codes.Code{1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1}[i-18]
		}
		t.Run(fmt.Sprint(uint32(code)), func(t *testing.T) { equal(t, result(unary(within(t), p.cc, "x")), want) })
	}
}

// codeTexts are the errors of codes 1 to 18, and of four large ones.
var codeTexts = []string{
	"rpc error: code = Canceled desc = why",
	"rpc error: code = Unknown desc = why",
	"rpc error: code = InvalidArgument desc = why",
	"rpc error: code = DeadlineExceeded desc = why",
	"rpc error: code = NotFound desc = why",
	"rpc error: code = AlreadyExists desc = why",
	"rpc error: code = PermissionDenied desc = why",
	"rpc error: code = ResourceExhausted desc = why",
	"rpc error: code = FailedPrecondition desc = why",
	"rpc error: code = Aborted desc = why",
	"rpc error: code = OutOfRange desc = why",
	"rpc error: code = Unimplemented desc = why",
	"rpc error: code = Internal desc = why",
	"rpc error: code = Unavailable desc = why",
	"rpc error: code = DataLoss desc = why",
	"rpc error: code = Unauthenticated desc = why",
	"rpc error: code = Code(17) desc = why",
	"rpc error: code = Code(18) desc = why",
	"rpc error: code = Code(1048576) desc = why",
	"rpc error: code = Code(2147483647) desc = why",
	`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "2147483648": value out of range`,
	`rpc error: code = Unknown desc = transport: malformed grpc-status: strconv.ParseInt: parsing "4294967295": value out of range`,
}

func TestMessagesArriveAsTheyWereReturned(t *testing.T) {
	message := ""
	p := start(t, setup{service: failing(func() error { return status.Error(codes.NotFound, message) })})
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", "rpc error: code = NotFound desc = "},
		{"blank", " ", "rpc error: code = NotFound desc =  "},
		{"blanks around", "  a  ", "rpc error: code = NotFound desc =   a  "},
		{"newline", "a\nb\r\nc", "rpc error: code = NotFound desc = a\nb\r\nc"},
		{"percent", "100% %41 %zz %", "rpc error: code = NotFound desc = 100% %41 %zz %"},
		{"unicode", "héllo 世界 🚀", "rpc error: code = NotFound desc = héllo 世界 🚀"},
		{"control", "a\x00b\x7f", "rpc error: code = NotFound desc = a\x00b\x7f"},
		{"invalid UTF-8", "a\xff\xfeb", "rpc error: code = NotFound desc = a��b"},
		{"tilde and quotes", "~'\"`", "rpc error: code = NotFound desc = ~'\"`"},
		{"long", strings.Repeat("0123456789", 3000), "rpc error: code = NotFound desc = " + strings.Repeat("0123456789", 3000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			message = tc.in
			_, err := unary(within(t), p.cc, "x")
			equal(t, text(err), tc.want)
		})
	}
}

// grpcStatus is an error of a foreign type with a status of its own.
type grpcStatus struct{ s *status.Status }

func (e grpcStatus) Error() string              { return "foreign" }
func (e grpcStatus) GRPCStatus() *status.Status { return e.s }

func TestHandlerErrorsBecomeStatuses(t *testing.T) {
	var failure error
	p := start(t, setup{service: failing(func() error { return failure })})
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("boom"), "rpc error: code = Unknown desc = boom"},
		{"plain, empty", errors.New(""), "rpc error: code = Unknown desc = "},
		{"wrapped status", fmt.Errorf("outer: %w", status.Error(codes.Aborted, "inner")),
			"rpc error: code = Aborted desc = outer: rpc error: code = Aborted desc = inner"},
		{"joined status", errors.Join(errors.New("a"), status.Error(codes.Aborted, "inner")),
			"rpc error: code = Aborted desc = a\nrpc error: code = Aborted desc = inner"},
		{"foreign status", grpcStatus{status.New(codes.DataLoss, "gone")}, "rpc error: code = DataLoss desc = gone"},
		{"foreign status that is nil", grpcStatus{nil}, "rpc error: code = Unknown desc = foreign"},
		{"wrapped foreign status that is nil", fmt.Errorf("outer: %w", grpcStatus{nil}), "rpc error: code = Unknown desc = outer: foreign"},
		{"wrapped foreign status", fmt.Errorf("outer: %w", grpcStatus{status.New(codes.DataLoss, "gone")}),
			"rpc error: code = DataLoss desc = outer: foreign"},
		{"context cancelled", context.Canceled, "rpc error: code = Canceled desc = context canceled"},
		{"context deadline", context.DeadlineExceeded, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"},
		{"wrapped context error", fmt.Errorf("outer: %w", context.DeadlineExceeded),
			"rpc error: code = DeadlineExceeded desc = outer: context deadline exceeded"},
		{"EOF", io.EOF, "rpc error: code = Unknown desc = EOF"},
		{"unexpected EOF", io.ErrUnexpectedEOF, "rpc error: code = Unknown desc = unexpected EOF"},
		{"file does not exist", os.ErrNotExist, "rpc error: code = Unknown desc = file does not exist"},
		{"closed pipe", io.ErrClosedPipe, "rpc error: code = Unknown desc = io: read/write on closed pipe"},
		{"server stopped", grpc.ErrServerStopped, "rpc error: code = Unknown desc = grpc: the server has been stopped"},
		{"client conn closing", grpc.ErrClientConnClosing, "rpc error: code = Canceled desc = grpc: the client connection is closing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			failure = tc.err
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
			equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), tc.want)
		})
	}
}

func TestHandlerErrorThatClaimsToBeOK(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return grpcStatus{status.New(codes.OK, "fine")} })})
	equal(t, result(unary(within(t), p.cc, "x")),
		"rpc error: code = Internal desc = cardinality violation: received no response message from non-server-streaming RPC")
	equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi), "EOF")
}

func TestErrorsOfEachKindOfCall(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.OutOfRange, "too far") })})
	equal(t, converse(t, p.cc, echo.ClientStreamDesc, echo.ClientStream), "rpc error: code = OutOfRange desc = too far")
	equal(t, converse(t, p.cc, echo.ServerStreamDesc, echo.ServerStream, "x"), "rpc error: code = OutOfRange desc = too far")
}

func TestErrorAfterMessagesArrivesAfterThem(t *testing.T) {
	p := start(t, setup{service: &echo.Service{
		OnServerStream: func(_ *echo.Text, stream grpc.ServerStream) error {
			for _, s := range []string{"a", "b"} {
				if err := stream.SendMsg(echo.Of(s)); err != nil {
					return err
				}
			}
			return status.Error(codes.Aborted, "enough")
		},
		OnClientStream: func(stream grpc.ServerStream) error {
			if err := stream.SendMsg(echo.Of("answer")); err != nil {
				return err
			}
			return status.Error(codes.Aborted, "changed my mind")
		},
	}})
	equal(t, converse(t, p.cc, echo.ServerStreamDesc, echo.ServerStream, "x"), "a, b, rpc error: code = Aborted desc = enough")
	equal(t, converse(t, p.cc, echo.ClientStreamDesc, echo.ClientStream, "x"), "rpc error: code = Aborted desc = changed my mind")
}

func TestUnaryAnswerThatIsNil(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(context.Context, *echo.Text) (*echo.Text, error)
		want   string
	}{
		{"typed nil", func(context.Context, *echo.Text) (*echo.Text, error) { return nil, nil }, `""`},
		{"answer and error", func(context.Context, *echo.Text) (*echo.Text, error) {
			return echo.Of("x"), status.Error(codes.Aborted, "no")
		}, "rpc error: code = Aborted desc = no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{service: &echo.Service{OnUnary: tc.answer}})
			equal(t, result(unary(within(t), p.cc, "x")), tc.want)
		})
	}
}

func TestUnaryHandlerThatReturnsUntypedNil(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{grpc.UnaryInterceptor(
		func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { return nil, nil },
	)}})
	equal(t, result(unary(within(t), p.cc, "x")), `""`)
}

func TestHandlerThatAnswersWithSomethingElse(t *testing.T) {
	p := start(t, setup{server: []grpc.ServerOption{grpc.UnaryInterceptor(
		func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return "no message", nil
		},
	)}})
	equal(t, result(unary(within(t), p.cc, "x")),
		"rpc error: code = Internal desc = grpc: error while marshaling: proto: failed to marshal, message is string, want proto.Message")
}

func TestDetailsArrive(t *testing.T) {
	base := status.New(codes.FailedPrecondition, "detailed")
	detailed, err := base.WithDetails(
		&errdetails.RetryInfo{},
		&errdetails.ErrorInfo{Reason: "R", Domain: "d.example", Metadata: map[string]string{"k": "v"}},
		wrapperspb.Bool(true),
	)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, setup{service: failing(detailed.Err)})
	_, err = unary(within(t), p.cc, "x")
	s := status.Convert(err)
	got := []string{s.Code().String(), s.Message()}
	for _, d := range s.Details() {
		got = append(got, fmt.Sprintf("%T", d))
	}
	equal(t, strings.Join(got, " "), "FailedPrecondition detailed *errdetails.RetryInfo *errdetails.ErrorInfo *wrapperspb.BoolValue")
	info, ok := s.Details()[1].(*errdetails.ErrorInfo)
	if !ok || info.Metadata["k"] != "v" || info.Reason != "R" {
		t.Errorf("got second detail %v", s.Details()[1])
	}
	if !errors.Is(err, detailed.Err()) {
		t.Errorf("got an error that is not equal to the one returned by the handler: %v", err)
	}
}

func TestDetailsOfAnOKStatus(t *testing.T) {
	_, err := status.New(codes.OK, "").WithDetails(wrapperspb.Bool(true))
	equal(t, text(err), "no error details for status with code OK")
}

func TestErrorIsAStatusForEveryWayToAsk(t *testing.T) {
	p := start(t, setup{service: failing(func() error { return status.Error(codes.NotFound, "none") })})
	_, err := unary(within(t), p.cc, "x")
	s, ok := status.FromError(err)
	wrapped, okWrapped := status.FromError(fmt.Errorf("calling: %w", err))
	equal(t, fmt.Sprintf("%v %v %v %v", ok, s.Code(), s.Message(), status.Code(err)), "true NotFound none NotFound")
	equal(t, fmt.Sprintf("%v %v %v", okWrapped, wrapped.Code(), wrapped.Message()), "true NotFound calling: rpc error: code = NotFound desc = none")
}
