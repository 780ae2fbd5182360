// Names, numbers and JSON of the codes.

package codes

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

func TestString(t *testing.T) {
	want := []string{
		"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
		"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
		"DataLoss", "Unauthenticated", "Code(17)", "Code(18)",
	}
	for n, want := range want {
		if got := Code(n).String(); got != want {
			t.Errorf("Code(%d).String(): got %q, want %q", uint32(n), got, want)
		}
	}
	if got, want := Code(math.MaxUint32).String(), "Code(4294967295)"; got != want {
		t.Errorf("largest code: got %q, want %q", got, want)
	}
}

func TestUnmarshalJSONAcceptsNamesAndNumbers(t *testing.T) {
	for n, name := range names {
		for _, text := range []string{fmt.Sprint(n), `"` + name.proto + `"`} {
			got := Code(99)
			if err := json.Unmarshal([]byte(text), &got); err != nil || got != Code(n) {
				t.Errorf("%s: got %v, %v, want %v", text, got, err, Code(n))
			}
		}
	}
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{`17`, `invalid code: 17`},
		{`-1`, `invalid code: "-1"`},
		{`1.0`, `invalid code: "1.0"`},
		{`1e1`, `invalid code: "1e1"`},
		{`4294967296`, `invalid code: "4294967296"`},
		{` 1 `, `invalid code: " 1 "`},
		{`"1"`, `invalid code: "\"1\""`},
		{`""`, `invalid code: "\"\""`},
		{`"CANCELED"`, `invalid code: "\"CANCELED\""`}, // google.rpc.Code has two Ls
		{`"Canceled"`, `invalid code: "\"Canceled\""`},
		{`"unavailable"`, `invalid code: "\"unavailable\""`},
		{`"NOPE"`, `invalid code: "\"NOPE\""`},
		{`{}`, `invalid code: "{}"`},
		{`true`, `invalid code: "true"`},
		{``, `invalid code: ""`},
	}
	for _, test := range tests {
		c := Code(99)
		err := c.UnmarshalJSON([]byte(test.in))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got error %v, want %s", test.in, err, test.want)
		}
		if c != 99 {
			t.Errorf("%s: got code %v, want it unchanged", test.in, c)
		}
	}
}

func TestUnmarshalJSONNull(t *testing.T) {
	c := Code(99)
	if err := json.Unmarshal([]byte("null"), &c); err != nil || c != 99 {
		t.Errorf("null: got %v, %v, want the code unchanged and no error", c, err)
	}
}

func TestUnmarshalJSONNilReceiver(t *testing.T) {
	var c *Code
	if err := c.UnmarshalJSON([]byte("null")); err != nil {
		t.Errorf("null: got %v, want no error", err)
	}
	want := "nil receiver passed to UnmarshalJSON"
	if err := c.UnmarshalJSON([]byte("1")); err == nil || err.Error() != want {
		t.Errorf("1: got %v, want %q", err, want)
	}
}

func TestMarshalJSONIsTheNumber(t *testing.T) {
	b, err := json.Marshal(NotFound)
	if err != nil || string(b) != "5" {
		t.Errorf("got %s, %v, want 5", b, err)
	}
}

func ExampleCode_UnmarshalJSON() {
	var retryable []Code
	if err := json.Unmarshal([]byte(`["UNAVAILABLE", 8]`), &retryable); err != nil {
		fmt.Println(err)
	}
	fmt.Println(retryable)
	// Output: [Unavailable ResourceExhausted]
}
