// The do-nothing recorder, and reporters.

package stats

import (
	"errors"
	"testing"
)

func TestUnimplementedMetricsRecorderIgnoresAll(t *testing.T) {
	var r MetricsRecorder = UnimplementedMetricsRecorder{}
	r.RecordInt64Count(nil, 1)
	r.RecordFloat64Count(nil, 1)
	r.RecordInt64Histo(nil, 1)
	r.RecordFloat64Histo(nil, 1)
	r.RecordInt64Gauge(nil, 1)
	r.RecordInt64UpDownCount(nil, 1)
	stop := r.RegisterAsyncReporter(nil)
	stop()
	stop()
}

func TestAsyncMetricReporterFunc(t *testing.T) {
	unregister(t, "reported")
	gauge := RegisterInt64AsyncGauge(MetricDescriptor{Name: "reported"})
	gauge.isAsync()
	var metric AsyncMetric = gauge
	if got := metric.Descriptor().Name; got != "reported" {
		t.Errorf("got name %q, want reported", got)
	}
	failure := errors.New("failure")
	reporter := AsyncMetricReporterFunc(func(r AsyncMetricsRecorder) error {
		gauge.Record(r, 7, "label")
		return failure
	})
	var c collector
	if err := reporter.Report(&c); err != failure {
		t.Errorf("got error %v, want %v", err, failure)
	}
	if len(c.got) != 1 || c.got[0] != "reported 7 [label]" {
		t.Errorf("got %q, want one value", c.got)
	}
}
