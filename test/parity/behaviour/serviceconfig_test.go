// Service config given by an option: what it sets for calls, and what GetMethodConfig returns of it.

package behaviour

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/test/parity/internal/echo"
)

// configured makes a pair whose channel has a default service config.
func configured(t *testing.T, json string, service *echo.Service, opts ...grpc.DialOption) *pair {
	t.Helper()
	return start(t, setup{service: service, client: append(opts, grpc.WithDefaultServiceConfig(json))})
}

func TestMethodConfigOfMethods(t *testing.T) {
	p := configured(t, `{"methodConfig": [
		{"name": [{"service": "parity.Echo", "method": "Unary"}], "timeout": "1.5s", "waitForReady": true},
		{"name": [{"service": "parity.Echo"}], "maxRequestMessageBytes": 10, "maxResponseMessageBytes": 20},
		{"name": [{}], "timeout": "3s"}
	]}`, nil)
	reach(t, p.cc, connectivity.Ready)
	for _, tc := range []struct{ method, want string }{
		{"/parity.Echo/Unary", "1.5s, waitForReady true"},
		{"/parity.Echo/Bidi", "request 10, response 20"},
		{"/other.Service/Method", "3s"},
		{"malformed", "3s"},
		{"", "3s"},
	} {
		t.Run(tc.method, func(t *testing.T) { equal(t, methodConfig(p.cc.GetMethodConfig(tc.method)), tc.want) })
	}
}

// methodConfig shows a method config.
func methodConfig(c grpc.MethodConfig) string {
	var parts []string
	if c.Timeout != nil {
		parts = append(parts, c.Timeout.String())
	}
	if c.WaitForReady != nil {
		parts = append(parts, fmt.Sprint("waitForReady ", *c.WaitForReady))
	}
	if c.MaxReqSize != nil {
		parts = append(parts, fmt.Sprint("request ", *c.MaxReqSize))
	}
	if c.MaxRespSize != nil {
		parts = append(parts, fmt.Sprint("response ", *c.MaxRespSize))
	}
	if c.RetryPolicy != nil {
		parts = append(parts, fmt.Sprintf("%+v", *c.RetryPolicy))
	}
	return strings.Join(parts, ", ")
}

// goTypes matches the names of Go types in encoding/json's errors: they are the inside's.
var goTypes = regexp.MustCompile(`(into Go (?:struct field|value)).*`)

