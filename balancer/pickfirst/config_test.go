// The texts of configuration errors, and the mark for health checking.

package pickfirst

import (
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

func TestParseConfig(t *testing.T) {
	for _, c := range []struct {
		js   string
		want pfConfig
		err  string // after the common beginning
	}{
		{js: `{}`},
		{js: `null`},
		{js: `{"other":1}`},
		{js: `{"shuffleAddressList":false}`},
		{js: `{"shuffleAddressList":true}`, want: pfConfig{ShuffleAddressList: true}},
		{js: `{`, err: "unexpected end of JSON input"},
		{js: `[]`, err: "json: cannot unmarshal array into Go value of type pickfirst.pfConfig"},
		{js: `{"shuffleAddressList":1}`,
			err: "json: cannot unmarshal number into Go struct field pfConfig.shuffleAddressList of type bool"},
	} {
		got, err := builder{}.ParseConfig(json.RawMessage(c.js))
		if c.err != "" {
			want := "pickfirst: unable to unmarshal LB policy config: " + c.js + ", error: " + c.err
			if err == nil || err.Error() != want || got != nil {
				t.Errorf("%s: got %v, error %v, want no config and error %q", c.js, got, err, want)
			}
			continue
		}
		if err != nil || got != serviceconfig.LoadBalancingConfig(c.want) {
			t.Errorf("%s: got %v, error %v, want %v", c.js, got, err, c.want)
		}
	}
}

type foreignConfig struct {
	serviceconfig.LoadBalancingConfig
	x int
}

func TestConfigOfAnotherPolicy(t *testing.T) {
	_, err := configOf(balancer.ClientConnState{BalancerConfig: foreignConfig{x: 7}})
	want := "pickfirst: received illegal BalancerConfig (type pickfirst.foreignConfig): {<nil> 7}: bad resolver state"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %q", err, want)
	}
	if !errors.Is(err, balancer.ErrBadResolverState) {
		t.Errorf("got %v, want an ErrBadResolverState", err)
	}
}

func TestHealthListenerMark(t *testing.T) {
	s := resolver.State{Attributes: attributes.New("key", "value")}
	marked := EnableHealthListener(s)
	if healthListenerEnabled(s) || !healthListenerEnabled(marked) {
		t.Errorf("got %v before and %v after, want false and true", healthListenerEnabled(s), healthListenerEnabled(marked))
	}
	if got := marked.Attributes.Value("key"); got != "value" {
		t.Errorf("got attribute %v, want that of before", got)
	}
}
