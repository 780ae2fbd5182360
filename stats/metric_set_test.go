// Sets of metric names.

package stats

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

func TestMetricSetOperationsLeaveTheirSetsAlone(t *testing.T) {
	ab := NewMetricSet("a", "b", "a")
	tests := []struct {
		name string
		set  *MetricSet
		want []string
	}{
		{"add", ab.Add("c", "a"), []string{"a", "b", "c"}},
		{"add nothing", ab.Add(), []string{"a", "b"}},
		{"remove", ab.Remove("a", "x"), []string{"b"}},
		{"join", ab.Join(NewMetricSet("b", "x")), []string{"a", "b", "x"}},
		{"add to the zero set", new(MetricSet).Add("a"), []string{"a"}},
		{"empty", NewMetricSet(), nil},
		{"the set itself, afterwards", ab, []string{"a", "b"}},
	}
	for _, test := range tests {
		got := test.set.Metrics()
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, names, test.want)
		}
		for name, in := range got {
			if !in {
				t.Errorf("%s: got false for %s, want true", test.name, name)
			}
		}
	}
}

func ExampleMetricSet() {
	chosen := NewMetricSet("grpc.client.call.duration", "grpc.client.attempt.started").Remove("grpc.client.attempt.started")
	fmt.Println(chosen.Metrics())
	// Output: map[grpc.client.call.duration:true]
}
