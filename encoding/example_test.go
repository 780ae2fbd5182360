// How a codec of one's own is registered.

package encoding_test

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/encoding"
)

// jsonCodec serves calls with the content-subtype "json", which clients ask for by grpc.CallContentSubtype("json").
type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
func (jsonCodec) Name() string                       { return "json" }

func ExampleRegisterCodec() {
	encoding.RegisterCodec(jsonCodec{}) // normally in an init function

	b, _ := encoding.GetCodec("json").Marshal(map[string]int{"answer": 42})
	fmt.Println(string(b))
	// Output: {"answer":42}
}
