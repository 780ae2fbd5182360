// Which load-balancing policy a config asks for: the first of a list that this program knows (gRFC A24).

package serviceconfig

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/serviceconfig"
)

// PolicyParser knows the load-balancing policies of the program and parses their sections.
type PolicyParser interface {
	// ParsePolicy parses the section of the policy of that name. If there is no such policy, known is false; if the policy takes no
	// configuration, config is nil.
	ParsePolicy(name string, section json.RawMessage) (config serviceconfig.LoadBalancingConfig, known bool, err error)
}

// ParsePolicy returns the first policy that is known of a list in JSON, each element of which is an object whose one field is the name
// of a policy and the policy's section.
func ParsePolicy(list json.RawMessage, policies PolicyParser) (Policy, error) {
	var entries []map[string]json.RawMessage
	if err := json.Unmarshal(list, &entries); err != nil {
		return Policy{}, err
	}
	for i, entry := range entries {
		if len(entry) != 1 {
			return Policy{}, fmt.Errorf("expected a JSON struct with one entry; received entry %v at index %d", entry, i)
		}
		for name, section := range entry {
			if policy, known, err := parseOne(name, section, policies); known {
				return policy, err
			}
		}
	}
	return Policy{}, fmt.Errorf("no supported policies found in config: %s", list)
}

// parseOne parses the section of one policy. If the policy is not known, it returns the zero Policy.
func parseOne(name string, section json.RawMessage, policies PolicyParser) (policy Policy, known bool, err error) {
	if policies == nil {
		return Policy{}, false, nil
	}
	config, known, err := policies.ParsePolicy(name, section)
	if !known {
		return Policy{}, false, nil
	}
	if err != nil {
		return Policy{}, true, fmt.Errorf("error parsing config for policy %q: %v", name, err)
	}
	return Policy{Name: name, Config: config}, true, nil
}
