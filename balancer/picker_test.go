// The errors of pickers, whose texts RPCs show.

package balancer

import (
	"errors"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{ErrNoSubConnAvailable, "no SubConn is available"},
		{ErrTransientFailure, "all SubConns are in TransientFailure"},
		{ErrBadResolverState, "bad resolver state"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestTransientFailureErrorReturnsItsArgument(t *testing.T) {
	err := errors.New("any")
	if got := TransientFailureError(err); got != err {
		t.Errorf("got %v, want %v itself", got, err)
	}
}
