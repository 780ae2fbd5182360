// gRPC's log lines in glog, switched on by importing this package. The only package of gRPC that needs glog.

// Package glogger makes github.com/golang/glog the logger of gRPC. Import it for this effect:
//
//	import _ "google.golang.org/grpc/grpclog/glogger"
//
// Severity, verbosity and destination are then those of glog's flags.
package glogger

import (
	"fmt"

	"github.com/golang/glog"
	"google.golang.org/grpc/grpclog"
)

func init() {
	grpclog.SetLoggerV2(logger{})
}

// frames is how many there are between glog and the caller of package grpclog, who is to be shown: the method of logger and the
// function of grpclog.
const frames = 2

// logger is a grpclog.DepthLoggerV2 over glog.
type logger struct{}

func (logger) V(l int) bool { return bool(glog.V(glog.Level(l))) }

func (logger) Info(args ...any)                 { glog.InfoDepth(frames, args...) }
func (logger) Infoln(args ...any)               { glog.InfoDepth(frames, fmt.Sprintln(args...)) }
func (logger) Infof(format string, args ...any) { glog.InfoDepthf(frames, format, args...) }

func (logger) Warning(args ...any)                 { glog.WarningDepth(frames, args...) }
func (logger) Warningln(args ...any)               { glog.WarningDepth(frames, fmt.Sprintln(args...)) }
func (logger) Warningf(format string, args ...any) { glog.WarningDepthf(frames, format, args...) }

func (logger) Error(args ...any)                 { glog.ErrorDepth(frames, args...) }
func (logger) Errorln(args ...any)               { glog.ErrorDepth(frames, fmt.Sprintln(args...)) }
func (logger) Errorf(format string, args ...any) { glog.ErrorDepthf(frames, format, args...) }

func (logger) Fatal(args ...any)                 { glog.FatalDepth(frames, args...) }
func (logger) Fatalln(args ...any)               { glog.FatalDepth(frames, fmt.Sprintln(args...)) }
func (logger) Fatalf(format string, args ...any) { glog.FatalDepthf(frames, format, args...) }

func (logger) InfoDepth(depth int, args ...any)    { glog.InfoDepth(depth+frames, args...) }
func (logger) WarningDepth(depth int, args ...any) { glog.WarningDepth(depth+frames, args...) }
func (logger) ErrorDepth(depth int, args ...any)   { glog.ErrorDepth(depth+frames, args...) }
func (logger) FatalDepth(depth int, args ...any)   { glog.FatalDepth(depth+frames, args...) }
