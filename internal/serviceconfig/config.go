// A parsed service config: what it says about each method, and how the channel balances load.
// Immutable after Parse; a channel replaces it as a whole. The JSON is read in parse.go.
// Source: gRPC "Service Config" (service_config.md), gRFC A6 (retries), A17 (health checks), A24 (load balancing).

// Package serviceconfig parses service configs and looks up their methods.
package serviceconfig

import (
	"iter"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/serviceconfig"
)

// Config is a parsed service config. It must not be changed, and may be used concurrently. A nil *Config is an empty one.
type Config struct {
	serviceconfig.Config // nil; marks the type

	// JSON is the text that was parsed.
	JSON string
	// Policy is the load-balancing policy. Its name is empty if the config leaves the choice to the channel.
	Policy Policy
	// RetryThrottling is nil if retries are not throttled.
	RetryThrottling *RetryThrottling
	// HealthCheckService is the name that is asked for in health checks (A17), where "" means the server as a whole. If it is nil, there are
	// no health checks.
	HealthCheckService *string

	methods map[string]*Method // by "/service/method" and, for all other methods of a service, "/service/"
	others  *Method            // all other methods; nil for none
}

// Policy is a load-balancing policy and its configuration, which is nil if the policy has none.
type Policy struct {
	Name   string
	Config serviceconfig.LoadBalancingConfig
}

// Method is what a service config says about one method.
type Method struct {
	MethodConfig
	// HedgingPolicy is nil if calls are not hedged. At most one of it and RetryPolicy is set.
	HedgingPolicy *HedgingPolicy
}

// MethodConfig is what a service config says about one method. A nil field says nothing.
type MethodConfig struct {
	// WaitForReady says whether calls wait until the channel is ready, unless the call itself says it.
	WaitForReady *bool
	// Timeout is the longest time that a call may take. The call's own deadline holds too.
	Timeout *time.Duration
	// MaxReqSize is the largest request message in bytes, before compression. The call's own limit holds too.
	MaxReqSize *int
	// MaxRespSize is the largest response message in bytes, after decompression. The call's own limit holds too.
	MaxRespSize *int
	// RetryPolicy says how failed calls are tried again.
	RetryPolicy *RetryPolicy
}

// RetryPolicy says how failed calls are tried again (A6). All its fields are valid.
type RetryPolicy struct {
	// MaxAttempts is the number of attempts, the first one included; at least 2.
	MaxAttempts int
	// InitialBackoff, MaxBackoff and BackoffMultiplier determine the wait before attempt n+1 (n = 1, 2, …): InitialBackoff ·
	// BackoffMultiplier^(n-1), at most MaxBackoff, and jitter.
	InitialBackoff    time.Duration
	MaxBackoff        time.Duration
	BackoffMultiplier float64
	// RetryableStatusCodes holds the codes after which a call is tried again.
	RetryableStatusCodes map[codes.Code]bool
}

// HedgingPolicy says how further attempts are made while the first is under way (A6). All its fields are valid.
type HedgingPolicy struct {
	// MaxAttempts is the number of attempts, the first one included; at least 2.
	MaxAttempts int
	// HedgingDelay is the time from one attempt to the next. With 0 all are made at once.
	HedgingDelay time.Duration
	// NonFatalStatusCodes holds the codes with which an attempt may fail without ending the call.
	NonFatalStatusCodes map[codes.Code]bool
}

// RetryThrottling stops retries and hedging when too many calls fail (A6). A channel begins with MaxTokens tokens, loses one with each
// failure, and gets TokenRatio back with each success; it retries while it has more than half of MaxTokens.
type RetryThrottling struct {
	MaxTokens  float64 // in (0, 1000]
	TokenRatio float64 // above 0
}

// FromMethods returns a config that says nothing but what methods says. The keys are those of Methods.
func FromMethods(methods map[string]MethodConfig) *Config {
	c := &Config{methods: make(map[string]*Method, len(methods))}
	for path, m := range methods {
		if path == "" {
			c.others = &Method{MethodConfig: m}
		} else {
			c.methods[path] = &Method{MethodConfig: m}
		}
	}
	return c
}

// Lookup returns what the config says about the method "/service/method": the entry of the method itself, else that of its service,
// else the one for all methods, else nil. Entries are not merged. It does not allocate.
func (c *Config) Lookup(fullMethod string) *Method {
	if c == nil {
		return nil
	}
	if len(c.methods) > 0 {
		if m := c.methods[fullMethod]; m != nil {
			return m
		}
		if m := c.methods[fullMethod[:strings.LastIndexByte(fullMethod, '/')+1]]; m != nil {
			return m
		}
	}
	return c.others
}

// Methods ranges over the entries, in no order, by "/service/method", "/service/" for all other methods of a service, and "" for all
// methods of all other services.
func (c *Config) Methods() iter.Seq2[string, *Method] {
	return func(yield func(string, *Method) bool) {
		if c == nil || c.others != nil && !yield("", c.others) {
			return
		}
		for path, m := range c.methods {
			if !yield(path, m) {
				return
			}
		}
	}
}
