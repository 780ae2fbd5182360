// Labels that a server gives to the goroutines of its handlers, for profiles, if the environment asks for them. The environment is read when
// the process starts, so each case is a child: this test binary.

package behaviour

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/test/parity/internal/echo"
)

const labelsVariable = "GRPC_GO_SERVER_GOROUTINE_LABELS"

var labelLine = regexp.MustCompile(`(?m)^# labels: (\{.*\})$`)

// labelled prints the labels that goroutines have during a call of each kind, and after it.
func labelled(t *testing.T) {
	labels := func() string {
		var b bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range labelLine.FindAllStringSubmatch(b.String(), -1) {
			all = append(all, m[1])
		}
		return strings.Join(all, " ")
	}
	var during string
	p := start(t, setup{service: &echo.Service{OnUnary: func(ctx context.Context, in *echo.Text) (*echo.Text, error) {
		v, ok := pprof.Label(ctx, "grpc.method")
		during = fmt.Sprint(labels(), " in context: ", v, " ", ok)
		return in, nil
	}}})
	unary(within(t), p.cc, "x")
	fmt.Println("RESULT", during)
	p.server.GracefulStop()
	after := labels()
	for limit := time.Now().Add(patience); after != "" && time.Now().Before(limit); after = labels() {
		runtime.Gosched() // the goroutine may end a little later than the stop
	}
	fmt.Println("RESULT", after)
}

func TestLabelsOfHandlers(t *testing.T) {
	if os.Getenv(childVariable) == "labels" {
		labelled(t)
		return
	}
	const none = "in context:  false |"
	const method = `{"grpc.method":"/parity.Echo/Unary"} in context: /parity.Echo/Unary true |` // and none when the call is over
	for value, want := range map[string]string{
		"": none, "all": method, "ALL": method, "grpc.method=true": method, "grpc.method=TRUE": method, "x,grpc.method=true": method,
		"grpc.method": none, "grpc.method=false": none, "true": none, "all,x": none, " all": none,
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestLabelsOfHandlers$")
		child.Env = append(os.Environ(), childVariable+"=labels", labelsVariable+"="+value)
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			if s, ok := strings.CutPrefix(line, "RESULT"); ok {
				got = append(got, strings.TrimSpace(s))
			}
		}
		if got := strings.TrimSpace(strings.Join(got, " | ")); got != want {
			t.Errorf("%s=%q: got %s, want %s", labelsVariable, value, got, want)
		}
	}
}
