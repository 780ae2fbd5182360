// Tests of the options that both ends have: their defaults, and what the peer is told of them.

package transport

import (
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/transport/internal/frame"
)

func TestDefaultsOfConnections(t *testing.T) {
	var o ConnOptions
	o.setDefaults()
	want := ConnOptions{
		Pool: mem.DefaultBufferPool(), ReadBufferSize: 32 << 10, StreamWindow: 65535, ConnWindow: 1 << 20, StallTimeout: 20 * time.Second,
	}
	if o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
	if got := o.maxHeaderList(); got != 16<<20 {
		t.Errorf("header list: got at most %d bytes, want 16 MiB", got)
	}
	limit := uint32(0)
	given := ConnOptions{
		Pool: mem.NopBufferPool{}, ReadBufferSize: -1, WriteBufferSize: -1, KeepWriteBuffers: true, StreamWindow: 1, ConnWindow: 1, StaticWindows: true, StallTimeout: 1, MaxHeaderListSize: &limit,
	}
	o = given
	if o.setDefaults(); o != given || o.maxHeaderList() != 0 {
		t.Errorf("got %+v, want what was given: %+v", o, given)
	}
	for given, want := range map[int]int{1: 16 << 10, 16<<10 + 1: 16<<10 + 1} {
		o = ConnOptions{WriteBufferSize: given}
		if o.setDefaults(); o.WriteBufferSize != want {
			t.Errorf("write buffer of %d bytes: got %d, want %d", given, o.WriteBufferSize, want)
		}
	}
	o = ConnOptions{StallTimeout: -1}
	if o.setDefaults(); o.StallTimeout != defaultStallTimeout {
		t.Errorf("negative stall timeout: got %v, want %v", o.StallTimeout, defaultStallTimeout)
	}
}

func TestSettingsSayWhatIsNotTheDefault(t *testing.T) {
	most := uint32(math.MaxUint32)
	for _, tt := range []struct {
		o    ConnOptions
		want []frame.Setting
	}{
		{ConnOptions{}, []frame.Setting{{ID: frame.MaxFrameSize, Value: 1 << 20}, {ID: frame.MaxHeaderListSize, Value: 16 << 20}}},
		{ConnOptions{StreamWindow: frame.DefaultWindow}, []frame.Setting{{ID: frame.MaxFrameSize, Value: 1 << 20}, {ID: frame.MaxHeaderListSize, Value: 16 << 20}}},
		{ConnOptions{StreamWindow: frame.MaxWindow, MaxHeaderListSize: &most}, []frame.Setting{
			{ID: frame.MaxFrameSize, Value: 1 << 20}, {ID: frame.MaxHeaderListSize, Value: most}, {ID: frame.InitialWindowSize, Value: frame.MaxWindow},
		}},
	} {
		tt.o.setDefaults()
		if got := fmt.Sprint(tt.o.settings()); got != fmt.Sprint(tt.want) {
			t.Errorf("%+v: got %s, want %v", tt.o, got, tt.want)
		}
	}
}
