// The interfaces of loggers, and gRPC's own logger, which writes lines of text or JSON objects to three writers.

package grpclog

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LoggerV2 is what gRPC logs to. Its methods are called concurrently. Those without a suffix handle their arguments as fmt.Print does,
// those with f as fmt.Printf, those with ln as fmt.Println.
type LoggerV2 interface {
	Info(args ...any)
	Infoln(args ...any)
	Infof(format string, args ...any)
	Warning(args ...any)
	Warningln(args ...any)
	Warningf(format string, args ...any)
	Error(args ...any)
	Errorln(args ...any)
	Errorf(format string, args ...any)
	// Fatal, Fatalln and Fatalf should end the process with a code that is not 0. gRPC does so if they return.
	Fatal(args ...any)
	Fatalln(args ...any)
	Fatalf(format string, args ...any)
	// V reports whether lines of verbosity l are logged.
	V(l int) bool
}

// DepthLoggerV2 is a LoggerV2 that shows where in the source a line comes from. The logger of the process may be one.
//
// Each of the additional methods takes, first, the number of stack frames between the function to be shown and the function that called
// the function of the same name in this package: 0 is that function itself.
//
// Experimental: the interface may change.
type DepthLoggerV2 interface {
	LoggerV2
	InfoDepth(depth int, args ...any)
	WarningDepth(depth int, args ...any)
	ErrorDepth(depth int, args ...any)
	// FatalDepth should end the process with a code that is not 0. gRPC does so if it returns.
	FatalDepth(depth int, args ...any)
}

// NewLoggerV2 returns a logger of verbosity 0 that writes lines of severity INFO to infoW, WARNING to warningW and infoW, ERROR and FATAL
// to all three. Use io.Discard for what is not wanted. Each line is one Write; the logger never writes twice at the same time, also if
// the writers are the same one.
func NewLoggerV2(infoW, warningW, errorW io.Writer) LoggerV2 {
	return NewLoggerV2WithVerbosity(infoW, warningW, errorW, 0)
}

// NewLoggerV2WithVerbosity is NewLoggerV2 with a verbosity: V reports true up to v.
func NewLoggerV2WithVerbosity(infoW, warningW, errorW io.Writer, v int) LoggerV2 {
	return newWriterLogger([...]io.Writer{infoW, warningW, errorW}, v, false)
}

// loggerFromEnv returns the logger that the environment variables in the package comment ask for.
func loggerFromEnv() LoggerV2 {
	out := [...]io.Writer{io.Discard, io.Discard, io.Discard}
	switch os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") {
	case "INFO", "info":
		out[severityInfo] = os.Stderr
	case "WARNING", "warning":
		out[severityWarning] = os.Stderr
	case "ERROR", "error", "":
		out[severityError] = os.Stderr
	}
	verbosity, err := strconv.Atoi(os.Getenv("GRPC_GO_LOG_VERBOSITY_LEVEL"))
	if err != nil {
		verbosity = 0
	}
	return newWriterLogger(out, verbosity, strings.EqualFold(os.Getenv("GRPC_GO_LOG_FORMATTER"), "json"))
}

type severity int

const (
	severityInfo severity = iota
	severityWarning
	severityError
	severityFatal
)

// String returns the name that stands in log lines.
func (s severity) String() string {
	return [...]string{"INFO", "WARNING", "ERROR", "FATAL"}[s]
}

// writerLogger is a LoggerV2 over writers.
type writerLogger struct {
	verbosity int
	json      bool

	mu  sync.Mutex                     // held for each line, so that lines do not mix
	out [severityFatal + 1][]io.Writer // who gets the lines of a severity
}

// newWriterLogger returns a logger that writes each severity to its own writer and to those of the lower ones.
func newWriterLogger(out [severityError + 1]io.Writer, verbosity int, json bool) *writerLogger {
	l := &writerLogger{verbosity: verbosity, json: json}
	for s := range l.out {
		for _, w := range out[:min(s+1, len(out))] {
			if w != io.Discard {
				l.out[s] = append(l.out[s], w)
			}
		}
	}
	return l
}

func (l *writerLogger) V(v int) bool { return v <= l.verbosity }

func (l *writerLogger) Info(args ...any)                 { l.print(severityInfo, args) }
func (l *writerLogger) Infoln(args ...any)               { l.println(severityInfo, args) }
func (l *writerLogger) Infof(format string, args ...any) { l.printf(severityInfo, format, args) }

func (l *writerLogger) Warning(args ...any)                 { l.print(severityWarning, args) }
func (l *writerLogger) Warningln(args ...any)               { l.println(severityWarning, args) }
func (l *writerLogger) Warningf(format string, args ...any) { l.printf(severityWarning, format, args) }

func (l *writerLogger) Error(args ...any)                 { l.print(severityError, args) }
func (l *writerLogger) Errorln(args ...any)               { l.println(severityError, args) }
func (l *writerLogger) Errorf(format string, args ...any) { l.printf(severityError, format, args) }

func (l *writerLogger) Fatal(args ...any) {
	l.print(severityFatal, args)
	os.Exit(1)
}

func (l *writerLogger) Fatalln(args ...any) {
	l.println(severityFatal, args)
	os.Exit(1)
}

func (l *writerLogger) Fatalf(format string, args ...any) {
	l.printf(severityFatal, format, args)
	os.Exit(1)
}

// The three ways of formatting: none is done for lines that nobody gets.

func (l *writerLogger) print(s severity, args []any) {
	if len(l.out[s]) > 0 {
		l.write(s, fmt.Sprint(args...))
	}
}

func (l *writerLogger) println(s severity, args []any) {
	if len(l.out[s]) > 0 {
		l.write(s, fmt.Sprintln(args...))
	}
}

func (l *writerLogger) printf(s severity, format string, args []any) {
	if len(l.out[s]) > 0 {
		l.write(s, fmt.Sprintf(format, args...))
	}
}

// write hands one line to all who get it. Errors of writers have nowhere to go.
func (l *writerLogger) write(s severity, text string) {
	line := textLine(s, text)
	if l.json {
		line = jsonLine(s, text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.out[s] {
		w.Write(line)
	}
}

// textLine looks as the lines of package log: "2026/01/02 15:04:05 INFO: text".
func textLine(s severity, text string) []byte {
	line := time.Now().AppendFormat(nil, "2006/01/02 15:04:05 ")
	line = append(line, s.String()+": "+text...)
	if !strings.HasSuffix(text, "\n") {
		line = append(line, '\n')
	}
	return line
}

// jsonLine has no time: what collects such lines adds its own.
func jsonLine(s severity, text string) []byte {
	line, _ := json.Marshal(struct { // strings always can be encoded
		Message  string `json:"message"`
		Severity string `json:"severity"`
	}{text, s.String()})
	return append(line, '\n')
}
