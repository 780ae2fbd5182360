// A type in another package becomes an Identifier by embedding one; a value of it must keep its own String.

package channelz_test

import (
	"testing"

	"google.golang.org/grpc/channelz"
)

type entity struct{ channelz.Identifier }

func (entity) String() string { return "Channel #1" }

func TestIdentifierByEmbedding(t *testing.T) {
	var id channelz.Identifier = entity{}
	if got, want := id.String(), "Channel #1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
