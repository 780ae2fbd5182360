// The label in a context.

package stats

import (
	"context"
	"testing"
)

func TestCustomLabel(t *testing.T) {
	ctx := context.Background()
	if got := CustomLabelFromContext(ctx); got != "" {
		t.Errorf("without label: got %q, want the empty string", got)
	}
	ctx = NewContextWithCustomLabel(NewContextWithCustomLabel(ctx, "outer"), "inner")
	if got := CustomLabelFromContext(ctx); got != "inner" {
		t.Errorf("got %q, want inner", got)
	}
}
