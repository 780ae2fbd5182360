// Tests of calls that come from net/http: what is refused, and what of a call goes where, in which order, and until when. The server of
// net/http is there where its connection matters; else the test is it.

package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// newHTTPRequest returns a sound request with a body and more fields.
func newHTTPRequest(body io.Reader, more ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/s/m", body)
	r.ProtoMajor = 2
	r.Header.Set("Content-Type", "application/grpc")
	for i := 0; i < len(more); i += 2 {
		r.Header[more[i]] = append(r.Header[more[i]], more[i+1])
	}
	return r
}

// httpHandler is a Handler that runs a function for the call, in a goroutine of its own.
type httpHandler struct {
	handle func(s *ServerStream)
	calls  int
	closed int
}

func (h *httpHandler) HandleStream(s *ServerStream) {
	h.calls++
	go func() { // ends with the function
		h.handle(s)
		s.Done()
	}()
}

func (h *httpHandler) Closed(error) { h.closed++ }

// serveHTTP has a call served as net/http would.
func serveHTTP(t *testing.T, r *http.Request, handle func(s *ServerStream)) *http.Response {
	t.Helper()
	rec, h := httptest.NewRecorder(), &httpHandler{handle: handle}
	ServeHTTP(rec, r, t.Context(), ServerOptions{Context: r.Context(), MaxMessageSize: 100}, h)
	if h.closed != 1 {
		t.Errorf("Closed was called %d times, want once", h.closed)
	}
	return rec.Result()
}

// onlyWriter is a http.ResponseWriter that cannot flush.
type onlyWriter struct{ http.ResponseWriter }

func TestRequestsOfHTTPThatAreNoGRPC(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *http.Request)
		code   int
		body   string
		allow  string
	}{
		{"HTTP/1.1", func(r *http.Request) { r.ProtoMajor = 1 }, 505, "gRPC requires HTTP/2", ""},
		{"GET", func(r *http.Request) { r.Method = "GET" }, 405, `invalid gRPC request method "GET"`, "POST"},
		{"content-type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, `invalid gRPC request content-type "text/plain"`, ""},
		{"no content-type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415, `invalid gRPC request content-type ""`, ""},
		{"timeout", func(r *http.Request) { r.Header.Set("Grpc-Timeout", "1 day") }, 400, `malformed grpc-timeout: transport: timeout unit is not recognized: "1 day"`, ""},
		{"empty timeout", func(r *http.Request) { r.Header.Set("Grpc-Timeout", "") }, 400, `malformed grpc-timeout: transport: timeout string is too short: ""`, ""},
		{"binary value", func(r *http.Request) { r.Header["K-Bin"] = []string{"AQ", "*"} }, 400, `malformed binary metadata "*" in header "k-bin": illegal base64 data at input byte 0`, ""},
		{"te", func(r *http.Request) { r.Header.Set("Te", "gzip") }, 400, "malformed request: te other than trailers", ""},
	} {
		r := newHTTPRequest(nil)
		tt.change(r)
		resp := serveHTTP(t, r, func(*ServerStream) { t.Errorf("%s: a handler runs, want none", tt.name) })
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tt.code || string(body) != tt.body+"\n" || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s: got %d %q, Allow %q, want %d %q, %q", tt.name, resp.StatusCode, body, resp.Header.Get("Allow"), tt.code, tt.body, tt.allow)
		}
	}
	rec, h := httptest.NewRecorder(), new(httpHandler)
	ServeHTTP(onlyWriter{rec}, newHTTPRequest(nil), t.Context(), ServerOptions{}, h)
	if want := "gRPC requires a ResponseWriter supporting http.Flusher\n"; rec.Code != 500 || rec.Body.String() != want || h.calls+h.closed != 1 {
		t.Errorf("without flush: got %d %q, %d calls, want 500 %q, none", rec.Code, rec.Body, h.calls, want)
	}
}

