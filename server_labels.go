// Labels of goroutines that handle RPCs, for profiles (runtime/pprof), if the environment asks for them.

package grpc

import (
	"context"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
)

// methodLabel is the label that names the method of the RPC that a goroutine handles, as "/service/method".
const methodLabel = "grpc.method"

// labelsOn is whether handlers get labels: if GRPC_GO_SERVER_GOROUTINE_LABELS is "all", or has "grpc.method=true" among the settings that
// commas separate, in letters of any case.
var labelsOn = labelsWanted(os.Getenv("GRPC_GO_SERVER_GOROUTINE_LABELS"))

func labelsWanted(setting string) bool {
	setting = strings.ToLower(setting)
	return setting == "all" || slices.Contains(strings.Split(setting, ","), methodLabel+"=true")
}

// label gives the goroutine and the context of an RPC its labels, which those that the handler starts inherit.
func (ss *serverStream) label() {
	ss.ctx = pprof.WithLabels(ss.ctx, pprof.Labels(methodLabel, ss.st.Method()))
	pprof.SetGoroutineLabels(ss.ctx)
}

// unlabel takes the labels from the goroutine again, which will handle other RPCs.
func unlabel() { pprof.SetGoroutineLabels(context.Background()) }
