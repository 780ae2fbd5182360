// Connections that cannot be made, or break: what the calls on them say.

package behaviour

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/parity/internal/raw"
)

// failure is what a call says on a channel that has failed to connect.
func failure(t *testing.T, cc *grpc.ClientConn) string {
	t.Helper()
	reach(t, cc, connectivity.TransientFailure)
	_, err := unary(within(t), cc, "x")
	return text(err)
}

func TestDialersThatFail(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain error", errors.New("boom"), `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: boom"`},
		{"temporary", temporary{true},
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dialer says no"`},
		{"permanent", temporary{false},
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dialer says no"`},
		{"EOF", io.EOF, `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: EOF"`},
		{"status", status.Error(codes.NotFound, "gone"),
			`rpc error: code = Internal desc = received picker error with illegal status: connection error: desc = "transport: Error while dialing: rpc error: code = NotFound desc = gone"`},
		{"percent sign", errors.New("100%s"),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: 100%s"`},
	} {
		t.Run(tc.name, func(t *testing.T) { equal(t, failure(t, plain(t, "addr", dialError(tc.err))), tc.want) })
	}
}

func TestNobodyListens(t *testing.T) {
	lis := listen(t)
	lis.Close()
	equal(t, failure(t, plain(t, lis.Addr().String())),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ADDR: connect: connection refused"`)
	missing := client(t, "unix:///nonexistent/socket", grpc.WithTransportCredentials(insecure.NewCredentials()))
	equal(t, failure(t, missing),
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /nonexistent/socket: connect: no such file or directory"`)
}

// speaker accepts connections and treats each as do says; then it closes them.
func speaker(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	lis := listen(t)
	go func() {
		for {
			nc, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				do(nc)
				nc.(*net.TCPConn).CloseWrite() // and read on: closing with unread bytes would reset the connection
				io.Copy(io.Discard, nc)
			}()
		}
	}()
	return lis.Addr().String()
}

// heard reads the beginning of what a client says.
func heard(nc net.Conn) { io.ReadFull(nc, make([]byte, len(http2.ClientPreface)+9)) }

func TestPeersThatAreNoServers(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(nc net.Conn)
		want string
	}{
		{"closes", heard, `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: EOF"`},
		{"one byte", func(nc net.Conn) {
			heard(nc)
			nc.Write([]byte("x"))
		}, `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: unexpected EOF"`},
		{"HTTP/1", func(nc net.Conn) {
			heard(nc)
			io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		},
			`rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: http2: failed reading the frame payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header"`},
		{"PING first", func(nc net.Conn) {
			heard(nc)
			http2.NewFramer(nc, nil).WritePing(false, [8]byte{})
		},
			`rpc error: code = Unavailable desc = connection error: desc = "initial http2 frame from server is not a settings frame: *http2.PingFrame"`},
		{"GOAWAY first", func(nc net.Conn) {
			heard(nc)
			http2.NewFramer(nc, nil).WriteGoAway(0, http2.ErrCodeNo, nil)
		},
			`rpc error: code = Unavailable desc = connection error: desc = "initial http2 frame from server is not a settings frame: *http2.GoAwayFrame"`},
		{"SETTINGS of a bad length", func(nc net.Conn) {
			heard(nc)
			http2.NewFramer(nc, nil).WriteRawFrame(http2.FrameSettings, 0, 0, []byte{1})
		}, `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: connection error: FRAME_SIZE_ERROR"`},
		{"SETTINGS of a bad stream", func(nc net.Conn) {
			heard(nc)
			http2.NewFramer(nc, nil).WriteRawFrame(http2.FrameSettings, 0, 1, nil)
		}, `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: connection error: PROTOCOL_ERROR"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			equal(t, failure(t, plain(t, speaker(t, tc.do))), faultDifferences[tc.name].or(t, tc.want))
		})
	}
}

// refusing are transport credentials whose handshake fails.
type refusing struct {
	credentials.TransportCredentials
	err error
}

func (r refusing) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, r.err
}
func (r refusing) Clone() credentials.TransportCredentials { return r }

func TestHandshakesThatFail(t *testing.T) {
	addr := speaker(t, heard)
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"plain error", errors.New("no shake"),
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: no shake"`},
		{"temporary", temporary{true},
			`rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: dialer says no"`},
		{"EOF", io.EOF, `rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: EOF"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			creds := refusing{insecure.NewCredentials(), tc.err}
			equal(t, failure(t, client(t, "passthrough:///"+addr, grpc.WithTransportCredentials(creds))), tc.want)
		})
	}
}

func TestResolversThatFail(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *manual.Resolver)
		want string
	}{
		{"error", func(r *manual.Resolver) { r.CC().ReportError(errors.New("no such name")) }, "rpc error: code = Unavailable desc = no such name"},
		{"status", func(r *manual.Resolver) { r.CC().ReportError(status.Error(codes.PermissionDenied, "no")) },
			"rpc error: code = PermissionDenied desc = no"},
		{"no addresses", func(r *manual.Resolver) { r.CC().UpdateState(resolver.State{}) },
			"rpc error: code = Unavailable desc = name resolver error: produced zero addresses"},
		{"bad service config", func(r *manual.Resolver) {
			r.CC().UpdateState(resolver.State{ServiceConfig: r.CC().ParseServiceConfig("{"), Addresses: []resolver.Address{{Addr: "x"}}})
		}, "rpc error: code = Unavailable desc = error parsing service config: unexpected end of JSON input"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := manual.NewBuilderWithScheme("parity")
			cc := client(t, "parity:///x", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()))
			cc.Connect()
			tc.do(r)
			equal(t, failure(t, cc), tc.want)
		})
	}
}

// resolverThatFailsToBuild is a builder that does not build.
type unbuildable struct{}

func (unbuildable) Scheme() string { return "parity" }
func (unbuildable) Build(resolver.Target, resolver.ClientConn, resolver.BuildOptions) (resolver.Resolver, error) {
	return nil, errors.New("cannot build")
}

func TestResolverThatCannotBeBuilt(t *testing.T) {
	cc := client(t, "parity:///x", grpc.WithResolvers(unbuildable{}), grpc.WithTransportCredentials(insecure.NewCredentials()))
	equal(t, failure(t, cc), "rpc error: code = Unavailable desc = cannot build")
	equal(t, result(unary(within(t), cc, "x")), "rpc error: code = Unavailable desc = cannot build")
	_, err := grpc.Dial("parity:///x", grpc.WithResolvers(unbuildable{}), grpc.WithInsecure())
	equal(t, text(err), "failed to exit idle mode: failed to start resolver: cannot build")
}

func TestTargetsThatTheirResolversRefuse(t *testing.T) {
	for _, tc := range []struct{ target, want string }{
		{"passthrough:///", "rpc error: code = Unavailable desc = passthrough: received empty target in Build()"},
		{"dns:///", `rpc error: code = Unavailable desc = delegating_resolver: invalid target address "": missing address`},
		{"dns:///a:b:c",
			"rpc error: code = Unavailable desc = invalid target address a:b:c, error info: address a:b:c:443: too many colons in address"},
		{"dns:///a:",
			`rpc error: code = Unavailable desc = delegating_resolver: invalid target address "a:": missing port after port-separator colon`},
		{"unix://host/path", "rpc error: code = Unavailable desc = invalid (non-empty) authority: host"},
		{"unix-abstract://host/path", "rpc error: code = Unavailable desc = invalid (non-empty) authority: host"},
	} {
		t.Run(tc.target, func(t *testing.T) {
			cc := client(t, tc.target, grpc.WithTransportCredentials(insecure.NewCredentials()))
			equal(t, result(unary(within(t), cc, "x")), tc.want)
		})
	}
}

func TestConnectionsThatBreakDuringACall(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(c *raw.Conn, id uint32)
		want string
	}{
		{"before the header", func(*raw.Conn, uint32) {}, "rpc error: code = Unavailable desc = error reading from server: EOF"},
		{"after the header", func(c *raw.Conn, id uint32) { c.Headers(id, false, response()...) },
			"rpc error: code = Unavailable desc = error reading from server: EOF"},
		{"within a message", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, raw.Text("m"))[:6])
		}, "rpc error: code = Unavailable desc = error reading from server: EOF"},
		{"after the message", func(c *raw.Conn, id uint32) {
			c.Headers(id, false, response()...)
			c.Data(id, false, raw.Message(0, raw.Text("m")))
		}, "rpc error: code = Unavailable desc = error reading from server: EOF"},
		{"within a frame", func(c *raw.Conn, id uint32) { c.Write([]byte{0, 0, 9, 0, 0, 0, 0, 0}) },
			"rpc error: code = Unavailable desc = error reading from server: unexpected EOF"},
		{"after GOAWAY that covers it", func(c *raw.Conn, id uint32) { c.GoAway(id, http2.ErrCodeNo, "bye") },
			`rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR, debug data: "bye"`},
		{"after GOAWAY with an error", func(c *raw.Conn, id uint32) { c.GoAway(id, http2.ErrCodeEnhanceYourCalm, "too_many_pings") },
			`rpc error: code = Unavailable desc = closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: ENHANCE_YOUR_CALM, debug data: "too_many_pings"`},
		{"frame that is too long", func(c *raw.Conn, id uint32) {
			c.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
		}, "rpc error: code = Unavailable desc = error reading from server: http2: frame too large"},
		{"DATA on stream 0", func(c *raw.Conn, id uint32) { c.Framer.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) },
			"rpc error: code = Unavailable desc = error reading from server: connection error: PROTOCOL_ERROR"},
		{"HEADERS that do not decode", func(c *raw.Conn, id uint32) {
			c.Framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		}, "rpc error: code = Unavailable desc = error reading from server: connection error: COMPRESSION_ERROR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := raw.Listen(t, func(_ int, c *raw.Conn) {
				if id, _ := c.Request(); id != 0 && c.Until(id) {
					tc.do(c, id)
				}
			})
			cc := plain(t, addr)
			equal(t, result(unary(within(t), cc, "x")), faultDifferences[tc.name].or(t, tc.want))
		})
	}
}

// What was wrong with a connection stands behind the code.
var faultDifferences = map[string]differ{
	"PING first":               {"connection-fault-text", preface + `PROTOCOL_ERROR: first frame is PING on stream 0, flags 0x0, 8 bytes, want SETTINGS"`},
	"GOAWAY first":             {"connection-fault-text", preface + `PROTOCOL_ERROR: first frame is GOAWAY on stream 0, flags 0x0, 8 bytes, want SETTINGS"`},
	"SETTINGS of a bad length": {"connection-fault-text", preface + `FRAME_SIZE_ERROR: SETTINGS of 1 bytes, want a multiple of 6"`},
	"SETTINGS of a bad stream": {"connection-fault-text", preface + `PROTOCOL_ERROR: SETTINGS on stream 1, want 0"`},
	"frame that is too long": {"connection-fault-text",
		"rpc error: code = Unavailable desc = error reading from server: connection error: FRAME_SIZE_ERROR: DATA of 16777215 bytes, limit 1048576"},
	"DATA on stream 0": {"connection-fault-text",
		"rpc error: code = Unavailable desc = error reading from server: connection error: PROTOCOL_ERROR: DATA on stream 0"},
	"HEADERS that do not decode": {"connection-fault-text",
		"rpc error: code = Unavailable desc = error reading from server: connection error: COMPRESSION_ERROR: header block: decoding error: truncated headers"},
}

const preface = `rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: connection error: `