func TestCallOfHTTPKnowsItsRequest(t *testing.T) {
	r := newHTTPRequest(nil, "K", "v", "K", "w", "B-Bin", "AQI", "User-Agent", "agent", "Grpc-Encoding", "gzip", "Grpc-Accept-Encoding", "a,b", "Grpc-Timeout", "1H")
	r.URL, r.Host = &url.URL{Path: "/below/s/m", RawPath: "/below/s%2Fm"}, "host"
	r.Header.Set("Content-Type", "application/grpc+JSON")
	who := &peer.Peer{}
	h := &httpHandler{handle: func(s *ServerStream) {
		md := s.Metadata()
		got := fmt.Sprint(s.Method(), s.ContentSubtype(), s.RecvCompress(), s.AcceptEncoding(), s.HeaderLen(), md["k"], md["b-bin"], md["user-agent"], md[":authority"], md["grpc-timeout"])
		if want := "/below/s%2Fmjson" + "gzip" + "a,b" + "0" + " [v w] [\x01\x02] [agent] [host] []"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if at, ok := s.Context().Deadline(); !ok || time.Until(at) > time.Hour || time.Until(at) < 50*time.Minute {
			t.Errorf("deadline: got %v, %v, want it after an hour", at, ok)
		}
		if s.Peer() != who {
			t.Errorf("peer: got %v, want %v", s.Peer(), who)
		}
		_ = s.Finish(status.New(codes.OK, ""), nil)
	}}
	ServeHTTP(httptest.NewRecorder(), r, t.Context(), ServerOptions{Context: t.Context(), Peer: who}, h)
	if h.calls != 1 {
		t.Errorf("got %d calls, want 1", h.calls)
	}
}

func TestResponsesOfHTTP(t *testing.T) {
	const message = "\x00\x00\x00\x00\x02ok"
	detailed, err := status.New(codes.NotFound, "é").WithDetails(wrapperspb.String("d"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		handle  func(s *ServerStream)
		header  string // metadata
		body    string
		trailer string
	}{
		{"message and status", func(s *ServerStream) {
			_ = s.Write(okMessage())
			_ = s.Finish(status.New(codes.OK, ""), nil)
		}, "", message, "Grpc-Status: 0"},
		{"message with the status", func(s *ServerStream) { _ = s.Finish(status.New(codes.OK, ""), okMessage()) }, "", message, "Grpc-Status: 0"},
		{"status alone", func(s *ServerStream) { _ = s.Finish(status.New(codes.Aborted, "why"), nil) }, "", "", "Grpc-Message: why, Grpc-Status: 10"},
		{"message of a status that must be encoded", func(s *ServerStream) { _ = s.Finish(status.New(codes.Aborted, "a\nb"), nil) }, "", "", "Grpc-Message: a%0Ab, Grpc-Status: 10"},
		{"headers first", func(s *ServerStream) {
			_ = s.SetHeader(metadata.Pairs("a", "1"))
			_ = s.SetSendCompress("gzip")
			_ = s.SendHeader(metadata.Pairs("a", "2", "b-bin", "\x01"))
			_ = s.SetTrailer(metadata.Pairs("c", "3", "c", "4", "d-bin", "\x02"))
			_ = s.Write(okMessage())
			_ = s.Write(okMessage())
			_ = s.Finish(status.New(codes.Internal, ""), nil)
		}, "A: 1, A: 2, B-Bin: AQ, Grpc-Encoding: gzip", message + message, "C: 3, C: 4, D-Bin: Ag, Grpc-Status: 13"},
		{"trailers alone", func(s *ServerStream) {
			_ = s.SetTrailer(metadata.Pairs("c", "3"))
			_ = s.Finish(status.New(codes.OK, ""), nil)
		}, "", "", "C: 3, Grpc-Status: 0"},
		{"details", func(s *ServerStream) {
			_ = s.SetTrailer(metadata.Pairs("grpc-status-details-bin", "mine"))
			_ = s.Finish(detailed, nil)
		}, "", "", "Grpc-Message: %C3%A9, Grpc-Status: 5, Grpc-Status-Details-Bin: DETAILS"},
		{"the first status counts", func(s *ServerStream) {
			_ = s.Finish(status.New(codes.Aborted, ""), nil)
			if err := s.Finish(status.New(codes.OK, ""), okMessage()); err != ErrStreamDone {
				t.Errorf("second Finish: got %v, want %v", err, ErrStreamDone)
			}
			if err := s.Write(okMessage()); err != ErrStreamDone {
				t.Errorf("Write behind Finish: got %v, want %v", err, ErrStreamDone)
			}
		}, "", "", "Grpc-Status: 10"},
		{"headers that cannot be sent", func(s *ServerStream) {
			_ = s.SetHeader(metadata.MD{"a": {"\n"}})
			if err := s.Write(okMessage()); err == nil {
				t.Error("Write: got no error")
			}
			_ = s.Finish(status.New(codes.OK, ""), okMessage())
		}, "", "", "Grpc-Message: ANY, Grpc-Status: 13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := serveHTTP(t, newHTTPRequest(nil), tt.handle)
			body, _ := io.ReadAll(resp.Body)
			header := resp.Header.Clone()
			if got := fmt.Sprint(resp.StatusCode, header["Content-Type"], header["Trailer"]); got != "200 [application/grpc] [Grpc-Status Grpc-Message Grpc-Status-Details-Bin]" {
				t.Errorf("got %s, want 200, gRPC and the names of the trailers", got)
			}
			for _, name := range []string{"Content-Type", "Trailer", "Date"} {
				header.Del(name)
			}
			if got := shownHeader(header); got != tt.header || string(body) != tt.body {
				t.Errorf("got headers %q, body %q, want %q, %q", got, body, tt.header, tt.body)
			}
			got := resp.Trailer.Clone()
			if v := got.Get("Grpc-Status-Details-Bin"); v != "" {
				got.Set("Grpc-Status-Details-Bin", "DETAILS")
				b, err := base64.RawStdEncoding.DecodeString(v)
				st := new(spb.Status)
				if err != nil || proto.Unmarshal(b, st) != nil || st.Code != 5 || len(st.Details) != 1 {
					t.Errorf("details: got %q, %v, want those of the status", v, err)
				}
			}
			if tt.name == "headers that cannot be sent" && got.Get("Grpc-Message") != "" {
				got.Set("Grpc-Message", "ANY")
			}
			if got := shownHeader(got); got != tt.trailer {
				t.Errorf("got trailers %q, want %q", got, tt.trailer)
			}
		})
	}
}

