// Metadata in contexts: copies, case, growth of outgoing metadata, printing.

package metadata

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func outgoingOf(t *testing.T, ctx context.Context) MD {
	t.Helper()
	md, ok := FromOutgoingContext(ctx)
	if !ok {
		t.Fatal("got no outgoing metadata, want some")
	}
	return md
}

func TestNoMetadata(t *testing.T) {
	ctx := t.Context()
	if md, ok := FromIncomingContext(ctx); md != nil || ok {
		t.Errorf("incoming: got %v, %v, want nil, false", md, ok)
	}
	if md, ok := FromOutgoingContext(ctx); md != nil || ok {
		t.Errorf("outgoing: got %v, %v, want nil, false", md, ok)
	}
	if md, added, ok := FromOutgoingContextRaw(ctx); md != nil || added != nil || ok {
		t.Errorf("raw: got %v, %v, %v, want nil, nil, false", md, added, ok)
	}
	equal(t, "incoming value", ValueFromIncomingContext(ctx, "a"), []string(nil))
	equal(t, "outgoing value", ValueFromOutgoingContext(ctx, "a"), []string(nil))
}

func TestNilMetadataIsThere(t *testing.T) {
	md, ok := FromIncomingContext(NewIncomingContext(t.Context(), nil))
	equal(t, "incoming", md, MD{})
	equal(t, "incoming, ok", ok, true)
	equal(t, "outgoing", outgoingOf(t, NewOutgoingContext(t.Context(), nil)), MD{})
	equal(t, "nothing appended", outgoingOf(t, AppendToOutgoingContext(t.Context())), MD{})
}

func TestIncomingIsCopied(t *testing.T) {
	orig := MD{"A": {"1", "2"}, "b": {"3"}, "empty": {}}
	ctx := NewIncomingContext(t.Context(), orig)
	for range 2 {
		md, _ := FromIncomingContext(ctx)
		equal(t, "incoming", md, MD{"a": {"1", "2"}, "b": {"3"}, "empty": {}})
		for k := range md {
			md[k] = append(md[k], "appended")
			md[k][0] = "changed"
		}
		equal(t, "neighbours", md, MD{"a": {"changed", "2", "appended"}, "b": {"changed", "appended"}, "empty": {"changed"}})

		ValueFromIncomingContext(ctx, "b")[0] = "changed"
	}
	equal(t, "original", orig, MD{"A": {"1", "2"}, "b": {"3"}, "empty": {}})
}

func TestValueFromIncomingContext(t *testing.T) {
	ctx := NewIncomingContext(t.Context(), MD{"A": {"1"}, "a": {"2"}, "Mixed": {"3"}, "empty": {}})
	tests := map[string][]string{
		"A": {"1"}, "a": {"2"}, "mixed": {"3"}, "MIXED": {"3"}, "empty": {}, "none": nil,
	}
	for key, want := range tests {
		equal(t, key, ValueFromIncomingContext(ctx, key), want)
	}
}

func TestOutgoingGrows(t *testing.T) {
	base := MD{"Key": {"0"}, "other": {"x"}}
	ctx := NewOutgoingContext(t.Context(), base)
	ctx = AppendToOutgoingContext(ctx, "KEY", "1", "new", "2")
	ctx = AppendToOutgoingContext(ctx, "key", "3")
	left := AppendToOutgoingContext(ctx, "key", "left")
	right := AppendToOutgoingContext(ctx, "key", "right")

	equal(t, "all", outgoingOf(t, ctx), MD{"key": {"0", "1", "3"}, "other": {"x"}, "new": {"2"}})
	equal(t, "left", ValueFromOutgoingContext(left, "kEy"), []string{"0", "1", "3", "left"})
	equal(t, "right", ValueFromOutgoingContext(right, "kEy"), []string{"0", "1", "3", "right"})
	equal(t, "only added", ValueFromOutgoingContext(ctx, "NEW"), []string{"2"})
	equal(t, "base", base, MD{"Key": {"0"}, "other": {"x"}})
	equal(t, "replaced", outgoingOf(t, NewOutgoingContext(ctx, Pairs("z", "9"))), MD{"z": {"9"}})

	outgoingOf(t, ctx)["other"][0] = "changed"
	ValueFromOutgoingContext(ctx, "other")[0] = "changed"
	equal(t, "not shared", base["other"], []string{"x"})
}

