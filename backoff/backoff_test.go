// The defaults are part of the gRPC documents: pin them.

package backoff

import (
	"fmt"
	"testing"
	"time"
)

func TestDefaultConfig(t *testing.T) {
	want := Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Minute}
	if DefaultConfig != want {
		t.Errorf("got %+v, want %+v", DefaultConfig, want)
	}
}

func Example() {
	config := DefaultConfig
	config.MaxDelay = 10 * time.Second
	fmt.Printf("%+v\n", config)
	// Output: {BaseDelay:1s Multiplier:1.6 Jitter:0.2 MaxDelay:10s}
}
