// The census byte strings in metadata.

package stats

import (
	"context"
	"reflect"
	"testing"

	"google.golang.org/grpc/metadata"
)

func TestSetTagsAndTraceGoIntoOutgoingMetadata(t *testing.T) {
	ctx := SetTags(context.Background(), []byte{1, 0xff})
	ctx = SetTags(ctx, []byte("more"))
	ctx = SetTrace(ctx, []byte("trace"))
	got, _ := metadata.FromOutgoingContext(ctx)
	want := metadata.MD{"grpc-tags-bin": {"\x01\xff", "more"}, "grpc-trace-bin": {"trace"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", map[string][]string(got), map[string][]string(want))
	}
	if b := Tags(ctx); b != nil {
		t.Errorf("Tags of an outgoing context: got %q, want nil", b)
	}
}

func TestTagsAndTraceComeFromIncomingMetadata(t *testing.T) {
	tests := []struct {
		name string
		md   metadata.MD
		want []byte
	}{
		{"none", metadata.MD{}, nil},
		{"no value", metadata.MD{"grpc-tags-bin": {}, "grpc-trace-bin": nil}, nil},
		{"empty value", metadata.MD{"grpc-tags-bin": {""}, "grpc-trace-bin": {""}}, []byte{}},
		{"the last value counts", metadata.MD{"grpc-tags-bin": {"a", "b"}, "grpc-trace-bin": {"a", "b"}}, []byte("b")},
		{"other key", metadata.MD{"grpc-tags": {"a"}}, nil},
	}
	for _, test := range tests {
		ctx := metadata.NewIncomingContext(context.Background(), test.md)
		if got := Tags(ctx); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: Tags: got %#v, want %#v", test.name, got, test.want)
		}
		if got := Trace(ctx); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: Trace: got %#v, want %#v", test.name, got, test.want)
		}
	}
	if got := Tags(context.Background()); got != nil {
		t.Errorf("no metadata: got %#v, want nil", got)
	}
}
