// Tests of which settings ask for labels. What handlers get is in test/parity.

package grpc

import "testing"

func TestLabelsWanted(t *testing.T) {
	for setting, want := range map[string]bool{
		"": false, "all": true, "ALL": true, "grpc.method=true": true, "x,GRPC.method=True": true, "grpc.method=true,x": true,
		"grpc.method": false, "grpc.method=1": false, "true": false, "all,x": false, " all": false,
	} {
		wantEqual(t, setting, labelsWanted(setting), want)
	}
}
