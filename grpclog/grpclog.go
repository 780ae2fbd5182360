// The logger of the process, and the functions that log to it. gRPC has one logger for all channels and servers.
// The logger that is used until another one is set is in loggerv2.go, loggers of single components are in component.go.

// Package grpclog is where gRPC logs.
//
// Until SetLoggerV2 is called, log lines go to standard error as these environment variables say:
//   - GRPC_GO_LOG_SEVERITY_LEVEL: "info", "warning" or "error", in lower case or in capitals: the least severity that is logged.
//     Default: error. Any other value: nothing is logged.
//   - GRPC_GO_LOG_VERBOSITY_LEVEL: the number up to which V reports true. Default: 0.
//   - GRPC_GO_LOG_FORMATTER: "json" makes each line a JSON object. Default: text.
package grpclog

import (
	"os"
	"sync/atomic"
)

// sink is a logger and, if it can skip stack frames, the same logger once more.
type sink struct {
	LoggerV2
	depth DepthLoggerV2 // nil if the logger has no Depth methods
}

func newSink(l LoggerV2) *sink {
	depth, _ := l.(DepthLoggerV2)
	return &sink{LoggerV2: l, depth: depth}
}

var (
	initial = newSink(loggerFromEnv()) // in use until current is set
	current atomic.Pointer[sink]
)

func logger() *sink {
	if s := current.Load(); s != nil {
		return s
	}
	return initial
}

// SetLoggerV2 makes l the logger of the process. It may be called at any time; to catch every line, call it before any other
// function of gRPC. It panics for a logger that Component made, which logs to the logger of the process.
func SetLoggerV2(l LoggerV2) {
	if _, ok := l.(component); ok {
		panic("cannot use component logger as grpclog logger")
	}
	current.Store(newSink(l))
}

// V reports whether lines of verbosity l are logged.
func V(l int) bool { return logger().V(l) }

// Info logs at severity INFO. Arguments are handled as by fmt.Print.
func Info(args ...any) { logger().Info(args...) }

// Infof logs at severity INFO. Arguments are handled as by fmt.Printf.
func Infof(format string, args ...any) { logger().Infof(format, args...) }

// Infoln logs at severity INFO. Arguments are handled as by fmt.Println.
func Infoln(args ...any) { logger().Infoln(args...) }

// Warning logs at severity WARNING. Arguments are handled as by fmt.Print.
func Warning(args ...any) { logger().Warning(args...) }

// Warningf logs at severity WARNING. Arguments are handled as by fmt.Printf.
func Warningf(format string, args ...any) { logger().Warningf(format, args...) }

// Warningln logs at severity WARNING. Arguments are handled as by fmt.Println.
func Warningln(args ...any) { logger().Warningln(args...) }

// Error logs at severity ERROR. Arguments are handled as by fmt.Print.
func Error(args ...any) { logger().Error(args...) }

// Errorf logs at severity ERROR. Arguments are handled as by fmt.Printf.
func Errorf(format string, args ...any) { logger().Errorf(format, args...) }

// Errorln logs at severity ERROR. Arguments are handled as by fmt.Println.
func Errorln(args ...any) { logger().Errorln(args...) }

// Fatal logs at severity FATAL and ends the process with code 1, unless the logger ends it first. Arguments are handled as by fmt.Print.
func Fatal(args ...any) {
	logger().Fatal(args...)
	os.Exit(1)
}

// Fatalf logs at severity FATAL and ends the process as Fatal does. Arguments are handled as by fmt.Printf.
func Fatalf(format string, args ...any) {
	logger().Fatalf(format, args...)
	os.Exit(1)
}

// Fatalln logs at severity FATAL and ends the process as Fatal does. Arguments are handled as by fmt.Println.
func Fatalln(args ...any) {
	logger().Fatalln(args...)
	os.Exit(1)
}

// InfoDepth logs at severity INFO. If the logger shows places in the source, the line shows the function that is depth frames above the
// caller of InfoDepth. A logger without Depth methods gets Infoln.
func InfoDepth(depth int, args ...any) {
	if s := logger(); s.depth != nil {
		s.depth.InfoDepth(depth, args...)
	} else {
		s.Infoln(args...)
	}
}

// WarningDepth is like InfoDepth, at severity WARNING.
func WarningDepth(depth int, args ...any) {
	if s := logger(); s.depth != nil {
		s.depth.WarningDepth(depth, args...)
	} else {
		s.Warningln(args...)
	}
}

// ErrorDepth is like InfoDepth, at severity ERROR.
func ErrorDepth(depth int, args ...any) {
	if s := logger(); s.depth != nil {
		s.depth.ErrorDepth(depth, args...)
	} else {
		s.Errorln(args...)
	}
}

// FatalDepth is like InfoDepth, at severity FATAL, and ends the process as Fatal does.
func FatalDepth(depth int, args ...any) {
	if s := logger(); s.depth != nil {
		s.depth.FatalDepth(depth, args...)
	} else {
		s.Fatalln(args...)
	}
	os.Exit(1)
}

// Logger is what a logger was in 2016; *log.Logger is one.
//
// Deprecated: use LoggerV2.
type Logger interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Fatalln(args ...any)
	Print(args ...any)
	Printf(format string, args ...any)
	Println(args ...any)
}

// SetLogger makes l the logger of the process. It gets the lines of all severities and of every verbosity.
//
// Deprecated: use SetLoggerV2.
func SetLogger(l Logger) { current.Store(newSink(loggerV1{l})) }

// Print logs at severity INFO.
//
// Deprecated: use Info.
func Print(args ...any) { logger().Info(args...) }

// Printf logs at severity INFO.
//
// Deprecated: use Infof.
func Printf(format string, args ...any) { logger().Infof(format, args...) }

// Println logs at severity INFO.
//
// Deprecated: use Infoln.
func Println(args ...any) { logger().Infoln(args...) }

// loggerV1 makes a LoggerV2 of a Logger.
type loggerV1 struct{ Logger }

func (l loggerV1) Info(args ...any)                    { l.Print(args...) }
func (l loggerV1) Infof(format string, args ...any)    { l.Printf(format, args...) }
func (l loggerV1) Infoln(args ...any)                  { l.Println(args...) }
func (l loggerV1) Warning(args ...any)                 { l.Print(args...) }
func (l loggerV1) Warningf(format string, args ...any) { l.Printf(format, args...) }
func (l loggerV1) Warningln(args ...any)               { l.Println(args...) }
func (l loggerV1) Error(args ...any)                   { l.Print(args...) }
func (l loggerV1) Errorf(format string, args ...any)   { l.Printf(format, args...) }
func (l loggerV1) Errorln(args ...any)                 { l.Println(args...) }
func (loggerV1) V(int) bool                            { return true }
