// Registration and recording of metrics. The registry is the program's: each test uses names of its own, and removes them.

package stats

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// collector notes what is recorded.
type collector struct {
	UnimplementedMetricsRecorder
	got []string
}

func (c *collector) note(d *MetricDescriptor, value any, labels []string) {
	c.got = append(c.got, fmt.Sprint(d.Name, " ", value, " ", labels))
}

func (c *collector) RecordInt64Count(h *Int64CountHandle, v int64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordFloat64Count(h *Float64CountHandle, v float64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordInt64Histo(h *Int64HistoHandle, v int64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordFloat64Histo(h *Float64HistoHandle, v float64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordInt64Gauge(h *Int64GaugeHandle, v int64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordInt64UpDownCount(h *Int64UpDownCountHandle, v int64, l ...string) {
	c.note(h.Descriptor(), v, l)
}
func (c *collector) RecordInt64AsyncGauge(h *Int64AsyncGaugeHandle, v int64, l ...string) {
	c.note(h.Descriptor(), v, l)
}

// unregister removes the metrics whose names begin with prefix when the test ends.
func unregister(t *testing.T, prefix string) {
	t.Cleanup(func() {
		maps.DeleteFunc(registry, func(name string, _ *MetricDescriptor) bool { return strings.HasPrefix(name, prefix) })
	})
}

func TestHandlesRecordToTheirMethod(t *testing.T) {
	unregister(t, "record.")
	name := func(n string) MetricDescriptor { return MetricDescriptor{Name: "record." + n} }
	var c collector
	RegisterInt64Count(name("int count")).Record(&c, 1, "a", "b")
	RegisterFloat64Count(name("float count")).Record(&c, 1.5, "a")
	RegisterInt64Histo(name("int histo")).Record(&c, 2)
	RegisterFloat64Histo(name("float histo")).Record(&c, 2.5)
	RegisterInt64Gauge(name("gauge")).Record(&c, 3)
	RegisterInt64UpDownCount(name("up-down")).Record(&c, -4)
	RegisterInt64AsyncGauge(name("async")).Record(&c, 5)
	want := []string{
		"record.int count 1 [a b]", "record.float count 1.5 [a]", "record.int histo 2 []", "record.float histo 2.5 []",
		"record.gauge 3 []", "record.up-down -4 []", "record.async 5 []",
	}
	if !reflect.DeepEqual(c.got, want) {
		t.Errorf("got %q, want %q", c.got, want)
	}
}

func TestRegisterSetsTheType(t *testing.T) {
	unregister(t, "type.")
	given := MetricDescriptor{
		Description: "d", Unit: "s", Labels: []string{"l"}, OptionalLabels: []string{"o"}, Bounds: []float64{1}, Type: -1,
	}
	named := func(name string) MetricDescriptor {
		d := given
		d.Name = "type." + name
		return d
	}
	tests := []struct {
		got  *MetricDescriptor
		name string
		want MetricType
	}{
		{RegisterInt64Count(named("a")).Descriptor(), "a", MetricTypeIntCount},
		{RegisterFloat64Count(named("b")).Descriptor(), "b", MetricTypeFloatCount},
		{RegisterInt64Histo(named("c")).Descriptor(), "c", MetricTypeIntHisto},
		{RegisterFloat64Histo(named("d")).Descriptor(), "d", MetricTypeFloatHisto},
		{RegisterInt64Gauge(named("e")).Descriptor(), "e", MetricTypeIntGauge},
		{RegisterInt64UpDownCount(named("f")).Descriptor(), "f", MetricTypeIntUpDownCount},
		{RegisterInt64AsyncGauge(named("g")).Descriptor(), "g", MetricTypeIntAsyncGauge},
	}
	for _, test := range tests {
		want := named(test.name)
		want.Type = test.want
		if !reflect.DeepEqual(*test.got, want) {
			t.Errorf("%s: got %+v, want %+v", test.name, *test.got, want)
		}
		if DescriptorForMetric(want.Name) != test.got {
			t.Errorf("%s: DescriptorForMetric returns another descriptor than the handle's", test.name)
		}
	}
	if got := DescriptorForMetric("type.unknown"); got != nil {
		t.Errorf("unknown name: got %+v, want nil", got)
	}
}

func TestDefaultMetrics(t *testing.T) {
	unregister(t, "default.")
	before := DefaultMetrics
	defer func() { DefaultMetrics = before }()
	RegisterInt64Count(MetricDescriptor{Name: "default.on", Default: true})
	RegisterInt64Count(MetricDescriptor{Name: "default.off"})
	if got := DefaultMetrics.Metrics(); !got["default.on"] || got["default.off"] {
		t.Errorf("got %v, want default.on and not default.off in it", got)
	}
	if before.Metrics()["default.on"] {
		t.Error("got a change in a set that was read before")
	}
	if got := NewMetrics("a", "b").Metrics(); !reflect.DeepEqual(got, map[string]bool{"a": true, "b": true}) {
		t.Errorf("NewMetrics: got %v", got)
	}
}

// The program ends when a name is registered twice, so that happens in another process: this test, called with an environment variable.
func TestRegisterTwiceEndsTheProgram(t *testing.T) {
	if os.Getenv("REGISTER_TWICE") != "" {
		RegisterInt64Count(MetricDescriptor{Name: "twice"})
		RegisterFloat64Count(MetricDescriptor{Name: "twice"})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRegisterTwiceEndsTheProgram$")
	cmd.Env = append(os.Environ(), "REGISTER_TWICE=1")
	out, err := cmd.CombinedOutput()
	if want := "[metrics-registry] metric twice already registered"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("got error %v and output %q, want an exit status and %q", err, out, want)
	}
}

// Metrics are registered while the package is initialised.
var lookups = RegisterInt64Count(MetricDescriptor{
	Name: "example.lookups", Description: "Number of lookups.", Unit: "{lookup}", Labels: []string{"grpc.target"}, Default: true,
})

func ExampleRegisterInt64Count() {
	var recorder collector // gRPC hands its recorder to resolvers and load-balancing policies
	lookups.Record(&recorder, 1, "dns:///example.com")
	fmt.Println(recorder.got)
	// Output: [example.lookups 1 [dns:///example.com]]
}
