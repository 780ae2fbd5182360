// How a server and a client meet in one process.

package bufconn_test

import (
	"fmt"
	"io"

	"google.golang.org/grpc/test/bufconn"
)

func Example() {
	l := bufconn.Listen(1 << 20)
	go func() { // normally (*grpc.Server).Serve(l)
		conn, _ := l.Accept()
		io.WriteString(conn, "hello")
		conn.Close()
	}()

	conn, _ := l.Dial() // normally within the function given to grpc.WithContextDialer
	text, _ := io.ReadAll(conn)
	fmt.Println(string(text))
	// Output: hello
}
