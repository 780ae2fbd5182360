// Who receives the values of metrics, and how a part of gRPC offers values to be asked for (gRFC A79).

package stats

import "google.golang.org/grpc/internal/embedding"

// MetricsRecorder receives the values of metrics. The labels are the values of the descriptor's Labels and OptionalLabels, in that order.
// A stats.Handler that has these methods too receives the metrics of its channel. Methods are called concurrently. Implementations must
// embed UnimplementedMetricsRecorder.
type MetricsRecorder interface {
	// RecordInt64Count adds incr to a count.
	RecordInt64Count(handle *Int64CountHandle, incr int64, labels ...string)
	// RecordFloat64Count adds incr to a count.
	RecordFloat64Count(handle *Float64CountHandle, incr float64, labels ...string)
	// RecordInt64Histo enters value into a histogram.
	RecordInt64Histo(handle *Int64HistoHandle, value int64, labels ...string)
	// RecordFloat64Histo enters value into a histogram.
	RecordFloat64Histo(handle *Float64HistoHandle, value float64, labels ...string)
	// RecordInt64Gauge sets a gauge to value.
	RecordInt64Gauge(handle *Int64GaugeHandle, value int64, labels ...string)
	// RecordInt64UpDownCount adds incr, which may be negative, to a count.
	RecordInt64UpDownCount(handle *Int64UpDownCountHandle, incr int64, labels ...string)
	// RegisterAsyncReporter makes reporter be asked for the values of the given metrics, and of no others, whenever values are collected. The
	// returned function ends that; it may be called repeatedly and concurrently.
	RegisterAsyncReporter(reporter AsyncMetricReporter, metrics ...AsyncMetric) func()

	embedding.EnforceMetricsRecorderEmbedding
}

// AsyncMetric is a metric whose values are asked for. Only the handles of this package are such.
type AsyncMetric interface {
	isAsync()
	// Descriptor returns the metric's descriptor.
	Descriptor() *MetricDescriptor
}

// AsyncMetricReporter knows the values of some asynchronous metrics. No two reporters may report a metric with the same labels.
type AsyncMetricReporter interface {
	// Report records the values of now. It may be called concurrently.
	Report(AsyncMetricsRecorder) error
}

// AsyncMetricReporterFunc is a function as an AsyncMetricReporter.
type AsyncMetricReporterFunc func(AsyncMetricsRecorder) error

// Report calls f.
func (f AsyncMetricReporterFunc) Report(r AsyncMetricsRecorder) error {
	return f(r)
}

// AsyncMetricsRecorder receives the values of asynchronous metrics.
type AsyncMetricsRecorder interface {
	// RecordInt64AsyncGauge reports value as the gauge's value now.
	RecordInt64AsyncGauge(handle *Int64AsyncGaugeHandle, value int64, labels ...string)
}

// UnimplementedMetricsRecorder ignores all values. Implementations of MetricsRecorder embed it, so that they stay such when the interface
// gets new methods.
type UnimplementedMetricsRecorder struct {
	embedding.EnforceMetricsRecorderEmbedding
}

// RecordInt64Count does nothing.
func (UnimplementedMetricsRecorder) RecordInt64Count(*Int64CountHandle, int64, ...string) {}

// RecordFloat64Count does nothing.
func (UnimplementedMetricsRecorder) RecordFloat64Count(*Float64CountHandle, float64, ...string) {}

// RecordInt64Histo does nothing.
func (UnimplementedMetricsRecorder) RecordInt64Histo(*Int64HistoHandle, int64, ...string) {}

// RecordFloat64Histo does nothing.
func (UnimplementedMetricsRecorder) RecordFloat64Histo(*Float64HistoHandle, float64, ...string) {}

// RecordInt64Gauge does nothing.
func (UnimplementedMetricsRecorder) RecordInt64Gauge(*Int64GaugeHandle, int64, ...string) {}

// RecordInt64UpDownCount does nothing.
func (UnimplementedMetricsRecorder) RecordInt64UpDownCount(*Int64UpDownCountHandle, int64, ...string) {
}

// RegisterAsyncReporter asks nothing, and returns a function that does nothing.
func (UnimplementedMetricsRecorder) RegisterAsyncReporter(AsyncMetricReporter, ...AsyncMetric) func() {
	return func() {}
}
