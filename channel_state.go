// The connectivity of a channel: what it is, and waiting for it to change.

package grpc

import (
	"context"
	"sync"

	"google.golang.org/grpc/connectivity"
)

// A channelState holds the connectivity of a channel. Its methods may be called concurrently. The zero value is Idle.
type channelState struct {
	mu      sync.Mutex // guards the fields below
	state   connectivity.State
	changed chan struct{} // closed at the next change; made when somebody waits
}

func (c *channelState) get() connectivity.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// set changes the state, unless it is Shutdown, which is final. It reports whether it is another one now.
func (c *channelState) set(s connectivity.State) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == s || c.state == connectivity.Shutdown {
		return false
	}
	c.state = s
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	return true
}

// wait blocks until the state is another one than s. It returns false if ctx ended first.
func (c *channelState) wait(ctx context.Context, s connectivity.State) bool {
	c.mu.Lock()
	if c.state != s {
		c.mu.Unlock()
		return true
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	changed := c.changed
	c.mu.Unlock()
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}
