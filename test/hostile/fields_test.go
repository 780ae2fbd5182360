// Requests whose fields break the rules (RFC 9113 §8.2-8.3, gRPC over HTTP/2): each costs its stream, none the connection.

package hostile

import (
	"slices"
	"testing"

	pb "google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// without returns a sound request without a field, and with others at the end.
func without(name string, more ...string) []string {
	f := request(unary)
	i := slices.Index(f, name)
	return append(slices.Delete(f, i, i+2), more...)
}

// with returns a sound request with another value of a field.
func with(name, value string) []string {
	f := request(unary)
	f[slices.Index(f, name)+1] = value
	return f
}

func TestFieldsThatMakeARequestMalformed(t *testing.T) {
	var rows []row
	for _, tt := range []struct {
		name   string
		fields []string
	}{
		{"name-upper-case", request(unary, "Key", "v")},
		{"name-empty", request(unary, "", "v")},
		{"name-with-a-space", request(unary, "a b", "v")},
		{"name-with-a-colon", request(unary, "a:b", "v")},
		{"name-with-a-control", request(unary, "a\x01", "v")},
		{"name-with-del", request(unary, "a\x7f", "v")},
		{"name-with-obs-text", request(unary, "a\xe9", "v")},
		{"value-with-cr", request(unary, "key", "a\rb")},
		{"value-with-lf", request(unary, "key", "a\nb")},
		{"value-with-nul", request(unary, "key", "a\x00b")},
		{"connection", request(unary, "connection", "close")},
		{"keep-alive", request(unary, "keep-alive", "1")},
		{"proxy-connection", request(unary, "proxy-connection", "close")},
		{"transfer-encoding", request(unary, "transfer-encoding", "chunked")},
		{"upgrade", request(unary, "upgrade", "h2c")},
		{"te-gzip", with("te", "gzip")},
		{"pseudo-unknown", append([]string{":bogus", "x"}, request(unary)...)},
		{"pseudo-status-in-a-request", append([]string{":status", "200"}, request(unary)...)},
		{"pseudo-late", request(unary, ":path", unary)},
		{"pseudo-method-twice", append([]string{":method", "POST"}, request(unary)...)},
		{"pseudo-path-twice", append([]string{":path", unary}, request(unary)...)},
		{"pseudo-path-with-lf", with(":path", "/a\nb")},
		{"method-missing", without(":method")},
		{"scheme-missing", without(":scheme")},
		{"path-missing", without(":path")},
		{"path-empty", with(":path", "")},
		{"content-length-no-number", request(unary, "content-length", "x")},
		{"content-length-negative", request(unary, "content-length", "-1")},
		{"content-length-too-small", request(unary, "content-length", "1")},
		{"content-length-too-large", request(unary, "content-length", "100")},
	} {
		rows = append(rows, row{tt.name, func(p *peer) {
			p.headers(1, false, tt.fields...)
			p.data(1, true, message(&pb.Request{Payload: []byte("x")}))
		}, resets(1, protocolError)})
	}
	rows = append(rows, row{"content-length-without-content", func(p *peer) { p.headers(1, true, request(unary, "content-length", "5")...) }, resets(1, protocolError)})
	rows = append(rows, row{"content-length-without-content-but-trailers", func(p *peer) {
		p.headers(1, false, request(unary, "content-length", "5")...)
		p.headers(1, true, "key", "value")
	}, resets(1, protocolError)})
	newTarget(t).run(t, rows)
}

func TestFieldsThatAreNoGRPC(t *testing.T) {
	for _, tt := range []struct {
		name         string
		fields       []string
		http, status string
	}{
		{"content-type-missing", without("content-type"), "415", "3"},
		{"content-type-other", with("content-type", "text/plain"), "415", "3"},
		{"content-type-grpcx", with("content-type", "application/grpcx"), "415", "3"},
		{"method-get", with(":method", "GET"), "405", "13"},
		{"host-twice", request(unary, "host", "a", "host", "b"), "400", "13"},
		{"authority-missing", without(":authority"), "400", "13"},
		{"bin-metadata-rubbish", request(unary, "key-bin", "!!!"), "400", "13"},
		{"bin-metadata-rubbish-behind-a-comma", request(unary, "key-bin", "YQ,!!!"), "400", "13"},
	} {
		s := newTarget(t)
		t.Run(tt.name, func(t *testing.T) {
			p := s.dial(t)
			before := s.calls.Load()
			p.headers(1, false, tt.fields...)
			a := p.wantStatus(1, tt.status)
			if got := a.trailer.field(":status"); got != tt.http {
				t.Errorf("got HTTP status %s (%s), want %s", got, a.text(), tt.http)
			}
			p.wantReset(1, 0) // early-answer: the rest of the request is not wanted
			p.wantAlive()
			if got := s.calls.Load(); got != before {
				t.Errorf("got %d handlers started, want none", got-before)
			}
			s.call()
		})
	}
}

func TestFieldsThatAreSound(t *testing.T) {
	var rows []row
	for _, tt := range []struct {
		name   string
		fields []string
	}{
		{"bin-metadata", request(unary, "key-bin", "YQ")},
		{"bin-metadata-padded", request(unary, "key-bin", "YQ==")},
		{"bin-metadata-joined", request(unary, "key-bin", "YQ,YQ==,")},
		{"bin-metadata-empty", request(unary, "key-bin", "")},
		{"content-type-with-subtype", with("content-type", "application/grpc+proto")},
		{"content-type-with-parameter", with("content-type", "application/grpc;charset=utf-8")},
		{"te-missing", without("te")},
		{"scheme-https", with(":scheme", "https")},
		{"content-length-right", request(unary, "content-length", "5")},
	} {
		rows = append(rows, row{tt.name, func(p *peer) {
			p.headers(1, false, tt.fields...)
			p.data(1, true, message(&pb.Request{}))
		}, answers(1, "0")})
	}
	newTarget(t).run(t, rows)
}

// What a name is spelled like decides which method is called, so that interceptors and the router see the same (CVE-2026-33186).
func TestPathsAreTakenAsTheyAre(t *testing.T) {
	s := newTarget(t)
	service := unary[1 : len(unary)-len("Unary")]
	for _, tt := range []struct{ name, path string }{
		{"path-without-slash", unary[1:]},
		{"path-with-two-slashes", "/" + unary},
		{"path-with-slash-at-the-end", unary + "/"},
		{"path-with-query", unary + "?x=1"},
		{"path-with-fragment", unary + "#x"},
		{"path-percent-encoded", "/" + service + "%55nary"},
		{"path-percent-encoded-slash", "%2F" + unary[1:]},
		{"path-with-dots", "/x/.." + unary},
		{"path-with-a-dot", "/." + unary},
		{"path-upper-case", "/" + service + "UNARY"},
		{"path-absolute", "http://localhost" + unary},
		{"path-with-space", unary + " "},
		{"path-asterisk", "*"},
		{"path-slash", "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dial(t)
			before := s.calls.Load()
			p.open(1, tt.path)
			p.data(1, true, message(&pb.Request{}))
			p.wantStatus(1, "12")
			p.wantAlive()
			if got := s.calls.Load(); got != before {
				t.Errorf("got %d handlers started, want none", got-before)
			}
		})
	}
	s.call()
}

func TestTimeouts(t *testing.T) {
	var rows []row
	for timeout, want := range map[string]string{
		"": "13", "1": "13", "S": "13", "-1S": "13", "+1S": "13", "1.5S": "13", " 1S": "13", "1S ": "13", "1s": "13", "1X": "13", "123456789S": "13",
		"12345678901234567890S": "13", "0S": "4", "00000000n": "4", "99999999H": "0", "10S": "0", "10000000u": "0",
	} {
		rows = append(rows, row{"timeout=" + timeout, func(p *peer) {
			p.open(1, unary, "grpc-timeout", timeout)
			p.data(1, true, message(&pb.Request{}))
		}, answers(1, want)})
	}
	newTarget(t).run(t, rows)
}
