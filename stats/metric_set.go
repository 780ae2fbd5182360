// Sets of metric names, with which an application chooses what a stats handler records (gRFC A79).

package stats

import "maps"

// MetricSet is an immutable set of metric names. Its methods may be called concurrently.
type MetricSet struct {
	names map[string]bool // all true
}

// NewMetricSet returns the set of the given names.
func NewMetricSet(metricNames ...string) *MetricSet {
	return (&MetricSet{}).Add(metricNames...)
}

// Metrics returns the names, each with the value true. The map is the set's own: it must not be changed.
func (m *MetricSet) Metrics() map[string]bool {
	return m.names
}

// Add returns the set with the given names in addition.
func (m *MetricSet) Add(metricNames ...string) *MetricSet {
	names := m.copy()
	for _, name := range metricNames {
		names[name] = true
	}
	return &MetricSet{names}
}

// Join returns the union of both sets.
func (m *MetricSet) Join(metrics *MetricSet) *MetricSet {
	names := m.copy()
	maps.Copy(names, metrics.names)
	return &MetricSet{names}
}

// Remove returns the set without the given names.
func (m *MetricSet) Remove(metricNames ...string) *MetricSet {
	names := m.copy()
	for _, name := range metricNames {
		delete(names, name)
	}
	return &MetricSet{names}
}

// copy returns a map of the names that may be changed.
func (m *MetricSet) copy() map[string]bool {
	names := make(map[string]bool, len(m.names))
	maps.Copy(names, m.names)
	return names
}
