// A policy of one's own in a few lines.

package base_test

import (
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
)

// randomPickers makes a picker for each set of ready subchannels.
type randomPickers struct{}

func (randomPickers) Build(info base.PickerBuildInfo) balancer.Picker {
	if len(info.ReadySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	var p randomPicker
	for sc := range info.ReadySCs {
		p = append(p, sc)
	}
	return p
}

type randomPicker []balancer.SubConn

func (p randomPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p[rand.IntN(len(p))]}, nil
}

func Example() {
	balancer.Register(base.NewBalancerBuilder("my_random", randomPickers{}, base.Config{HealthCheck: true}))

	// A service config of {"loadBalancingConfig": [{"my_random": {}}]} makes a channel use it.
	fmt.Println(balancer.Get("my_random").Name())
	// Output: my_random
}