func TestServiceConfigErrors(t *testing.T) {
	policy := func(s string) string {
		return `{"methodConfig": [{"name": [{"service": "s"}], "retryPolicy": {` + s + `}}]}`
	}
	for _, tc := range []struct{ name, json, want string }{
		{"empty object", "{}", "<nil>"},
		{"null", "null", "<nil>"},
		{"array", "[]", "grpc: the provided default service config is invalid: json: cannot unmarshal array into Go value …"},
		{"trailing garbage", "{} x", "grpc: the provided default service config is invalid: invalid character 'x' after top-level value"},
		{"unknown field", `{"nobody": 1}`, "<nil>"},
		{"policy by old name", `{"loadBalancingPolicy": "round_robin"}`, "<nil>"},
		{"unknown policy by old name", `{"loadBalancingPolicy": "none_such"}`, "<nil>"},
		{"policy", `{"loadBalancingConfig": [{"round_robin": {}}]}`, "<nil>"},
		{"second policy", `{"loadBalancingConfig": [{"none_such": {}}, {"pick_first": {}}]}`, "<nil>"},
		{"two policies in one", `{"loadBalancingConfig": [{"round_robin": {}, "pick_first": {}}]}`,
			"grpc: the provided default service config is invalid: expected a JSON struct with one entry; received entry map[pick_first:[123 125] round_robin:[123 125]] at index 0"},
		{"policy config that is bad", `{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": 5}}]}`,
			`grpc: the provided default service config is invalid: error parsing config for policy "pick_first": pickfirst: unable to unmarshal LB policy config: {"shuffleAddressList": 5}, error: json: cannot unmarshal number into Go struct field …`},
		{"method without service", `{"methodConfig": [{"name": [{"method": "m"}]}]}`,
			"grpc: the provided default service config is invalid: cannot combine empty 'service' and non-empty 'method'"},
		{"method twice", `{"methodConfig": [{"name": [{"service": "s"}]}, {"name": [{"service": "s"}]}]}`,
			"grpc: the provided default service config is invalid: duplicated name"},
		{"no name", `{"methodConfig": [{"timeout": "1s"}]}`, "<nil>"},
		{"timeout without unit", `{"methodConfig": [{"name": [{}], "timeout": "1"}]}`,
			`grpc: the provided default service config is invalid: malformed duration "1": missing seconds unit`},
		{"timeout that is a number", `{"methodConfig": [{"name": [{}], "timeout": 1}]}`,
			"grpc: the provided default service config is invalid: json: cannot unmarshal number into Go struct field …"},
		{"timeout with many decimals", `{"methodConfig": [{"name": [{}], "timeout": "1.0123456789s"}]}`,
			`grpc: the provided default service config is invalid: malformed duration "1.0123456789s": too many digits after decimal`},
		{"negative timeout", `{"methodConfig": [{"name": [{}], "timeout": "-1s"}]}`, "<nil>"},
		{"huge timeout", `{"methodConfig": [{"name": [{}], "timeout": "315576000001s"}]}`,
			`grpc: the provided default service config is invalid: out of range: "315576000001s"`},
		{"size in a string", `{"methodConfig": [{"name": [{}], "maxResponseMessageBytes": "20"}]}`,
			"grpc: the provided default service config is invalid: json: cannot unmarshal string into Go struct field …"},
		{"negative size", `{"methodConfig": [{"name": [{}], "maxRequestMessageBytes": -1}]}`, "<nil>"},
		{"retry", policy(`"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE", 5]`),
			"<nil>"},
		{"retry, one attempt", policy(`"maxAttempts": 1, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]`),
			"grpc: the provided default service config is invalid: invalid retry policy (&{MaxAttempts:1 InitialBackoff:1s MaxBackoff:1s BackoffMultiplier:1 RetryableStatusCodes:[Unavailable]}): "},
		{"retry, no backoff", policy(`"maxAttempts": 2, "initialBackoff": "0s", "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]`),
			"grpc: the provided default service config is invalid: invalid retry policy (&{MaxAttempts:2 InitialBackoff:0s MaxBackoff:1s BackoffMultiplier:1 RetryableStatusCodes:[Unavailable]}): "},
		{"retry, no codes", policy(`"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": []`),
			"grpc: the provided default service config is invalid: invalid retry policy (&{MaxAttempts:2 InitialBackoff:1s MaxBackoff:1s BackoffMultiplier:1 RetryableStatusCodes:[]}): "},
		{"retry, unknown code", policy(`"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": ["NOBODY"]`),
			`grpc: the provided default service config is invalid: invalid code: "\"NOBODY\""`},
		{"retry, empty", policy(""),
			"grpc: the provided default service config is invalid: invalid retry policy (&{MaxAttempts:0 InitialBackoff:0s MaxBackoff:0s BackoffMultiplier:0 RetryableStatusCodes:[]}): "},
		{"throttling", `{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5}, "methodConfig": [{"name": [{}]}]}`, "<nil>"},
		{"throttling, too many tokens", `{"retryThrottling": {"maxTokens": 1001, "tokenRatio": 0.5}, "methodConfig": [{"name": [{}]}]}`,
			"grpc: the provided default service config is invalid: invalid retry throttling config: maxTokens (1001) out of range (0, 1000]"},
		{"throttling, no tokens", `{"retryThrottling": {"maxTokens": 0, "tokenRatio": 0.5}, "methodConfig": [{"name": [{}]}]}`,
			"grpc: the provided default service config is invalid: invalid retry throttling config: maxTokens (0) out of range (0, 1000]"},
		{"throttling, no ratio", `{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0}, "methodConfig": [{"name": [{}]}]}`,
			"grpc: the provided default service config is invalid: invalid retry throttling config: tokenRatio (0) may not be negative"},
		{"throttling, no methods", `{"retryThrottling": {"maxTokens": 0, "tokenRatio": 0}}`, "<nil>"},
		{"hedging", `{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 0}}]}`, "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cc, err := grpc.NewClient("x", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(tc.json))
			if err == nil {
				cc.Close()
			}
			equal(t, goTypes.ReplaceAllString(text(err), "$1 …"), configDifferences[tc.name].or(t, tc.want))
		})
	}
}

var configDifferences = map[string]differ{
	"hedging": {"hedging-policy", "grpc: the provided default service config is invalid: invalid hedging policy: maxAttempts (0) is less than 2"},
}

func TestServiceConfigTimeout(t *testing.T) {
	for _, tc := range []struct {
		name      string
		own, want time.Duration
	}{
		{"longer of the call", time.Minute, 5 * time.Second},
		{"shorter of the call", 3 * time.Second, 3 * time.Second},
		{"none of the call", 0, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := make(chan time.Duration, 1)
				service := answering(func(ctx context.Context) error {
					deadline, _ := ctx.Deadline()
					left <- time.Until(deadline)
					return nil
				})
				p := configured(t, `{"methodConfig": [{"name": [{}], "timeout": "5s"}]}`, service)
				ctx := context.Background()
				if tc.own > 0 {
					var cancel func()
					ctx, cancel = context.WithTimeout(ctx, tc.own)
					defer cancel()
				}
				equal(t, result(unary(ctx, p.cc, "x")), `"x"`)
				equal(t, wait(t, left, "call").String(), tc.want.String())
			})
		})
	}
}

