// Tests of clients that never become one: what a connection held for them comes back.

package transport

import (
	"net"
	"testing"
)

// ignorant is a Handler of connections without streams.
type ignorant struct{}

func (ignorant) HandleStream(*ServerStream) { panic("a stream without a preface") }
func (ignorant) Closed(error)               {}

func TestConnectionsWithoutPrefaceHoldNoBuffer(t *testing.T) {
	for _, sent := range []string{"", "PRI * HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		pool := newLoanPool()
		client, server := net.Pipe()
		go func() { // ends when the server closes the connection, or at the latest with what it writes
			_, _ = client.Write([]byte(sent))
			client.Close()
		}()
		_, err := NewServer(server, ServerOptions{ConnOptions: ConnOptions{Pool: pool}}, ignorant{})
		if err == nil { // about the preface, or that the client has gone before it read SETTINGS
			t.Errorf("preface %q: got no error, want one", sent)
		}
		pool.checkOut(t, "after the preface "+sent, 0)
	}
}
