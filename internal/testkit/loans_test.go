// Tests of the pool that keeps account: what is out, and what comes back twice.

package testkit

import (
	"strings"
	"testing"
)

func TestLoansKnowWhatIsOut(t *testing.T) {
	l := &Loans{out: make(map[*byte]loan)}
	a, b := l.Get(0), l.Get(100)
	if len(*a) != 0 || len(*b) != 100 || (*b)[99] != 0xDB {
		t.Errorf("Get: got %d and %d bytes, want 0, and 100 of rubbish", len(*a), len(*b))
	}
	l.Put(a)
	*b = (*b)[:10]
	if out := l.Out(); len(out) != 1 || !strings.HasPrefix(out[0], "100 bytes, taken at\n") || !strings.Contains(out[0], "loans_test.go") {
		t.Errorf("Out: got %q, want the one of 100 bytes, taken here", out)
	}
	if out := l.Out(); len(out) != 0 {
		t.Errorf("Out again: got %q, want nothing", out)
	}
}

func TestLoansPanicIfABufferComesBackTwice(t *testing.T) {
	l := &Loans{out: make(map[*byte]loan)}
	b := l.Get(10)
	l.Put(b)
	defer func() {
		if recover() == nil {
			t.Error("Put again: got no panic")
		}
	}()
	l.Put(b)
}
