// How a message is put into buffers and read from them.

package mem_test

import (
	"fmt"
	"io"

	"google.golang.org/grpc/mem"
)

func Example() {
	pool := mem.DefaultBufferPool()
	var message mem.BufferSlice
	fmt.Fprintf(mem.NewWriter(&message, pool), "hello, %s", "world")

	r := message.Reader()
	message.Free() // the reader holds references of its own
	defer r.Close()
	text, _ := io.ReadAll(r)
	fmt.Println(string(text))
	// Output: hello, world
}
