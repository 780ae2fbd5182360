// The context of a call: deadline, end and values in one object, where a chain of context.WithValue, WithDeadline and WithCancel
// would be four, a goroutine and a timer. The standard library finds AfterFunc and so starts no goroutine to watch it.

// Package callctx holds the context type that both ends give to a call.
package callctx

import (
	"context"
	"sync"
	"time"
)

// A Context is the context of one call. It ends with the call. Its methods may be called by anybody at any time, also long after
// the call. Values are the parent's; a type that embeds Context may answer for more.
type Context struct {
	context.Context // the parent; its end is brought over by whoever made the call

	// Limit is the deadline of the call itself, zero if it has none. It is constant once the call has begun.
	Limit time.Time

	mu    sync.Mutex // guards the fields below
	done  chan struct{}
	err   error
	after *afterFunc // what to run at the end, a list
}

// An afterFunc is a function that was registered by AfterFunc.
type afterFunc struct {
	f    func()
	next *afterFunc
}

// Deadline implements context.Context: it is the earlier one of the call's own and the parent's.
func (c *Context) Deadline() (time.Time, bool) {
	d, ok := c.Context.Deadline()
	if c.Limit.IsZero() || ok && d.Before(c.Limit) {
		return d, ok
	}
	return c.Limit, true
}

var closedChan = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done implements context.Context. The channel is made when somebody asks for it first.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		if c.err != nil {
			c.done = closedChan
		} else {
			c.done = make(chan struct{})
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc registers f to run in its own goroutine at the end of the call (see context.AfterFunc, which looks for this method).
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{f: f}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		go f() // ours to start, the caller's to end: this is what AfterFunc promises
		return func() bool { return false }
	}
	a.next, c.after = c.after, a
	c.mu.Unlock()
	return func() bool { return c.stop(a) }
}

// stop takes a out of the list, and reports whether it was there.
func (c *Context) stop(a *afterFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := &c.after; *p != nil; p = &(*p).next {
		if *p == a {
			*p = a.next
			return true
		}
	}
	return false
}

// Finish ends the context with an error, context.Canceled or context.DeadlineExceeded. Only the first call counts.
func (c *Context) Finish(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for ; after != nil; after = after.next {
		go after.f() // as above
	}
}
