// What a client makes of a server that breaks the rules of flow control.

package behaviour

import (
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/test/parity/internal/raw"
)

func TestDataBeyondTheWindowOfAStream(t *testing.T) {
	reset := make(chan string, 1)
	addr := raw.Listen(t, func(_ int, c *raw.Conn) {
		id, _ := c.Request()
		c.Headers(id, false, response()...)
		for range 5 { // messages without bytes, which nobody reads
			c.Data(id, false, make([]byte, 16380))
		}
		for {
			f, err := c.Next()
			if err != nil {
				reset <- "closed"
				return
			}
			if f, ok := f.(*http2.RSTStreamFrame); ok {
				reset <- f.ErrCode.String()
				return
			}
		}
	})
	stream := open(t, within(t), plain(t, addr))
	equal(t, wait(t, reset, "RST_STREAM"), "FLOW_CONTROL_ERROR")
	var err error
	for err == nil {
		_, err = receive(stream)
	}
	equal(t, text(err), "rpc error: code = Internal desc = received 81900-bytes data exceeding the limit 65535 bytes")
}
