// A pool of buffers that keeps account of those that are out.

package testkit

import (
	"fmt"
	"runtime"
	"sync"

	"google.golang.org/grpc/internal/bufpool"
)

// Loans is a mem.BufferPool that knows which of its buffers are out. It re-uses none, spoils what comes back, and panics if a buffer comes
// back that is not out. Its methods may be called by any number of goroutines.
type Loans struct {
	mu  sync.Mutex // guards the field below
	out map[*byte]loan
}

// A loan is a buffer that is out.
type loan struct {
	length  int
	callers [6]uintptr // of Get
}

// String says how large the buffer is and where it was taken.
func (l loan) String() string {
	s := fmt.Sprintf("%d bytes, taken at", l.length)
	for frames := runtime.CallersFrames(l.callers[:]); ; {
		f, more := frames.Next()
		s += fmt.Sprintf("\n\t%s:%d", f.File, f.Line)
		if !more {
			return s
		}
	}
}

// LendBuffers returns a pool that all channels and servers use from now on unless they are given another one. It is for TestMain.
func LendBuffers() *Loans {
	l := &Loans{out: make(map[*byte]loan)}
	bufpool.SetDefault(l)
	return l
}

// Get returns a buffer of length bytes that hold rubbish.
func (l *Loans) Get(length int) *[]byte {
	b := make([]byte, max(length, 1))
	spoil(b)
	taken := loan{length: length}
	runtime.Callers(2, taken.callers[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out[&b[0]] = taken
	b = b[:length]
	return &b
}

// Put takes back a buffer.
func (l *Loans) Put(p *[]byte) {
	b := (*p)[:cap(*p)]
	spoil(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.out[&b[0]]; !ok {
		panic("testkit: a buffer comes back that is not out")
	}
	delete(l.out, &b[0])
}

// Out says what each buffer is that is out, and forgets about them: who asks again hears of others only.
func (l *Loans) Out() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, what := range l.out {
		out = append(out, what.String())
	}
	clear(l.out)
	return out
}

func spoil(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}