// shownHeader returns fields as they are written, by name.
func shownHeader(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b) // into memory
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\r\n"), "\r\n", ", ")
}

func TestMessagesOfARequestOfHTTP(t *testing.T) {
	message := func(n int) string { return string(messageOf(n).appendTo(nil, 0, PrefixLen+n)) }
	for _, tt := range []struct {
		name string
		body io.Reader
		want string // sizes of the messages, and the error behind them
	}{
		{"none", strings.NewReader(""), "EOF"},
		{"two", strings.NewReader(message(3) + message(100)), "3 100 EOF"},
		{"one byte at a time", &slowReader{s: message(3) + message(0) + message(99)}, "3 0 99 EOF"},
		{"one that is too large", strings.NewReader(message(3) + message(101)), "3 received message larger than max (101 vs. 100)"},
		{"one that is cut off", strings.NewReader(message(3)[:7]), "unexpected EOF"},
		{"prefix that is cut off", strings.NewReader(message(3) + "\x00"), "3 unexpected EOF"},
		{"client that has gone", io.MultiReader(strings.NewReader(message(3)), &slowReader{err: errors.New("gone")}), "3 context canceled"},
		{"body that is too large for net/http", http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader(message(3)+message(50))), 20),
			`3 stream error: code = ResourceExhausted desc = "transport: reading the request: http: request body too large"`},
	} {
		var got []string
		serveHTTP(t, newHTTPRequest(tt.body), func(s *ServerStream) {
			for {
				m, err := s.Recv()
				if err != nil {
					got = append(got, err.Error())
					break
				}
				got = append(got, fmt.Sprint(len(m.Payload)))
				s.Release()
			}
			_ = s.Finish(status.New(codes.OK, ""), nil)
		})
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A slowReader gives one byte at a time, and then an error, io.EOF if there is none.
type slowReader struct {
	s   string
	err error
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.s == "" {
		if r.err == nil {
			return 0, io.EOF
		}
		return 0, r.err
	}
	n := copy(p[:1], r.s)
	r.s = r.s[n:]
	return n, nil
}

func TestCallOfHTTPEndsWithItsContext(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout string
		end     func(client, server context.CancelFunc)
		err     error  // of the context
		trailer string // what the client hears, if it is there
	}{
		{"client", "", func(client, _ context.CancelFunc) { client() }, context.Canceled, "Grpc-Message: context canceled, Grpc-Status: 1"},
		{"server", "", func(_, server context.CancelFunc) { server() }, context.Canceled, "Grpc-Message: transport: the server is stopping, Grpc-Status: 14"},
		{"deadline", "1S", func(_, _ context.CancelFunc) { letPass(time.Second) }, context.DeadlineExceeded, "Grpc-Message: context deadline exceeded, Grpc-Status: 4"},
		{"deadline before it began", "0S", func(_, _ context.CancelFunc) {}, context.DeadlineExceeded, "Grpc-Message: context deadline exceeded, Grpc-Status: 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, w := io.Pipe() // of which nothing comes
				defer w.Close()
				ctx, client := context.WithCancel(t.Context())
				stopped, server := context.WithCancel(t.Context())
				defer client()
				defer server()
				r := newHTTPRequest(body).WithContext(ctx)
				if tt.timeout != "" {
					r.Header.Set("Grpc-Timeout", tt.timeout)
				}
				release := make(chan struct{})
				h := &httpHandler{handle: func(s *ServerStream) {
					if _, err := s.Recv(); err != tt.err {
						t.Errorf("Recv: got %v, want %v", err, tt.err)
					}
					if err := s.Context().Err(); err != tt.err {
						t.Errorf("context: got %v, want %v", err, tt.err)
					}
					<-release
					for name, err := range map[string]error{
						"Write": s.Write(okMessage()), "SendHeader": s.SendHeader(nil), "Finish": s.Finish(status.New(codes.OK, ""), okMessage()),
					} {
						if err != ErrStreamDone {
							t.Errorf("%s when net/http has the response again: got %v, want %v", name, err, ErrStreamDone)
						}
					}
				}}
				rec := httptest.NewRecorder()
				returned := make(chan struct{})
				go func() { // ends with the call
					ServeHTTP(rec, r, stopped, ServerOptions{Context: context.Background()}, h)
					close(returned)
				}()
				synctest.Wait()
				tt.end(client, server)
				<-returned
				got := rec.Result()
				close(release)
				synctest.Wait()
				if late := shownHeader(rec.Result().Trailer); late != tt.trailer || shownHeader(got.Trailer) != tt.trailer {
					t.Errorf("got trailers %q, and later %q, want %q", shownHeader(got.Trailer), late, tt.trailer)
				}
				if want := tt.timeout != "0S"; h.closed != 1 || (h.calls == 1) != want {
					t.Errorf("got %d calls, %d ends, want a call %v and an end", h.calls, h.closed, want)
				}
			})
		})
	}
}

func TestResponsesOfHTTPAreSettledInTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := serveHTTP(t, newHTTPRequest(http.NoBody), func(s *ServerStream) {
			<-s.http.turn // somebody else writes
			var ends sync.WaitGroup
			var errs [2]error
			for i, f := range []func() error{
				func() error { return s.Write(okMessage()) },
				func() error { return s.Finish(status.New(codes.Aborted, "x"), nil) },
			} {
				ends.Go(func() { errs[i] = f() })
				synctest.Wait()
			}
			if err := errors.Join(s.SetHeader(metadata.Pairs("head", "1")), s.SetTrailer(metadata.Pairs("tail", "2"))); err != nil {
				t.Errorf("while both wait: got %v", err)
			}
			s.http.exit()
			if ends.Wait(); errs != [2]error{} {
				t.Errorf("Write and Finish: got %v", errs)
			}
		})
		if got.Header.Get("head") != "1" || got.Trailer.Get("tail") != "2" || got.Trailer.Get("Grpc-Status") != "10" {
			t.Errorf("got %v, trailers %v, want all of what was set before their turn", got.Header, got.Trailer)
		}
	})
}
