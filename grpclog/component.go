// Loggers of gRPC's components: the logger of the process, with the component's name before each line.

package grpclog

import "fmt"

// Component returns a logger for the component name. It logs to the logger of the process, with "[name]" before each line.
// Loggers of the same name are equal.
func Component(name string) DepthLoggerV2 {
	return component("[" + name + "]")
}

// component is what stands before each line.
//
// Its methods keep count of the frames between the caller and the functions of the package: their own, and that of a Depth method which
// they call.
type component string

// line returns args with the component before them.
func (c component) line(args []any) []any {
	return append([]any{string(c)}, args...)
}

func (component) V(l int) bool { return V(l) }

func (c component) Info(args ...any)                 { c.InfoDepth(1, args...) }
func (c component) Infoln(args ...any)               { c.InfoDepth(1, args...) }
func (c component) Infof(format string, args ...any) { c.InfoDepth(1, fmt.Sprintf(format, args...)) }

func (c component) Warning(args ...any)   { c.WarningDepth(1, args...) }
func (c component) Warningln(args ...any) { c.WarningDepth(1, args...) }
func (c component) Warningf(format string, args ...any) {
	c.WarningDepth(1, fmt.Sprintf(format, args...))
}

func (c component) Error(args ...any)                 { c.ErrorDepth(1, args...) }
func (c component) Errorln(args ...any)               { c.ErrorDepth(1, args...) }
func (c component) Errorf(format string, args ...any) { c.ErrorDepth(1, fmt.Sprintf(format, args...)) }

func (c component) Fatal(args ...any)                 { c.FatalDepth(1, args...) }
func (c component) Fatalln(args ...any)               { c.FatalDepth(1, args...) }
func (c component) Fatalf(format string, args ...any) { c.FatalDepth(1, fmt.Sprintf(format, args...)) }

func (c component) InfoDepth(depth int, args ...any)    { InfoDepth(depth+1, c.line(args)...) }
func (c component) WarningDepth(depth int, args ...any) { WarningDepth(depth+1, c.line(args)...) }
func (c component) ErrorDepth(depth int, args ...any)   { ErrorDepth(depth+1, c.line(args)...) }
func (c component) FatalDepth(depth int, args ...any)   { FatalDepth(depth+1, c.line(args)...) }
