// The choice among load-balancing policies.

package serviceconfig

import (
	"fmt"
	"testing"
)

func TestParsePolicyChoice(t *testing.T) {
	probe := func(section string) Policy { return Policy{"probe", testConfig{section: section}} }
	tests := []struct {
		text string
		want Policy
	}{
		{`{}`, Policy{}},
		{`{"loadBalancingConfig": null, "loadBalancingPolicy": null}`, Policy{}},
		{`{"loadBalancingPolicy": "probe"}`, probe(`{}`)},
		{`{"loadBalancingPolicy": "PROBE"}`, Policy{}},
		{`{"loadBalancingPolicy": "unknown"}`, Policy{}},
		{`{"loadBalancingPolicy": ""}`, Policy{}},
		{`{"loadBalancingPolicy": "noparser"}`, Policy{Name: "noparser"}},
		{`{"loadBalancingConfig": [{"noparser": 7}]}`, Policy{Name: "noparser"}},
		{`{"loadBalancingConfig": [{"probe": {"a" : [1] }}]}`, probe(`{"a" : [1] }`)},
		{`{"loadBalancingConfig": [{"probe": null}]}`, probe(`null`)},
		{`{"loadBalancingConfig": [{"unknown": 1}, {"probe": 2}, {"probefail": 3}, {}]}`, probe(`2`)},
		{`{"loadBalancingConfig": [{"probe": 1}], "loadBalancingPolicy": "round_robin"}`, probe(`1`)},
		{`{"loadBalancingConfig": null, "loadBalancingPolicy": "probe"}`, probe(`{}`)},
	}
	for _, test := range tests {
		if got := parse(t, test.text).Policy; got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.text, got, test.want)
		}
	}
}

func TestPolicyWithoutAnyKnown(t *testing.T) {
	c, err := Parse(`{"loadBalancingPolicy": "probe"}`, Options{})
	if err != nil || c.Policy != (Policy{}) {
		t.Errorf("name alone: got %+v, %v, want no policy and no error", c, err)
	}
	want := `no supported policies found in config: [{"probe": 1}]`
	if _, err := Parse(`{"loadBalancingConfig": [{"probe": 1}]}`, Options{}); fmt.Sprint(err) != want {
		t.Errorf("list: got %v, want %s", err, want)
	}
}
