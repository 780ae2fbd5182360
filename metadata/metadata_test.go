// Construction, access and printing of MD.

package metadata

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func equal(t *testing.T, name string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", name, got, want)
	}
}

// panicText returns what f panics with, nil if it does not.
func panicText(f func()) (text any) {
	defer func() { text = recover() }()
	f()
	return nil
}

func TestNew(t *testing.T) {
	equal(t, "New(nil)", New(nil), MD{})
	equal(t, "lower case", New(map[string]string{"A": "1", "b": "2"}), MD{"a": {"1"}, "b": {"2"}})

	md := New(map[string]string{"A": "1", "a": "2"})
	slices.Sort(md["a"])
	equal(t, "joined", md, MD{"a": {"1", "2"}})
}

func TestPairs(t *testing.T) {
	equal(t, "none", Pairs(), MD{})
	md := Pairs("A", "1", "b", "2", "a", "3", "b", "")
	equal(t, "joined", md, MD{"a": {"1", "3"}, "b": {"2", ""}})

	md = Pairs("a", "1", "b", "2")
	md.Append("a", "3")
	equal(t, "appending to one key leaves the next alone", md, MD{"a": {"1", "3"}, "b": {"2"}})
}

func TestPairsPanicsOnOddNumber(t *testing.T) {
	got := panicText(func() { Pairs("a", "b", "c") })
	equal(t, "panic", got, "metadata: Pairs got the odd number of input pairs for metadata: 3")
}

func TestJoin(t *testing.T) {
	equal(t, "none", Join(), MD{})
	equal(t, "nil", Join(nil, nil), MD{})
	first := MD{"a": {"1"}, "A": {"2"}}
	got := Join(first, MD{"a": {"3", "4"}}, MD{"b": {"5"}})
	equal(t, "joined", got, MD{"a": {"1", "3", "4"}, "A": {"2"}, "b": {"5"}})
	got["a"][0] = "changed"
	equal(t, "argument", first, MD{"a": {"1"}, "A": {"2"}})
}

func TestCopyIsDeep(t *testing.T) {
	md := MD{"A": {"1", "2"}, "b": {"3"}, "empty": {}, "nil": nil}
	got := md.Copy()
	equal(t, "copy", got, MD{"A": {"1", "2"}, "b": {"3"}, "empty": {}, "nil": {}})
	for k := range got {
		got[k] = append(got[k], "appended")
		got[k][0] = "changed"
	}
	equal(t, "original", md, MD{"A": {"1", "2"}, "b": {"3"}, "empty": {}, "nil": nil})
	equal(t, "copy's neighbours", got, MD{
		"A": {"changed", "2", "appended"}, "b": {"changed", "appended"}, "empty": {"changed"}, "nil": {"changed"},
	})
	equal(t, "nil", MD(nil).Copy(), MD{})
}

func TestAccess(t *testing.T) {
	md := MD{}
	md.Set("None")
	md.Append("None")
	equal(t, "no values", md, MD{})
	md.Set("Key", "1", "2")
	md.Append("kEY", "3")
	md.Append("new", "4")
	equal(t, "set and appended", md, MD{"key": {"1", "2", "3"}, "new": {"4"}})
	equal(t, "Get", md.Get("KEY"), []string{"1", "2", "3"})
	equal(t, "Get of a missing key", md.Get("none"), []string(nil))
	equal(t, "Len", md.Len(), 2)
	md.Set("KEY", "5")
	md.Delete("NEW")
	equal(t, "replaced and deleted", md, MD{"key": {"5"}})
}

func TestNilMDCanBeRead(t *testing.T) {
	var md MD
	md.Delete("a")
	md.Set("a")
	md.Append("a")
	equal(t, "Get", md.Get("a"), []string(nil))
	equal(t, "Len", md.Len(), 0)
}

func TestString(t *testing.T) {
	all := MD{}
	public := strings.Fields(`content-type grpc-accept-encoding grpc-encoding grpc-message-type grpc-previous-rpc-attempts
		grpc-retry-pushback-ms grpc-status grpc-timeout te user-agent`)
	secret := strings.Fields(`:authority :path authorization cookie grpc-message grpc-status-details-bin grpc-tags-bin grpc-trace-bin
		host proxy-authorization traceparent x-request-id`)
	for _, k := range append(slices.Clone(public), secret...) {
		all[k] = []string{"V"}
	}
	tests := []struct {
		name string
		md   MD
		want string
	}{
		{"nil", nil, "map[]"},
		{"empty", MD{}, "map[]"},
		{"secrets only", MD{"a": {"s1", "s2"}, "b": nil}, "map[<2 redacted>]"},
		{"public only", MD{"user-agent": {"a", "b c"}, "te": nil}, "map[te:[] user-agent:[a b c]]"},
		{"mixed", MD{"user-agent": {"u"}, "token": {"s1"}}, "map[user-agent:[u] <1 redacted>]"},
		{"any case", MD{"Content-Type": {"c"}, "te ": {"s1"}}, "map[Content-Type:[c] <1 redacted>]"},
		{"all", all, "map[" + strings.Join(public, ":[V] ") + ":[V] <12 redacted>]"},
	}
	for _, test := range tests {
		if got := test.md.String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	if got, want := fmt.Sprintf("%v %+v %s", all, all, all), all.String(); got != want+" "+want+" "+want {
		t.Errorf("formatted: got %s, want three times %s", got, want)
	}
}

func TestDecodeKeyValue(t *testing.T) {
	k, v, err := DecodeKeyValue("A-bin", "AQ==")
	if k != "A-bin" || v != "AQ==" || err != nil {
		t.Errorf("got %q, %q, %v, want the arguments and no error", k, v, err)
	}
}

func ExamplePairs() {
	md := Pairs("Session", "42", "accept-fruit", "apple", "accept-fruit", "pear")
	fmt.Println(md["session"], md.Get("Accept-Fruit"))
	// Output: [42] [apple pear]
}
