// The names of 2016 on top of today's contexts.

package metadata

import "testing"

func TestLegacyRoundTrip(t *testing.T) {
	ctx := NewContext(t.Context(), Pairs("A", "1"))
	equal(t, "sent", outgoingOf(t, ctx), MD{"a": {"1"}})
	md, ok := FromContext(ctx)
	equal(t, "read back", md, MD{"a": {"1"}})
	equal(t, "ok", ok, true)
}

func TestLegacyFromContextPrefersIncoming(t *testing.T) {
	ctx := NewContext(NewIncomingContext(t.Context(), Pairs("in", "1")), Pairs("out", "2"))
	md, _ := FromContext(ctx)
	equal(t, "md", md, MD{"in": {"1"}})
}

func TestLegacyFromContextWithoutMetadata(t *testing.T) {
	if md, ok := FromContext(t.Context()); md != nil || ok {
		t.Errorf("got %v, %v, want nil, false", md, ok)
	}
}
