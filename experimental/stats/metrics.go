// The registry of metrics that belong to no single RPC: their descriptors, and one typed handle per metric.
// The registry is written by package initialisation only, so that it needs no lock. Who records is in recorder.go. Source: gRFC A79.

// Package stats holds the metrics that gRPC's parts, resolvers and load-balancing policies among them, record outside of RPCs.
//
// Experimental: the package may change.
package stats

import (
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/stats"
)

var logger = grpclog.Component("metrics-registry")

// DefaultMetrics is the set of the registered metrics that are on by default. It is complete when package initialisation is, and only read
// from then on.
var DefaultMetrics = stats.NewMetricSet()

// registry holds all metrics by name. It is written by package initialisation only.
var registry = map[string]*MetricDescriptor{}

// Metrics is the former name of stats.MetricSet.
//
// Deprecated: use stats.MetricSet.
type Metrics = stats.MetricSet

// Metric is the name of a metric.
//
// Deprecated: use string.
type Metric = string

// NewMetrics is the former name of stats.NewMetricSet.
//
// Deprecated: use stats.NewMetricSet.
func NewMetrics(metrics ...Metric) *Metrics {
	return stats.NewMetricSet(metrics...)
}

// MetricType is the kind of a metric: what its values are, and how they add up.
type MetricType int

// The kinds of metrics. Up-down counts may also fall; an asynchronous gauge is asked for its value when the values are collected.
const (
	MetricTypeIntCount MetricType = iota
	MetricTypeFloatCount
	MetricTypeIntHisto
	MetricTypeFloatHisto
	MetricTypeIntGauge
	MetricTypeIntUpDownCount
	MetricTypeIntAsyncGauge
)

// MetricDescriptor describes a metric.
type MetricDescriptor struct {
	// Name is unique in the program, metrics of RPCs included. gRFC A79 says how to form it.
	Name string
	// Description is a sentence for the reader of the values.
	Description string
	// Unit is the unit of the values, such as "s" or "{connection}".
	Unit string
	// Labels are the keys of the labels that each value has.
	Labels []string
	// OptionalLabels are the keys of labels that recorders are free to drop.
	OptionalLabels []string
	// Default says that the metric is on unless the application turns it off.
	Default bool
	// Type is set by the Register functions.
	Type MetricType
	// Bounds are the upper bounds of a histogram's buckets. Without any, the recorder chooses them.
	Bounds []float64
}

// DescriptorForMetric returns the descriptor of a registered metric, nil if there is none of that name. It must not be changed.
func DescriptorForMetric(metricName string) *MetricDescriptor {
	return registry[metricName]
}

// register enters the metric, and ends the program if its name is taken.
func register(d MetricDescriptor, t MetricType) *MetricDescriptor {
	if registry[d.Name] != nil {
		logger.Fatalf("metric %v already registered", d.Name)
	}
	d.Type = t
	registry[d.Name] = &d
	if d.Default {
		DefaultMetrics = DefaultMetrics.Add(d.Name)
	}
	return &d
}

// A handle stands for one registered metric; each kind of metric has its own type of handle. Record hands a value to recorder with the
// values of the labels: first those of Labels, then those of OptionalLabels, in the order of the descriptor. Descriptor returns the
// metric's descriptor, which must not be changed. The Register functions must only be called during package initialisation, and end the
// program if a metric of that name is registered already.
type (
	// Int64CountHandle is the handle of a count of integers.
	Int64CountHandle MetricDescriptor
	// Float64CountHandle is the handle of a count of floating-point numbers.
	Float64CountHandle MetricDescriptor
	// Int64HistoHandle is the handle of a histogram of integers.
	Int64HistoHandle MetricDescriptor
	// Float64HistoHandle is the handle of a histogram of floating-point numbers.
	Float64HistoHandle MetricDescriptor
	// Int64GaugeHandle is the handle of a gauge of integers.
	Int64GaugeHandle MetricDescriptor
	// Int64UpDownCountHandle is the handle of a count of integers that may also fall.
	Int64UpDownCountHandle MetricDescriptor
	// Int64AsyncGaugeHandle is the handle of a gauge of integers whose value is asked for.
	Int64AsyncGaugeHandle MetricDescriptor
)

