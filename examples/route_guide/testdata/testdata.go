// The features of the route_guide example, as a file of JSON.

// Package testdata holds the features that the route_guide server knows if it is not given others.
package testdata

import _ "embed"

// Features is a JSON list of routeguide.Feature messages.
//
//go:embed route_guide_db.json
var Features []byte
