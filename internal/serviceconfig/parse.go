// From JSON to a Config. Fields that are not known are ignored; a known field with a bad value makes the whole config invalid (A21).
// Field names match in any case, and a field that is null counts as absent, as package json has it.

package serviceconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc/codes"
)

// defaultMaxAttempts is the limit that A6 sets for the attempts of a call.
const defaultMaxAttempts = 5

// Options is what the channel knows beside the text.
type Options struct {
	// Policies knows the load-balancing policies. If it is nil, none are known.
	Policies PolicyParser
	// MaxAttempts is the most attempts that a call may make, whatever its policy says. Below 2 it means 5.
	MaxAttempts int
}

// The types below are the JSON form. Those of methodConfig[].retryPolicy appear in an error text with the names of their fields.
type (
	configJSON struct {
		LoadBalancingPolicy *string            `json:"loadBalancingPolicy"`
		LoadBalancingConfig *json.RawMessage   `json:"loadBalancingConfig"`
		MethodConfig        *[]methodJSON      `json:"methodConfig"`
		RetryThrottling     *throttlingJSON    `json:"retryThrottling"`
		HealthCheckConfig   *healthCheckConfig `json:"healthCheckConfig"`
	}
	healthCheckConfig struct {
		ServiceName string `json:"serviceName"`
	}
	throttlingJSON struct {
		MaxTokens  float64 `json:"maxTokens"`
		TokenRatio float64 `json:"tokenRatio"`
	}
	methodJSON struct {
		Name                    []nameJSON   `json:"name"`
		WaitForReady            *bool        `json:"waitForReady"`
		Timeout                 *duration    `json:"timeout"`
		MaxRequestMessageBytes  *int64       `json:"maxRequestMessageBytes"`
		MaxResponseMessageBytes *int64       `json:"maxResponseMessageBytes"`
		RetryPolicy             *retryJSON   `json:"retryPolicy"`
		HedgingPolicy           *hedgingJSON `json:"hedgingPolicy"`
	}
	nameJSON struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	retryJSON struct {
		MaxAttempts          int          `json:"maxAttempts"`
		InitialBackoff       duration     `json:"initialBackoff"`
		MaxBackoff           duration     `json:"maxBackoff"`
		BackoffMultiplier    float64      `json:"backoffMultiplier"`
		RetryableStatusCodes []codes.Code `json:"retryableStatusCodes"`
	}
	hedgingJSON struct {
		MaxAttempts         int          `json:"maxAttempts"`
		HedgingDelay        *duration    `json:"hedgingDelay"`
		NonFatalStatusCodes []codes.Code `json:"nonFatalStatusCodes"`
	}
)

// Parse parses a service config.
func Parse(text string, opts Options) (*Config, error) {
	if text == "" {
		return nil, errors.New("no JSON service config provided")
	}
	var in configJSON
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, err
	}
	c := &Config{JSON: text}
	var err error
	if c.Policy, err = in.policy(opts.Policies); err != nil {
		return nil, err
	}
	if in.HealthCheckConfig != nil {
		c.HealthCheckService = &in.HealthCheckConfig.ServiceName
	}
	if in.MethodConfig == nil {
		return c, nil // without methods there is nothing to throttle, and what stands there is not looked at
	}
	if opts.MaxAttempts < 2 {
		opts.MaxAttempts = defaultMaxAttempts
	}
	if err := c.addMethods(*in.MethodConfig, opts.MaxAttempts); err != nil {
		return nil, err
	}
	if c.RetryThrottling, err = in.RetryThrottling.parse(); err != nil {
		return nil, err
	}
	return c, nil
}

// policy returns the load-balancing policy. The older field, a name alone, only counts if the newer one is absent, and if the name is not
// known it is as if it were absent too.
func (in *configJSON) policy(policies PolicyParser) (Policy, error) {
	if in.LoadBalancingConfig != nil {
		return ParsePolicy(*in.LoadBalancingConfig, policies)
	}
	if in.LoadBalancingPolicy == nil {
		return Policy{}, nil
	}
	policy, _, err := parseOne(*in.LoadBalancingPolicy, json.RawMessage(`{}`), policies)
	return policy, err
}

