// Sets of attributes: look-up, hiding, equality and text.

package attributes

import (
	"encoding/json"
	"fmt"
	"testing"
)

// length has an Equal of its own: it looks at the length only.
type length string

func (l length) Equal(o any) bool {
	other, ok := o.(length)
	return ok && len(other) == len(l)
}

type named struct{ name string }

func (n *named) String() string { return "named " + n.name }

type panicking struct{}

func (panicking) String() string { panic("no name") }

func TestValue(t *testing.T) {
	var none *Attributes
	if got := none.Value("a"); got != nil {
		t.Errorf("empty set: got %v, want nil", got)
	}
	a := none.WithValue("a", 1)
	b := a.WithValue("b", 2).WithValue("a", 3)
	tests := []struct {
		name string
		set  *Attributes
		key  any
		want any
	}{
		{"first", a, "a", 1},
		{"missing", a, "b", nil},
		{"other type of key", a, named{"a"}, nil},
		{"newest wins", b, "a", 3},
		{"older pair", b, "b", 2},
		{"nil value", b.WithValue("b", nil), "b", nil},
		{"nil key", New(nil, 4), nil, 4},
	}
	for _, test := range tests {
		if got := test.set.Value(test.key); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestEqual(t *testing.T) {
	uncomparable := New("a", []int{1})
	tests := []struct {
		name string
		a, b *Attributes
		want bool
	}{
		{"both empty", nil, nil, true},
		{"empty and one", nil, New("a", 1), false},
		{"empty and a nil value", nil, New("a", nil), false},
		{"same pair", New("a", 1), New("a", 1), true},
		{"other value", New("a", 1), New("a", 2), false},
		{"other type", New("a", 1), New("a", int64(1)), false},
		{"other key", New("a", 1), New("b", 1), false},
		{"nil values under other keys", New("a", nil), New("b", nil), false},
		{"more pairs", New("a", 1), New("a", 1).WithValue("b", 2), false},
		{"other order", New("a", 1).WithValue("b", 2), New("b", 2).WithValue("a", 1), true},
		{"hidden pairs do not count", New("a", 1).WithValue("a", 2), New("a", 2), true},
		{"own Equal says yes", New("a", length("xx")), New("a", length("yy")), true},
		{"own Equal says no", New("a", length("xx")), New("a", length("y")), false},
		{"the same set needs no comparing", uncomparable, uncomparable, true},
		{"uncomparable against another type", uncomparable, New("a", 1), false},
	}
	for _, test := range tests {
		if got := test.a.Equal(test.b); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
		if got := test.b.Equal(test.a); got != test.want {
			t.Errorf("%s, turned round: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestEqualPanicsForUncomparableValues(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic, want one")
		}
	}()
	New("a", []int{1}).Equal(New("a", []int{1}))
}

func TestString(t *testing.T) {
	p := new(int)
	tests := []struct {
		name string
		set  *Attributes
		want string
	}{
		{"empty", nil, `{}`},
		{"string", New("a", "one"), `{"a": "one" }`},
		{"quoted", New("a", "q\"\x00é"), `{"a": "q\"\x00é" }`},
		{"newest first, hidden left out", New("a", "1").WithValue("b", "2").WithValue("a", "3"), `{"a": "3" , "b": "2" }`},
		{"Stringer", New(&named{"k"}, &named{"v"}), `{"named k": "named v" }`},
		{"nil Stringer", New("a", (*named)(nil)), `{"a": "<nil>" }`},
		{"panicking Stringer", New("a", panicking{}), `{"a": "%!v(PANIC=String method: no name)" }`},
		{"pointer", New("a", p), fmt.Sprintf(`{"a": "<%p>" }`, p)},
		{"number", New("a", 1), `{"a": "<%!p(int=1)>" }`},
		{"nil", New("a", nil), `{"a": "<%!p(<nil>)>" }`},
		{"nested", New("a", New("b", "c")), `{"a": "{\"b\": \"c\" }" }`},
	}
	for _, test := range tests {
		if got := test.set.String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestMarshalJSON(t *testing.T) {
	b, err := json.Marshal(New("a", "1").WithValue("b", &named{"x"}))
	if want := `{"b":"named x","a":"1"}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}

func TestWithValueAllocatesOnce(t *testing.T) {
	a := New("a", "1")
	if got := testing.AllocsPerRun(100, func() { a.WithValue("b", "2").Value("a") }); got > 1 {
		t.Errorf("got %v allocations, want at most 1", got)
	}
}

func Example() {
	type weightKey struct{} // not exported, so that nobody else can use it

	a := New(weightKey{}, 3)
	b := a.WithValue(weightKey{}, 5)
	fmt.Println(a.Value(weightKey{}), b.Value(weightKey{}), a.Equal(b))
	// Output: 3 5 false
}