// RegisterInt64Count registers a count of integers; d.Type is ignored.
func RegisterInt64Count(d MetricDescriptor) *Int64CountHandle {
	return (*Int64CountHandle)(register(d, MetricTypeIntCount))
}

// RegisterFloat64Count registers a count of floating-point numbers; d.Type is ignored.
func RegisterFloat64Count(d MetricDescriptor) *Float64CountHandle {
	return (*Float64CountHandle)(register(d, MetricTypeFloatCount))
}

// RegisterInt64Histo registers a histogram of integers; d.Type is ignored.
func RegisterInt64Histo(d MetricDescriptor) *Int64HistoHandle {
	return (*Int64HistoHandle)(register(d, MetricTypeIntHisto))
}

// RegisterFloat64Histo registers a histogram of floating-point numbers; d.Type is ignored.
func RegisterFloat64Histo(d MetricDescriptor) *Float64HistoHandle {
	return (*Float64HistoHandle)(register(d, MetricTypeFloatHisto))
}

// RegisterInt64Gauge registers a gauge of integers; d.Type is ignored.
func RegisterInt64Gauge(d MetricDescriptor) *Int64GaugeHandle {
	return (*Int64GaugeHandle)(register(d, MetricTypeIntGauge))
}

// RegisterInt64UpDownCount registers a count of integers that may also fall; d.Type is ignored.
func RegisterInt64UpDownCount(d MetricDescriptor) *Int64UpDownCountHandle {
	return (*Int64UpDownCountHandle)(register(d, MetricTypeIntUpDownCount))
}

// RegisterInt64AsyncGauge registers a gauge of integers whose value is asked for; d.Type is ignored.
func RegisterInt64AsyncGauge(d MetricDescriptor) *Int64AsyncGaugeHandle {
	return (*Int64AsyncGaugeHandle)(register(d, MetricTypeIntAsyncGauge))
}

// Descriptor returns the metric's descriptor.
func (h *Int64CountHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Float64CountHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Int64HistoHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Float64HistoHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Int64GaugeHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Int64UpDownCountHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Descriptor returns the metric's descriptor.
func (h *Int64AsyncGaugeHandle) Descriptor() *MetricDescriptor { return (*MetricDescriptor)(h) }

// Record adds incr to the count.
func (h *Int64CountHandle) Record(recorder MetricsRecorder, incr int64, labels ...string) {
	recorder.RecordInt64Count(h, incr, labels...)
}

// Record adds incr to the count.
func (h *Float64CountHandle) Record(recorder MetricsRecorder, incr float64, labels ...string) {
	recorder.RecordFloat64Count(h, incr, labels...)
}

// Record enters value into the histogram.
func (h *Int64HistoHandle) Record(recorder MetricsRecorder, value int64, labels ...string) {
	recorder.RecordInt64Histo(h, value, labels...)
}

// Record enters value into the histogram.
func (h *Float64HistoHandle) Record(recorder MetricsRecorder, value float64, labels ...string) {
	recorder.RecordFloat64Histo(h, value, labels...)
}

// Record sets the gauge to value.
func (h *Int64GaugeHandle) Record(recorder MetricsRecorder, value int64, labels ...string) {
	recorder.RecordInt64Gauge(h, value, labels...)
}

// Record adds incr, which may be negative, to the count.
func (h *Int64UpDownCountHandle) Record(recorder MetricsRecorder, incr int64, labels ...string) {
	recorder.RecordInt64UpDownCount(h, incr, labels...)
}

// Record reports value as the gauge's value now. It is meant to be called in Report of an AsyncMetricReporter.
func (h *Int64AsyncGaugeHandle) Record(recorder AsyncMetricsRecorder, value int64, labels ...string) {
	recorder.RecordInt64AsyncGauge(h, value, labels...)
}

func (*Int64AsyncGaugeHandle) isAsync() {}
