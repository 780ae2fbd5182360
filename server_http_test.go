// Tests of calls that come by ServeHTTP, as far as they are not in test/parity: calls that end before their handlers do, and middleware.

package grpc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

// serveHTTP makes a server of net/http hand its calls over, until the end of the test.
func serveHTTP(t *testing.T, h http.Handler) *bufconn.Listener {
	t.Helper()
	web := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	web.Protocols.SetUnencryptedHTTP2(true)
	lis := bufconn.Listen(64 << 10)
	served := make(chan error, 1)
	go func() { served <- web.Serve(lis) }()
	t.Cleanup(func() {
		web.Close()
		<-served
	})
	return lis
}

// A lateHandler sends until it cannot, and, once the test lets it, does all that it must not do any more.
type lateHandler struct {
	began, release chan struct{}
	sent           chan error // the error of the send that failed
	late           chan []error
}

func newLateHandler() *lateHandler {
	return &lateHandler{began: make(chan struct{}), release: make(chan struct{}), sent: make(chan error, 1), late: make(chan []error, 1)}
}

func (h *lateHandler) handle(ss ServerStream) error {
	close(h.began)
	m := text(strings.Repeat("x", 10_000))
	err := ss.SendMsg(m)
	for err == nil {
		err = ss.SendMsg(m)
	}
	h.sent <- err
	<-h.release
	h.late <- []error{ss.SendMsg(m), ss.RecvMsg(text("")), ss.SendHeader(nil)}
	return nil
}

func TestCallOverHTTPEndsBeforeItsHandler(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		end        func(srv *Server, cancel context.CancelFunc)
	}{
		{"Stop", "Canceled: context canceled", func(srv *Server, _ context.CancelFunc) { srv.Stop() }},
		{"deadline", "DeadlineExceeded: context deadline exceeded", func(*Server, context.CancelFunc) { pass(time.Minute) }},
		{"client", "Canceled: context canceled", func(_ *Server, cancel context.CancelFunc) { cancel() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, h := NewServer(), newLateHandler()
				testService{stream: h.handle}.register(srv)
				returned := make(chan struct{})
				cc := connect(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(returned)
					ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
					defer cancel()
					srv.ServeHTTP(w, r.WithContext(ctx))
				})))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, err := cc.NewStream(ctx, bidi, streamMethod) // of which nothing is read
				must(t, err)
				<-h.began
				synctest.Wait()
				tt.end(srv, cancel)
				wantStatus(t, "send that waits for the client", <-h.sent, tt.want)
				<-returned
				over := begin(srv.GracefulStop)
				wantEqual(t, "GracefulStop returned before the handler", isClosed(over), false)
				close(h.release)
				for i, err := range <-h.late {
					if err == nil {
						t.Errorf("late call %d: got no error, want one", i)
					}
				}
				<-over
			})
		})
	}
}

func TestMiddlewareInFrontOfServeHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		defer srv.Stop()
		testService{}.register(srv)
		cc := connect(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 20)
			srv.ServeHTTP(w, r)
		})))
		got, err := echo(t.Context(), cc, "small")
		must(t, err)
		wantEqual(t, "reply", got, "small")
		_, err = echo(t.Context(), cc, strings.Repeat("x", 100))
		wantStatus(t, "large call", err, "ResourceExhausted: transport: reading the request: http: request body too large")
	})
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer()
		defer srv.Stop()
		testService{}.register(srv)
		cc := connect(t, serveHTTP(t, http.StripPrefix("/below", srv)))
		got, err := invokeMethod(t.Context(), cc, "/below"+unaryMethod)
		must(t, err)
		wantEqual(t, "reply", got, "x")
	})
}

func TestRequestThatIsMalformedForServeHTTP(t *testing.T) {
	for name, want := range map[string]string{
		"Te": "malformed request: te other than trailers", "Upgrade": "malformed request: connection-specific field upgrade",
		"X-Bin": `malformed binary metadata "?" in header "x-bin": illegal base64 data at input byte 0`,
	} {
		req := httptest.NewRequest(http.MethodPost, unaryMethod, nil)
		req.ProtoMajor = 2
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set(name, "?")
		rec := httptest.NewRecorder()
		NewServer().ServeHTTP(rec, req)
		wantEqual(t, name+": status", rec.Code, http.StatusBadRequest)
		wantEqual(t, name+": body", rec.Body.String(), want+"\n")
	}
}