func TestAppendCopiesItsArguments(t *testing.T) {
	kv := []string{"k", "v"}
	ctx := AppendToOutgoingContext(t.Context(), kv...)
	kv[1] = "changed"
	equal(t, "outgoing", outgoingOf(t, ctx), MD{"k": {"v"}})
}

func TestAppendPanicsOnOddNumber(t *testing.T) {
	got := panicText(func() { AppendToOutgoingContext(t.Context(), "a") })
	equal(t, "panic", got, "metadata: AppendToOutgoingContext got an odd number of input pairs for metadata: 1")
}

func TestFromOutgoingContextRaw(t *testing.T) {
	base := MD{"A": {"1"}}
	ctx := AppendToOutgoingContext(NewOutgoingContext(t.Context(), base), "B", "2")
	ctx, cancel := context.WithCancel(AppendToOutgoingContext(ctx, "c", "3", "d", "4"))
	defer cancel()
	md, added, ok := FromOutgoingContextRaw(ctx)
	equal(t, "ok", ok, true)
	equal(t, "added", added, [][]string{{"B", "2"}, {"c", "3", "d", "4"}})
	if reflect.ValueOf(md).Pointer() != reflect.ValueOf(base).Pointer() {
		t.Errorf("md: got a copy %#v, want the map itself", md)
	}
}

func TestOutgoingIsNotIncoming(t *testing.T) {
	ctx := NewIncomingContext(t.Context(), Pairs("in", "1"))
	if md, ok := FromOutgoingContext(ctx); ok {
		t.Errorf("outgoing: got %v, want none", md)
	}
	ctx = NewOutgoingContext(ctx, Pairs("out", "1"))
	md, _ := FromIncomingContext(ctx)
	equal(t, "incoming through outgoing", md, MD{"in": {"1"}})
}

type plainContext struct{ context.Context }

func TestPrintedContextHidesMetadata(t *testing.T) {
	const secret = "hunter2"
	ctx := NewIncomingContext(context.Background(), Pairs("in", secret))
	ctx = NewOutgoingContext(ctx, Pairs("authorization", secret))
	ctx = AppendToOutgoingContext(ctx, "token", secret)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, format := range []string{"%v", "%+v", "%s", "%q"} {
		if got := fmt.Sprintf(format, ctx); strings.Contains(got, secret) {
			t.Errorf("%s: got %s, want no %q in it", format, got, secret)
		}
	}

	got := fmt.Sprint(NewOutgoingContext(context.Background(), Pairs("token", secret)))
	equal(t, "Stringer parent", got, "context.Background.WithOutgoingMetadata")
	got = fmt.Sprint(NewOutgoingContext(plainContext{ctx}, Pairs("token", secret)))
	equal(t, "other parent", got, "metadata.plainContext.WithOutgoingMetadata")
}

func TestAllocations(t *testing.T) {
	ctx := t.Context()
	md := Pairs("a", "1", "b", "2")
	out := AppendToOutgoingContext(NewOutgoingContext(ctx, md), "c", "3")
	in := NewIncomingContext(ctx, md)
	tests := []struct {
		name string
		max  float64
		f    func()
	}{
		{"NewOutgoingContext", 1, func() { NewOutgoingContext(ctx, md) }},
		{"AppendToOutgoingContext", 3, func() { AppendToOutgoingContext(ctx, "k", "v") }},
		{"FromOutgoingContextRaw", 0, func() { FromOutgoingContextRaw(out) }},
		{"ValueFromIncomingContext", 1, func() { ValueFromIncomingContext(in, "a") }},
	}
	for _, test := range tests {
		if got := testing.AllocsPerRun(100, test.f); got > test.max {
			t.Errorf("%s: got %v allocations, want at most %v", test.name, got, test.max)
		}
	}
}

func ExampleAppendToOutgoingContext() {
	ctx := AppendToOutgoingContext(context.Background(), "session", "42")
	// client.SayHello(ctx, …) would send the pair.
	md, ok := FromOutgoingContext(ctx)
	fmt.Println(md["session"], ok)
	// Output: [42] true
}

func ExampleFromIncomingContext() {
	handler := func(ctx context.Context) {
		if md, ok := FromIncomingContext(ctx); ok {
			fmt.Println("session", md.Get("session"))
		}
	}
	handler(NewIncomingContext(context.Background(), Pairs("session", "42")))
	// Output: session [42]
}
