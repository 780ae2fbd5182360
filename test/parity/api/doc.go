// What this package is: generated uses of all that the library exports. See ./generate for how they are made.

// Package api refers to every exported feature of the library's packages that exist in this tree.
package api

//go:generate go run ./generate -list ../../apicheck/api/v1.85.0.txt -without ../../apicheck/api/pending.txt -out .
