// The service config of a name, published as a TXT record: a list of choices, of which the first that fits this client counts (gRFC A2).
// Whoever can forge DNS answers can thereby change how a channel retries and balances; GRPC_ENABLE_TXT_SERVICE_CONFIG turns it off.

package dns

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

const (
	txtPrefix    = "_grpc_config." // of the name that has the record
	txtAttribute = "grpc_config="  // RFC 1464
)

// txtEnabled reports whether service configs are looked for: unless the environment says no.
func txtEnabled() bool {
	return !strings.EqualFold(os.Getenv("GRPC_ENABLE_TXT_SERVICE_CONFIG"), "false")
}

// txtErrorsIgnored reports whether a failed query is as good as no record: unless the environment says no.
func txtErrorsIgnored() bool {
	return !strings.EqualFold(os.Getenv("GRPC_GO_IGNORE_TXT_ERRORS"), "false")
}

// serviceConfig asks for the service config. It returns nil if there is none, or none for this client (A21).
func (q *query) serviceConfig(ctx context.Context, cc resolver.ClientConn) *serviceconfig.ParseResult {
	records, err := q.lookup.LookupTXT(ctx, txtPrefix+q.host)
	if err = worthRetrying(err); err != nil {
		if txtErrorsIgnored() {
			return nil
		}
		return &serviceconfig.ParseResult{Err: fmt.Errorf("dns: TXT record lookup error: %v", err)}
	}
	list, ok := strings.CutPrefix(strings.Join(records, ""), txtAttribute)
	if !ok {
		if len(records) > 0 {
			logger.Warningf("dns: TXT record of %s%s does not begin with %q", txtPrefix, q.host, txtAttribute)
		}
		return nil
	}
	hostname, err := os.Hostname()
	if err != nil {
		logger.Warningf("dns: no host name: %v", err)
	}
	text, found, err := choose(list, hostname, q.lot)
	if err != nil {
		logger.Warningf("dns: service config of %s: %v", q.host, err)
		return cc.ParseServiceConfig("") // an invalid config, in the channel's own words
	}
	if !found {
		return nil
	}
	return cc.ParseServiceConfig(text)
}

// choice is one element of the list. A criterion that is absent or empty fits all clients.
type choice struct {
	ClientLanguage []string         `json:"clientLanguage"`
	Percentage     *int             `json:"percentage"`
	ClientHostname []string         `json:"clientHostname"`
	ServiceConfig  *json.RawMessage `json:"serviceConfig"`
}

// choose returns the first service config of list that fits a client of that name and lot.
func choose(list, hostname string, lot int) (text string, found bool, err error) {
	var choices []choice
	if err := json.Unmarshal([]byte(list), &choices); err != nil {
		return "", false, err
	}
	for _, c := range choices {
		if c.ServiceConfig != nil && c.fits(hostname, lot) {
			return string(*c.ServiceConfig), true, nil
		}
	}
	return "", false, nil
}

// fits reports whether all criteria fit.
func (c *choice) fits(hostname string, lot int) bool {
	isGo := func(language string) bool { return strings.EqualFold(language, "go") }
	return (len(c.ClientLanguage) == 0 || slices.ContainsFunc(c.ClientLanguage, isGo)) &&
		(c.Percentage == nil || lot < *c.Percentage) &&
		(len(c.ClientHostname) == 0 || slices.Contains(c.ClientHostname, hostname))
}
