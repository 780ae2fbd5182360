// Which fault of a request is named if it has two.

package behaviour

import (
	"strings"
	"testing"

	"google.golang.org/grpc/test/parity/internal/echo"
)

// A requestFault makes a request wrong.
type requestFault struct {
	name  string
	field string   // left out
	more  []string // instead, or besides
	want  string   // the beginning of the answer, behind HEADERS and :status
}

// requestFaults are in the order in which they count.
var requestFaults = []requestFault{
	{"two hosts", "", []string{"host", "a", "host", "b"}, "400 grpc-status=13 grpc-message=num values of :authority"},
	{"content-type", "content-type", []string{"content-type", "text/html"}, "415 grpc-status=3 grpc-message=invalid gRPC request"},
	{"binary", "", []string{"x-bin", "*"}, "400 grpc-status=13 grpc-message=malformed binary metadata"},
	{"timeout", "", []string{"grpc-timeout", "1x"}, "400 grpc-status=13 grpc-message=malformed grpc-timeout"},
	{"no authority", ":authority", nil, "400 grpc-status=13 grpc-message=no host or :authority"},
	{"method", ":method", []string{":method", "GET"}, "405 grpc-status=13 grpc-message=Received a HEADERS"},
	{"timeout that has passed", "", []string{"grpc-timeout", "0n"}, "200 grpc-status=4 grpc-message=context deadline"},
	{"unknown service", ":path", []string{":path", "/a/b"}, "200 grpc-status=12 grpc-message=unknown service"},
}

// with returns the request with the fault. Pseudo-header fields come first.
func (f requestFault) with(header []string) []string {
	var out []string
	for i := 0; i < len(header); i += 2 {
		if header[i] != f.field {
			out = append(out, header[i], header[i+1])
		}
	}
	if strings.HasPrefix(f.field, ":") {
		return append(append([]string(nil), f.more...), out...)
	}
	return append(out, f.more...)
}

func TestFirstFaultOfARequest(t *testing.T) {
	p := start(t, setup{})
	for i, first := range requestFaults {
		for _, second := range requestFaults[i+1:] {
			switch {
			case strings.HasPrefix(first.name, "timeout") && strings.HasPrefix(second.name, "timeout"):
				continue // a request has one timeout
			case first.name == "binary" && second.name == "timeout":
				continue // v1.85.0 names the one that comes later
			}
			t.Run(first.name+" and "+second.name, func(t *testing.T) {
				conn := rawClient(t, p)
				conn.Headers(1, true, second.with(first.with(request(echo.Unary)))...)
				got := strings.Replace(conn.Transcript(1), "content-type=application/grpc ", "", 1)
				if !strings.HasPrefix(got, "HEADERS :status="+first.want) {
					t.Errorf("got %q, want %q", got, first.want)
				}
			})
		}
	}
}
