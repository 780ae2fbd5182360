// How a load-balancing policy makes its configuration type.

package serviceconfig_test

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/serviceconfig"
)

type stickyConfig struct {
	serviceconfig.LoadBalancingConfig `json:"-"`

	Header string `json:"header"`
}

// parseConfig is what a balancer.ConfigParser does.
func parseConfig(text []byte) (serviceconfig.LoadBalancingConfig, error) {
	var config stickyConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	return config, nil
}

func ExampleLoadBalancingConfig() {
	config, err := parseConfig([]byte(`{"header": "session"}`))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(config.(stickyConfig).Header)
	// Output: session
}
