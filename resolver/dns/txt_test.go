// Service configs in TXT records.

package dns

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/resolver"
)

func TestServiceConfigOfRecords(t *testing.T) {
	tests := []struct {
		name    string
		records []string
		err     error
		want    string // what follows the address
	}{
		{"no record", nil, nil, ""},
		{"no such name", nil, notFound, ""},
		{"config", []string{`grpc_config=[{"serviceConfig":{"a":1}}]`}, nil, ` config {"a":1}`},
		{"as it was written", []string{`grpc_config=[{"serviceConfig": { "a" : 1 } }]`}, nil, ` config { "a" : 1 }`},
		{"in two records", []string{`grpc_config=[{"serviceCon`, `fig":{"a":1}}]`}, nil, ` config {"a":1}`},
		{"other attribute", []string{"v=spf1"}, nil, ""},
		{"attribute in capitals", []string{`GRPC_CONFIG=[{"serviceConfig":{"a":1}}]`}, nil, ""},
		{"for others only", []string{`grpc_config=[{"clientLanguage":["java"],"serviceConfig":{"a":1}}]`}, nil, ""},
		{"malformed", []string{"grpc_config=bad"}, nil, " config "}, // the channel says what it thinks of the empty text
		{"empty", []string{"grpc_config="}, nil, " config "},
		{"temporary error", nil, temporary, ""},
		{"other error", nil, errors.New("other"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{txt: func(context.Context) ([]string, error) { return test.records, test.err }}
				c := &channel{}
				r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
				defer r.Close()
				c.expect(t, "10.0.0.1:443"+test.want)
			})
		})
	}
}

func TestServiceConfigErrorsThatAreNotIgnored(t *testing.T) {
	t.Setenv("GRPC_GO_IGNORE_TXT_ERRORS", "False")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"no such name", notFound, ""},
		{"temporary error", temporary, " config dns: TXT record lookup error: lookup name: server misbehaving"},
		{"other error", errors.New("other"), " config dns: TXT record lookup error: other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{txt: func(context.Context) ([]string, error) { return nil, test.err }}
				c := &channel{}
				r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
				defer r.Close()
				c.expect(t, "10.0.0.1:443"+test.want)
			})
		})
	}
}

func TestServiceConfigIsOnlyAskedForIfWanted(t *testing.T) {
	tests := []struct {
		name    string
		env     string
		disable bool
		want    bool
	}{
		{"by default", "", false, true},
		{"channel does not want it", "", true, false},
		{"turned off", "FALSE", false, false},
		{"not turned off", "0", false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("GRPC_ENABLE_TXT_SERVICE_CONFIG", test.env)
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{}
				c := &channel{}
				r := build(t, "dns:///name", n, c, resolver.BuildOptions{DisableServiceConfig: test.disable})
				defer r.Close()
				c.expect(t, "10.0.0.1:443")
				if got := strings.Contains(strings.Join(n.queries, " "), "TXT"); got != test.want {
					t.Errorf("got queries %q, want TXT in them: %v", n.queries, test.want)
				}
			})
		})
	}
}

func TestChoose(t *testing.T) {
	const none, invalid = "none", "invalid"
	tests := []struct{ list, want string }{
		{`[]`, none},
		{`null`, none},
		{`[null]`, none},
		{`[{}]`, none},
		{`[{"serviceConfig":null},{"serviceConfig":{"a":2}}]`, `{"a":2}`},
		{`[{"serviceConfig":{"a":1}},{"serviceConfig":{"a":2}}]`, `{"a":1}`},
		{`[{"serviceConfig":{"a":1},"unknown":3}]`, `{"a":1}`},
		{`[{"clientLanguage":["java"],"serviceConfig":1},{"clientLanguage":["c++","go"],"serviceConfig":2}]`, `2`},
		{`[{"clientLanguage":["GO"],"serviceConfig":1}]`, `1`},
		{`[{"clientLanguage":["golang"],"serviceConfig":1}]`, none},
		{`[{"clientLanguage":[],"clientHostname":[],"serviceConfig":1}]`, `1`},
		{`[{"clientLanguage":null,"clientHostName":null,"percentage":null,"serviceConfig":1}]`, `1`},
		{`[{"clientHostName":["other","host"],"serviceConfig":1}]`, `1`},
		{`[{"clientHostname":["host"],"serviceConfig":1}]`, `1`},
		{`[{"clientHostname":["HOST"],"serviceConfig":1}]`, none},
		{`[{"percentage":0,"serviceConfig":1}]`, none},
		{`[{"percentage":42,"serviceConfig":1}]`, none}, // the lot is 42
		{`[{"percentage":43,"serviceConfig":1}]`, `1`},
		{`[{"percentage":100,"serviceConfig":1}]`, `1`},
		{`[{"percentage":101,"serviceConfig":1}]`, `1`},
		{`[{"percentage":-1,"serviceConfig":1}]`, none},
		{`[{"clientHostname":["host"],"percentage":0,"serviceConfig":1}]`, none},
		{`[{"percentage":"100","serviceConfig":1}]`, invalid},
		{`[{"percentage":1.5,"serviceConfig":1}]`, invalid},
		{`[{"clientLanguage":"GO","serviceConfig":1}]`, invalid},
		{`[{"serviceConfig":1},7]`, invalid},
		{`{}`, invalid},
		{``, invalid},
	}
	for _, test := range tests {
		text, found, err := choose(test.list, "host", 42)
		got := none
		if err != nil {
			got = invalid
		} else if found {
			got = text
		}
		if got != test.want {
			t.Errorf("%s: got %s (error %v), want %s", test.list, got, err, test.want)
		}
	}
}

func TestChoiceByOwnHostName(t *testing.T) {
	hostname, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{txt: func(context.Context) ([]string, error) {
			return []string{`grpc_config=[{"clientHostname":["` + hostname + `"],"serviceConfig":{"a":1}}]`}, nil
		}}
		c := &channel{}
		r := build(t, "dns:///name", n, c, resolver.BuildOptions{})
		defer r.Close()
		c.expect(t, `10.0.0.1:443 config {"a":1}`)
	})
}

func FuzzChoose(f *testing.F) {
	f.Add(`[{"clientLanguage":["go"],"percentage":50,"clientHostname":["host"],"serviceConfig":{"a":1}}]`, 10)
	f.Add(`[null,{}]`, 0)
	f.Fuzz(func(t *testing.T, list string, lot int) {
		testkit.LimitTime(t)
		if text, found, err := choose(list, "host", lot); found && (err != nil || text == "" || text == "null") {
			t.Errorf("%q: got %q, error %v", list, text, err)
		}
	})
}
