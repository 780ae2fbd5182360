// What is accepted and what is refused, with which text: a golden file with the answers of grpc-go, and tables for what it does not have.

package serviceconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/serviceconfig"
)

// testPolicies knows the policies of testdata/golden.txt.
type testPolicies struct{}

type testConfig struct {
	serviceconfig.LoadBalancingConfig
	section string
}

func (testPolicies) ParsePolicy(name string, section json.RawMessage) (serviceconfig.LoadBalancingConfig, bool, error) {
	switch name {
	case "pick_first", "round_robin", "probe":
		return testConfig{section: string(section)}, true, nil
	case "noparser":
		return nil, true, nil
	case "probefail":
		return nil, true, errors.New("probe fails")
	}
	return nil, false, nil
}

var options = Options{Policies: testPolicies{}, MaxAttempts: 5}

// goldenResult writes what Parse has made of a config in the form of the golden file.
func goldenResult(c *Config, err error) string {
	if err != nil {
		return "\terror: " + regexp.MustCompile(`^(json: cannot unmarshal .*) into Go .*`).ReplaceAllString(err.Error(), "$1") + "\n"
	}
	var texts []string
	methods := map[string][]string{} // by text
	for _, method := range []string{"/a/b", "/a/c", "/a/b/c", "/z/z", ""} {
		m := c.Lookup(method)
		if m == nil || reflect.DeepEqual(m, &Method{}) {
			continue
		}
		text, err := json.Marshal(m.MethodConfig)
		if err != nil {
			return err.Error()
		}
		if methods[string(text)] == nil {
			texts = append(texts, string(text))
		}
		methods[string(text)] = append(methods[string(text)], fmt.Sprintf("%q", method))
	}
	var b strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&b, "\t%s %s\n", strings.Join(methods[text], ","), text)
	}
	return b.String()
}

// golden returns the configs of the golden file and their results.
func golden(tb testing.TB) (configs, results []string) {
	file, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		switch {
		case line[0] == '#':
		case line[0] == '\t':
			results[len(results)-1] += line
		default:
			configs = append(configs, strings.TrimSuffix(line, "\n"))
			results = append(results, "")
		}
	}
	return configs, results
}

// wideNumber finds numbers of config that an int of 32 bits cannot be.
var wideNumber = regexp.MustCompile(`(Bytes|Attempts)":-?[0-9]{11}`)

func TestParseAgreesWithGoldenFile(t *testing.T) {
	configs, results := golden(t)
	if len(configs) < 150 {
		t.Fatalf("got %d configs in the golden file, want at least 150", len(configs))
	}
	for i, config := range configs {
		if strconv.IntSize == 32 && wideNumber.MatchString(config) {
			continue // the file was made with ints of 64 bits
		}
		if got := goldenResult(Parse(config, options)); got != results[i] {
			t.Errorf("%s\ngot\n%swant\n%s", config, got, results[i])
		}
	}
}

