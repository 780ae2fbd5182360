// How pick_first is configured: by its section of the service config, and by a policy whose child it is.

package pickfirst

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// pfConfig is the configuration of pick_first (gRFC A62). Error texts of package json show its name.
type pfConfig struct {
	serviceconfig.LoadBalancingConfig `json:"-"`

	// ShuffleAddressList makes the channel try endpoints in random order. Addresses of one endpoint keep their order.
	ShuffleAddressList bool `json:"shuffleAddressList"`
}

// ParseConfig parses {"shuffleAddressList": bool}.
func (builder) ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var cfg pfConfig
	if err := json.Unmarshal(js, &cfg); err != nil {
		return nil, fmt.Errorf("pickfirst: unable to unmarshal LB policy config: %s, error: %v", string(js), err)
	}
	return cfg, nil
}

// configOf returns the configuration that came with s, the zero one if none did. The error is an ErrBadResolverState.
func configOf(s balancer.ClientConnState) (pfConfig, error) {
	if s.BalancerConfig == nil {
		return pfConfig{}, nil
	}
	cfg, ok := s.BalancerConfig.(pfConfig)
	if !ok {
		return pfConfig{}, fmt.Errorf("pickfirst: received illegal BalancerConfig (type %T): %v: %w",
			s.BalancerConfig, s.BalancerConfig, balancer.ErrBadResolverState)
	}
	return cfg, nil
}

type healthListenerKey struct{}

// EnableHealthListener returns state with a mark that makes pick_first show the health of its connection as its own state (gRFC A17, A61).
// It is for policies that have pick_first as a child: on its own pick_first does no health checking.
//
// Experimental: the function may change.
func EnableHealthListener(state resolver.State) resolver.State {
	state.Attributes = state.Attributes.WithValue(healthListenerKey{}, true)
	return state
}

func healthListenerEnabled(state resolver.State) bool {
	enabled, _ := state.Attributes.Value(healthListenerKey{}).(bool)
	return enabled
}
