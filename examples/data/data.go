// Where the files of the examples are: certificates, for now.

// Package data finds the files that the examples read.
package data

import (
	"path/filepath"
	"runtime"
)

// Path returns the path of a file that is given relative to this folder. An absolute path is returned as it is.
func Path(rel string) string {
	if filepath.IsAbs(rel) {
		return rel
	}
	_, thisFile, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(thisFile), rel)
}