func TestParseRefusesTheEmptyText(t *testing.T) {
	want := "no JSON service config provided"
	if _, err := Parse("", options); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParseWhole(t *testing.T) {
	text := `{
		"loadBalancingConfig": [{"unknown": {}}, {"probe": {"x": 1}}],
		"loadBalancingPolicy": "round_robin",
		"healthCheckConfig": {"serviceName": "health"},
		"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
		"methodConfig": [
			{"name": [{"service": "s", "method": "m"}, {"service": "t"}], "waitForReady": true, "timeout": "1.5s",
				"maxRequestMessageBytes": 7, "maxResponseMessageBytes": 8,
				"retryPolicy": {"maxAttempts": 4, "initialBackoff": ".1s", "maxBackoff": "1s", "backoffMultiplier": 2,
					"retryableStatusCodes": ["UNAVAILABLE", 8]}},
			{"name": [{}], "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["INTERNAL"]}}
		]}`
	got, err := Parse(text, options)
	if err != nil {
		t.Fatal(err)
	}
	first := &Method{MethodConfig: MethodConfig{
		WaitForReady: new(bool), Timeout: new(time.Duration), MaxReqSize: new(int), MaxRespSize: new(int),
		RetryPolicy: &RetryPolicy{
			MaxAttempts: 4, InitialBackoff: 100 * time.Millisecond, MaxBackoff: time.Second, BackoffMultiplier: 2,
			RetryableStatusCodes: map[codes.Code]bool{codes.Unavailable: true, codes.ResourceExhausted: true},
		},
	}}
	*first.WaitForReady, *first.Timeout, *first.MaxReqSize, *first.MaxRespSize = true, 1500*time.Millisecond, 7, 8
	hedged := &Method{HedgingPolicy: &HedgingPolicy{
		MaxAttempts: 3, HedgingDelay: 500 * time.Millisecond, NonFatalStatusCodes: map[codes.Code]bool{codes.Internal: true},
	}}
	service := "health"
	want := &Config{
		JSON:               text,
		Policy:             Policy{Name: "probe", Config: testConfig{section: `{"x": 1}`}},
		RetryThrottling:    &RetryThrottling{MaxTokens: 10, TokenRatio: 0.1},
		HealthCheckService: &service,
		methods:            map[string]*Method{"/s/m": first, "/t/": first},
		others:             hedged,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseHealthCheck(t *testing.T) {
	tests := []struct{ text, want string }{
		{`{}`, "none"},
		{`{"healthCheckConfig": null}`, "none"},
		{`{"healthCheckConfig": {}}`, `""`},
		{`{"healthCheckConfig": {"serviceName": null}}`, `""`},
		{`{"healthCheckConfig": {"serviceName": "s"}}`, `"s"`},
	}
	for _, test := range tests {
		c, err := Parse(test.text, options)
		if err != nil {
			t.Fatalf("%s: %v", test.text, err)
		}
		got := "none"
		if c.HealthCheckService != nil {
			got = fmt.Sprintf("%q", *c.HealthCheckService)
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
}

// attempts returns a config with a retry policy of n attempts, and one with such a hedging policy.
func attempts(n int) (retry, hedging string) {
	return fmt.Sprintf(`{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": %d, "initialBackoff": "1s",
			"maxBackoff": "1s", "backoffMultiplier": 1, "retryableStatusCodes": [14]}}]}`, n),
		fmt.Sprintf(`{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": %d}}]}`, n)
}

func TestMaxAttemptsHaveALimit(t *testing.T) {
	tests := []struct{ limit, configured, want int }{
		{0, 4, 4}, {0, 5, 5}, {0, 6, 5}, {1, 6, 5}, {-1, 6, 5}, {2, 6, 2}, {10, 6, 6}, {10, 11, 10},
	}
	for _, test := range tests {
		retry, hedging := attempts(test.configured)
		r, err1 := Parse(retry, Options{MaxAttempts: test.limit})
		h, err2 := Parse(hedging, Options{MaxAttempts: test.limit})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got := r.Lookup("/s/m").RetryPolicy.MaxAttempts; got != test.want {
			t.Errorf("limit %d, retryPolicy with %d attempts: got %d, want %d", test.limit, test.configured, got, test.want)
		}
		if got := h.Lookup("/s/m").HedgingPolicy.MaxAttempts; got != test.want {
			t.Errorf("limit %d, hedgingPolicy with %d attempts: got %d, want %d", test.limit, test.configured, got, test.want)
		}
	}
}

func TestParseHedgingPolicy(t *testing.T) {
	tests := []struct{ policy, want string }{
		{`null`, "none"},
		{`{"maxAttempts": 2}`, "2 0s map[]"},
		{`{"maxAttempts": 2, "hedgingDelay": null, "nonFatalStatusCodes": null}`, "2 0s map[]"},
		{`{"maxAttempts": 2, "hedgingDelay": "0s", "nonFatalStatusCodes": []}`, "2 0s map[]"},
		{`{"maxAttempts": 2, "hedgingDelay": "0.25s", "nonFatalStatusCodes": ["ABORTED", 13]}`, "2 250ms map[Aborted:true Internal:true]"},
		{`{}`, "invalid hedging policy: maxAttempts (0) is less than 2"},
		{`{"maxAttempts": 1}`, "invalid hedging policy: maxAttempts (1) is less than 2"},
		{`{"maxAttempts": -3}`, "invalid hedging policy: maxAttempts (-3) is less than 2"},
		{`{"maxAttempts": 2, "hedgingDelay": "-1s"}`, "invalid hedging policy: hedgingDelay (-1s) is negative"},
		{`{"maxAttempts": 2, "hedgingDelay": "1"}`, `malformed duration "1": missing seconds unit`},
		{`{"maxAttempts": 2, "nonFatalStatusCodes": ["NOPE"]}`, `invalid code: "\"NOPE\""`},
		{`{"maxAttempts": 2}, "retryPolicy": {"maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1,
			"retryableStatusCodes": [14]}`, "cannot combine 'retryPolicy' and 'hedgingPolicy'"},
	}
	for _, test := range tests {
		c, err := Parse(`{"methodConfig": [{"name": [{}], "hedgingPolicy": `+test.policy+`}]}`, options)
		got := "none"
		if err != nil {
			got = err.Error()
		} else if h := c.Lookup("/s/m").HedgingPolicy; h != nil {
			got = fmt.Sprint(h.MaxAttempts, h.HedgingDelay, h.NonFatalStatusCodes)
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.policy, got, test.want)
		}
	}
}

func TestEntriesWithoutNamesAreNotChecked(t *testing.T) {
	for _, policy := range []string{`"retryPolicy": {}`, `"hedgingPolicy": {}`} {
		if _, err := Parse(`{"methodConfig": [{`+policy+`}, {"name": [], `+policy+`}]}`, options); err != nil {
			t.Errorf("%s without names: got %v, want no error", policy, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	configs, _ := golden(f)
	for _, config := range configs {
		f.Add(config)
	}
	f.Add(`{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "1s"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		testkit.LimitTime(t)
		c, err := Parse(text, options)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%q: got a config from invalid JSON", text)
		}
		entries := maps.Collect(c.Methods())
		for path, m := range entries {
			if path != "" && !strings.HasSuffix(path, "/") && c.Lookup(path) != m {
				t.Errorf("%q: Lookup(%q) does not find its own entry", text, path)
			}
			if r := m.RetryPolicy; r != nil && (r.MaxAttempts < 2 || r.MaxAttempts > 5 || r.InitialBackoff <= 0 || r.MaxBackoff <= 0 ||
				!(r.BackoffMultiplier > 0) || len(r.RetryableStatusCodes) == 0) {
				t.Errorf("%q: got invalid retry policy %+v", text, r)
			}
			if h := m.HedgingPolicy; h != nil && (h.MaxAttempts < 2 || h.MaxAttempts > 5 || h.HedgingDelay < 0 || m.RetryPolicy != nil) {
				t.Errorf("%q: got invalid hedging policy %+v", text, h)
			}
		}
		if r := c.RetryThrottling; r != nil && !(r.MaxTokens > 0 && r.MaxTokens <= 1000 && r.TokenRatio > 0) {
			t.Errorf("%q: got invalid throttling %+v", text, r)
		}
	})
}