func TestServiceConfigTimeoutThatPasses(t *testing.T) {
	p := configured(t, `{"methodConfig": [{"name": [{}], "timeout": "0.05s"}]}`, hanging(nil, make(chan error, 2)))
	reach(t, p.cc, connectivity.Ready)
	_, err := unary(within(t), p.cc, "x")
	deadlinePassed(t, text(err))
	zero := configured(t, `{"methodConfig": [{"name": [{}], "timeout": "0s"}]}`, nil)
	reach(t, zero.cc, connectivity.Ready)
	equal(t, result(unary(within(t), zero.cc, "x")), "rpc error: code = DeadlineExceeded desc = context deadline exceeded")
}

func TestServiceConfigSizes(t *testing.T) {
	p := configured(t, `{"methodConfig": [{"name": [{}], "maxRequestMessageBytes": 1000, "maxResponseMessageBytes": 500}]}`, nil)
	equal(t, size(t, p.cc, 1001), "rpc error: code = ResourceExhausted desc = trying to send message larger than max (1001 vs. 1000)")
	equal(t, size(t, p.cc, 501), "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (501 vs. 500)")
	equal(t, size(t, p.cc, 500), "500 bytes")
	equal(t, size(t, p.cc, 400, grpc.MaxCallSendMsgSize(300)),
		"rpc error: code = ResourceExhausted desc = trying to send message larger than max (400 vs. 300)")
	equal(t, size(t, p.cc, 600, grpc.MaxCallRecvMsgSize(2000)),
		"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (600 vs. 500)")
}

func TestServiceConfigWaitForReady(t *testing.T) {
	g := newGate()
	p := configured(t, `{"methodConfig": [{"name": [{"service": "parity.Echo", "method": "Unary"}], "waitForReady": true}]}`, nil)
	cc := p.dial(t, grpc.WithContextDialer(g.dial), fastReconnect,
		grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{"service": "parity.Echo", "method": "Unary"}], "waitForReady": true}]}`))
	cc.Connect()
	g.answers <- func(context.Context) (net.Conn, error) { return nil, temporary{true} }
	answer := make(chan string, 1)
	go func() { answer <- result(unary(within(t), cc, "x")) }()
	for state := cc.GetState(); state != connectivity.TransientFailure; {
		state = next(t, cc, state)
	}
	_, err := cc.NewStream(within(t), echo.BidiDesc, echo.Bidi)
	equal(t, text(err), `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dialer says no"`)
	equal(t, result(unary(within(t), cc, "x", grpc.WaitForReady(false))),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dialer says no"`)
	g.answers <- func(ctx context.Context) (net.Conn, error) { return p.lis.DialContext(ctx) }
	equal(t, wait(t, answer, "answer"), `"x"`)
}

func TestServiceConfigOfAResolver(t *testing.T) {
	for _, tc := range []struct {
		name, json string
		opts       []grpc.DialOption
		want       string
	}{
		{"taken", `{"methodConfig": [{"name": [{}], "timeout": "7s"}]}`, nil, "<nil>; 7s"},
		{"instead of the default", `{"methodConfig": [{"name": [{}], "timeout": "7s"}]}`,
			[]grpc.DialOption{grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "timeout": "8s"}]}`)}, "<nil>; 7s"},
		{"disabled", `{"methodConfig": [{"name": [{}], "timeout": "7s"}]}`, []grpc.DialOption{grpc.WithDisableServiceConfig()}, "<nil>; "},
		{"disabled, default", `{"methodConfig": [{"name": [{}], "timeout": "7s"}]}`, []grpc.DialOption{grpc.WithDisableServiceConfig(),
			grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "timeout": "8s"}]}`)}, "<nil>; 8s"},
		{"none, default", "", []grpc.DialOption{
			grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "timeout": "8s"}]}`)}, "<nil>; 8s"},
		{"bad, default", "{", []grpc.DialOption{
			grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "timeout": "8s"}]}`)},
			"rpc error: code = Unavailable desc = error parsing service config: unexpected end of JSON input; "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, setup{})
			r := manual.NewBuilderWithScheme("parity")
			cc := client(t, "parity:///x", append(tc.opts, grpc.WithResolvers(r), memory(p),
				grpc.WithTransportCredentials(insecure.NewCredentials()))...)
			cc.Connect()
			state := resolver.State{Addresses: []resolver.Address{{Addr: "x"}}}
			if tc.json != "" {
				state.ServiceConfig = r.CC().ParseServiceConfig(tc.json)
			}
			r.CC().UpdateState(state)
			_, err := unary(within(t), cc, "x")
			equal(t, text(err)+"; "+methodConfig(cc.GetMethodConfig("/a/b")), tc.want)
		})
	}
}
