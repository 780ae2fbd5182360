// What TLS does below calls: sizes of records, ends without good-bye, records that are none, early data, and sessions that are resumed.

package behaviour

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/parity/internal/echo"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// pieces writes at most so many bytes at a time, each in a record of its own.
type pieces struct {
	net.Conn
	size int
}

func (p pieces) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, p.size) {
		m, err := p.Conn.Write(part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func TestTLSRecordsOfAnySize(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		name   string
		record int // bytes of plain text in a record
		large  bool
		text   int
	}{
		{"1 byte", 1, false, 3000},
		{"9 bytes", 9, false, 20_000},
		{"16383 bytes", 16383, true, 200_000},
		{"16 KiB", 1 << 20, true, 200_000}, // which crypto/tls cuts
	} {
		t.Run(tc.name, func(t *testing.T) {
			cut := func(c *tls.Conn) net.Conn { return pieces{c, tc.record} }
			change := func(c *tls.Config) { c.DynamicRecordSizingDisabled = tc.large }
			client, server := id.oddClient(change), id.oddServer(change)
			client.wrap, server.wrap = cut, cut
			long := strings.Repeat("x", tc.text)
			for _, ends := range [][2]credentials.TransportCredentials{
				{client, credentials.NewTLS(id.server())}, {credentials.NewTLS(id.client()), server}, {client, server},
			} {
				p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(ends[1])}, client: []grpc.DialOption{grpc.WithTransportCredentials(ends[0])}})
				equal(t, converse(t, p.cc, echo.BidiDesc, echo.Bidi, long, "y"), long+", y, EOF")
			}
		})
	}
}

// tlsPeer serves one call over TLS: it answers with headers and one message, and does with the connection what end says.
func tlsPeer(t *testing.T, id identity, end func(c *raw.Conn, tc *tls.Conn, nc net.Conn)) string {
	t.Helper()
	return speaker(t, func(nc net.Conn) {
		config := id.server()
		config.NextProtos = []string{"h2"}
		server := tls.Server(nc, config)
		if server.Handshake() != nil {
			return
		}
		c := raw.Server(t, server)
		c.Framer.WriteSettingsAck()
		stream, _ := c.Request()
		if stream == 0 {
			return
		}
		c.Headers(stream, false, ":status", "200", "content-type", "application/grpc")
		c.Data(stream, false, raw.Message(0, raw.Text("one")))
		end(c, server, nc)
	})
}

func TestTLSConnectionsThatEnd(t *testing.T) {
	id := serverIdentity(t)
	ok := func(c *raw.Conn) { c.Headers(1, true, "grpc-status", "0") }
	lostOf := func(why string) string {
		return "rpc error: code = Unavailable desc = error reading from server: " + why
	}
	for _, tc := range []struct {
		name string
		end  func(c *raw.Conn, tc *tls.Conn, nc net.Conn)
		want string
	}{
		{"close_notify in the middle", func(_ *raw.Conn, tc *tls.Conn, _ net.Conn) { tc.CloseWrite() }, lostOf("EOF")},
		{"no close_notify in the middle", func(*raw.Conn, *tls.Conn, net.Conn) {}, lostOf("EOF")},
		{"close_notify within a frame", func(c *raw.Conn, tc *tls.Conn, _ net.Conn) {
			c.Write([]byte{0, 0, 100, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 90, 1, 2, 3})
			tc.CloseWrite()
		}, lostOf("unexpected EOF")},
		{"no close_notify within a frame", func(c *raw.Conn, _ *tls.Conn, _ net.Conn) {
			c.Write([]byte{0, 0, 100, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 90, 1, 2, 3})
		}, lostOf("unexpected EOF")},
		{"cut within a record", func(_ *raw.Conn, _ *tls.Conn, nc net.Conn) { nc.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}) }, lostOf("unexpected EOF")},
		{"close_notify behind the call", func(c *raw.Conn, tc *tls.Conn, _ net.Conn) { ok(c); tc.CloseWrite() }, "EOF"},
		{"no close_notify behind the call", func(c *raw.Conn, _ *tls.Conn, _ net.Conn) { ok(c) }, "EOF"},
		{"record too large", func(_ *raw.Conn, _ *tls.Conn, nc net.Conn) { nc.Write([]byte{23, 3, 3, 0x41, 0x01}) }, lostOf("tls: oversized record received with length 16641")},
		{"record that was not encrypted", func(_ *raw.Conn, _ *tls.Conn, nc net.Conn) {
			nc.Write(append([]byte{23, 3, 3, 0, 100}, make([]byte, 100)...))
		}, lostOf("local error: tls: bad record MAC")},
		{"plain text", func(_ *raw.Conn, _ *tls.Conn, nc net.Conn) { io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n") }, lostOf("tls: received record with version 5454 when expecting version 303")},
		{"alert", func(_ *raw.Conn, _ *tls.Conn, nc net.Conn) { nc.Write([]byte{21, 3, 3, 0, 2, 2, 80}) }, lostOf("local error: tls: bad record MAC")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cc := client(t, "passthrough:///"+tlsPeer(t, id, tc.end), grpc.WithTransportCredentials(credentials.NewTLS(id.client())))
			stream := open(t, within(t), cc)
			stream.SendMsg(echo.Of("x"))
			stream.CloseSend()
			equal(t, rest(stream), `"one", `+tc.want)
		})
	}
}

