// Which policy a service config asks for: the first one of its list that this program knows (gRFC A24).

package gracefulswitch

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/serviceconfig"
)

// lbConfig names a child policy and holds its configuration.
type lbConfig struct {
	serviceconfig.LoadBalancingConfig

	builder balancer.Builder
	config  serviceconfig.LoadBalancingConfig // nil if the policy has none
}

// ParseConfig parses a list of policies, [{"name": configuration}, …], and returns a configuration for Balancer that names the first
// policy which is registered. It is an error if there is none, or if that one does not like its configuration. Policies after it
// are not looked at.
func ParseConfig(js json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(js, &list); err != nil {
		return nil, err
	}
	for i, entry := range list {
		if len(entry) != 1 {
			return nil, fmt.Errorf("expected a JSON struct with one entry; received entry %v at index %d", entry, i)
		}
		for name, section := range entry {
			if builder := balancer.Get(name); builder != nil {
				return parseSection(builder, name, section)
			}
		}
	}
	return nil, fmt.Errorf("no supported policies found in config: %v", string(js))
}

func parseSection(builder balancer.Builder, name string, section json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	parser, ok := builder.(balancer.ConfigParser)
	if !ok {
		return &lbConfig{builder: builder}, nil
	}
	config, err := parser.ParseConfig(section)
	if err != nil {
		return nil, fmt.Errorf("error parsing config for policy %q: %w", name, err)
	}
	return &lbConfig{builder: builder, config: config}, nil
}

// ChildName returns the name of the policy in a configuration that ParseConfig returned, "" for any other.
func ChildName(config serviceconfig.LoadBalancingConfig) string {
	if c, ok := config.(*lbConfig); ok {
		return c.builder.Name()
	}
	return ""
}
