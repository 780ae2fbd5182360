// The marker by which an interface of the public API makes its implementers embed gRPC's own do-nothing implementation.
// It lives in an internal package because its name appears in a public struct, and nobody outside may implement it.

// Package embedding holds markers that force users of the module to embed a given type.
package embedding

// EnforceMetricsRecorderEmbedding is part of MetricsRecorder in package experimental/stats. Only UnimplementedMetricsRecorder of that
// package has it, so that methods can be added to the interface without breaking its implementers.
type EnforceMetricsRecorderEmbedding interface {
	enforceMetricsRecorderEmbedding()
}