func TestPlainTextForAServerWithTLS(t *testing.T) {
	id := serverIdentity(t)
	for _, tc := range []struct {
		name, said  string
		alert, want string // what the client hears, and what the server says
	}{
		{"HTTP/2", http2.ClientPreface, "", "tls: first record does not look like a TLS handshake"},
		{"HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", "tls: first record does not look like a TLS handshake"},
		{"nothing", "", "", "EOF"},
		{"old client", "\x80\x2e\x01\x00\x02", "\x15\x03\x01\x00\x02\x02F", "tls: unsupported SSLv2 handshake received"},
		{"alert", "\x15\x03\x01\x00\x02\x02\x28", "", "remote error: tls: handshake failure"},
		{"application data", "\x17\x03\x03\x00\x02xx", "", "tls: first record does not look like a TLS handshake"},
		{"record too large", "\x16\x03\x01\xff\xff\x01", "\x15\x03\x01\x00\x02\x02\x16", "tls: oversized record received with length 65535"},
		{"handshake message too large", "\x16\x03\x01\x00\x04\x01\xff\xff\xff", "\x15\x03\x01\x00\x02\x02P", "tls: handshake message of length 16777215 bytes exceeds maximum of 65536 bytes"},
		{"other handshake message", "\x16\x03\x01\x00\x04\x0e\x00\x00\x00", "\x15\x03\x01\x00\x02\x02\n", "tls: received unexpected handshake message of type *tls.serverHelloDoneMsg when waiting for *tls.clientHelloMsg"},
		{"garbled hello", "\x16\x03\x01\x00\x08\x01\x00\x00\x04abcd", "\x15\x03\x01\x00\x02\x022", "local error: tls: error decoding message"},
		{"empty records", strings.Repeat("\x16\x03\x01\x00\x00", 100), "\x15\x03\x01\x00\x02\x02\n", "local error: tls: unexpected message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := listenTo(credentials.NewTLS(id.server()))
			p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(l)}})
			nc, err := p.lis.DialContext(within(t))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			io.WriteString(nc, tc.said)
			if tc.said == "" {
				nc.Close()
			}
			handshake := text(wait(t, l.ended, "end of the handshake"))
			heard, _ := io.ReadAll(nc)
			equal(t, string(heard), tc.alert)
			equal(t, handshake, tc.want)
		})
	}
}

