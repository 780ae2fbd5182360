// Which policy of a list is taken, and the texts of errors, which users see.

package gracefulswitch

import (
	"encoding/json"
	"testing"

	"google.golang.org/grpc/balancer"
)

func TestParseConfig(t *testing.T) {
	balancer.Register(&kind{name: "plain"})
	balancer.Register(parserKind{&kind{name: "parser"}})
	for _, c := range []struct{ js, child, err string }{
		{js: `[{"plain":{}}]`, child: "plain"},
		{js: `[{"plain":7}]`, child: "plain"},
		{js: `[{"unknown":{}},{"parser":"x"},{"plain":{}}]`, child: "parser"},
		{js: `[{"plain":{}},{}]`, child: "plain"},
		{js: ``, err: `unexpected end of JSON input`},
		{js: `{}`, err: `json: cannot unmarshal object into Go value of type []map[string]json.RawMessage`},
		{js: `[7]`, err: `json: cannot unmarshal number into Go value of type map[string]json.RawMessage`},
		{js: `[]`, err: `no supported policies found in config: []`},
		{js: `[{"PLAIN":{}}]`, err: `no supported policies found in config: [{"PLAIN":{}}]`},
		{js: `[{}]`, err: `expected a JSON struct with one entry; received entry map[] at index 0`},
		{js: `[{"unknown":{}},{"a":{},"b":{}}]`,
			err: `expected a JSON struct with one entry; received entry map[a:[123 125] b:[123 125]] at index 1`},
		{js: `[{"parser":7},{"plain":{}}]`,
			err: `error parsing config for policy "parser": json: cannot unmarshal number into Go value of type string`},
	} {
		config, err := ParseConfig(json.RawMessage(c.js))
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err || config != nil {
				t.Errorf("%s: got %v, error %v, want error %q", c.js, config, err, c.err)
			}
		case err != nil || ChildName(config) != c.child:
			t.Errorf("%s: got policy %q, error %v, want %q", c.js, ChildName(config), err, c.child)
		}
	}
}

func TestChildNameOfOtherConfigs(t *testing.T) {
	if got := ChildName(stringConfig{}); got != "" {
		t.Errorf("got %q, want none", got)
	}
	if got := ChildName(nil); got != "" {
		t.Errorf("got %q for nil, want none", got)
	}
}
