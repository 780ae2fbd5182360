// Registering services: what ends the process, and what the server then says of itself.
// A fatal log ends the process, so those cases run in a child: this test binary, told by an environment variable what to do.

package behaviour

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/test/parity/internal/echo"
)

const childVariable = "PARITY_CHILD"

// typed is a service whose implementations must have a method Do.
var typed = grpc.ServiceDesc{ServiceName: "parity.Typed", HandlerType: (*interface{ Do() })(nil)}

// fatal are the deeds of a child, by name.
func fatal(name string) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(os.Stderr, os.Stderr, os.Stderr))
	server := grpc.NewServer()
	switch name {
	case "twice":
		server.RegisterService(&echo.Desc, &echo.Service{})
		server.RegisterService(&echo.Desc, &echo.Service{})
	case "after Serve":
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		lis.Close()
		server.Serve(lis)
		server.RegisterService(&echo.Desc, &echo.Service{})
	case "wrong type":
		server.RegisterService(&typed, &echo.Service{})
	case "nil implementation":
		server.RegisterService(&typed, nil)
	}
	fmt.Fprintln(os.Stderr, "survived")
}

func TestRegistrationsThatEndTheProcess(t *testing.T) {
	if name, ok := os.LookupEnv(childVariable); ok {
		fatal(name)
		return
	}
	for _, tc := range []struct{ name, want string }{
		{"twice", `exit 1: FATAL: [core] grpc: Server.RegisterService found duplicate service registration for "parity.Echo"`},
		{"after Serve", `exit 1: FATAL: [core] grpc: Server.RegisterService after Server.Serve for "parity.Echo"`},
		{"wrong type",
			"exit 1: FATAL: [core] grpc: Server.RegisterService found the handler of type *echo.Service that does not satisfy interface { Do() }"},
		{"nil implementation", "exit 0: survived"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestRegistrationsThatEndTheProcess$")
			child.Env = append(os.Environ(), childVariable+"="+tc.name)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			code := 0
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			equal(t, fmt.Sprintf("exit %d: %s", code, lastLog(string(out))), tc.want)
		})
	}
}

var logHead = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)

// lastLog returns the last log line without its date, or the line that says that there was no end.
func lastLog(out string) string {
	last := ""
	for _, line := range strings.Split(out, "\n") {
		if logHead.MatchString(line) || line == "survived" {
			last = logHead.ReplaceAllString(line, "")
		}
	}
	return last
}

func TestRegisteringANilImplementationSkipsTheTypeCheck(t *testing.T) {
	server := grpc.NewServer()
	server.RegisterService(&typed, nil)
	equal(t, services(server), "parity.Typed [] <nil>")
}

func TestServiceInfo(t *testing.T) {
	server := grpc.NewServer()
	equal(t, services(server), "")
	server.RegisterService(&echo.Desc, &echo.Service{})
	equal(t, services(server),
		"parity.Echo [{Name:Bidi IsClientStream:true IsServerStream:true} {Name:ClientStream IsClientStream:true IsServerStream:false} {Name:ServerStream IsClientStream:false IsServerStream:true} {Name:Unary IsClientStream:false IsServerStream:false}] parity/echo.proto")
}

// services shows GetServiceInfo. Methods of one kind are in no order.
func services(server *grpc.Server) string {
	var all []string
	for name, info := range server.GetServiceInfo() {
		var methods []string
		for _, m := range info.Methods {
			methods = append(methods, fmt.Sprintf("%+v", m))
		}
		slices.Sort(methods)
		all = append(all, fmt.Sprintf("%s %v %v", name, methods, info.Metadata))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
