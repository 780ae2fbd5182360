// Compiling this package is its test; this file only says so in go test's output.

package api

import "testing"

func TestEveryExportedFeatureCompiles(t *testing.T) {}