// hello is the first message of a client of crypto/tls.
func hello(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		tls.Client(ours, config).HandshakeContext(context.Background())
		ours.Close()
	}()
	b := make([]byte, 1<<14)
	n, err := io.ReadAtLeast(theirs, b, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := 5 + int(binary.BigEndian.Uint16(b[3:]))
	if _, err := io.ReadFull(theirs, b[n:want]); err != nil {
		t.Fatal(err)
	}
	return b[:want]
}

// extended returns a ClientHello with one more extension, an empty one.
func extended(hello []byte, extension uint16) []byte {
	b := bytes.Clone(hello)
	at := 5 + 4 + 2 + 32 // record, message, version, random
	at += 1 + int(b[at])
	at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	at += 1 + int(b[at])
	b = slices.Insert(b, at+2, byte(extension>>8), byte(extension), 0, 0)
	for _, p := range []int{3, 7, at} { // lengths of the record, the message (the lower two bytes) and the extensions
		binary.BigEndian.PutUint16(b[p:], binary.BigEndian.Uint16(b[p:])+4)
	}
	return b
}

// That a client is about to send early data says extension 42 (RFC 8446 §4.2.10). What came twice must not be executed twice.
func TestEarlyDataIsRefused(t *testing.T) {
	id := serverIdentity(t)
	config := id.client()
	config.NextProtos = []string{"h2"}
	for _, tc := range []struct {
		name  string
		hello []byte
		want  string
	}{
		{"unknown extension", extended(hello(t, config), 0xfafa), "160303 EOF"},
		{"early data", extended(hello(t, config), 42), "150303 tls: client sent unexpected early data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := listenTo(credentials.NewTLS(id.server()))
			p := start(t, setup{server: []grpc.ServerOption{grpc.Creds(l)}})
			nc, err := p.lis.DialContext(within(t))
			if err != nil {
				t.Fatal(err)
			}
			nc.Write(tc.hello)
			kind := make([]byte, 3) // of the record: 16 goes on with the handshake, 15 is an alert
			io.ReadFull(nc, kind)
			nc.Close()
			equal(t, fmt.Sprintf("%x %s", kind, text(wait(t, l.ended, "end of the handshake"))), tc.want)
		})
	}
}

func TestSessionsAreResumed(t *testing.T) {
	id := serverIdentity(t)
	for _, v := range tlsVersions[2:] {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			seen := make(chan string, 1)
			service := answering(func(ctx context.Context) error {
				pr, _ := peer.FromContext(ctx)
				seen <- fmt.Sprint(pr.AuthInfo.(credentials.TLSInfo).State.DidResume, " ", tlsInfo(pr))
				return nil
			})
			server, ours := id.server(), id.client()
			server.ClientAuth, server.ClientCAs, server.MaxVersion = tls.RequireAndVerifyClientCert, id.pool, v
			ours.Certificates, ours.ClientSessionCache = []tls.Certificate{id.cert}, tls.NewLRUClientSessionCache(0)
			creds := credentials.NewTLS(ours)
			p := start(t, setup{service: service, server: []grpc.ServerOption{grpc.Creds(credentials.NewTLS(server))}})
			for _, resumed := range []bool{false, true, true} {
				want := fmt.Sprintf(`%v tls PrivacyAndIntegrity <nil> alpn=h2 name="server.example" certificates=1 version=%x`, resumed, v)
				var pr peer.Peer
				cc := p.dial(t, grpc.WithTransportCredentials(creds))
				equal(t, result(unary(within(t), cc, "x", grpc.Peer(&pr), grpc.CallAuthority("other.example"))), `"x"`)
				equal(t, fmt.Sprint(pr.AuthInfo.(credentials.TLSInfo).State.DidResume, " ", tlsInfo(&pr)), want)
				equal(t, wait(t, seen, "call"), want)
				equal(t, result(unary(within(t), cc, "x", grpc.CallAuthority("foreign.example"))),
					`rpc error: code = Unavailable desc = failed to validate authority "foreign.example" : x509: certificate is valid for server.example, other.example, not foreign.example`)
			}
		})
	}
}