// addMethods enters the methods of all entries.
func (c *Config) addMethods(entries []methodJSON, maxAttempts int) error {
	c.methods = make(map[string]*Method, len(entries))
	for i := range entries {
		if len(entries[i].Name) == 0 {
			continue // it is about no method
		}
		m, err := entries[i].parse(maxAttempts)
		if err != nil {
			return err
		}
		for _, name := range entries[i].Name {
			if err := c.addMethod(name, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// addMethod enters m as what the config says about name.
func (c *Config) addMethod(name nameJSON, m *Method) error {
	switch {
	case name.Service == "" && name.Method != "":
		return errors.New("cannot combine empty 'service' and non-empty 'method'")
	case name.Service == "" && c.others == nil:
		c.others = m
		return nil
	case name.Service == "":
		return errDuplicatedName
	}
	path := "/" + name.Service + "/" + name.Method
	if c.methods[path] != nil {
		return errDuplicatedName
	}
	c.methods[path] = m
	return nil
}

var errDuplicatedName = errors.New("duplicated name")

// parse checks and converts one entry.
func (in *methodJSON) parse(maxAttempts int) (*Method, error) {
	m := &Method{MethodConfig: MethodConfig{
		WaitForReady: in.WaitForReady,
		Timeout:      (*time.Duration)(in.Timeout),
		MaxReqSize:   size(in.MaxRequestMessageBytes),
		MaxRespSize:  size(in.MaxResponseMessageBytes),
	}}
	var err error
	if m.RetryPolicy, err = in.RetryPolicy.parse(maxAttempts); err != nil {
		return nil, err
	}
	if m.HedgingPolicy, err = in.HedgingPolicy.parse(maxAttempts); err != nil {
		return nil, err
	}
	if m.RetryPolicy != nil && m.HedgingPolicy != nil {
		return nil, errors.New("cannot combine 'retryPolicy' and 'hedgingPolicy'")
	}
	return m, nil
}

// size returns n as an int. What does not fit, on machines with ints of 32 bits, is as good as the largest or smallest one.
func size(n *int64) *int {
	if n == nil {
		return nil
	}
	fitting := int(max(math.MinInt, min(*n, math.MaxInt)))
	return &fitting
}

// parse checks and converts a retry policy. All fields are required (A6).
func (in *retryJSON) parse(maxAttempts int) (*RetryPolicy, error) {
	if in == nil {
		return nil, nil
	}
	if in.MaxAttempts <= 1 || in.InitialBackoff <= 0 || in.MaxBackoff <= 0 || in.BackoffMultiplier <= 0 ||
		len(in.RetryableStatusCodes) == 0 {
		return nil, fmt.Errorf("invalid retry policy (%+v): ", in)
	}
	return &RetryPolicy{
		MaxAttempts:          min(in.MaxAttempts, maxAttempts),
		InitialBackoff:       time.Duration(in.InitialBackoff),
		MaxBackoff:           time.Duration(in.MaxBackoff),
		BackoffMultiplier:    in.BackoffMultiplier,
		RetryableStatusCodes: set(in.RetryableStatusCodes),
	}, nil
}

// parse checks and converts a hedging policy. Only maxAttempts is required (A6).
func (in *hedgingJSON) parse(maxAttempts int) (*HedgingPolicy, error) {
	if in == nil {
		return nil, nil
	}
	if in.MaxAttempts <= 1 {
		return nil, fmt.Errorf("invalid hedging policy: maxAttempts (%d) is less than 2", in.MaxAttempts)
	}
	h := &HedgingPolicy{MaxAttempts: min(in.MaxAttempts, maxAttempts), NonFatalStatusCodes: set(in.NonFatalStatusCodes)}
	if in.HedgingDelay != nil {
		h.HedgingDelay = time.Duration(*in.HedgingDelay)
	}
	if h.HedgingDelay < 0 {
		return nil, fmt.Errorf("invalid hedging policy: hedgingDelay (%v) is negative", h.HedgingDelay)
	}
	return h, nil
}

// set returns list as a set.
func set(list []codes.Code) map[codes.Code]bool {
	set := make(map[codes.Code]bool, len(list))
	for _, c := range list {
		set[c] = true
	}
	return set
}

// parse checks and converts the throttling of retries.
func (in *throttlingJSON) parse() (*RetryThrottling, error) {
	if in == nil {
		return nil, nil
	}
	if in.MaxTokens <= 0 || in.MaxTokens > 1000 {
		return nil, fmt.Errorf("invalid retry throttling config: maxTokens (%v) out of range (0, 1000]", in.MaxTokens)
	}
	if in.TokenRatio <= 0 {
		return nil, fmt.Errorf("invalid retry throttling config: tokenRatio (%v) may not be negative", in.TokenRatio)
	}
	return &RetryThrottling{MaxTokens: in.MaxTokens, TokenRatio: in.TokenRatio}, nil
}
